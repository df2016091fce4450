package idmap

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"coracle/libcontainer/internal/linux"
)

func TestListen(t *testing.T) {
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := in.WriteString("why"); err != nil {
		t.Fatal(err)
	}
	// The helper keeps running, and the caller cancels.
	ctx, cancel := context.WithCancel(context.Background())
	interrupt, err := linux.NewInterrupt(ctx, linux.FD{})
	if err != nil {
		t.Fatal(err)
	}
	defer interrupt.Close()
	time.AfterFunc(time.Millisecond, cancel)
	if said, err := listen(out, interrupt); string(said) != "why" || !errors.Is(err, context.Canceled) {
		t.Errorf("listen = %q, %v", said, err)
	}
	if _, err := in.WriteString("more"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if said, err := listen(out, nil); string(said) != "more" || err != nil {
		t.Errorf("listen = %q, %v", said, err)
	}
}
