package libcontainer

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"coracle/libcontainer/internal/doctor"
	"coracle/libcontainer/internal/oci/bundle"
	"coracle/libcontainer/internal/state"
)

// HealthStatus is the result of one examination of the host: [HealthOK], [HealthDegraded] or
// [HealthMissing].
type HealthStatus = doctor.Status

// Results of an examination.
const (
	// HealthOK: containers have everything that they can ask for.
	HealthOK = doctor.OK
	// HealthDegraded: it works in part.
	HealthDegraded = doctor.Degraded
	// HealthMissing: it is not there.
	HealthMissing = doctor.Missing
)

// HealthFinding is the result of one examination of the host.
type HealthFinding = doctor.Finding

// Examine finds out what this host can do for containers of this process, by trying it if that
// leaves no trace. The order of the findings is fixed.
func (r *Runtime) Examine() []HealthFinding {
	return doctor.Examine(doctor.Options{Root: r.Root, UID: os.Geteuid(), Privileged: bundle.HasCapabilities(ownCapabilities(), unix.CAP_SYS_ADMIN)})
}

// ExamineEngine finds out whether an engine, one of [EngineNames], is configured to use the
// program at a path. It reads the engine's files below root, which is "/" except in tests.
func ExamineEngine(name, program, root string) []HealthFinding {
	home, _ := os.UserHomeDir()
	return doctor.Engine(name, program, root, home)
}

// EngineNames returns the names for [ExamineEngine].
func EngineNames() []string { return doctor.Engines() }

// HealthCommands returns the commands that fix the findings, without duplicates.
func HealthCommands(findings []HealthFinding) []string { return doctor.Commands(findings) }

// HealthExit returns the exit status for findings: 2 when no container can be created, 1 when
// something is degraded or missing, otherwise 0.
func HealthExit(findings []HealthFinding) int { return doctor.Worst(findings) }

// Leftover is what a container that has ended, or a killed command, has left behind.
type Leftover struct {
	ID string `json:"id"`
	// Why describes it.
	Why string `json:"why"`
	// Removable reports whether [Runtime.ForceDelete] removes it.
	Removable bool `json:"removable"`
}

// Leftovers lists what is below the root and not alive: containers that have ended and were not
// deleted, interrupted creations, and records that cannot be read. An engine may still delete a
// container that has just ended.
func (r *Runtime) Leftovers() ([]Leftover, error) {
	ids, err := r.root().IDs()
	if err != nil {
		return nil, err
	}
	var found []Leftover
	for _, id := range ids {
		l, err := r.leftover(id)
		if err != nil {
			return nil, err
		}
		if l != nil {
			found = append(found, *l)
		}
	}
	return found, nil
}

// leftover examines one container.
func (r *Runtime) leftover(id string) (*Leftover, error) {
	dir, err := r.root().Open(id)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	record, err := dir.Load()
	switch {
	case errors.Is(err, ErrNotExist):
		if dir.Busy() {
			return nil, nil // another command is working on it
		}
		return &Leftover{ID: id, Why: "a creation that was cut off before it had any effect", Removable: true}, nil
	case errors.Is(err, state.ErrUnreadable):
		return &Leftover{ID: id, Why: err.Error()}, nil
	case err != nil:
		return nil, err
	}
	s, err := status(dir, record, false)
	if err != nil {
		return &Leftover{ID: id, Why: err.Error()}, nil
	}
	if s != specs.StateStopped {
		return nil, nil
	}
	why := fmt.Sprintf("a container that has ended (created %s, bundle %s)", record.Created, record.Bundle)
	if dir.Creating() {
		why = fmt.Sprintf("a creation that was cut off (bundle %s)", record.Bundle)
	}
	return &Leftover{ID: id, Why: why, Removable: true}, nil
}
