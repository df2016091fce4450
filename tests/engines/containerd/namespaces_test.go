package cri

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// podNetwork gives a pod its own network namespace.
func podNetwork(c *cri.PodSandboxConfig) {
	c.Linux.SecurityContext.NamespaceOptions.Network = cri.NamespaceMode_POD
	c.Hostname = "box"
}

func owner(info fs.FileInfo) uint32 { return info.Sys().(*syscall.Stat_t).Uid }

func TestPodNetwork(t *testing.T) {
	p := newPod(t, podNetwork)
	ip := p.status().GetNetwork().GetIp()
	c := p.start(shell("echo up; nc -l -p 8080 -e sh -c 'read x; echo got $x'"))
	c.prints("up")
	equal(t, "host name", c.sh("hostname"), "box\n")
	if out := c.sh("ip addr show eth0"); !strings.Contains(out, "inet "+ip+"/") {
		t.Errorf("%s is not in %s", ip, out)
	}
	eventually(t, "the pod answers on its port", func() bool {
		conn, err := net.Dial("tcp", ip+":8080")
		if err != nil {
			return false
		}
		defer conn.Close()
		fmt.Fprintln(conn, "word")
		line, _ := bufio.NewReader(conn).ReadString('\n')
		return line == "got word\n"
	})
	// All containers of the pod share it.
	equal(t, "network of another", p.output("readlink /proc/self/ns/net"), p.output("readlink /proc/self/ns/net"))
}

func TestHostNamespaces(t *testing.T) {
	p := newPod(t, podSecurity(func(s *cri.LinuxSandboxSecurityContext) {
		s.NamespaceOptions = &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_NODE, Ipc: cri.NamespaceMode_NODE}
	}))
	c := p.sleep()
	for _, ns := range []string{"net", "pid", "ipc", "uts"} {
		host, err := os.Readlink("/proc/self/ns/" + ns)
		must(t, err)
		equal(t, ns, c.sh("readlink /proc/self/ns/"+ns), host+"\n")
	}
	equal(t, "host name", c.sh("hostname"), hostname(t)+"\n")
}

// Processes that a container leaves running in a shared pid namespace end with it.
func TestSharedProcesses(t *testing.T) {
	for _, mode := range []cri.NamespaceMode{cri.NamespaceMode_POD, cri.NamespaceMode_NODE} {
		t.Run(mode.String(), func(t *testing.T) {
			p := newPod(t, podSecurity(func(s *cri.LinuxSandboxSecurityContext) { s.NamespaceOptions.Pid = mode }))
			other := p.sleep()
			c := p.start(shell("sleep 54321 & sleep 54321 & echo up; until [ -e /dev/shm/end ]; do sleep 0.05; done; exit 3"))
			c.prints("up")
			eventually(t, "the other container sees the processes", func() bool { return strings.Count(other.sh("ps"), " sleep 54321\n") == 2 })
			other.sh("touch /dev/shm/end")
			equal(t, "exit code", c.exited().ExitCode, 3)
			eventually(t, "what it left has ended", func() bool { return !strings.Contains(other.sh("ps"), " sleep 54321\n") })
			equal(t, "state of the other", other.status().State, cri.ContainerState_CONTAINER_RUNNING)
		})
	}
}

// A debug container shares the pid namespace of its target.
func TestTargetProcesses(t *testing.T) {
	p := newPod(t)
	target := p.start(shell("exec sleep 54322"))
	c := p.sleep(security(func(s *cri.LinuxContainerSecurityContext) {
		s.NamespaceOptions = &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_TARGET, TargetId: target.id}
	}))
	equal(t, "first process", strings.TrimRight(c.sh("tr '\\0' ' ' </proc/1/cmdline"), " "), "sleep 54322")
	equal(t, "namespace of processes", c.sh("readlink /proc/self/ns/pid"), target.sh("readlink /proc/self/ns/pid"))
}

func TestSharedMemory(t *testing.T) {
	p := newPod(t)
	a, b := p.sleep(), p.sleep()
	a.sh("echo text >/dev/shm/file")
	equal(t, "shared memory of another", b.sh("cat /dev/shm/file"), "text\n")
	equal(t, "ipc namespace of another", b.sh("readlink /proc/self/ns/ipc"), a.sh("readlink /proc/self/ns/ipc"))
	equal(t, "processes", strings.Count(a.sh("ls -d /proc/[0-9]*; true"), "\n"), 2) // sleep and sh
}

func TestSysctls(t *testing.T) {
	p := newPod(t, podNetwork, func(c *cri.PodSandboxConfig) {
		c.Linux.Sysctls = map[string]string{"net.ipv4.ip_local_port_range": "2000 3000", "kernel.shm_rmid_forced": "1"}
	})
	equal(t, "values", p.output("tr '\\t' ' ' </proc/sys/net/ipv4/ip_local_port_range; cat /proc/sys/kernel/shm_rmid_forced"), "2000 3000\n1\n")
}

func TestNames(t *testing.T) {
	p := newPod(t, func(c *cri.PodSandboxConfig) {
		c.DnsConfig = &cri.DNSConfig{Servers: []string{"192.0.2.1"}, Searches: []string{"example.org"}}
	})
	out := p.output("cat /etc/resolv.conf; test -s /etc/hosts && touch /etc/hosts && echo writable")
	equal(t, "files", out, "search example.org\nnameserver 192.0.2.1\nwritable\n")
}

// mounts adds mounts to a container.
func mounts(list ...*cri.Mount) containerOption {
	return func(c *cri.ContainerConfig) { c.Mounts = append(c.Mounts, list...) }
}

func TestMounts(t *testing.T) {
	p := newPod(t)
	volume := t.TempDir()
	must(t, os.WriteFile(filepath.Join(volume, "file"), []byte("text\n"), 0o644))
	must(t, os.Symlink(volume, filepath.Join(volume, "link")))
	c := p.sleep(mounts(
		&cri.Mount{HostPath: volume, ContainerPath: "/rw"},
		&cri.Mount{HostPath: volume, ContainerPath: "/ro", Readonly: true},
		&cri.Mount{HostPath: filepath.Join(volume, "file"), ContainerPath: "/etc/file"},
		&cri.Mount{HostPath: filepath.Join(volume, "link"), ContainerPath: "/link"},
		&cri.Mount{HostPath: filepath.Join(volume, "missing"), ContainerPath: "/missing"},
	))
	equal(t, "files", c.sh("touch /rw/new; touch /ro/new2 2>&1; cat /etc/file; ls /link; ls /missing"),
		"touch: /ro/new2: Read-only file system\ntext\nfile\nlink\nmissing\nnew\n")
	if _, err := os.Stat(filepath.Join(volume, "new")); err != nil {
		t.Error(err)
	}
}

// mountedBelow mounts a file system for the duration of the test.
func mountedBelow(t testing.TB, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// shared makes a directory a mount with shared propagation.
func shared(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	mountedBelow(t, dir)
	must(t, syscall.Mount("", dir, "", syscall.MS_SHARED, ""))
	return dir
}

func TestPropagation(t *testing.T) {
	volume := shared(t)
	p := newPod(t, privileged)
	all := security(func(s *cri.LinuxContainerSecurityContext) { s.Privileged = true })
	with := func(how cri.MountPropagation) *container {
		return p.sleep(all, mounts(&cri.Mount{HostPath: volume, ContainerPath: "/v", Propagation: how}))
	}
	private, slave, both := with(cri.MountPropagation_PROPAGATION_PRIVATE), with(cri.MountPropagation_PROPAGATION_HOST_TO_CONTAINER), with(cri.MountPropagation_PROPAGATION_BIDIRECTIONAL)
	mountedBelow(t, filepath.Join(volume, "host"))
	must(t, os.WriteFile(filepath.Join(volume, "host/file"), nil, 0o644))
	equal(t, "private", private.sh("ls /v/host"), "")
	equal(t, "host to container", slave.sh("ls /v/host"), "file\n")
	equal(t, "bidirectional", both.sh("ls /v/host"), "file\n")
	slave.sh("mkdir /v/slave; mount -t tmpfs tmpfs /v/slave; touch /v/slave/file")
	both.sh("mkdir /v/both; mount -t tmpfs tmpfs /v/both; touch /v/both/file")
	t.Cleanup(func() { syscall.Unmount(filepath.Join(volume, "both"), syscall.MNT_DETACH) })
	_, err := os.Stat(filepath.Join(volume, "slave/file"))
	equal(t, "from a container to the host", os.IsNotExist(err), true)
	if _, err := os.Stat(filepath.Join(volume, "both/file")); err != nil {
		t.Error(err)
	}
}

func TestRecursiveReadOnly(t *testing.T) {
	volume := t.TempDir()
	mountedBelow(t, filepath.Join(volume, "below"))
	p := newPod(t)
	only := &cri.Mount{HostPath: volume, ContainerPath: "/v", Readonly: true}
	equal(t, "read-only", p.output("touch /v/file 2>&1; touch /v/below/file && echo made", mounts(only)), "touch: /v/file: Read-only file system\nmade\n")
	all := &cri.Mount{HostPath: volume, ContainerPath: "/v", Readonly: true, RecursiveReadOnly: true}
	c := p.sleep(mounts(all))
	equal(t, "recursive", c.sh("touch /v/file 2>&1; touch /v/below/new 2>&1; ls /v/below"),
		"touch: /v/file: Read-only file system\ntouch: /v/below/new: Read-only file system\nfile\n")
	equal(t, "status", c.status().Mounts[0].RecursiveReadOnly, true)
}
