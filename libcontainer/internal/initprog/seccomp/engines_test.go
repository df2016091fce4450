package seccomp

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// engineProfiles returns the default profiles of engines by name, such as
// "docker-capabilities-arm64". tests/profiles writes them, and describes their origin and
// licence.
func engineProfiles(t *testing.T) map[string]*specs.LinuxSeccomp {
	t.Helper()
	files, err := filepath.Glob("testdata/engines/*.json")
	if err != nil || len(files) != 12 {
		t.Fatalf("%d profiles, %v", len(files), err)
	}
	profiles := make(map[string]*specs.LinuxSeccomp)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := new(specs.LinuxSeccomp)
		if err := json.Unmarshal(data, p); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		profiles[strings.TrimSuffix(filepath.Base(file), ".json")] = p
	}
	return profiles
}

// TestEngineProfiles: the filters of the engines' profiles answer as the profiles say, on both
// machines.
func TestEngineProfiles(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, p := range engineProfiles(t) {
		t.Run(name, func(t *testing.T) {
			compareWithModel(t, r, p, 20000)
			f, err := Compile(p)
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Unknown) > 0 {
				t.Logf("unknown calls, which are skipped: %s", strings.Join(f.Unknown, ", "))
			}
			machine := archOf(specs.ArchX86_64)
			if strings.HasSuffix(name, "arm64") {
				machine = archOf(specs.ArchAARCH64)
			}
			for call, allowed := range map[string]bool{
				"execve": true, "openat2": true, "futex": true, "clone": true, "kexec_load": false, "delete_module": strings.Contains(name, "capabilities"),
			} {
				got, ok := run(f.Program, Call{Number: uint32(number(machine, call)), Arch: machine.audit})
				if !ok || (got == unix.SECCOMP_RET_ALLOW) != allowed {
					t.Errorf("%s: %#x", call, got)
				}
			}
		})
	}
}
