package cri

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

var (
	endpoint = flag.String("endpoint", "/run/containerd/containerd.sock", "the `socket` of containerd")
	handler  = flag.String("handler", "coracle", "the `name` that a RuntimeClass gives for the runtime")
	coracle  = flag.String("coracle", "coracle", "the runtime's `program`, to look at its containers")
	root     = flag.String("root", "/run/containerd/runc/k8s.io", "the `directory` of the runtime's state")
	parent   = flag.String("cgroup", "", "the `cgroup` of the pods")
	image    = flag.String("image", "localhost/busybox:latest", "the `image` of the containers")
	cdi      = flag.String("cdi", "/mnt/cdi", "the `directory` of devices that containerd reads")
	restart  = flag.String("restart", "", "a `command` that stops containerd and starts it again")
)

// client is the runtime service of containerd.
var client cri.RuntimeServiceClient

func TestMain(m *testing.M) {
	flag.Parse()
	conn, err := grpc.NewClient("unix://"+*endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client = cri.NewRuntimeServiceClient(conn)
	os.Exit(m.Run())
}

// patience is the limit for something that normally takes no time. It is long because emulated
// machines are slow.
const patience = time.Minute

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never true: %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %#v, not %#v", what, got, want)
	}
}

// says asserts that there is an error with these words.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, but one that says %q was expected", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("no %q in %q", w, err)
		}
	}
}

// A pod is a sandbox that is removed at the end of the test.
type pod struct {
	testing.TB
	id     string
	config *cri.PodSandboxConfig
}

// A podOption changes the configuration of a pod.
type podOption func(*cri.PodSandboxConfig)

// podConfig returns the configuration of a pod in the host's network, which is enough for most
// tests.
func podConfig(t testing.TB, options ...podOption) *cri.PodSandboxConfig {
	config := &cri.PodSandboxConfig{
		Metadata:     &cri.PodSandboxMetadata{Name: "pod", Uid: rand.Text(), Namespace: "test"},
		LogDirectory: t.TempDir(),
		Linux: &cri.LinuxPodSandboxConfig{
			CgroupParent: *parent,
			SecurityContext: &cri.LinuxSandboxSecurityContext{
				NamespaceOptions: &cri.NamespaceOption{Network: cri.NamespaceMode_NODE, Pid: cri.NamespaceMode_CONTAINER},
			},
		},
	}
	for _, o := range options {
		o(config)
	}
	return config
}

func newPod(t testing.TB, options ...podOption) *pod {
	t.Helper()
	p := &pod{TB: t, config: podConfig(t, options...)}
	answer, err := client.RunPodSandbox(t.Context(), &cri.RunPodSandboxRequest{Config: p.config, RuntimeHandler: *handler})
	if err != nil {
		t.Fatal("run a pod:", err)
	}
	p.id = answer.PodSandboxId
	t.Cleanup(p.remove)
	return p
}

// remove removes the pod with its containers, and asserts that nothing is left.
func (p *pod) remove() {
	ctx := context.Background() // the test's context has ended
	ids := []string{p.id}
	if list, err := client.ListContainers(ctx, &cri.ListContainersRequest{Filter: &cri.ContainerFilter{PodSandboxId: p.id}}); err != nil {
		p.Error(err)
	} else {
		for _, c := range list.Containers {
			ids = append(ids, c.Id)
		}
	}
	if _, err := client.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.Error("stop the pod:", err)
	}
	if _, err := client.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: p.id}); err != nil {
		p.Error("remove the pod:", err)
	}
	for _, id := range ids {
		eventually(p, "nothing is left of "+id, func() bool { return !hasState(id) && len(cgroups(id)) == 0 })
	}
}

// hasState reports whether the runtime has the state of a container.
func hasState(id string) bool {
	_, err := os.Stat(filepath.Join(*root, id))
	return err == nil
}

// initPid returns the pid of a container's first process, from the runtime's state.
func initPid(t testing.TB, id string) int {
	t.Helper()
	out, err := exec.Command(*coracle, "--root", *root, "state", id).Output()
	must(t, err)
	var state struct {
		Pid    int
		Status string
	}
	must(t, json.Unmarshal(out, &state))
	if state.Pid == 0 {
		t.Fatalf("%s is %s", id, state.Status)
	}
	return state.Pid
}

// shim returns the pid of the pod's shim.
func (p *pod) shim() int {
	p.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", initPid(p, p.id)))
	must(p, err)
	_, after, _ := strings.Cut(string(status), "\nPPid:\t")
	line, _, _ := strings.Cut(after, "\n")
	pid, err := strconv.Atoi(line)
	must(p, err)
	if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); !strings.HasPrefix(string(name), "containerd-shim") {
		p.Fatalf("the parent of the pod is %q", name)
	}
	return pid
}

// cgroups returns the directories of a container's cgroups.
func cgroups(id string) []string {
	var found []string
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.Contains(d.Name(), id) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// limit reads a file of a container's cgroup, whose name depends on the cgroup version.
func limit(t testing.TB, id, v1, v2 string) string {
	t.Helper()
	for _, dir := range cgroups(id) {
		for _, name := range []string{v1, v2} {
			if data, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				return strings.TrimSpace(string(data))
			}
		}
	}
	t.Fatalf("no cgroup of %s has %s or %s", id, v1, v2)
	return ""
}

// A container is a container of a pod.
type container struct {
	*pod
	id string
}

// A containerOption changes the configuration of a container.
type containerOption func(*cri.ContainerConfig)

// create creates a container without starting it.
func (p *pod) create(command []string, options ...containerOption) (*container, error) {
	name := "container-" + rand.Text()
	config := &cri.ContainerConfig{
		Metadata: &cri.ContainerMetadata{Name: name},
		Image:    &cri.ImageSpec{Image: *image},
		Command:  command,
		LogPath:  name + ".log",
		Linux: &cri.LinuxContainerConfig{
			Resources:       &cri.LinuxContainerResources{},
			SecurityContext: &cri.LinuxContainerSecurityContext{NamespaceOptions: p.config.Linux.SecurityContext.NamespaceOptions},
		},
	}
	for _, o := range options {
		o(config)
	}
	answer, err := client.CreateContainer(p.Context(), &cri.CreateContainerRequest{PodSandboxId: p.id, Config: config, SandboxConfig: p.config})
	if err != nil {
		return nil, err
	}
	return &container{p, answer.ContainerId}, nil
}

// start creates a container and starts it.
func (p *pod) start(command []string, options ...containerOption) *container {
	p.Helper()
	c, err := p.create(command, options...)
	if err != nil {
		p.Fatal("create a container:", err)
	}
	if err := c.begin(); err != nil {
		p.Fatal("start a container:", err)
	}
	return c
}

func (c *container) begin() error {
	_, err := client.StartContainer(c.Context(), &cri.StartContainerRequest{ContainerId: c.id})
	return err
}

// sleep starts a container that only sleeps until it is stopped.
func (p *pod) sleep(options ...containerOption) *container {
	p.Helper()
	return p.start([]string{"sleep", "1000000"}, options...)
}

// output runs a script in a new container and returns its output. It must succeed.
func (p *pod) output(script string, options ...containerOption) string {
	p.Helper()
	c := p.start(shell(script), options...)
	status := c.exited()
	out := c.log("stdout")
	if status.ExitCode != 0 {
		p.Fatalf("%q: status %d: %s%s", script, status.ExitCode, out, c.log("stderr"))
	}
	return out
}

func shell(script string) []string {
	return []string{"sh", "-c", script}
}

func (c *container) status() *cri.ContainerStatus {
	c.Helper()
	answer, err := client.ContainerStatus(c.Context(), &cri.ContainerStatusRequest{ContainerId: c.id})
	must(c, err)
	return answer.Status
}

// exited waits for the end of a container.
func (c *container) exited() *cri.ContainerStatus {
	c.Helper()
	var status *cri.ContainerStatus
	eventually(c, "the container has exited", func() bool {
		status = c.status()
		return status.State == cri.ContainerState_CONTAINER_EXITED
	})
	return status
}

func (c *container) stop(seconds int64) {
	c.Helper()
	_, err := client.StopContainer(c.Context(), &cri.StopContainerRequest{ContainerId: c.id, Timeout: seconds})
	must(c, err)
}

// log returns what the container wrote to a stream. Each line of the file has a time, the stream,
// a mark of complete lines, and the text.
func (c *container) log(stream string) string {
	c.Helper()
	data, err := os.ReadFile(filepath.Join(c.config.LogDirectory, c.status().LogPath))
	if errors.Is(err, fs.ErrNotExist) { // LogPath is then absolute
		data, err = os.ReadFile(c.status().LogPath)
	}
	must(c, err)
	var out strings.Builder
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		if len(fields) < 4 || fields[1] != stream {
			continue
		}
		out.WriteString(fields[3])
		if fields[2] == "F" {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// prints waits until the container has written a text to its standard output.
func (c *container) prints(text string) {
	c.Helper()
	eventually(c, fmt.Sprintf("the container prints %q", text), func() bool { return strings.Contains(c.log("stdout"), text) })
}

// execSync runs a command as a probe does.
func (c *container) execSync(command ...string) (*cri.ExecSyncResponse, error) {
	return client.ExecSync(c.Context(), &cri.ExecSyncRequest{ContainerId: c.id, Cmd: command})
}

// sh runs a script in the container, which must succeed, and returns its output.
func (c *container) sh(script string) string {
	c.Helper()
	answer, err := c.execSync("sh", "-c", script)
	if err != nil {
		c.Fatalf("exec of %q: %v", script, err)
	}
	if answer.ExitCode != 0 {
		c.Fatalf("%q: status %d: %s%s", script, answer.ExitCode, answer.Stdout, answer.Stderr)
	}
	return string(answer.Stdout)
}

// A session has the streams of `kubectl exec` or `kubectl attach`.
type session struct {
	stdin          io.Reader
	stdout, stderr bytes.Buffer
	tty            bool
	size           remotecommand.TerminalSizeQueue
}

// exec runs a command through the streaming server and returns its status.
func (s *session) exec(c *container, command ...string) (int, error) {
	c.Helper()
	answer, err := client.Exec(c.Context(), &cri.ExecRequest{
		ContainerId: c.id, Cmd: command, Tty: s.tty, Stdin: s.stdin != nil, Stdout: true, Stderr: !s.tty,
	})
	must(c, err)
	return s.stream(c, answer.Url)
}

// attach connects to the container's own streams until it ends.
func (s *session) attach(c *container) (int, error) {
	c.Helper()
	answer, err := client.Attach(c.Context(), &cri.AttachRequest{
		ContainerId: c.id, Tty: s.tty, Stdin: s.stdin != nil, Stdout: true, Stderr: !s.tty,
	})
	must(c, err)
	return s.stream(c, answer.Url)
}

func (s *session) stream(c *container, address string) (int, error) {
	c.Helper()
	executor, err := remotecommand.NewSPDYExecutor(&rest.Config{}, "POST", parse(c, address))
	must(c, err)
	options := remotecommand.StreamOptions{Stdin: s.stdin, Stdout: &s.stdout, Tty: s.tty, TerminalSizeQueue: s.size}
	if !s.tty {
		options.Stderr = &s.stderr
	}
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	err = executor.StreamWithContext(ctx, options)
	var exit utilexec.CodeExitError
	if errors.As(err, &exit) {
		return exit.Code, nil
	}
	return 0, err
}
