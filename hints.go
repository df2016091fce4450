package main

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"coracle/libcontainer"
)

// advice returns the flags that the user could use instead, for errors of the library, which
// knows no flags. It is empty for other errors.
func advice(err error) string {
	var e *libcontainer.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch e.Code {
	case libcontainer.CodePaused:
		if e.Phase == "exec" {
			return "use --ignore-paused to override"
		}
	case libcontainer.CodeContainerLeft:
		return "--follow-init goes where it is"
	case libcontainer.CodeNotStopped:
		return "--force kills it first"
	case libcontainer.CodeCgroupDriverMismatch:
		return "--systemd-cgroup"
	case libcontainer.CodeCgroupUnavailable:
		switch e.Phase {
		case "claim":
			return "--cgroup-manager disabled does without"
		case "exec":
			return "--cgroup"
		}
	case libcontainer.CodeKeysExhausted:
		return "a container that is created with --no-new-keyring needs no key"
	case libcontainer.CodeUserNamespaceNeeded:
		return "coracle spec --rootless makes a config.json with one"
	}
	return ""
}

// withAdvice returns the text of an error with advice, in the parentheses of its hint or in new
// ones.
func withAdvice(err error) string {
	text, more := err.Error(), advice(err)
	if more == "" {
		return text
	}
	var e *libcontainer.Error
	if errors.As(err, &e) && e.Hint != "" && strings.HasSuffix(text, "("+e.Hint+")") {
		return strings.TrimSuffix(text, ")") + "; " + more + ")"
	}
	return text + " (" + more + ")"
}

// facts returns additional fields for an error in a JSON log, besides those that engines read.
func facts(err error) map[string]any {
	var e *libcontainer.Error
	if !errors.As(err, &e) {
		return nil
	}
	fields := make(map[string]any)
	for name, value := range map[string]string{
		"code": string(e.Code), "id": e.ID, "phase": e.Phase, "op": e.Op, "property": e.Property, "pointer": e.Pointer, "hostPath": e.HostPath,
		"containerPath": e.ContainerPath, "hint": e.Hint,
	} {
		if value != "" {
			fields[name] = printable(value)
		}
	}
	if e.Errno != 0 {
		fields["errno"] = unix.ErrnoName(e.Errno)
	}
	return fields
}
