package compile

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/program"
	"coracle/libcontainer/internal/oci"
	"coracle/libcontainer/internal/oci/bundle"
)

// mountLabel returns the SELinux label of files in new file systems; empty for none.
func (c *compiler) mountLabel() string {
	if c.spec.Linux == nil {
		return ""
	}
	return c.spec.Linux.MountLabel
}

// oneForAll reports whether all mounts of a file system type, on the host or in a namespace, show
// the same file system. Its files have labels already, and an option cannot change them.
func oneForAll(fstype string) bool {
	switch fstype {
	case "proc", "sysfs", "mqueue", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs", "efivarfs", "pstore",
		"fusectl", "selinuxfs", "binfmt_misc":
		return true
	}
	return false
}

// withMountLabel adds linux.mountLabel to the parameters of a new file system, unless they
// include a label.
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

// labelQueues sets linux.mountLabel on the root of the message queues, which belong to an ipc
// namespace. The host's queues keep their label.
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
