package main

import (
	goflag "flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"coracle/libcontainer"
)

var updateErrors = goflag.Bool("update-errors", false, "write docs/errors.md anew")

// whatToDo is what a user can do about an error, by its code.
var whatToDo = map[libcontainer.Code]string{
	libcontainer.CodeIDInvalid:            "use letters, digits, and _ + - . after the first character",
	libcontainer.CodeNotFound:             "check the id and `--root`; another user has another root (`coracle list`)",
	libcontainer.CodeExists:               "take another id, or delete the container",
	libcontainer.CodeNotRunning:           "start a new container: a process that has ended does not come back",
	libcontainer.CodePaused:               "resume the container first",
	libcontainer.CodeNotStopped:           "kill the container, or delete it with `--force`",
	libcontainer.CodeWrongStatus:          "`coracle state` shows the status of the container",
	libcontainer.CodeContainerLeft:        "trust the container before you use `--follow-init`",
	libcontainer.CodeBusy:                 "wait for the other command, which the text names, or delete the container with `--force`",
	libcontainer.CodeStateUnreadable:      "act as the user who made the container; remove a damaged state by hand when nothing of it is needed",
	libcontainer.CodeInterrupted:          "call the command again: nothing is left of this one",
	libcontainer.CodeConfigUnreadable:     "check `--bundle` and `--config`",
	libcontainer.CodeConfigInvalid:        "`coracle validate` shows all such properties, with line and column",
	libcontainer.CodeTerminalMismatch:     "set `process.terminal` as the caller needs it, or pass `--console-socket`",
	libcontainer.CodeSocketFailed:         "start what listens at the socket first, and name its path",
	libcontainer.CodeNotPermitted:         "call the command as root, or leave out what takes the privilege",
	libcontainer.CodeUserNamespaceNeeded:  "`coracle spec --rootless` makes such a configuration",
	libcontainer.CodeMemoryExhausted:      "raise `linux.resources.memory`, or free memory of the host",
	libcontainer.CodeOpenFilesExhausted:   "raise the limit of open files of the caller (`ulimit -n`)",
	libcontainer.CodeProcessesExhausted:   "raise the limit that the text names: `linux.resources.pids`, `RLIMIT_NPROC` or `kernel.pid_max`",
	libcontainer.CodeKeysExhausted:        "raise `kernel.keys.maxkeys`, or create containers with `--no-new-keyring`",
	libcontainer.CodeMountSourceMissing:   "make the source, or correct `mounts[].source`",
	libcontainer.CodeMountFailed:          "the text has the reason of the kernel; `coracle validate --host` tries it without a container",
	libcontainer.CodeRootfsFailed:         "check `root.path`, and the file system that it is on",
	libcontainer.CodeDeviceFailed:         "check `linux.devices`; without privileges only devices of the host can be had",
	libcontainer.CodeNamespaceFailed:      "check `linux.namespaces`; `coracle doctor` tells which ones the host can make",
	libcontainer.CodeIDMappingFailed:      "check `linux.uidMappings` and `linux.gidMappings`, `/etc/subuid` and `/etc/subgid`",
	libcontainer.CodeCgroupInUse:          "take another `linux.cgroupsPath`, or end what is in it",
	libcontainer.CodeCgroupUnavailable:    "`coracle doctor` tells what the host has; `--cgroup-manager disabled` does without",
	libcontainer.CodeCgroupDriverMismatch: "with `--systemd-cgroup` the path has the form `slice:prefix:name`, otherwise it is a path",
	libcontainer.CodeCgroupFailed:         "the text names the limit and the reason; `coracle validate --host` finds such limits",
	libcontainer.CodeSystemdFailed:        "`systemctl status` of the unit and the journal say more; the driver cgroupfs does without systemd",
	libcontainer.CodeRdtFailed:            "mount resctrl, and check `linux.intelRdt`",
	libcontainer.CodeNetDeviceFailed:      "check `linux.netDevices`, and that the device is in the network namespace of the caller",
	libcontainer.CodeSysctlFailed:         "check `linux.sysctl`: the parameter has to belong to a namespace of the container",
	libcontainer.CodeSeccompFailed:        "check `linux.seccomp` and its agent; `coracle features` and `coracle doctor` list what there is",
	libcontainer.CodeLabelFailed:          "load the profile, or enable the security module; without one leave the label out",
	libcontainer.CodeHookTimeout:          "raise the timeout of the hook, or find out what it waits for",
	libcontainer.CodeHookFailed:           "the text has the end of the output of the hook",
	libcontainer.CodeCommandNotFound:      "check `process.args[0]`, and `PATH` in `process.env`",
	libcontainer.CodeCommandNotExecutable: "check mode, format and interpreter of the file",
	libcontainer.CodeCwdFailed:            "check `process.cwd`, and who may enter it",
	libcontainer.CodeProcessFailed:        "the text names the property of the process and the reason",
	libcontainer.CodeInitDied:             "the reason is often memory: raise `linux.resources.memory`, and see the log of the kernel",
	libcontainer.CodeInitSilent:           "somebody has stopped or frozen the process; delete the container with `--force`",
	libcontainer.CodeFailed:               "read the text",
}

// errorsPage is docs/errors.md, made from the table of codes.
func errorsPage() string {
	var b strings.Builder
	b.WriteString(`# Errors

A command that fails writes one line to standard error, and the same line to ` + "`--log`" + `.
Texts are for people, and may change.
Programs read the code, which does not: it is in the objects of ` + "`--log-format json`" + `, and of ` + "`--error-format json`" + ` on standard error.

`)
	b.WriteString("```" + `
# coracle --error-format json run demo
{"code":"CORACLE_MOUNT_SOURCE_MISSING","containerPath":"/data","errno":"ENOENT","hostPath":"/srv/data","id":"demo","level":"error","msg":"…","op":"stat","phase":"compile","pointer":"/mounts/7","property":"mounts[7]","time":"…"}
` + "```" + `

| Field | What it is |
|---|---|
| ` + "`level`, `msg`, `time`" + ` | as in every log of an OCI runtime; ` + "`msg`" + ` is the line for people |
| ` + "`code`" + ` | what kind of error it is: see below |
| ` + "`id`" + ` | the container |
| ` + "`phase`" + ` | the part of the command in which it came up: ` + "`prepare`, `reserve`, `claim`, `compile`, `launch`, `follow`, `publish`, `hooks`" + `, or the name of the command |
| ` + "`op`" + ` | the system call that failed |
| ` + "`errno`" + ` | what the kernel said |
| ` + "`property`, `pointer`" + ` | the property of the configuration that asked for it, and the same as a JSON Pointer (RFC 6901) |
| ` + "`hostPath`, `containerPath`" + ` | what it was done to, as the host and as the container sees it |
| ` + "`hint`" + ` | advice that ` + "`msg`" + ` has in parentheses |

A field of which nothing is known is left out.
The exit status is 1, and 255 for ` + "`exec`" + `.
In the library, ` + "`errors.As` with a `*libcontainer.Error`" + ` gives the same fields, and ` + "`errors.Is`" + ` finds codes.

## Codes

| Code | What happened | What to do |
|---|---|---|
`)
	for _, m := range libcontainer.CodeMeanings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.Code, m.Text, whatToDo[m.Code])
	}
	return b.String()
}

// TestErrorsPage: docs/errors.md is what the table of codes makes (go test -run TestErrorsPage . -update-errors).
func TestErrorsPage(t *testing.T) {
	const path = "docs/errors.md"
	if *updateErrors {
		if err := os.WriteFile(path, []byte(errorsPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != errorsPage() {
		t.Errorf("%s is not what the table of codes makes: go test -run TestErrorsPage . -update-errors", path)
	}
	for _, m := range libcontainer.CodeMeanings() {
		if do := whatToDo[m.Code]; m.Text == "" || do == "" || strings.Contains(m.Text+do, "|") {
			t.Errorf("%s: %q, %q", m.Code, m.Text, do)
		}
	}
}

func TestWantsJSON(t *testing.T) {
	for line, want := range map[string]bool{
		"coracle": false, "": false,
		"coracle --error-format json list":         true,
		"coracle --error-format=json list":         true,
		"coracle --root /x --error-format json":    true,
		"coracle --error-format text list":         false,
		"coracle list --error-format=json":         false,
		"coracle exec x --error-format json":       false,
		"coracle --log json list":                  false,
		"coracle --nonsense --error-format=json x": true,
	} {
		if got := wantsJSON(strings.Fields(line)); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}
