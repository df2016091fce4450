package libcontainer

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

func TestTailOfAHook(t *testing.T) {
	for output, want := range map[string]string{
		"":                             "",
		" \n\r\n\t":                    "",
		"one\n":                        ": one",
		"one\ntwo\n":                   ": one | two",
		"one\r\n\n\ntwo":               ": one | two",
		"\xff\xfe bad \xc3":            ": ? bad ?",
		"äöü":                          ": äöü",
		strings.Repeat("x\n", 3) + "y": ": x | x | x | y",
	} {
		p := &hookProcess{output: []byte(output)}
		if got := p.tail(); got != want {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}

// listening returns a hookProcess and the write end of the pipe that it reads.
func listening(t *testing.T) (p *hookProcess, write int) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pipe[1]) })
	return &hookProcess{input: -1, result: pipe[0], container: -1}, pipe[1]
}

func TestListenKeepsTheEnd(t *testing.T) {
	p, write := listening(t)
	defer p.close()
	for i := range 10 {
		// An umlaut has two bytes, so the output is cut in the middle of one.
		if _, err := unix.Write(write, []byte(strings.Repeat("ä", maxHookOutput/3)+string(rune('0'+i)))); err != nil {
			t.Fatal(err)
		}
		p.listen()
	}
	if len(p.output) != maxHookOutput {
		t.Errorf("%d bytes are kept", len(p.output))
	}
	if tail := p.tail(); !strings.HasSuffix(tail, "ä9") || !utf8.ValidString(tail) {
		t.Errorf("the tail is %q", tail)
	}
}

func TestListenSeesTheEnd(t *testing.T) {
	p, write := listening(t)
	p.listen() // nothing to read: it does not wait
	if p.result < 0 {
		t.Fatal("closed without an end")
	}
	if _, err := unix.Write(write, []byte("last words")); err != nil {
		t.Fatal(err)
	}
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	if err := unix.Dup3(null, write, unix.O_CLOEXEC); err != nil { // closes the only writer
		t.Fatal(err)
	}
	p.listen()
	if p.result != -1 || p.tail() != ": last words" {
		t.Errorf("result %d, tail %q", p.result, p.tail())
	}
}

func TestFeedStopsWithoutReader(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	p := &hookProcess{stdin: make([]byte, 1<<20), input: pipe[1], result: -1, container: -1}
	defer p.close()
	p.feed()
	if left := len(p.stdin); left == 0 || left == 1<<20 || p.input < 0 {
		t.Errorf("%d bytes are left, input %d", left, p.input)
	}
	unix.Close(pipe[0])
	p.feed() // EPIPE
	if p.input != -1 {
		t.Error("the pipe stays open although nobody reads")
	}
}

func TestFeedClosesAtTheEnd(t *testing.T) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	p := &hookProcess{stdin: []byte("state"), input: pipe[1], result: -1, container: -1}
	p.feed()
	buf := make([]byte, 16)
	if n, err := unix.Read(pipe[0], buf); err != nil || string(buf[:n]) != "state" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if n, err := unix.Read(pipe[0], buf); n != 0 || err != nil || p.input != -1 {
		t.Errorf("the input has no end: %d, %v", n, err)
	}
}
