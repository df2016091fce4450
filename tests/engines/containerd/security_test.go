package cri

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// user sets the user id of a container.
func user(id int64) containerOption {
	return func(c *cri.ContainerConfig) { c.Linux.SecurityContext.RunAsUser = &cri.Int64Value{Value: id} }
}

// security changes the security context of a container.
func security(change func(*cri.LinuxContainerSecurityContext)) containerOption {
	return func(c *cri.ContainerConfig) { change(c.Linux.SecurityContext) }
}

// podSecurity changes the security context of a pod.
func podSecurity(change func(*cri.LinuxSandboxSecurityContext)) podOption {
	return func(c *cri.PodSandboxConfig) { change(c.Linux.SecurityContext) }
}

// privileged is for pods with privileged containers.
var privileged = podSecurity(func(s *cri.LinuxSandboxSecurityContext) { s.Privileged = true })

func TestUsers(t *testing.T) {
	p := newPod(t)
	equal(t, "by default", p.output("id -u; id -g"), "0\n0\n")
	equal(t, "by number", p.output("id -u; id -g", user(1000)), "1000\n1000\n")
	equal(t, "by name", p.output("id -u; id -g", security(func(s *cri.LinuxContainerSecurityContext) { s.RunAsUsername = "user" })), "1000\n1000\n")
	equal(t, "with a group", p.output("id -u; id -g", user(1000), security(func(s *cri.LinuxContainerSecurityContext) {
		s.RunAsGroup = &cri.Int64Value{Value: 5000}
	})), "1000\n5000\n")
	// A user other than root has no capabilities: only root gets some from execve.
	equal(t, "capabilities", p.output("grep -E 'Cap(Prm|Eff)' /proc/self/status", user(1000)), "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n")
}

// groups sets the supplemental groups of a container.
func groups(policy cri.SupplementalGroupsPolicy) containerOption {
	return security(func(s *cri.LinuxContainerSecurityContext) {
		s.SupplementalGroups = []int64{3000, 4000}
		s.SupplementalGroupsPolicy = policy
	})
}

func TestSupplementalGroups(t *testing.T) {
	p := newPod(t)
	// The image makes user 1000 a member of group 2000.
	c := p.sleep(user(1000), groups(cri.SupplementalGroupsPolicy_Merge))
	got := map[string]bool{}
	for _, g := range strings.Fields(c.sh("id -G")) {
		got[g] = true
	}
	for _, g := range []string{"1000", "2000", "3000", "4000"} {
		if !got[g] {
			t.Errorf("not in group %s: %v", g, got)
		}
	}
	equal(t, "groups of the first process", c.sh("grep Groups /proc/1/status"), c.sh("grep Groups /proc/self/status"))
}

func TestSupplementalGroupsStrict(t *testing.T) {
	c := newPod(t).sleep(user(1000), groups(cri.SupplementalGroupsPolicy_Strict), security(func(s *cri.LinuxContainerSecurityContext) {
		s.RunAsGroup = &cri.Int64Value{Value: 1000}
	}))
	if out := c.sh("id -G"); strings.Contains(out, "2000") || !strings.Contains(out, "3000 4000") {
		t.Errorf("groups: %s", out)
	}
	linux := c.status().GetUser().GetLinux()
	equal(t, "user in the status", linux.GetUid(), 1000)
	equal(t, "groups in the status", fmt.Sprint(linux.GetSupplementalGroups()), "[1000 3000 4000]")
}

func TestCapabilities(t *testing.T) {
	p := newPod(t)
	equal(t, "by default", p.output("grep CapEff /proc/self/status"), "CapEff:\t00000000a80425fb\n")
	equal(t, "added and dropped", p.output("grep CapEff /proc/self/status", security(func(s *cri.LinuxContainerSecurityContext) {
		s.Capabilities = &cri.Capability{AddCapabilities: []string{"SYS_TIME"}, DropCapabilities: []string{"CHOWN"}}
	})), "CapEff:\t00000000aa0425fa\n")
	equal(t, "none", p.output("grep CapEff /proc/self/status", security(func(s *cri.LinuxContainerSecurityContext) {
		s.Capabilities = &cri.Capability{DropCapabilities: []string{"ALL"}}
	})), "CapEff:\t0000000000000000\n")
	equal(t, "no new privileges", p.output("grep NoNewPrivs /proc/self/status", security(func(s *cri.LinuxContainerSecurityContext) {
		s.NoNewPrivs = true
	})), "NoNewPrivs:\t1\n")
}

func TestPrivileged(t *testing.T) {
	p := newPod(t, privileged)
	own, err := os.ReadFile("/proc/self/status")
	must(t, err)
	_, mine, _ := strings.Cut(string(own), "CapBnd:\t")
	mine, _, _ = strings.Cut(mine, "\n")
	c := p.sleep(security(func(s *cri.LinuxContainerSecurityContext) { s.Privileged = true }))
	equal(t, "capabilities", c.sh("grep CapEff /proc/self/status"), "CapEff:\t"+mine+"\n")
	equal(t, "seccomp", c.sh("grep Seccomp: /proc/self/status"), "Seccomp:\t0\n")
	c.sh("mount -t tmpfs tmpfs /tmp && touch /tmp/file && umount /tmp")
	c.sh("ls -l /dev | grep ^b") // devices of the host
	c.sh("grep -E '^[^ ]+ /sys sysfs rw' /proc/mounts")
	c.sh("test -w /proc/sys/kernel/hostname")
}

func TestReadOnlyRoot(t *testing.T) {
	p := newPod(t)
	out := p.output("touch /file 2>&1; touch /dev/shm/file && echo shm", security(func(s *cri.LinuxContainerSecurityContext) { s.ReadonlyRootfs = true }))
	equal(t, "output", out, "touch: /file: Read-only file system\nshm\n")
}

func TestProtectedPaths(t *testing.T) {
	p := newPod(t)
	out := p.output("echo 1 2>&1 >/proc/sys/kernel/panic; head -c 1 /proc/version; cat /proc/filesystems 2>&1", security(func(s *cri.LinuxContainerSecurityContext) {
		s.MaskedPaths = []string{"/proc/filesystems", "/no/such"}
		s.ReadonlyPaths = []string{"/proc/sys"}
	}))
	equal(t, "output", out, "sh: can't create /proc/sys/kernel/panic: Read-only file system\nL")
}

// seccomp chooses a profile.
func seccomp(kind cri.SecurityProfile_ProfileType, path string) containerOption {
	return security(func(s *cri.LinuxContainerSecurityContext) {
		s.Seccomp = &cri.SecurityProfile{ProfileType: kind, LocalhostRef: path}
	})
}

func TestSeccomp(t *testing.T) {
	p := newPod(t)
	script := "grep Seccomp: /proc/self/status; unshare -n true 2>&1; mkdir /tmp/directory 2>&1; true"
	equal(t, "unconfined", p.output("grep Seccomp: /proc/self/status", seccomp(cri.SecurityProfile_Unconfined, "")), "Seccomp:\t0\n")
	equal(t, "RuntimeDefault", p.output(script, seccomp(cri.SecurityProfile_RuntimeDefault, "")),
		"Seccomp:\t2\nunshare: unshare(0x40000000): Operation not permitted\n")
	profile := filepath.Join(t.TempDir(), "profile.json")
	must(t, os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 5}]}`), 0o644))
	c := p.sleep(seccomp(cri.SecurityProfile_Localhost, profile), security(func(s *cri.LinuxContainerSecurityContext) { s.NoNewPrivs = true }))
	equal(t, "a profile of the node", c.sh("grep Seccomp: /proc/self/status; mkdir /tmp/directory 2>&1; true"), "Seccomp:\t2\nmkdir: can't create directory '/tmp/directory': Input/output error\n")
	must(t, os.WriteFile(profile, []byte(`{"defaultAction": "SCMP_ACT_NOTHING"}`), 0o644))
	c, err := p.create([]string{"true"}, seccomp(cri.SecurityProfile_Localhost, profile))
	if err == nil {
		err = c.begin()
	}
	says(t, err, "SCMP_ACT_NOTHING")
}

func TestAppArmor(t *testing.T) {
	if data, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); !strings.HasPrefix(string(data), "Y") {
		t.Skip("no AppArmor here")
	}
	p := newPod(t)
	// A profile that is not loaded must not be ignored.
	c, err := p.create([]string{"true"}, security(func(s *cri.LinuxContainerSecurityContext) {
		s.Apparmor = &cri.SecurityProfile{ProfileType: cri.SecurityProfile_Localhost, LocalhostRef: "localhost/no-such-profile"}
		s.ApparmorProfile = "localhost/no-such-profile"
	}))
	if err == nil {
		err = c.begin()
	}
	says(t, err, "no-such-profile")
}

func TestDevices(t *testing.T) {
	p := newPod(t)
	device := func(permissions string) containerOption {
		return func(c *cri.ContainerConfig) {
			c.Devices = []*cri.Device{{ContainerPath: "/dev/mine", HostPath: "/dev/zero", Permissions: permissions}}
		}
	}
	equal(t, "a device", p.output("head -c 3 /dev/mine | wc -c", device("rwm")), "3\n")
	out := p.output("ls /dev | sort | tr '\\n' ' '; mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk 2>&1; true")
	equal(t, "devices without one", out, "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero head: /tmp/disk: Operation not permitted\n")
}

// A device of the container device interface (CDI) has hooks, as those for graphics cards do.
func TestCDI(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	spec := filepath.Join(*cdi, t.Name()+".json")
	must(t, os.MkdirAll(*cdi, 0o755))
	must(t, os.WriteFile(spec, fmt.Appendf(nil, `{"cdiVersion": "0.6.0", "kind": "example.org/thing", "devices": [{"name": "one", "containerEdits": {
		"env": ["THING=one"],
		"deviceNodes": [{"path": "/dev/thing", "hostPath": "/dev/zero", "permissions": "r"}],
		"mounts": [{"hostPath": %q, "containerPath": "/thing", "options": ["ro", "rbind"]}],
		"hooks": [
			{"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat >>%[2]s"]},
			{"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "(echo; echo in $$) >>%[2]s"]}]}}]}`, dir, told), 0o644))
	t.Cleanup(func() { os.Remove(spec) })
	out := newPod(t).output("echo $THING; head -c 3 /dev/thing | wc -c; touch /thing/file 2>&1; true", func(c *cri.ContainerConfig) {
		c.CDIDevices = []*cri.CDIDevice{{Name: "example.org/thing=one"}}
	})
	equal(t, "output", out, "one\n3\ntouch: /thing/file: Read-only file system\n")
	data, err := os.ReadFile(told)
	must(t, err)
	// The first hook gets the state, and the second sees a pid of the container's namespace.
	if !regexp.MustCompile(`(?s)"status": ?"creating".*\nin [0-9]\n`).Match(data) {
		t.Errorf("the hooks told: %s", data)
	}
}

func TestUserNamespace(t *testing.T) {
	ids := []*cri.IDMapping{{HostId: 300000, ContainerId: 0, Length: 65536}}
	p := newPod(t, podNetwork, podSecurity(func(s *cri.LinuxSandboxSecurityContext) {
		s.NamespaceOptions.UsernsOptions = &cri.UserNamespace{Mode: cri.NamespaceMode_POD, Uids: ids, Gids: ids}
	}))
	volume := t.TempDir()
	must(t, os.WriteFile(filepath.Join(volume, "file"), []byte("text\n"), 0o600))
	mount := func(c *cri.ContainerConfig) {
		c.Mounts = []*cri.Mount{{HostPath: volume, ContainerPath: "/v", UidMappings: ids, GidMappings: ids}}
	}
	c := p.sleep(mount)
	equal(t, "ids of the container", c.sh("tr -s ' ' </proc/self/uid_map; tr -s ' ' </proc/self/gid_map"), " 0 300000 65536\n 0 300000 65536\n")
	equal(t, "users of its files", c.sh("stat -c %u:%g /bin /home/user /v /v/file; cat /v/file"), "0:0\n1000:1000\n0:0\n0:0\ntext\n")
	c.sh("touch /file /v/new; echo out >/dev/null; hostname >/dev/null; ping -c 1 127.0.0.1 >/dev/null; ip addr show eth0 >/dev/null")
	if info, err := os.Stat(filepath.Join(volume, "new")); err != nil {
		t.Error(err)
	} else {
		equal(t, "user of a new file", owner(info), 0)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", initPid(t, c.id)))
	must(t, err)
	if !strings.Contains(string(status), "\nUid:\t300000\t300000\t300000\t300000\n") {
		t.Errorf("the process on the host: %s", status)
	}
	// All containers of a pod share the namespace; users of it own their streams.
	other := p.sleep(mount)
	equal(t, "user namespace of another", other.sh("readlink /proc/self/ns/user"), c.sh("readlink /proc/self/ns/user"))
	equal(t, "output of a user", p.output("echo out >/dev/stdout; id -u", user(1000), mount), "out\n1000\n")
	out := strings.ToLower(p.output("mount -t tmpfs tmpfs /tmp 2>&1; true", mount))
	if !strings.Contains(out, "permission denied") && !strings.Contains(out, "operation not permitted") {
		t.Errorf("mount: %s", out)
	}
	// A read-only root, a seccomp profile, exec with a terminal.
	equal(t, "with all that pods have", p.output("touch /file 2>&1; grep Seccomp: /proc/self/status", mount, seccomp(cri.SecurityProfile_RuntimeDefault, ""),
		security(func(s *cri.LinuxContainerSecurityContext) { s.ReadonlyRootfs = true })), "touch: /file: Read-only file system\nSeccomp:\t2\n")
	s := session{tty: true}
	code, err := s.exec(c, "sh", "-c", "stat -c %u $(tty); exit 3")
	must(t, err)
	equal(t, "exit code", code, 3)
	equal(t, "owner of the terminal", s.stdout.String(), "0\r\n")
}
