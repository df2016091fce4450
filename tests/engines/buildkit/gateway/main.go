// Gateway starts a container in BuildKit through the gateway API, as interactive clients do. That
// makes BuildKit use exec and terminals of the runtime.
//
//	gateway -addr ADDRESS -image DIR [OPTION...] FIRST... [-- SECOND...]
//
// FIRST is the container's process. SECOND, if there is one, is executed in it once FIRST has
// printed a line. The options apply to SECOND if given, otherwise to FIRST. The exit status is
// that process's; 125 means that Gateway itself failed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/containerd/containerd/v2/core/content"
	contentlocal "github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/containerd/log"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	solver "github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

const failure = 125

type options struct {
	address, image string
	user, cwd, env string
	tty            bool
	rows, cols     uint
	until          string
	signal         string
	cancel         bool
	insecure       bool
	first, second  []string
}

func main() {
	var o options
	flag.StringVar(&o.address, "addr", "", "`address` of buildkitd")
	flag.StringVar(&o.image, "image", "", "`directory` of an OCI layout with one image")
	flag.StringVar(&o.user, "user", "", "`user` of the process")
	flag.StringVar(&o.cwd, "cwd", "", "its working `directory`")
	flag.StringVar(&o.env, "env", "", "a `variable` for it: NAME=VALUE")
	flag.BoolVar(&o.tty, "tty", false, "with a terminal")
	flag.UintVar(&o.rows, "rows", 0, "the height of the terminal, after -until")
	flag.UintVar(&o.cols, "cols", 0, "its width")
	flag.StringVar(&o.until, "until", "", "wait until it has printed this `text`, before -rows, -signal and -cancel")
	flag.StringVar(&o.signal, "signal", "", "send a signal, by its `name`")
	flag.BoolVar(&o.cancel, "cancel", false, "cancel it")
	flag.BoolVar(&o.insecure, "insecure", false, "the container is not confined")
	flag.Parse()
	// Otherwise warnings about the image's file system come first.
	if err := log.SetLevel("error"); err != nil {
		panic(err)
	}
	o.first = flag.Args()
	if i := slices.Index(o.first, "--"); i >= 0 {
		o.first, o.second = o.first[:i], o.first[i+1:]
	}
	status, err := o.run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
	}
	os.Exit(status)
}

// run runs the whole life of the container.
func (o *options) run(ctx context.Context) (int, error) {
	digest, err := o.digest()
	if err != nil {
		return failure, err
	}
	store, err := contentlocal.NewStore(o.image)
	if err != nil {
		return failure, err
	}
	c, err := client.New(ctx, o.address)
	if err != nil {
		return failure, err
	}
	defer c.Close()
	opt := client.SolveOpt{OCIStores: map[string]content.Store{"image": store}}
	if o.insecure {
		opt.AllowedEntitlements = []string{"security.insecure"}
	}
	status := failure
	_, err = c.Build(ctx, opt, "coracle", func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		var err error
		status, err = o.container(ctx, g, digest)
		return gateway.NewResult(), err
	}, nil)
	return status, err
}

// digest returns the digest of the image.
func (o *options) digest() (string, error) {
	data, err := os.ReadFile(filepath.Join(o.image, ocispecs.ImageIndexFile))
	if err != nil {
		return "", err
	}
	var index ocispecs.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return "", err
	}
	if len(index.Manifests) != 1 {
		return "", fmt.Errorf("%s has %d images, not one", o.image, len(index.Manifests))
	}
	return index.Manifests[0].Digest.String(), nil
}

func (o *options) container(ctx context.Context, g gateway.Client, digest string) (int, error) {
	image := llb.OCILayout("coracle.test/image@"+digest, llb.OCIStore("", "image"))
	definition, err := image.Marshal(ctx)
	if err != nil {
		return failure, err
	}
	result, err := g.Solve(ctx, gateway.SolveRequest{Definition: definition.ToPB()})
	if err != nil {
		return failure, err
	}
	container, err := g.NewContainer(ctx, gateway.NewContainerRequest{
		Mounts: []gateway.Mount{{Dest: "/", Ref: result.Ref, MountType: solver.MountType_BIND}},
	})
	if err != nil {
		return failure, err
	}
	defer container.Release(context.WithoutCancel(ctx))
	if o.second == nil {
		return o.process(ctx, container, o.first)
	}
	first := newOutput(os.Stdout, "\n")
	p, err := container.Start(ctx, gateway.StartRequest{
		Args: o.first, Env: []string{"PATH=/bin"}, Cwd: "/", Stdout: first, Stderr: first, SecurityMode: o.security(),
	})
	if err != nil {
		return failure, err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case <-first.seen:
	case err := <-ended:
		return failure, fmt.Errorf("the first process has ended: %w", err)
	}
	status, err := o.process(ctx, container, o.second)
	if err != nil {
		return status, err
	}
	// The first process must still be running.
	select {
	case err := <-ended:
		return failure, fmt.Errorf("the first process has ended: %w", err)
	default:
		return status, nil
	}
}

func (o *options) security() solver.SecurityMode {
	if o.insecure {
		return solver.SecurityMode_INSECURE
	}
	return solver.SecurityMode_SANDBOX
}

// process runs a process to its end.
func (o *options) process(ctx context.Context, container gateway.Container, args []string) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := newOutput(os.Stdout, o.until)
	request := gateway.StartRequest{
		Args: args, User: o.user, Cwd: o.cwd, Tty: o.tty, SecurityMode: o.security(),
		Stdin: io.NopCloser(os.Stdin), Stdout: out, Stderr: nopCloser{os.Stderr},
	}
	request.Env = []string{"PATH=/bin"}
	if o.env != "" {
		request.Env = append(request.Env, o.env)
	}
	p, err := container.Start(ctx, request)
	if err != nil {
		return failure, err
	}
	go func() {
		<-out.seen
		if o.rows != 0 {
			if err := p.Resize(ctx, gateway.WinSize{Rows: uint32(o.rows), Cols: uint32(o.cols)}); err != nil {
				fmt.Fprintln(os.Stderr, "gateway: resize:", err)
			}
		}
		if o.signal != "" {
			if err := p.Signal(ctx, syscall.Signal(unix.SignalNum("SIG"+o.signal))); err != nil {
				fmt.Fprintln(os.Stderr, "gateway: signal:", err)
			}
		}
		if o.cancel {
			cancel()
		}
	}()
	err = p.Wait()
	var exit *gatewaypb.ExitError
	if errors.As(err, &exit) && exit.ExitCode <= 255 {
		return int(exit.ExitCode), nil
	}
	if err != nil {
		return failure, err
	}
	return 0, nil
}

// output writes to a file, and reports when a text was written.
type output struct {
	file *os.File
	text []byte
	seen chan struct{}
	lock sync.Mutex
	all  []byte
	done bool
}

func newOutput(file *os.File, text string) *output {
	return &output{file: file, text: []byte(text), seen: make(chan struct{})}
}

func (o *output) Write(p []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.all = append(o.all, p...)
	if !o.done && bytes.Contains(o.all, o.text) {
		o.done = true
		close(o.seen)
	}
	return o.file.Write(p)
}

func (o *output) Close() error { return nil }

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
