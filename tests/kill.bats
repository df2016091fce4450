#!/usr/bin/env bats
# coracle kill: signals for a container.

load helpers

setup() {
	setup_busybox
}

# A process that prints the number of each signal that it gets.
printing='for s in 1 2 3 10 12 15 35 63; do trap "echo $s" $s; done; echo ready; while :; do sleep 0.05; done'

start_printing() {
	detached "$printing"
	wait_for has_printed ready
}

@test "a signal can be a number" {
	start_printing
	coracle kill "$ID" 10
	wait_for has_printed 10
}

@test "a signal can be a name, with and without SIG, in any case" {
	start_printing
	coracle kill "$ID" USR1
	wait_for has_printed 10
	coracle kill "$ID" SIGUSR2
	wait_for has_printed 12
	coracle kill "$ID" hup
	wait_for has_printed 1
	coracle kill "$ID" sigint
	wait_for has_printed 2
}

@test "a signal can be a realtime signal" {
	start_printing
	coracle kill "$ID" RTMIN+1
	wait_for has_printed 35
	coracle kill "$ID" SIGRTMAX-1
	wait_for has_printed 63
}

@test "the default is TERM" {
	start_printing
	run coracle kill "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	wait_for has_printed 15
}

@test "signal 0 tells whether the container has a process" {
	start_printing
	coracle kill "$ID" 0
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run coracle kill "$ID" 0
	failed "container not running"
}

@test "an unknown signal is refused" {
	start_printing
	for signal in NOSUCH SIG 65 -1 1.5 RTMIN+31 RTMIN+x "" 99999999999999999999; do
		run coracle kill -- "$ID" "$signal"
		failed signal
	done
	[ "$(status_of "$ID")" = running ]
}

@test "a created container can be killed" {
	created
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
}

@test "a created container ends from TERM, and from other signals that end a process" {
	for signal in TERM INT HUP USR1 RTMIN+3; do
		created
		coracle kill "$ID" WINCH
		coracle kill "$ID" CONT
		coracle kill "$ID" 0
		[ "$(status_of "$ID")" = created ]
		coracle kill "$ID" "$signal"
		wait_for has_status "$ID" stopped
		coracle delete "$ID"
	done
}

@test "a created container that shares its pid namespace ends from TERM" {
	share pid
	created
	coracle kill "$ID" TERM
	wait_for has_status "$ID" stopped
}

@test "TERM is still TERM for a container that has been started" {
	args sh -c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
	background create "$ID"
	coracle start "$ID"
	wait_for has_printed ready
	coracle kill "$ID" TERM
	wait_for has_printed "got it"
}

@test "kill of a stopped container says that it is not running" {
	detached true
	wait_for has_status "$ID" stopped
	run coracle kill "$ID" TERM
	failed "container not running"
	run coracle kill "$ID" KILL
	failed "container not running"
}

@test "kill of an unknown container says that it does not exist" {
	run coracle kill "$ID" TERM
	failed "container does not exist"
	run coracle kill --all "$ID" KILL
	failed "container does not exist"
}

# bats test_tags=vm
@test "--all succeeds for a stopped container" {
	detached true
	wait_for has_status "$ID" stopped
	coracle kill --all "$ID" KILL
}

# bats test_tags=vm
@test "--all reaches every process of the container" {
	detached 'for i in 1 2; do sh -c "trap \"echo child-$i; exit\" USR1; echo ready-$i; while :; do sleep 0.05; done" & done; trap "echo init" USR1; while :; do sleep 0.05; done'
	wait_for has_printed ready-1
	wait_for has_printed ready-2
	coracle kill --all "$ID" USR1 || true
	wait_for has_printed child-1
	wait_for has_printed child-2
	wait_for has_printed init
}

# bats test_tags=vm
@test "KILL without --all kills a container with a pid namespace of its own as a whole" {
	detached 'sleep 1000 & sleep 1000 & echo ready; wait'
	wait_for has_printed ready
	coracle kill "$ID" KILL
	wait_for no_processes
}

no_processes() {
	[ -z "$(processes)" ]
}

# bats test_tags=vm
@test "KILL kills the whole cgroup when the pid namespace is shared" {
	share pid
	detached 'sleep 1000 & sleep 1000 & echo ready; wait'
	wait_for has_printed ready
	coracle kill "$ID" KILL
	wait_for no_processes
	[ "$(status_of "$ID")" = stopped ]
}

# bats test_tags=vm
@test "KILL kills the whole cgroup also after the first process of a shared pid namespace has ended" {
	share pid
	detached 'sleep 1000 & exit 0'
	wait_for has_status "$ID" stopped
	[ -n "$(processes)" ]
	coracle kill --all "$ID" KILL
	wait_for no_processes
}

@test "other signals reach only the first process when the pid namespace is shared" {
	share pid
	detached 'sh -c "trap \"echo child\" USR1; echo ready; while :; do sleep 0.05; done" & trap "echo init" USR1; while :; do sleep 0.05; done'
	wait_for has_printed ready
	coracle kill "$ID" USR1
	wait_for has_printed init
	[ "$(grep -c child "$BATS_TEST_TMPDIR/out")" = 0 ]
}

# bats test_tags=vm
@test "KILL reaches processes that fork all the time" {
	share pid
	# Each shell has one child at a time. The limit would stop the shells, not the test.
	config '.linux.resources.pids = {limit: 100}'
	detached 'f() { while :; do sleep 0.001 & wait; done; }; f & f & f & f & f & echo ready; f'
	wait_for has_printed ready
	coracle kill "$ID" KILL
	wait_for no_processes
}

@test "a frozen container can be killed and deleted" {
	detached 'exec sleep 1000'
	dir=/sys/fs/cgroup/freezer/coracle-$ID
	[ -e "$dir/freezer.state" ] || skip "no freezer of cgroup v1 here"
	echo FROZEN >"$dir/freezer.state"
	coracle delete --force "$ID"
	nothing_left
}

# bats test_tags=vm
@test "KILL without --all kills what the first process of a shared pid namespace has left" {
	share pid
	detached 'sleep 1000 & exec sleep 1000'
	kill -9 "$(pid_of "$ID")"
	wait_for has_status "$ID" stopped
	# There is no process for any other signal, except with --all.
	run coracle kill "$ID" TERM
	failed "container not running"
	run coracle kill --all "$ID" CONT
	[ "$status" -eq 0 ]
	[ -n "$(processes)" ]
	coracle kill "$ID" KILL
	wait_for no_processes
	[ "$(status_of "$ID")" = stopped ]
	run coracle kill "$ID" KILL
	failed "container not running"
	coracle delete "$ID"
	nothing_left
}

# freeze_below freezes a process of the container in a cgroup below the container's.
freeze_below() {
	local dir name=cgroup.freeze value=1
	unified || name=freezer.state value=FROZEN
	dir=$(cgroup_dirs "$ID" | grep -m 1 "$(unified && echo . || echo /freezer/)")
	mkdir -p "$dir/sub/deep"
	grep -lxzF 'sleep' /proc/[0-9]*/cmdline | while IFS=/ read -r _ _ pid _; do
		! tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qx 'sleep 1001 ' || ! grep -qF "$ID" "/proc/$pid/cgroup" || echo "$pid" >"$dir/sub/deep/cgroup.procs"
	done
	echo "$value" >"$dir/sub/deep/$name"
	grep -q '[0-9]' "$dir/sub/deep/cgroup.procs"
}

# bats test_tags=vm
@test "KILL and delete --force end processes that the container has frozen in a cgroup of its own" {
	local namespace command
	for namespace in own shared; do
		[ "$namespace" = own ] || share pid
		for command in kill delete; do
			detached 'sleep 1001 & exec sleep 1000'
			freeze_below
			[ "$(status_of "$ID")" = running ]
			if [ "$command" = kill ]; then
				coracle kill "$ID" KILL
				wait_for no_processes
				coracle delete "$ID"
			else
				coracle delete --force "$ID"
			fi
			nothing_left
		done
	done
}

# bats test_tags=vm
@test "pause and resume leave alone what the container has frozen in a cgroup of its own" {
	local below
	detached 'sleep 1001 & exec sleep 1000'
	freeze_below
	below=$(find /sys/fs/cgroup -path "*$ID*/sub/deep/*" \( -name freezer.self_freezing -o -name cgroup.freeze \))
	coracle pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	coracle resume "$ID"
	[ "$(status_of "$ID")" = running ]
	[ "$(cat "$below")" = 1 ]
	run coracle exec "$ID" true
	[ "$status" -eq 0 ]
	coracle update --cpu-shares 512 "$ID"
	[ "$(cat "$below")" = 1 ]
}

@test "run waits for a process whose first thread has ended, and passes signals on" {
	leaderless
	share pid # without default actions a first process of a namespace ignores the signal
	"$CORACLE" --root "$ROOT" run "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	wait_for has_status "$ID" running
	wait_for first_thread_gone "$(pid_of "$ID")"
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 143 ]
	nothing_left
}
