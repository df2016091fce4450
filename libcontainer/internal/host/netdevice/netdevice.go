// Package netdevice moves network devices of the host into the network namespace of a
// container (config-linux.md, "Network Devices").
//
// The kernel takes a device down and drops its addresses when it changes namespaces. So
// they are read before and given back after that.
package netdevice

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/oci/bundle"
)

// Moved are devices that are in the network namespace of a container.
type Moved struct {
	host, container     *conn
	watch               *watch
	hostNS, containerNS int
	devices             []device
}

// device is one of them.
type device struct {
	before    link      // as it was on the host
	addresses []address // that it had there
	now       link      // as it is in the container
	// departures is how many devices with that number had left the container before it came.
	departures int
}

// Move moves devices from the network namespace of this thread to that of a process.
// When it fails, all are back on the host as they were.
func Move(devices map[string]specs.LinuxNetDevice, pid int) (*Moved, error) {
	m := &Moved{hostNS: -1, containerNS: -1}
	err := m.open(pid)
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		if err != nil {
			break
		}
		if err = m.move(name, bundle.NetDeviceName(name, devices[name])); err != nil {
			err = fmt.Errorf("network device %q (linux.netDevices): %w", name, err)
		}
	}
	if err != nil {
		if undo := m.Restore(); undo != nil {
			err = fmt.Errorf("%w; %w", err, undo)
		}
		m.Close()
		return nil, err
	}
	return m, nil
}

// open begins the conversations about both namespaces.
func (m *Moved) open(pid int) error {
	var err error
	if m.hostNS, err = openNamespace("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	if m.containerNS, err = openNamespace(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
		return err
	}
	same, err := sameFile(m.hostNS, m.containerNS)
	if err != nil {
		return err
	}
	if same {
		// One that is joined by a path is refused before anything is done.
		return errors.New("network devices (linux.netDevices): the network namespace of the container is that of the host")
	}
	if m.host, err = dial(); err != nil {
		return err
	}
	if m.container, err = dialIn(m.containerNS, m.hostNS); err != nil {
		return err
	}
	if m.watch, err = openWatch(m.containerNS, m.hostNS); err != nil {
		return fmt.Errorf("watch the network namespace of the container: %w", err)
	}
	return nil
}

func openNamespace(path string) (int, error) {
	//allow:path the host's /proc, or a namespace that the caller has named
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("network devices (linux.netDevices): %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	return fd, nil
}

func sameFile(a, b int) (bool, error) {
	var x, y unix.Stat_t
	if err := unix.Fstat(a, &x); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	if err := unix.Fstat(b, &y); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	return x.Dev == y.Dev && x.Ino == y.Ino, nil
}

// move moves one device and gives it its addresses.
func (m *Moved) move(hostName, name string) error {
	before, err := m.host.byName(hostName)
	if errors.Is(err, unix.ENODEV) {
		return errors.New("there is no such device on the host")
	}
	if err != nil {
		return fmt.Errorf("find it: %w", err)
	}
	addresses, err := m.host.addresses(before.index)
	if err != nil {
		return fmt.Errorf("read its addresses: %w", err)
	}
	if !strings.Contains(name, "%") {
		// The kernel would find out only after the device has been moved.
		switch _, err := m.container.byName(name); {
		case err == nil:
			return fmt.Errorf("the network namespace of the container has a device %q already", name)
		case !errors.Is(err, unix.ENODEV):
			return fmt.Errorf("look for a device %q in the container: %w", name, err)
		}
	}
	index, err := m.container.freeIndex(before.index)
	if err != nil {
		return fmt.Errorf("look at the devices of the container: %w", err)
	}
	departures, err := m.watch.departures(index)
	if err != nil {
		return err
	}
	sent := m.host.send(before.index, m.containerNS, index, name)
	now, err := m.container.byIndex(index)
	if err == nil {
		m.devices = append(m.devices, device{before, addresses, now, departures})
	}
	switch {
	case sent != nil:
		return fmt.Errorf("move it to the container as %q: %w%s", name, sent, moveHint(sent))
	case err != nil:
		return fmt.Errorf("find it in the container: %w", err)
	}
	if err := give(m.container, now, addresses, before.name); err != nil {
		return err
	}
	if err := m.container.setUp(now.index); err != nil {
		return fmt.Errorf("bring it up: %w", err)
	}
	return nil
}

// moveHint says what an error of a move may mean.
func moveHint(err error) string {
	switch {
	case errors.Is(err, unix.EINVAL):
		return "; bridges, tunnels, the loopback device and the like cannot leave their network namespace"
	case errors.Is(err, unix.EPERM):
		return "; that takes CAP_NET_ADMIN on the host"
	}
	return ""
}

// give gives a device the addresses that it had under another name.
func give(c *conn, to link, addresses []address, oldName string) error {
	for i := range addresses {
		a := &addresses[i]
		if err := c.addAddress(a.message(to.index, oldName, to.name)); err != nil {
			return fmt.Errorf("give it back its address %s: %w", a, err)
		}
	}
	return nil
}

// Restore brings all devices back to the host, for a container that was not created:
// "generating an error MUST leave the state of the environment as if the operation were
// never attempted" (runtime.md#errors). Of a container that was created the devices are
// the kernel's matter.
func (m *Moved) Restore() error {
	var failed error
	for _, d := range slices.Backward(m.devices) {
		if err := m.restore(d); err != nil {
			failed = errors.Join(failed, fmt.Errorf("bring the network device %q back to the host: %w", d.before.name, err))
		}
	}
	m.devices = nil
	return failed
}

// errReplaced means that a device in the container is not the one that was moved there.
var errReplaced = errors.New("it has been removed from the network namespace of the container, or moved on, by somebody else")

// restore brings a device back if it is still the one that was moved. It goes by way of a
// network namespace that nobody else is in: the host sees it only when it is known which one
// has come.
func (m *Moved) restore(d device) error {
	index, err := m.host.freeIndex(d.before.index)
	if err != nil {
		return err
	}
	left, err := m.watch.departures(d.now.index)
	if err == nil && left != d.departures {
		err = errReplaced
	}
	if err != nil {
		return err
	}
	between, err := makeNamespace(m.hostNS)
	if err != nil {
		return err
	}
	// One that is in it with the namespace ends, unless it is hardware, which the kernel
	// takes to the host.
	defer unix.Close(between)
	if err := m.container.send(d.now.index, between, index, d.before.name); err != nil {
		return err
	}
	if left, err = m.watch.departures(d.now.index); err == nil && left != d.departures+1 {
		err = errReplaced // just now
	}
	if err != nil {
		return err
	}
	there, err := dialIn(between, m.hostNS)
	if err != nil {
		return err
	}
	defer there.close()
	if err := there.send(index, m.hostNS, index, d.before.name); err != nil {
		return err
	}
	back, err := m.host.byIndex(index)
	if err != nil {
		return err
	}
	if err := give(m.host, back, d.addresses, d.before.name); err != nil {
		return err
	}
	if d.before.master != 0 {
		if err := m.host.setMaster(index, d.before.master); err != nil {
			return fmt.Errorf("make it a port again: %w", err)
		}
	}
	if d.before.up() {
		return m.host.setUp(index)
	}
	return nil
}

// Close lets go of both namespaces.
func (m *Moved) Close() {
	for _, c := range []*conn{m.host, m.container} {
		if c != nil {
			c.close()
		}
	}
	if m.watch != nil {
		m.watch.close()
	}
	for _, fd := range []int{m.hostNS, m.containerNS} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
