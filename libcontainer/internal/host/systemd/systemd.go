// Package systemd asks systemd for the cgroup of a container: a transient scope with the
// container's first process in it (systemd.scope(5)).
//
// create needs one exchange with systemd and delete needs one. Each uses its own connection and
// has a deadline.
package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// privateSocket is the socket of systemd itself, below the runtime directory. It needs no bus.
const privateSocket = "/systemd/private"

// defaultTimeout is the deadline of an exchange. On a large host systemd can take seconds to
// answer while it reloads its configuration.
const defaultTimeout = 30 * time.Second

// Instance is a systemd manager, of the system or of a user.
type Instance struct {
	// Addresses are D-Bus addresses; the first one that works is used.
	Addresses []string `json:"addresses"`
	// User reports whether it is a user manager.
	User bool `json:"user,omitempty"`
	// Root is the cgroup that its units are in: "/" for the system manager.
	Root string `json:"root"`

	// Interrupt ends an exchange.
	Interrupt *linux.Interrupt `json:"-"`

	timeout time.Duration // 0 for the default
}

// Own returns the manager that is responsible for this process: the system manager for root, and
// the user manager for other users, including those who are root in a user namespace.
func Own() (Instance, error) {
	uid := os.Getuid()
	if mapped, ok := mappedUID(); ok {
		uid = mapped
	}
	if uid == 0 {
		return system()
	}
	return user(uid)
}

// mappedUID returns the uid of this user outside of the user namespace.
func mappedUID() (int, bool) {
	data, err := linux.Self.Read("uid_map")
	if err != nil {
		return 0, false
	}
	uids, err := bundle.ParseIDMap(string(data))
	if err != nil {
		return 0, false
	}
	uid, ok := uids.ToHost(uint32(os.Getuid()))
	return int(uid), ok
}

func system() (Instance, error) {
	i := Instance{Root: "/"}
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		i.Addresses = strings.Split(address, ";")
	} else {
		// The same test as sd_booted(3).
		if st, err := os.Lstat("/run/systemd/system"); err != nil || !st.IsDir() {
			return i, errors.New("systemd is not running on this host (there is no /run/systemd/system)")
		}
		i.Addresses = []string{"unix:path=/run" + privateSocket, "unix:path=/run/dbus/system_bus_socket"}
	}
	// In a container its units are not in the root cgroup.
	if own, err := CgroupOf(linux.PID(1)); err == nil {
		i.Root = strings.TrimSuffix(own, "/init.scope")
	}
	if i.Root == "" {
		i.Root = "/"
	}
	return i, nil
}

func user(uid int) (Instance, error) {
	i := Instance{User: true}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		// Engines do not always pass XDG_RUNTIME_DIR on.
		runtime = "/run/user/" + strconv.Itoa(uid)
	}
	if _, err := os.Stat(runtime + privateSocket); err == nil {
		i.Addresses = []string{"unix:path=" + escape(runtime+privateSocket)}
	}
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		i.Addresses = append(i.Addresses, strings.Split(address, ";")...)
	} else if _, err := os.Stat(filepath.Join(runtime, "bus")); err == nil {
		i.Addresses = append(i.Addresses, "unix:path="+escape(filepath.Join(runtime, "bus")))
	}
	if len(i.Addresses) == 0 {
		return i, fmt.Errorf("no systemd user manager for uid %d: neither systemd/private nor bus is in %s, and DBUS_SESSION_BUS_ADDRESS is not set (it starts with a login, or with \"loginctl enable-linger\")", uid, runtime)
	}
	service := fmt.Sprintf("/user@%d.service", uid)
	i.Root = fmt.Sprintf("/user.slice/user-%d.slice%s", uid, service)
	if own, err := CgroupOf(linux.Self); err == nil {
		if before, _, ok := strings.Cut(own+"/", service+"/"); ok {
			i.Root = before + service
		}
	}
	return i, nil
}

// escape escapes a value for an address (D-Bus specification, "Server Addresses").
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(`-_/.\*`, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	return b.String()
}

// CgroupOf returns the cgroup of a process in the hierarchy that systemd uses: the unified one,
// or the one named systemd. The path starts at the root of the hierarchy.
func CgroupOf(p linux.Process) (string, error) {
	all, err := p.Cgroups()
	if own, ok := all["name=systemd"]; ok {
		return own, nil
	}
	return all[""], err
}

// Path returns the cgroup of a unit, as a path from the root of the hierarchy.
func (i Instance) Path(u Unit) string {
	return filepath.Join(i.Root, slicePath(u.Slice), u.Name)
}

// Property is a property of a unit, by its D-Bus name.
type Property struct {
	Name  string
	Value any // bool, int32, uint32, uint64, string, []byte, []uint32 or []string
	// Optional reports whether the property can be left out when this systemd does not know it.
	Optional bool
}

// Text returns a property with a string value that every version of systemd knows.
func Text(name, value string) Property { return Property{Name: name, Value: value} }

// auxiliary is an argument of StartTransientUnit that systemd ignores.
type auxiliary struct {
	name       string
	properties []Property
}

// StartScope creates a scope with a process in it. When it returns, the process is in the cgroup
// of the scope.
func (i Instance) StartScope(u Unit, pid int, properties []Property) error {
	properties = append([]Property{
		{Name: "Slice", Value: u.Slice},
		{Name: "PIDs", Value: []uint32{uint32(pid)}},
		// systemd leaves the cgroups below the scope alone.
		{Name: "Delegate", Value: true},
		// A container does not wait for basic.target, and its engine decides in which order
		// containers stop.
		{Name: "DefaultDependencies", Value: false},
		// Unload a failed scope as well: nobody would reset it.
		{Name: "CollectMode", Value: "inactive-or-failed", Optional: true},
	}, properties...)
	return i.exchange(u, "start", func(c *conn) error {
		reset := false
		for {
			err := c.job(u, "StartTransientUnit", u.Name, "fail", properties, []auxiliary{})
			switch name := unknownProperty(err); {
			case name != "" && drop(&properties, name):
			case isCallError(err, destination+".UnitExists") && !reset:
				// A failed unit may be left over from an earlier container. A unit that is active
				// is not touched.
				reset = true
				_, err := c.ask("ResetFailedUnit", u.Name)
				if err != nil && !isCallError(err, destination+".NoSuchUnit") {
					return err
				}
			case isCallError(err, destination+".UnitExists"):
				return errors.New("it exists already, and something uses it")
			default:
				return err
			}
		}
	})
}

// unknownProperty returns the name of the property that systemd refused because it does not know
// it.
func unknownProperty(err error) string {
	if !isCallError(err, "org.freedesktop.DBus.Error.PropertyReadOnly") {
		return ""
	}
	var name string
	_, _ = fmt.Sscanf(err.Error(), "Cannot set property %s", &name)
	return strings.TrimSuffix(name, ",")
}

// drop removes an optional property and reports whether it was there.
func drop(properties *[]Property, name string) bool {
	for n, p := range *properties {
		if p.Name == name && p.Optional {
			*properties = append((*properties)[:n:n], (*properties)[n+1:]...)
			return true
		}
	}
	return false
}

// Stop stops a unit: systemd kills the processes in its cgroup and removes the cgroup. It
// succeeds when there is no such unit.
func (i Instance) Stop(u Unit) error {
	return i.exchange(u, "stop", func(c *conn) error {
		err := c.job(u, "StopUnit", u.Name, "replace")
		if isCallError(err, destination+".NoSuchUnit") {
			return nil
		}
		return err
	})
}

// Set changes properties until the unit stops or the system reboots.
func (i Instance) Set(u Unit, properties []Property) error {
	return i.exchange(u, "change", func(c *conn) error {
		for {
			_, err := c.ask("SetUnitProperties", u.Name, true, properties)
			if name := unknownProperty(err); name != "" && drop(&properties, name) {
				continue
			}
			return err
		}
	})
}

// exchange connects to systemd and calls talk. Its errors name the unit.
func (i Instance) exchange(u Unit, verb string, talk func(*conn) error) error {
	timeout := i.timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	c, err := dial(i.Addresses, timeout)
	if err != nil {
		return fault.SystemdFailed.Errorf("%s the systemd unit %q: connect to systemd: %w", verb, u.Name, err)
	}
	defer c.close()
	c.interrupt = i.Interrupt
	if err := talk(c); err != nil {
		if errors.Is(err, ErrTimeout) {
			return fault.SystemdFailed.Errorf("%s the systemd unit %q: %w within %v", verb, u.Name, ErrTimeout, timeout)
		}
		return fault.SystemdFailed.Errorf("%s the systemd unit %q: %w", verb, u.Name, err)
	}
	return nil
}

// job calls a method that creates a job, and waits for the end of the job.
func (c *conn) job(u Unit, method string, body ...any) error {
	reply, err := c.ask(method, body...)
	if err != nil {
		return err
	}
	if len(reply.body) == 0 {
		return errMalformed
	}
	job, ok := reply.body[0].(objectPath)
	if !ok {
		return errMalformed
	}
	for {
		m, err := c.receive()
		if err != nil {
			return err
		}
		// Anybody on a bus may send signals to anybody. The bus lets only the called peer reply,
		// and its sender field can be trusted.
		if m.sender != reply.sender {
			continue
		}
		// JobRemoved has the number, the path, the unit and the result of the job.
		if m.kind != signal || m.member != "JobRemoved" || len(m.body) < 4 || m.body[1] != job {
			continue
		}
		if result, _ := m.body[3].(string); result != "done" {
			return fmt.Errorf("its job ended with the result %q (\"systemctl status %s\" and the journal may say more)", result, u.Name)
		}
		return nil
	}
}

// ask calls a method and waits for the answer.
func (c *conn) ask(method string, body ...any) (*message, error) {
	return c.answer(c.call(method, body...))
}

// answer sends what is queued and waits for the answer to a call.
func (c *conn) answer(serial uint32) (*message, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	if err := c.welcomeOnce(); err != nil {
		return nil, err
	}
	for {
		m, err := c.receive()
		if err != nil {
			return nil, err
		}
		if m.answers(serial) {
			return m, errorOf(m)
		}
	}
}
