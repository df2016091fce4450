#!/usr/bin/env bats
# bats file_tags=vm,system
# Checks that the tests have left nothing behind. This file runs last.

load helpers

# none COMMAND... asserts that a command soon prints nothing.
none() {
	silent() { [ -z "$("$@")" ]; }
	wait_for silent "$@" || {
		"$@" >&2
		return 1
	}
}

@test "no cgroup of a test is left" {
	none find /sys/fs/cgroup -type d -name "*cortest-$RUN-*"
}

@test "no mount of a test is left" {
	# All files of bats are below one directory.
	none grep -F -e "$BATS_RUN_TMPDIR/" -e "/cortest-$RUN-" /proc/self/mountinfo
}

@test "no state of a test is left" {
	none find "$BATS_RUN_TMPDIR" /run/coracle -type d -name "cortest-$RUN-[0-9]*" -not -path '*/rootfs/*'
}

@test "no file of a test is left outside its directory" {
	none find /tmp /run -maxdepth 2 -name "cortest-$RUN-*"
}

# users prints processes that belong to a test, by their working directory, their arguments or,
# for init programs, their mounts.
users() {
	local p
	for p in /proc/[0-9]*; do
		case ${p#/proc/} in "$$" | "$BASHPID") continue ;; esac
		if [[ $(readlink "$p/cwd") == "$BATS_RUN_TMPDIR"/test/* ]] || grep -qs -- "cortest-$RUN-" "$p/cmdline" ||
			{ [[ $(readlink "$p/exe") == /memfd:coracle-init* ]] && grep -qs -F "$BATS_RUN_TMPDIR" "$p/mountinfo"; }; then
			echo "${p#/proc/} $(tr '\0' ' ' <"$p/cmdline")"
		fi
	done 2>/dev/null
	return 0
}

@test "no process of a test is left" {
	cd / || return
	none users
}
