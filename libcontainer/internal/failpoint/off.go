//go:build !failpoints

package failpoint

import "time"

// Enabled reports whether this is a build for tests of failures.
const Enabled = false

// Hit does nothing.
func Hit(string) {}

// Op returns no op.
func Op() (index int, k Kind) { return -1, None }

// Patience returns how long a wait may take.
func Patience(d time.Duration) time.Duration { return d }
