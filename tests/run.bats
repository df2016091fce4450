#!/usr/bin/env bats
# coracle run: create, start, wait, delete.

load helpers

@test "run prints what the process prints and returns its status" {
	setup_busybox
	args sh -c 'echo hello; exit 7'
	run coracle run "$ID"
	[ "$status" -eq 7 ]
	[ "$output" = hello ]
}

@test "run leaves nothing behind" {
	setup_busybox
	args true
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ -z "$(ls -A "$ROOT")" ]
	[ -z "$(cgroup_dirs "$ID")" ]
}
