package program

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/initprog/protocol"
)

// run executes a program with a socket as its descriptor 3 and a pipe as its
// standard output. It returns the output, the messages and the exit status.
//
// With CORACLE_TEST_RUNNER the image is run by that command, such as
// qemu-aarch64-static.
func run(t *testing.T, b *Builder) (output string, messages []protocol.Message, status int) {
	t.Helper()
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return runProgram(t, p)
}

func runProgram(t *testing.T, p *Program, args ...string) (output string, messages []protocol.Message, status int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, flat(p.Image()), 0o700); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer unix.Close(pair[0])
	if runner := os.Getenv("CORACLE_TEST_RUNNER"); runner != "" {
		args = append([]string{path}, args...)
		path = runner
	}
	var out bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout = &out
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(pair[0], buf)
		if n <= 0 || err != nil {
			break
		}
		m, ok := protocol.Decode(buf[:n])
		if !ok {
			t.Fatalf("message of %d bytes", n)
		}
		messages = append(messages, m)
	}
	return out.String(), messages, cmd.ProcessState.ExitCode()
}

// flat returns an image as one file.
func flat(parts []Part) []byte {
	var file []byte
	for _, p := range parts {
		file = append(file, make([]byte, int(p.Offset)-len(file))...)
		file = append(file, p.Data...)
	}
	return file
}

func TestWriteAndExit(t *testing.T) {
	b := NewBuilder(3)
	b.Write(FD(1), "hello\n")
	b.Exit(7)
	out, messages, status := run(t, b)
	if out != "hello\n" || len(messages) != 0 || status != 7 {
		t.Errorf("got %q, %v, status %d", out, messages, status)
	}
}

func TestEndWithoutExit(t *testing.T) {
	b := NewBuilder(3)
	b.Write(FD(1), "x")
	if out, _, status := run(t, b); out != "x" || status != 0 {
		t.Errorf("got %q, status %d", out, status)
	}
}

func TestFailureNamesTheOp(t *testing.T) {
	b := NewBuilder(3)
	b.Write(FD(1), "a")
	b.Describe(Note{What: "open the missing file", Property: "mounts[3]"})
	b.Openat(Cwd(), "/does/not/exist", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	b.Write(FD(1), "b")
	out, messages, status := run(t, b)
	if out != "a" || status != 1 || len(messages) != 1 {
		t.Fatalf("got %q, %v, status %d", out, messages, status)
	}
	p, _ := b.Finish()
	f := p.Explain(messages[0])
	if f == nil || !errors.Is(f, syscall.ENOENT) || f.Op != 1 {
		t.Fatalf("failure is %+v", f)
	}
	if want := "open the missing file (mounts[3]): openat: no such file or directory"; f.Error() != want {
		t.Errorf("got  %s\nwant %s", f, want)
	}
}

// A seccomp filter may deny the call by which a failed op reports.
func TestReportCall(t *testing.T) {
	for call, want := range map[uintptr]int{unix.SYS_WRITE: 1, unix.SYS_GETPID: 0} {
		b := NewBuilder(3)
		b.Set(ReportCall, Int(call))
		b.Openat(Cwd(), "/does/not/exist", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		_, messages, status := run(t, b)
		if status != 1 || len(messages) != want || want == 1 && messages[0].B != uint32(unix.ENOENT) {
			t.Errorf("call %d: %v, status %d", call, messages, status)
		}
	}
}

func TestAllowedErrors(t *testing.T) {
	b := NewBuilder(3)
	other := b.Label()
	b.Openat(Cwd(), "/does/not/exist", 0, 0).Allow(unix.EPERM, unix.ENOENT)
	b.Write(FD(1), "1")
	b.Openat(Cwd(), "/does/not/exist", 0, 0).Allow(unix.ENOENT).Else(other)
	b.Write(FD(1), "wrong")
	b.Bind(other)
	b.Write(FD(1), "2")
	b.Openat(Cwd(), "/", unix.O_DIRECTORY|unix.O_WRONLY, 0).Allow(AnyError)
	b.Write(FD(1), "3")
	b.Openat(Cwd(), "/does/not/exist", 0, 0).Allow(unix.EPERM, unix.EACCES)
	out, messages, _ := run(t, b)
	if out != "123" || len(messages) != 1 || messages[0].B != uint32(unix.ENOENT) {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestStoredDescriptor(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(3)
	d, f, n := b.Word("dir", -1), b.Word("file", -1), b.Word("n", 0)
	buf := b.Buffer("buf", 100)
	b.Openat(Cwd(), dir, unix.O_PATH|unix.O_DIRECTORY, 0).Into(d)
	b.Openat(d.Arg(), "f", unix.O_RDONLY, 0).Into(f)
	b.Syscall(unix.SYS_READ, f.Arg(), Ptr(buf), Int(100)).Into(n)
	b.Syscall(unix.SYS_WRITE, FD(1), Ptr(buf), n.Arg())
	out, messages, _ := run(t, b)
	if out != "contents" {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestNegativeWordIsSignExtended(t *testing.T) {
	b := NewBuilder(3)
	cwd := b.Word("cwd", unix.AT_FDCWD)
	b.Openat(cwd.Arg(), ".", unix.O_PATH, 0)
	b.Write(FD(1), "ok")
	if out, messages, _ := run(t, b); out != "ok" {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestLoop(t *testing.T) {
	b := NewBuilder(3)
	i := b.Word("i", 0)
	b.Set(i, Int(1))
	again := b.Label()
	b.Bind(again)
	b.Write(FD(1), "x")
	b.Add(i, 1)
	b.Check(i, ^uint32(0), 4, 0).Else(again)
	b.Write(FD(1), ".")
	if out, _, _ := run(t, b); out != "xxx." {
		t.Errorf("got %q", out)
	}
}

func TestSetCopiesWords(t *testing.T) {
	b := NewBuilder(3)
	x, y := b.Word("x", -5), b.Word("y", 0)
	end := b.Label()
	b.Set(y, x.Arg())
	b.JumpIf(y, ^uint32(0), 0xfffffffb, end)
	b.Write(FD(1), "differs")
	b.Bind(end)
	b.Exit(0)
	if out, messages, _ := run(t, b); out != "" || len(messages) != 0 {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestCheck(t *testing.T) {
	b := NewBuilder(3)
	w := b.Word("w", 0x1234)
	b.Check(w, 0xff, 0x34, unix.EIO)
	b.Check(w, 0xff00, 0x1300, unix.ELOOP)
	_, messages, status := run(t, b)
	if len(messages) != 1 || status != 1 {
		t.Fatalf("got %v, status %d", messages, status)
	}
	if op, errno := FailedOp(messages[0]); op != 1 || errno != unix.ELOOP {
		t.Errorf("got %v, status %d", messages, status)
	}
}

func TestCheckSame(t *testing.T) {
	b := NewBuilder(3)
	x, y, z := b.Word("x", -5), b.Word("y", -5), b.Word("z", 5)
	other := b.Label()
	b.CheckSame(x, y, unix.EIO)
	b.CheckSame(x, z, unix.EIO).Else(other)
	b.Exit(0)
	b.Bind(other)
	b.CheckSame(y, z, unix.EXDEV)
	_, messages, status := run(t, b)
	if len(messages) != 1 || status != 1 {
		t.Fatalf("got %v, status %d", messages, status)
	}
	if op, errno := FailedOp(messages[0]); op != 3 || errno != unix.EXDEV {
		t.Errorf("got op %d, %v", op, errno)
	}
}

func TestKeepError(t *testing.T) {
	b := NewBuilder(3)
	w, end := b.Word("w", 0), b.Label()
	b.Openat(Cwd(), "/does/not/exist", 0, 0).Into(w).KeepError()
	b.JumpIf(w, ^uint32(0), ^uint32(unix.ENOENT)+1, end)
	b.Write(FD(1), "differs")
	b.Bind(end)
	b.Openat(Cwd(), "/", unix.O_DIRECTORY, 0).Into(w).KeepError()
	b.Check(w, 0x80000000, 0, unix.EIO)
	if out, messages, _ := run(t, b); out != "" || len(messages) != 0 {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestFail(t *testing.T) {
	b := NewBuilder(3)
	b.Fail(unix.EXDEV)
	if _, messages, _ := run(t, b); len(messages) != 1 || messages[0].B != uint32(unix.EXDEV) {
		t.Errorf("got %v", messages)
	}
}

func TestEAGAINIsRepeatedWhereAsked(t *testing.T) {
	// recvfrom with MSG_DONTWAIT on an empty socket always fails with EAGAIN.
	build := func() (*Builder, Op) {
		b := NewBuilder(3)
		buf := b.Buffer("buf", 16)
		return b, b.Syscall(unix.SYS_RECVFROM, FD(3), Ptr(buf), Int(16), Int(unix.MSG_DONTWAIT), Int(0), Int(0))
	}
	for _, retry := range []bool{false, true} {
		b, op := build()
		if retry {
			op.RetryEAGAIN()
		}
		if _, messages, _ := run(t, b); len(messages) != 1 || messages[0].B != uint32(unix.EAGAIN) {
			t.Errorf("retry %v: got %v", retry, messages)
		}
	}
}

func TestSendFD(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("sent"), 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(3)
	f := b.Word("f", -1)
	b.Openat(Cwd(), path, unix.O_RDONLY, 0).Into(f)
	b.SendFD(FD(3), []byte("a file"), f.Arg())
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	img := filepath.Join(dir, "image")
	if err := os.WriteFile(img, flat(p.Image()), 0o700); err != nil {
		t.Fatal(err)
	}
	args := []string{img}
	if runner := os.Getenv("CORACLE_TEST_RUNNER"); runner != "" {
		args = []string{runner, img}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "theirs")}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	data, oob := make([]byte, 100), make([]byte, 100)
	n, oobn, _, _, err := unix.Recvmsg(pair[0], data, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(cmsgs) != 1 || oobn != unix.CmsgSpace(4) {
		t.Fatalf("control data of %d bytes: %v, %v", oobn, cmsgs, err)
	}
	fds, err := unix.ParseUnixRights(&cmsgs[0])
	if err != nil || len(fds) != 1 || string(data[:n]) != "a file" {
		t.Fatalf("got %v, %q, %v", fds, data[:n], err)
	}
	got := make([]byte, 10)
	n, _ = unix.Read(fds[0], got)
	if string(got[:n]) != "sent" {
		t.Errorf("read %q", got[:n])
	}
}

// TestRequest: a request can be sent again, with other values, and each answer brings a
// descriptor.
func TestRequest(t *testing.T) {
	if os.Getenv("CORACLE_TEST_RUNNER") != "" {
		t.Skip("the emulator and the test would share a socket")
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := NewBuilder(3)
	r, got, buf := b.NewRequest("r", protocol.Message{Kind: protocol.KindSync, A: 7}), b.Word("got", 0), b.Buffer("buf", 2)
	for i := range 2 {
		b.Set(r.B(), Int(i))
		b.SendRequest(FD(3), r).Into(got)
		b.Check(got, ^uint32(0), protocol.MessageSize, unix.EBADMSG)
		b.Read(r.FD().Arg(), buf, 2)
		b.Syscall(unix.SYS_WRITE, Int(1), Ptr(buf), Int(2))
	}
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	img := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(img, flat(p.Image()), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(img)
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(pair[1]), "theirs")}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		data := make([]byte, protocol.MessageSize+1)
		n, err := unix.Read(pair[0], data)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := protocol.Decode(data[:n]); !ok || m != (protocol.Message{Kind: protocol.KindSync, A: 7, B: uint32(i)}) {
			t.Errorf("request %d: %+v", i, m)
		}
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(pipe[1], fmt.Appendf(nil, "%d,", i)); err != nil {
			t.Fatal(err)
		}
		if err := unix.Sendmsg(pair[0], make([]byte, protocol.MessageSize), unix.UnixRights(pipe[0]), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil || out.String() != "0,1," {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestStatxWords(t *testing.T) {
	b := NewBuilder(3)
	s := b.NewStatx("st")
	b.Statx(Cwd(), "/dev/null", 0, s)
	b.Check(s.Mode(), unix.S_IFMT, unix.S_IFCHR, unix.EINVAL)
	b.Check(s.RdevMajor(), ^uint32(0), 1, unix.EINVAL)
	b.Check(s.RdevMinor(), ^uint32(0), 3, unix.EINVAL)
	b.Check(s.UID(), ^uint32(0), 0, unix.EINVAL)
	if _, messages, status := run(t, b); status != 0 || len(messages) != 0 {
		t.Errorf("got %v, status %d", messages, status)
	}
}

func TestExecve(t *testing.T) {
	if os.Getenv("CORACLE_TEST_RUNNER") != "" {
		t.Skip("the emulator does not run what the program executes")
	}
	b := NewBuilder(3)
	argv := b.Data("argv", encode64(uint64(b.StringAddr("echo")), uint64(b.StringAddr("from execve")), 0))
	envp := b.Data("envp", encode64(0))
	path := b.Word("path", int32(b.StringAddr("/bin/echo")))
	b.Execve(path, argv, envp)
	if out, messages, _ := run(t, b); out != "from execve\n" {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestSignalReset(t *testing.T) {
	b := NewBuilder(3)
	sig := b.Word("sig", 1)
	again := b.Label()
	b.Bind(again)
	b.Syscall(unix.SYS_GETPID)
	again2 := b.Label()
	b.Bind(again2)
	b.Sigdefault(sig.Arg()).Allow(unix.EINVAL)
	b.Add(sig, 1)
	b.Check(sig, ^uint32(0), 65, 0).Else(again2)
	b.SigmaskClear()
	b.Write(FD(1), "done")
	if out, messages, _ := run(t, b); out != "done" {
		t.Errorf("got %q, %v", out, messages)
	}
}

func TestForget(t *testing.T) {
	b := NewBuilder(3)
	b.Write(FD(1), "first ")
	for range 1000 { // more than one page of ops
		b.Umask(Int(0))
	}
	b.Forget()
	b.Write(FD(1), "last")
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if out, messages, status := runProgram(t, p); out != "first last" || len(messages) != 0 || status != 0 {
		t.Errorf("got %q, %v, status %d", out, messages, status)
	}
	line := p.Lines()[1001]
	if line.Call != "munmap" || line.Args[1] == "0x0" {
		t.Errorf("nothing is unmapped: %v", line)
	}
}

func TestImage(t *testing.T) {
	b := NewBuilder(3)
	b.Exit(0)
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(flat(p.Image())))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || f.Entry == 0 {
		t.Errorf("type %v, entry %#x", f.Type, f.Entry)
	}
	for _, seg := range f.Progs {
		if seg.Flags&elf.PF_W != 0 && seg.Flags&elf.PF_X != 0 {
			t.Errorf("segment at %#x can be written and executed", seg.Vaddr)
		}
	}
	if n := len(interpreterText()); n > 1024 {
		t.Errorf("the interpreter has %d bytes", n)
	}
}

func TestBadPrograms(t *testing.T) {
	for name, c := range map[string]struct {
		build func(*Builder)
		want  string
	}{
		"empty":        {func(*Builder) {}, "no ops"},
		"lost label":   {func(b *Builder) { b.Jump(b.Label()) }, "never placed"},
		"NUL":          {func(b *Builder) { b.Chdir("a\x00b") }, "NUL"},
		"many buffers": {func(b *Builder) { b.Buffer("big", maxZero+1); b.Exit(0) }, "buffers"},
		"back to start": {func(b *Builder) {
			l := b.Label()
			b.Bind(l)
			b.Exit(0)
			b.Jump(l)
		}, "start"},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(3)
			c.build(b)
			if _, err := b.Finish(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
}

func TestListing(t *testing.T) {
	b := NewBuilder(3)
	d := b.Word("root", -1)
	skip := b.Label()
	b.Describe(Note{What: "open the root", Property: "root.path"})
	b.Openat(Cwd(), "/r", unix.O_PATH|unix.O_CLOEXEC, 0).Into(d).Allow(unix.ENOENT).Else(skip)
	b.Openat2(d.Arg(), "proc", Lookup{Flags: unix.O_PATH, Resolve: unix.RESOLVE_IN_ROOT})
	b.Describe(Note{What: "make it private"})
	b.MountSetattr(d.Arg(), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, unix.MS_PRIVATE)
	b.Check(d, 0xf000, 0x4000, unix.ENOTDIR)
	b.Bind(skip)
	b.Send(FD(3), protocol.Message{Kind: protocol.KindSync, A: 2})
	b.Exit(0)
	p, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := p.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	want := `open the root  (root.path)
     0  openat(AT_FDCWD, "/r", O_PATH|O_CLOEXEC, 0) -> root; ENOENT: to 4
     1  openat2(root, "proc", {O_PATH, RESOLVE_IN_ROOT}, 24)
make it private
     2  mount_setattr(root, "", AT_EMPTY_PATH, {set RDONLY, propagation MS_PRIVATE}, 32)
     3  check root & S_IFMT == S_IFDIR, else fail with ENOTDIR
     4  sendto(3, {sync cgroup}, 16, MSG_NOSIGNAL, 0, 0)
     5  exit_group(0)
end
     6  exit_group(0)
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

func FuzzExplain(f *testing.F) {
	f.Add(protocol.Message{Kind: protocol.KindFailure, A: 1, B: 2, C: 3}.Encode())
	f.Add([]byte{})
	f.Add(make([]byte, protocol.MessageSize-1))
	f.Add(make([]byte, protocol.MessageSize+1))
	b := NewBuilder(3)
	b.Exit(0)
	p, _ := b.Finish()
	f.Fuzz(func(t *testing.T, data []byte) {
		m, ok := protocol.Decode(data)
		if ok != (len(data) == protocol.MessageSize) {
			t.Fatalf("%d bytes: ok is %v", len(data), ok)
		}
		if failure := p.Explain(m); failure != nil {
			_ = failure.Error()
		}
	})
}
