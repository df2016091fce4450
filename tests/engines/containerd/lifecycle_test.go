package cri

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func parse(t testing.TB, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	return u
}

func (p *pod) status() *cri.PodSandboxStatus {
	p.Helper()
	answer, err := client.PodSandboxStatus(p.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: p.id})
	must(p, err)
	return answer.Status
}

func TestPod(t *testing.T) {
	p := newPod(t, func(c *cri.PodSandboxConfig) {
		c.Labels = map[string]string{"a": "b"}
		c.Annotations = map[string]string{"c": "d"}
	})
	status := p.status()
	equal(t, "state", status.State, cri.PodSandboxState_SANDBOX_READY)
	equal(t, "label", status.Labels["a"], "b")
	equal(t, "annotation", status.Annotations["c"], "d")
	equal(t, "RuntimeClass", status.RuntimeHandler, *handler)
	pid := initPid(t, p.id) // it belongs to this runtime
	// Where the kubelet expects it; in a slice it is a scope of systemd.
	name := filepath.Base(*parent) + "/" + p.id
	if strings.HasSuffix(*parent, ".slice") {
		name = filepath.Base(*parent) + "/cri-containerd-" + p.id + ".scope"
	}
	if path := limitPath(t, pid); !strings.HasSuffix(path, "/"+name) {
		t.Errorf("the pod's process is in %s, not in %s", path, name)
	}
	for range 2 { // as the kubelet does
		_, err := client.StopPodSandbox(t.Context(), &cri.StopPodSandboxRequest{PodSandboxId: p.id})
		must(t, err)
	}
	equal(t, "state", p.status().State, cri.PodSandboxState_SANDBOX_NOTREADY)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("the process of the stopped pod is still there")
	}
}

// limitPath returns the cgroup of a process that has memory limits.
func limitPath(t testing.TB, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	must(t, err)
	var unified string
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch fields[1] {
		case "memory":
			return fields[2]
		case "":
			unified = fields[2]
		}
	}
	return unified
}

func TestRuntimeClass(t *testing.T) {
	_, err := client.RunPodSandbox(t.Context(), &cri.RunPodSandboxRequest{Config: podConfig(t), RuntimeHandler: "no-such-class"})
	says(t, err, "no-such-class")
	// A pod without a class uses this runtime.
	p := newPod(t)
	out, err := exec.Command(*coracle, "--root", *root, "list", "--format", "json").Output()
	must(t, err)
	if !strings.Contains(string(out), p.id) {
		t.Errorf("%s is not in %s", p.id, out)
	}
}

func TestRuntimeHandlers(t *testing.T) {
	answer, err := client.Status(t.Context(), &cri.StatusRequest{})
	must(t, err)
	for _, c := range answer.Status.Conditions {
		if !c.Status && (c.Type == "RuntimeReady" || c.Type == "NetworkReady") {
			t.Errorf("%s: %s", c.Type, c.Message)
		}
	}
	for _, h := range answer.RuntimeHandlers {
		if h.Name == *handler {
			equal(t, "recursive read-only mounts", h.GetFeatures().GetRecursiveReadOnlyMounts(), true)
			equal(t, "user namespaces", h.GetFeatures().GetUserNamespaces(), true)
			return
		}
	}
	t.Errorf("no %s in %v", *handler, answer.RuntimeHandlers)
}

func TestContainer(t *testing.T) {
	p := newPod(t)
	c, err := p.create(shell(`trap "echo ended; exit 3" TERM; echo up; while :; do sleep 0.05; done`))
	must(t, err)
	equal(t, "state", c.status().State, cri.ContainerState_CONTAINER_CREATED)
	must(t, c.begin())
	c.prints("up\n")
	equal(t, "state", c.status().State, cri.ContainerState_CONTAINER_RUNNING)
	c.stop(60)
	status := c.exited()
	equal(t, "exit code", status.ExitCode, 3)
	equal(t, "output", c.log("stdout"), "up\nended\n")
	_, err = client.RemoveContainer(t.Context(), &cri.RemoveContainerRequest{ContainerId: c.id})
	must(t, err)
	if hasState(c.id) || len(cgroups(c.id)) > 0 {
		t.Error("something is left of the removed container")
	}
}

func TestExitCodes(t *testing.T) {
	p := newPod(t)
	c := p.start(shell("exit 42"))
	status := c.exited()
	equal(t, "exit code", status.ExitCode, 42)
	equal(t, "reason", status.Reason, "Error")
	c = p.start([]string{"true"})
	status = c.exited()
	equal(t, "exit code", status.ExitCode, 0)
	equal(t, "reason", status.Reason, "Completed")
	// A container that does not handle TERM is killed in the end.
	c = p.sleep()
	c.stop(1)
	equal(t, "exit code", c.exited().ExitCode, 137)
	// So is a container that is removed while it runs.
	c = p.sleep()
	_, err := client.RemoveContainer(t.Context(), &cri.RemoveContainerRequest{ContainerId: c.id})
	must(t, err)
	if hasState(c.id) || len(cgroups(c.id)) > 0 {
		t.Error("something is left of the removed container")
	}
}

func TestStopSignal(t *testing.T) {
	p := newPod(t)
	c := p.start(shell(`trap "exit 3" USR1; trap "exit 4" TERM; echo up; while :; do sleep 0.05; done`), func(c *cri.ContainerConfig) {
		c.StopSignal = cri.Signal_SIGNAL_SIGUSR1
	})
	c.prints("up\n")
	c.stop(60)
	equal(t, "exit code", c.exited().ExitCode, 3)
}

func TestOutput(t *testing.T) {
	p := newPod(t)
	c := p.start(shell("echo out; echo err >&2; printf partial"))
	c.exited()
	equal(t, "standard output", c.log("stdout"), "out\npartial")
	equal(t, "standard error", c.log("stderr"), "err\n")
	// The streams belong to the user of the container.
	c = p.start(shell("echo out >/dev/stdout; echo err >/dev/stderr; id -u"), user(1000))
	c.exited()
	equal(t, "standard output", c.log("stdout"), "out\n1000\n")
	equal(t, "standard error", c.log("stderr"), "err\n")
}

// A command that cannot be executed is an error of start, with the same text with and without a
// terminal, and leaves nothing open in the shim. containerd 1.6 is not checked: it keeps the
// pipes of a failed start for half a minute, with any runtime.
func TestStartErrors(t *testing.T) {
	p := newPod(t)
	p.sleep().stop(0) // now the shim has opened what it opens only once
	shim := p.shim()
	before := pipes(t, shim)
	for _, test := range []struct{ command, words string }{
		{"no-such-command", `exec: "no-such-command": executable file not found in $PATH`},
		{"/no/such/command", "no such file or directory"},
		{"/etc", "permission denied"},
		{"/etc/passwd", "permission denied"},
	} {
		for _, tty := range []bool{false, true} {
			c, err := p.create([]string{test.command}, func(c *cri.ContainerConfig) { c.Tty = tty })
			must(t, err)
			says(t, c.begin(), "OCI runtime create failed", test.words)
			status := c.status()
			equal(t, "state", status.State, cri.ContainerState_CONTAINER_EXITED)
			equal(t, "exit code", status.ExitCode, 128)
			equal(t, "reason", status.Reason, "StartError")
			if !strings.Contains(status.Message, test.words) {
				t.Errorf("no %q in %q", test.words, status.Message)
			}
			if hasState(c.id) || len(cgroups(c.id)) > 0 {
				t.Error("something is left of the container")
			}
		}
	}
	version, err := client.Version(t.Context(), &cri.VersionRequest{})
	must(t, err)
	if strings.HasPrefix(version.RuntimeVersion, "1.6.") {
		return
	}
	eventually(t, "the shim has no more pipes than before", func() bool { return pipes(t, shim) <= before })
}

// pipes counts the pipes that a process holds.
func pipes(t testing.TB, pid int) int {
	t.Helper()
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	must(t, err)
	n := 0
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); strings.HasPrefix(target, "pipe:") {
			n++
		}
	}
	return n
}

func TestWorkingDirectory(t *testing.T) {
	p := newPod(t)
	in := func(dir string) containerOption {
		return func(c *cri.ContainerConfig) { c.WorkingDir = dir }
	}
	equal(t, "working directory", p.output("pwd", in("/home/user")), "/home/user\n")
	equal(t, "one that was not there", p.output("pwd", in("/no/such")), "/no/such\n")
	c, err := p.create([]string{"true"}, in("/etc/passwd"))
	must(t, err)
	says(t, c.begin(), `chdir to cwd ("/etc/passwd") set in config.json failed: not a directory`)
}

func TestEnvironment(t *testing.T) {
	p := newPod(t)
	out := p.output("env | sort", func(c *cri.ContainerConfig) { c.Envs = []*cri.KeyValue{{Key: "A", Value: []byte("b c")}} })
	// No variables of containerd or the shim.
	equal(t, "environment", out, "A=b c\nHOME=/root\nHOSTNAME="+hostname(t)+"\nPATH=/bin\nPWD=/\nSHLVL=1\n")
}

func hostname(t testing.TB) string {
	t.Helper()
	name, err := os.Hostname()
	must(t, err)
	return name
}

// Pods and their processes survive a restart of containerd.
func TestRestart(t *testing.T) {
	p := newPod(t)
	c := p.start(shell(`trap "echo ended; exit 3" TERM; echo up; while :; do sleep 0.05; done`))
	c.prints("up\n")
	pod, first := initPid(t, p.id), initPid(t, c.id)
	if out, err := exec.Command(*restart).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The first successful call connects again.
	eventually(t, "containerd answers", func() bool {
		_, err := client.Version(t.Context(), &cri.VersionRequest{})
		return err == nil
	})
	equal(t, "state of the pod", p.status().State, cri.PodSandboxState_SANDBOX_READY)
	equal(t, "state of the container", c.status().State, cri.ContainerState_CONTAINER_RUNNING)
	equal(t, "process of the pod", initPid(t, p.id), pod)
	equal(t, "process of the container", initPid(t, c.id), first)
	equal(t, "output of exec", c.sh("echo in"), "in\n")
	s := session{stdin: strings.NewReader("word\n")}
	code, err := s.exec(c, "sh", "-c", "cat; exit 5")
	must(t, err)
	equal(t, "exit code", code, 5)
	equal(t, "output", s.stdout.String(), "word\n")
	equal(t, "a new container", p.output("echo new"), "new\n")
	c.stop(60)
	equal(t, "exit code", c.exited().ExitCode, 3)
	equal(t, "output", c.log("stdout"), "up\nended\n")
}

// When a shim dies, its pod ends.
func TestShimKilled(t *testing.T) {
	p := newPod(t)
	c := p.start(shell("sleep 1000 & exec sleep 1000"))
	pid := initPid(t, c.id)
	must(t, syscall.Kill(p.shim(), syscall.SIGKILL))
	c.exited()
	eventually(t, "the pod is not ready", func() bool { return p.status().State == cri.PodSandboxState_SANDBOX_NOTREADY })
	eventually(t, "the runtime has cleaned up", func() bool {
		return !hasState(c.id) && !hasState(p.id) && len(cgroups(c.id)) == 0 && len(cgroups(p.id)) == 0
	})
	eventually(t, "the process has ended", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return err != nil
	})
}

// Something other than containerd has deleted the container.
func TestDeletedBehind(t *testing.T) {
	p := newPod(t)
	c := p.sleep()
	if out, err := exec.Command(*coracle, "--root", *root, "delete", "--force", c.id).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	equal(t, "exit code", c.exited().ExitCode, 137)
	c.stop(1)
	_, err := client.RemoveContainer(t.Context(), &cri.RemoveContainerRequest{ContainerId: c.id})
	must(t, err)
}

func TestThirtyPods(t *testing.T) {
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				p := newPod(t)
				c := p.start(shell(fmt.Sprintf("echo %d; read x </dev/zero & sleep 0.2; exit %d", i, i)))
				other := p.sleep()
				equal(t, "output of exec", other.sh("echo in"), "in\n")
				equal(t, "exit code", c.exited().ExitCode, int32(i))
				equal(t, "output", c.log("stdout"), fmt.Sprintf("%d\n", i))
				other.stop(0)
				equal(t, "exit code", other.exited().ExitCode, 137)
			})
		})
	}
	all.Wait()
}

// A pod is listed with its containers, and their times are in order.
func TestLists(t *testing.T) {
	p := newPod(t)
	c := p.sleep()
	c.stop(0)
	status := c.exited()
	if !(p.status().CreatedAt <= status.CreatedAt && status.CreatedAt <= status.StartedAt && status.StartedAt <= status.FinishedAt) ||
		status.FinishedAt > time.Now().UnixNano() {
		t.Errorf("the times are not in order: %v", status)
	}
	pods, err := client.ListPodSandbox(t.Context(), &cri.ListPodSandboxRequest{Filter: &cri.PodSandboxFilter{Id: p.id}})
	must(t, err)
	equal(t, "pods", len(pods.Items), 1)
	list, err := client.ListContainers(t.Context(), &cri.ListContainersRequest{Filter: &cri.ContainerFilter{PodSandboxId: p.id}})
	must(t, err)
	equal(t, "containers", len(list.Containers), 1)
	equal(t, "state", list.Containers[0].State, cri.ContainerState_CONTAINER_EXITED)
}
