// Package netdevice moves network devices of the host into the network namespace of a
// container (config-linux.md, "Network Devices").
//
// When a device changes namespaces, the kernel sets it down and drops its addresses. So they are
// read before and added again afterwards.
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

	"coracle/libcontainer/internal/fault"
	"coracle/libcontainer/internal/oci/bundle"
)

// Moved are the devices that were moved to the network namespace of a container.
type Moved struct {
	host, container     *conn
	watch               *watch
	hostNS, containerNS int
	devices             []device
}

// device is one of them.
type device struct {
	before    link      // as it was on the host
	addresses []address // its addresses on the host
	now       link      // as it is in the container
	// departures is how many devices with that index had left the container before it came.
	departures int
}

// Move moves devices from the network namespace of this thread to that of a process. When it
// fails, all devices are on the host again as they were.
func Move(devices map[string]specs.LinuxNetDevice, pid int) (*Moved, error) {
	m := &Moved{hostNS: -1, containerNS: -1}
	err := m.open(pid)
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		if err != nil {
			break
		}
		if err = m.move(name, bundle.NetDeviceName(name, devices[name])); err != nil {
			err = fault.About("linux.netDevices", "network device %q (linux.netDevices): %w", name, err)
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

// open opens sockets in both namespaces.
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
		// A namespace that is joined by path is refused earlier.
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
		return -1, fault.About("linux.netDevices", "network devices (linux.netDevices): %w", &os.PathError{Op: "open", Path: path, Err: err})
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

// move moves one device and adds its addresses again.
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
		// The kernel would report this only after it has moved the device.
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

// moveHint returns what an error of a move may mean.
func moveHint(err error) string {
	switch {
	case errors.Is(err, unix.EINVAL):
		return "; bridges, tunnels, the loopback device and the like cannot leave their network namespace"
	case errors.Is(err, unix.EPERM):
		return "; that takes CAP_NET_ADMIN on the host"
	}
	return ""
}

// give adds the addresses that a device had under another name.
func give(c *conn, to link, addresses []address, oldName string) error {
	for i := range addresses {
		a := &addresses[i]
		if err := c.addAddress(a.message(to.index, oldName, to.name)); err != nil {
			return fmt.Errorf("give it back its address %s: %w", a, err)
		}
	}
	return nil
}

// Restore brings all devices back to the host, for a container that was not created: "generating
// an error MUST leave the state of the environment as if the operation were never attempted"
// (runtime.md#errors). For a container that was created the kernel takes care of the devices.
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

// restore moves a device back if it is still the one that was moved. The device goes through a
// private network namespace, so that the host sees it only after it has been identified.
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
	// A device that is still in it ends with the namespace, except hardware, which the kernel
	// moves to the host.
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

// Close closes both namespaces.
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
