#!/usr/bin/env bats
# Leftovers after failures at some places; `make torture` tries all places.

load helpers

setup() {
	TORTURE=$BATS_TEST_DIRNAME/../bin/torture
	[ -x "$TORTURE" ] || skip "bin/torture has not been built (make failpoints)"
	TMPDIR=$BATS_TEST_TMPDIR
	export TMPDIR
}

# torture runs one mode; its output is shown when it fails.
torture() {
	run "$TORTURE" -coracle "${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../bin/coracle-failpoints}" -rootfs "$CORACLE_CACHE/busybox" "$@"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a failing op of create, start or exec is told in a line and leaves nothing" {
	torture -stride 13 ops
	[[ $output == *" failures"* ]]
}

@test "a command that dies, or hangs and is killed, after any of its phases leaves nothing to delete --force" {
	torture phases
}

@test "a command that is killed at a system call leaves nothing to delete --force" {
	command -v strace >/dev/null || skip "strace is not installed"
	torture -stride 17 syscalls
}

@test "too few processes, descriptors and too little memory and space are told in a line" {
	torture limits
}

@test "a hundred containers in parallel leave nothing" {
	torture -cycles 100 cycles
}
