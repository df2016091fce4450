// Package systemd asks systemd for the cgroup of a container: a transient scope that
// the container's first process is put into (systemd.scope(5)).
//
// It talks to systemd with one exchange for what create does, and one for what delete
// does, on a connection of its own. Every exchange has a deadline.
package systemd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"coracle/libcontainer/internal/linux"
	"coracle/libcontainer/internal/oci/bundle"
)

// privateSocket is where systemd itself listens, below the runtime directory. It works
// without a bus.
const privateSocket = "/systemd/private"

// defaultTimeout bounds an exchange. A busy systemd may well take seconds: on large
// hosts it does while it reloads its configuration.
const defaultTimeout = 30 * time.Second

// Instance is a systemd: that of the system or that of a user.
type Instance struct {
	// Addresses are those of D-Bus; the first one that works is used.
	Addresses []string `json:"addresses"`
	// User reports whether it is the instance of a user.
	User bool `json:"user,omitempty"`
	// Root is the cgroup that its units are in: "/" for the system.
	Root string `json:"root"`

	timeout time.Duration // 0 for the default
}

// Own is the instance that is responsible for this process: the system's for root, and
// for others, also when they are root in a user namespace, that of the user.
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

// mappedUID is the id of this user outside of the user namespace.
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
		// As sd_booted(3) does it.
		if st, err := os.Lstat("/run/systemd/system"); err != nil || !st.IsDir() {
			return i, errors.New("systemd is not running on this host (there is no /run/systemd/system)")
		}
		i.Addresses = []string{"unix:path=/run" + privateSocket, "unix:path=/run/dbus/system_bus_socket"}
	}
	// In a container its units are not at the root.
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
		// Engines do not always pass it on.
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

// escape writes a value of an address (D-Bus specification, "Server Addresses").
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

// CgroupOf is the cgroup in which systemd has a process, from the root of the hierarchy: the
// unified one, or the one named systemd.
func CgroupOf(p linux.Process) (string, error) {
	all, err := p.Cgroups()
	if own, ok := all["name=systemd"]; ok {
		return own, nil
	}
	return all[""], err
}

// Path is the cgroup of a unit, from the root of the hierarchy.
func (i Instance) Path(u Unit) string {
	return filepath.Join(i.Root, slicePath(u.Slice), u.Name)
}

// Property is a property of a unit as D-Bus has it.
type Property struct {
	Name  string
	Value any // bool, int32, uint32, uint64, string, []byte, []uint32 or []string
	// Optional reports whether it can be left out when this systemd does not know it.
	Optional bool
}

// Text makes a property of text, one that every systemd knows.
func Text(name, value string) Property { return Property{Name: name, Value: value} }

// auxiliary is an argument of StartTransientUnit that systemd has no use for.
type auxiliary struct {
	name       string
	properties []Property
}

// StartScope makes a scope with a process in it. When it returns, the process is in the
// scope's cgroup.
func (i Instance) StartScope(u Unit, pid int, properties []Property) error {
	properties = append([]Property{
		{Name: "Slice", Value: u.Slice},
		{Name: "PIDs", Value: []uint32{uint32(pid)}},
		// What is below is not systemd's business.
		{Name: "Delegate", Value: true},
		// A container does not wait for basic.target, and ends before or after others
		// as its engine wants it.
		{Name: "DefaultDependencies", Value: false},
		// Failed ones go, too: nobody would reset them.
		{Name: "CollectMode", Value: "inactive-or-failed", Optional: true},
	}, properties...)
	return i.exchange(u, "start", func(c *conn) error {
		reset := false
		for {
			err := c.job(u, "StartTransientUnit", u.Name, "fail", properties, []auxiliary{})
			switch name := unknownProperty(err); {
			case name != "" && drop(&properties, name):
			case isCallError(err, destination+".UnitExists") && !reset:
				// A failed one may have been left by somebody else. One that is alive
				// stays as it is.
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

// unknownProperty is the property that systemd has refused as unknown to it.
func unknownProperty(err error) string {
	if !isCallError(err, "org.freedesktop.DBus.Error.PropertyReadOnly") {
		return ""
	}
	var name string
	_, _ = fmt.Sscanf(err.Error(), "Cannot set property %s", &name)
	return strings.TrimSuffix(name, ",")
}

// drop removes an optional property.
func drop(properties *[]Property, name string) bool {
	for n, p := range *properties {
		if p.Name == name && p.Optional {
			*properties = append((*properties)[:n:n], (*properties)[n+1:]...)
			return true
		}
	}
	return false
}

// Stop stops a unit, which ends what is in its cgroup and removes that. It succeeds
// when there is no such unit.
func (i Instance) Stop(u Unit) error {
	return i.exchange(u, "stop", func(c *conn) error {
		err := c.job(u, "StopUnit", u.Name, "replace")
		if isCallError(err, destination+".NoSuchUnit") {
			return nil
		}
		return err
	})
}

// Set changes properties until the unit or the system ends.
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

// exchange connects and talks about a unit.
func (i Instance) exchange(u Unit, verb string, talk func(*conn) error) error {
	timeout := i.timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	c, err := dial(i.Addresses, timeout)
	if err != nil {
		return fmt.Errorf("%s the systemd unit %q: connect to systemd: %w", verb, u.Name, err)
	}
	defer c.close()
	if err := talk(c); err != nil {
		if errors.Is(err, ErrTimeout) {
			return fmt.Errorf("%s the systemd unit %q: %w within %v", verb, u.Name, ErrTimeout, timeout)
		}
		return fmt.Errorf("%s the systemd unit %q: %w", verb, u.Name, err)
	}
	return nil
}

// job calls a method that makes a job, and waits until that is done.
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
		// Everybody on a bus may send signals to everybody. A bus allows nobody but the one
		// that was called to answer, and says truly who sends a message.
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
	serial := c.call(method, body...)
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
