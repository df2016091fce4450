#!/usr/bin/env bats
# Capabilities: the five sets, before and after the command is executed.

load helpers

setup() {
	setup_busybox
}

# mask NUMBER... prints a set as /proc/PID/status does.
mask() {
	local n m=0
	for n in "$@"; do
		m=$((m | 1 << n))
	done
	printf '%016x' "$m"
}

# sets PID prints the sets of a process: inheritable, permitted, effective, bounding,
# ambient.
sets() {
	local name
	for name in CapInh CapPrm CapEff CapBnd CapAmb; do
		proc_status "$name" "$1"
	done | paste -sd ' '
}

all_sets='grep ^Cap /proc/self/status | cut -f2 | tr "\n" " "'

# Numbers: CHOWN 0, KILL 5, SETUID 7, NET_BIND_SERVICE 10, NET_RAW 13, AUDIT_WRITE 29.

@test "the waiting init has the five sets of the configuration" {
	config '.process.capabilities = {bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"],
		permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], effective: ["CAP_CHOWN", "CAP_KILL"],
		inheritable: ["CAP_KILL", "CAP_SETUID"], ambient: ["CAP_SETUID"]}'
	created
	[ "$(sets "$(pid_of "$ID")")" = "$(mask 5 7) $(mask 0 5 7) $(mask 0 5) $(mask 0 5 7 13) $(mask 7)" ]
}

@test "the waiting init of another user has them too" {
	config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {bounding: ["CAP_CHOWN", "CAP_KILL"],
		permitted: ["CAP_CHOWN"], effective: ["CAP_CHOWN"], inheritable: ["CAP_CHOWN"], ambient: ["CAP_CHOWN"]}'
	created
	[ "$(sets "$(pid_of "$ID")")" = "$(mask 0) $(mask 0) $(mask 0) $(mask 0 5) $(mask 0)" ]
}

@test "root has what is in the bounding set" {
	shell "$all_sets"
	[ "$output" = "$(mask) $(mask 5 10 29) $(mask 5 10 29) $(mask 5 10 29) $(mask) " ]
}

@test "another user has nothing without ambient capabilities" {
	config '.process.user = {uid: 1000, gid: 1000}'
	shell "$all_sets"
	[ "$output" = "$(mask) $(mask) $(mask) $(mask 5 10 29) $(mask) " ]
}

@test "ambient capabilities reach the process of another user" {
	config '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = false |
		.process.capabilities |= (.inheritable = ["CAP_NET_BIND_SERVICE"] | .ambient = ["CAP_NET_BIND_SERVICE"])'
	shell "$all_sets"
	[ "$output" = "$(mask 10) $(mask 10) $(mask 10) $(mask 5 10 29) $(mask 10) " ]
}

@test "without process.capabilities there are none" {
	config 'del(.process.capabilities)'
	shell "$all_sets"
	[ "$output" = "$(mask) $(mask) $(mask) $(mask) $(mask) " ]
}

@test "an empty set is empty" {
	config '.process.capabilities = {bounding: [], permitted: [], effective: [], inheritable: [], ambient: []}'
	shell "$all_sets"
	[ "$output" = "$(mask) $(mask) $(mask) $(mask) $(mask) " ]
}

@test "nothing of the caller's inheritable and ambient sets stays" {
	args sh -c "$all_sets"
	run setpriv --inh-caps +chown,+kill --ambient-caps +chown,+kill "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(mask) $(mask 5 10 29) $(mask 5 10 29) $(mask 5 10 29) $(mask) " ]
}

@test "an unknown name is ignored and logged" {
	config '.process.capabilities.bounding += ["CAP_NO_SUCH", "chown"]'
	args sh -c "$all_sets"
	run "$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format json run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(mask) $(mask 5 10 29) $(mask 5 10 29) $(mask 5 10 29) $(mask) " ]
	[ "$(jq -r .level "$BATS_TEST_TMPDIR/log" | sort -u)" = warning ]
	grep -q 'CAP_NO_SUCH' "$BATS_TEST_TMPDIR/log"
}

@test "a capability that the runtime lacks is left out and logged" {
	config '.process.capabilities.bounding += ["CAP_NET_RAW"]'
	args sh -c "$all_sets"
	run setpriv --bounding-set -net_raw "$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(mask) $(mask 5 10 29) $(mask 5 10 29) $(mask 5 10 29) $(mask) " ]
	grep -q 'CAP_NET_RAW cannot be granted' "$BATS_TEST_TMPDIR/log"
}

@test "an ambient capability that is not inheritable is left out and logged" {
	config '.process.capabilities.ambient = ["CAP_KILL"]'
	args sh -c "$all_sets"
	run "$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(mask) $(mask 5 10 29) $(mask 5 10 29) $(mask 5 10 29) $(mask) " ]
	grep -q 'ambient: CAP_KILL cannot be granted' "$BATS_TEST_TMPDIR/log"
}

@test "capabilities work, and their absence" {
	writable
	shell 'chown 1000 /etc/passwd'
	[[ $output == *"Operation not permitted"* ]]
	config '.process.capabilities.bounding += ["CAP_CHOWN"] | .process.capabilities.permitted += ["CAP_CHOWN"] | .process.capabilities.effective += ["CAP_CHOWN"]'
	shell 'chown 1000 /etc/passwd && stat -c %u /etc/passwd'
	[ "$output" = 1000 ]
}

@test "no securebits are set" {
	share pid
	shell 'setpriv -d 2>/dev/null | grep -i securebits || echo none'
	[[ $output == none || $output == *"[none]"* ]]
}
