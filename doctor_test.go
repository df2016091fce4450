package main

import (
	"slices"
	"testing"

	"coracle/libcontainer"
)

// The choices of --engine are a constant, because computing them at start-up would slow every
// command.
func TestDoctorEngines(t *testing.T) {
	if got, want := doctorCommand.flagNamed("engine").choices, libcontainer.EngineNames(); !slices.Equal(got, want) {
		t.Errorf("--engine offers %q, the library knows %q", got, want)
	}
}
