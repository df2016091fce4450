// Command profiles writes the default seccomp profiles of container engines, in the form in which
// the engines put them into a container's configuration, for the machine that it is built for.
//
//	go run . DIRECTORY                                          (in this directory)
//	GOARCH=arm64 go run -exec qemu-aarch64-static . DIRECTORY
//
// The profiles are those of github.com/moby/profiles, github.com/containerd/containerd and
// github.com/containers/common, of the versions in go.mod; all three are licensed under the
// Apache License 2.0. The last one is a file in the format of the first, whose code converts it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"

	containerd "github.com/containerd/containerd/v2/contrib/seccomp"
	podman "github.com/containers/common/pkg/seccomp"
	docker "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// manyCapabilities are those that the profiles depend on.
var manyCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_BPF", "CAP_CHOWN", "CAP_DAC_READ_SEARCH", "CAP_NET_ADMIN", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_CHROOT",
	"CAP_SYS_MODULE", "CAP_SYS_NICE", "CAP_SYS_PACCT", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_SYSLOG",
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: profiles DIRECTORY")
	}
	for _, set := range []struct {
		name string
		caps []string
	}{{"", nil}, {"-capabilities", manyCapabilities}} {
		spec := &specs.Spec{Linux: &specs.Linux{}, Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: set.caps}}}
		write("docker"+set.name, must(docker.GetDefaultProfile(spec)))
		write("containerd"+set.name, containerd.DefaultProfile(spec))
		write("podman"+set.name, must(docker.LoadProfile(string(must(json.Marshal(podman.DefaultProfile()))), spec)))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// write writes a profile, one rule a line.
func write(name string, p *specs.LinuxSeccomp) {
	var b bytes.Buffer
	for i, c := range must(json.Marshal(p)) {
		if c == '{' && i > 0 && bytes.HasSuffix(b.Bytes(), []byte(",")) || bytes.HasSuffix(b.Bytes(), []byte(`"syscalls":[`)) {
			b.WriteByte('\n')
		}
		b.WriteByte(c)
	}
	b.WriteByte('\n')
	path := filepath.Join(os.Args[1], fmt.Sprintf("%s-%s.json", name, runtime.GOARCH))
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
