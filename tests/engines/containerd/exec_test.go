package cri

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/client-go/tools/remotecommand"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestExecSync(t *testing.T) {
	c := newPod(t).sleep()
	answer, err := c.execSync("echo", "hello")
	must(t, err)
	equal(t, "exit code", answer.ExitCode, 0)
	equal(t, "standard output", string(answer.Stdout), "hello\n")
	if answer.Stderr != nil {
		t.Errorf("standard error: %q", answer.Stderr)
	}
	answer, err = c.execSync("sh", "-c", `printf 'a\0b\r\n\377'; printf err >&2; exit 5`)
	must(t, err)
	equal(t, "exit code", answer.ExitCode, 5)
	equal(t, "standard output", string(answer.Stdout), "a\x00b\r\n\xff")
	equal(t, "standard error", string(answer.Stderr), "err")
	// More than fits into a pipe.
	answer, err = c.execSync("head", "-c", "300000", "/dev/zero")
	must(t, err)
	if !bytes.Equal(answer.Stdout, make([]byte, 300000)) {
		t.Errorf("%d bytes of standard output", len(answer.Stdout))
	}
	// A signal ends the command, and only the command.
	answer, err = c.execSync("sh", "-c", "kill -9 $$")
	must(t, err)
	equal(t, "exit code", answer.ExitCode, 137)
	equal(t, "state", c.status().State, cri.ContainerState_CONTAINER_RUNNING)
}

func TestExecSyncErrors(t *testing.T) {
	p := newPod(t)
	c := p.sleep()
	_, err := c.execSync("no-such-command")
	says(t, err, "OCI runtime exec failed", `exec: "no-such-command": executable file not found in $PATH`)
	_, err = c.execSync("/no/such/command")
	says(t, err, "no such file or directory")
	_, err = c.execSync("/etc")
	says(t, err, "permission denied")
	c.stop(0)
	_, err = c.execSync("true")
	says(t, err, "in CONTAINER_EXITED state")
	_, err = client.ExecSync(t.Context(), &cri.ExecSyncRequest{ContainerId: "none", Cmd: []string{"true"}})
	equal(t, "code", status.Code(err), codes.NotFound)
}

func TestExecSyncTimeout(t *testing.T) {
	c := newPod(t).sleep()
	_, err := client.ExecSync(t.Context(), &cri.ExecSyncRequest{ContainerId: c.id, Cmd: []string{"sleep", "12345"}, Timeout: 1})
	equal(t, "code", status.Code(err), codes.DeadlineExceeded)
	eventually(t, "the process has ended", func() bool { return !strings.Contains(c.sh("ps"), "12345\n") })
}

func TestExecSyncParallel(t *testing.T) {
	c := newPod(t).sleep()
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			answer, err := c.execSync("sh", "-c", fmt.Sprintf("echo %d; exit %d", i, i))
			if err != nil {
				t.Error(err)
				return
			}
			equal(t, "exit code", answer.ExitCode, int32(i))
			equal(t, "output", string(answer.Stdout), fmt.Sprintf("%d\n", i))
		})
	}
	all.Wait()
}

// A process of exec has the container's user, groups, limits and directory.
func TestExecIdentity(t *testing.T) {
	c := newPod(t).sleep(user(1000), func(c *cri.ContainerConfig) {
		c.WorkingDir = "/tmp"
		c.Envs = []*cri.KeyValue{{Key: "A", Value: []byte("b")}}
		c.Linux.SecurityContext.SupplementalGroups = []int64{3000}
		c.Linux.SecurityContext.NoNewPrivs = true
	})
	script := `id -u; id -G; pwd; echo $A; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status`
	out := c.sh(script)
	if !strings.HasPrefix(out, "1000\n") || !strings.Contains(out, " 2000 3000\n/tmp\nb\n") || !strings.Contains(out, "NoNewPrivs:\t1\n") {
		t.Errorf("exec: %s", out)
	}
	equal(t, "status of the first process", c.sh(`grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/1/status`),
		c.sh(`grep -E "^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)" /proc/self/status`))
	for _, file := range []string{"cgroup", "ns/mnt", "ns/pid", "ns/net", "ns/ipc", "ns/uts"} {
		read := "readlink"
		if file == "cgroup" {
			read = "cat"
		}
		equal(t, file, c.sh(read+" /proc/self/"+file), c.sh(read+" /proc/1/"+file))
	}
}

func TestExec(t *testing.T) {
	c := newPod(t).sleep()
	s := session{stdin: strings.NewReader("word\n")}
	code, err := s.exec(c, "sh", "-c", "cat; echo err >&2; exit 5")
	must(t, err)
	equal(t, "exit code", code, 5)
	equal(t, "standard output", s.stdout.String(), "word\n")
	equal(t, "standard error", s.stderr.String(), "err\n")
	// Large amounts, in both directions.
	s = session{stdin: bytes.NewReader(make([]byte, 3000000))}
	code, err = s.exec(c, "cat")
	must(t, err)
	equal(t, "exit code", code, 0)
	equal(t, "bytes", s.stdout.Len(), 3000000)
	s = session{}
	_, err = s.exec(c, "no-such-command")
	says(t, err, "executable file not found in $PATH")
}

// sizes are successive sizes of a terminal.
type sizes chan *remotecommand.TerminalSize

func (s sizes) Next() *remotecommand.TerminalSize { return <-s }

// ready reports whether a command has created /tmp/ready.
func (c *container) ready() bool {
	answer, err := c.execSync("test", "-e", "/tmp/ready")
	return err == nil && answer.ExitCode == 0
}

// typing is the terminal, of 31 rows and 97 columns, of a user who types keys when a condition
// holds.
func typing(t *testing.T, keys, what string, holds func() bool) session {
	size := make(sizes, 1)
	size <- &remotecommand.TerminalSize{Width: 97, Height: 31}
	in, keyboard := io.Pipe()
	t.Cleanup(func() {
		close(size)
		keyboard.Close()
	})
	go func() {
		eventually(t, what, holds)
		io.WriteString(keyboard, keys)
	}()
	return session{stdin: in, tty: true, size: size}
}

func TestExecTerminal(t *testing.T) {
	c := newPod(t).sleep()
	s := session{tty: true}
	code, err := s.exec(c, "echo", "hello")
	must(t, err)
	equal(t, "exit code", code, 0)
	equal(t, "output", s.stdout.String(), "hello\r\n")

	s = session{tty: true}
	_, err = s.exec(c, "sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo three")
	must(t, err)
	if out := s.stdout.String(); !strings.HasPrefix(out, "/dev/pts/") || !strings.HasSuffix(out, "\r\nthree\r\n") {
		t.Errorf("output: %q", out)
	}

	// The container's terminal gets the size of the user's terminal, and the keys.
	s = typing(t, "\x03", "the command is ready", c.ready)
	code, err = s.exec(c, "sh", "-c", `trap "echo interrupted; exit 6" INT
		until [ "$(stty size)" = "31 97" ]; do sleep 0.05; done
		touch /tmp/ready
		while :; do sleep 0.05; done`)
	must(t, err)
	equal(t, "exit code", code, 6)
	if out := s.stdout.String(); !strings.HasSuffix(out, "interrupted\r\n") {
		t.Errorf("output: %q", out)
	}
}

// Sessions end with the container.
func TestExecEnds(t *testing.T) {
	c := newPod(t).sleep()
	var stopping sync.WaitGroup
	defer stopping.Wait()
	stopping.Go(func() {
		eventually(t, "the command is ready", c.ready)
		c.stop(0)
	})
	s := session{}
	code, err := s.exec(c, "sh", "-c", "touch /tmp/ready; exec sleep 1000000")
	must(t, err)
	equal(t, "exit code", code, 137)
}

func TestAttach(t *testing.T) {
	p := newPod(t)
	c := p.start(shell(`read x; echo "got $x"; echo err >&2; exit 4`), func(c *cri.ContainerConfig) { c.Stdin, c.StdinOnce = true, true })
	s := session{stdin: strings.NewReader("word\n")}
	if _, err := s.attach(c); err != nil {
		t.Fatal(err)
	}
	equal(t, "exit code", c.exited().ExitCode, 4)
	equal(t, "standard output", s.stdout.String(), "got word\n")
	equal(t, "standard error", s.stderr.String(), "err\n")
	equal(t, "log", c.log("stdout"), "got word\n")
}

func TestAttachTerminal(t *testing.T) {
	p := newPod(t)
	c := p.start(shell(`stty -echo; echo up; read x; echo "got $x"; stty size; tty; exit 4`), func(c *cri.ContainerConfig) { c.Stdin, c.Tty = true, true })
	c.prints("up")
	s := typing(t, "word\n", "the terminal has the size", func() bool {
		answer, err := c.execSync("stty", "-F", "/proc/1/fd/0", "size")
		return err == nil && string(answer.Stdout) == "31 97\n"
	})
	if _, err := s.attach(c); err != nil {
		t.Fatal(err)
	}
	equal(t, "exit code", c.exited().ExitCode, 4)
	equal(t, "output", s.stdout.String(), "got word\r\n31 97\r\n/dev/pts/0\r\n")
}
