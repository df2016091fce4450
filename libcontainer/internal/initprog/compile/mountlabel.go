package compile

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// mountLabel is the SELinux label of the files in new file systems; empty for none.
func (c *compiler) mountLabel() string {
	if c.spec.Linux == nil {
		return ""
	}
	return c.spec.Linux.MountLabel
}

// oneForAll tells file systems of which there is one for the whole host, or for all of a
// namespace: their files have labels already, and cannot get others by an option.
func oneForAll(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "efivarfs", "pstore",
		"fusectl", "selinuxfs", "binfmt_misc":
		return true
	}
	return false
}

// withMountLabel adds linux.mountLabel to the parameters of a new file system, unless they
// have a label themselves.
func (c *compiler) withMountLabel(fstype string, params []bundle.MountParam) []bundle.MountParam {
	label := c.mountLabel()
	if label == "" || oneForAll(fstype) {
		return params
	}
	for _, p := range params {
		if bundle.IsSELinuxOption(p.Key) {
			return params
		}
	}
	return append(params[:len(params):len(params)], bundle.MountParam{Key: bundle.ContextType(c.spec), Value: label, HasValue: true})
}

// labelQueues gives linux.mountLabel to the root of the message queues, which belong to an
// ipc namespace. Those of the host keep theirs.
func (c *compiler) labelQueues(m *mount, mnt program.Arg) {
	label := c.mountLabel()
	if label == "" || m.Type != "mqueue" {
		return
	}
	ns := oci.Namespace(c.spec, specs.IPCNamespace)
	if ns == nil || ns.Path != "" && c.in.Host.Shared != nil && c.in.Host.Shared(ns.Path, specs.IPCNamespace) {
		c.remark("linux.mountLabel", "the message queues at %s are the host's and keep their label", m.dest)
		return
	}
	defer c.block()()
	tmp := c.take("tmp")
	c.Describe(program.Note{Step: stepLabelMqueue, What: "label the message queues", Object: label, At: m.dest, Property: "linux.mountLabel"})
	c.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(tmp)
	c.Fsetxattr(tmp.Arg(), "security.selinux", label)
	c.Close(tmp.Arg())
}
