#!/usr/bin/env bats
# Every wait of a command has an end: see "Waits" in docs/design.md.
#
# The binary with failpoints waits for a second where the ordinary one waits for half a minute.

load helpers

setup() {
	failing=${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../bin/coracle-failpoints}
	[ -x "$failing" ] || skip "bin/coracle-failpoints has not been built (make failpoints)"
	setup_busybox
	args sleep 1000
}

teardown() {
	[ -z "${FREEZER:-}" ] || {
		echo THAWED >"$FREEZER/freezer.state"
		wait_for rmdir "$FREEZER"
	}
	common_teardown
}

# impatient runs the binary that waits for a second; failpoints may be set for it.
impatient() {
	status=0
	CORACLE_PATIENCE=1s timeout -k 1 60 "$failing" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
}

# ends_by SIGNAL STATUS COMMAND... starts a command of the ordinary binary, waits until `busy`
# is true, and asserts that the signal ends it.
ends_by() {
	local signal=$1 want=$2
	shift 2
	# In the background the shell ignores SIGINT, and under nohup SIGHUP is ignored.
	env --default-signal=INT,HUP,TERM "$CORACLE" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	local pid=$! status=0
	ASIDE+=("$pid")
	wait_for busy "$pid"
	kill "-$signal" "$pid"
	wait_for has_ended "$pid"
	wait "$pid" || status=$?
	[ "$status" -eq "$want" ]
}

@test "start ends when the waiting process has been stopped, says so, and the container is stopped" {
	created
	kill -STOP "$(pid_of "$ID")"
	impatient start "$ID"
	failed "start: the init process of container" "does not answer" "stopped by a signal"
	[ "$(status_of "$ID")" = stopped ]
	coracle delete "$ID"
	nothing_left
}

@test "create and run end when the process that builds the container does not go on, and leave nothing" {
	# Op 5 is after the program has begun, and long before it announces anything.
	for command in create run "run --detach"; do
		# shellcheck disable=SC2086 # words
		CORACLE_FAILPOINT=op=5:hang impatient $command "$ID"
		failed "the init process of container" "does not answer"
		nothing_left
	done
}

@test "create in a pid namespace of others ends when these stop the process, and leaves nothing" {
	detached 'sleep 1000'
	join pid "/proc/$(pid_of "$ID")/ns/pid"
	# shellcheck disable=SC2016 # for the container
	aside coracle exec "$ID" sh -c 'while :; do for p in /proc/[0-9]*; do [ "$(cat "$p/comm")" != coracle/init ] || kill -STOP "${p#/proc/}"; done; done'
	# Whoever is quick enough is not stopped.
	for _ in 1 2 3 4 5; do
		impatient create "$ID-b"
		[ "$status" -eq 0 ] || break
		coracle delete --force "$ID-b"
	done
	[ "$status" -eq 0 ] || failed "does not answer" "stopped by a signal"
	[ ! -e "$ROOT/$ID-b" ]
}

@test "exec ends when its process does not go on before it executes the command" {
	detached 'sleep 1000'
	CORACLE_FAILPOINT=op=5:hang impatient exec "$ID" true
	[ "$status" -eq 255 ]
	says "exec in container" "does not answer"
	run coracle exec "$ID" true
	[ "$status" -eq 0 ]
}

@test "a process of exec that a frozen cgroup keeps from dying is given up, and named" {
	[ -d /sys/fs/cgroup/freezer ] || skip "no freezer of cgroup v1"
	FREEZER=/sys/fs/cgroup/freezer/$ID-frozen
	mkdir "$FREEZER"
	detached 'sleep 1000'
	CORACLE_FAILPOINT=op=5:hang CORACLE_PATIENCE=3s timeout -k 1 60 "$failing" --root "$ROOT" exec "$ID" true >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	local pid child
	joiner() { pid=$(pgrep -P "$1") && child=$(pgrep -P "$pid") && [[ $(readlink "/proc/$child/exe") == /memfd:coracle-init* ]]; }
	wait_for joiner $!
	echo "$child" >"$FREEZER/cgroup.procs"
	echo FROZEN >"$FREEZER/freezer.state"
	status=0
	wait $! || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out")
	[ "$status" -eq 255 ]
	says "exec in container" "process $child did not die from SIGKILL in 3 s" "it may be frozen" "does not answer"
	echo THAWED >"$FREEZER/freezer.state"
	wait_for has_ended "$child"
}

@test "commands wait for another one for a while, and name it; state and exec do not wait" {
	detached 'sleep 1000'
	aside flock --no-fork "$ROOT/$ID" sleep 1000
	local holder=${ASIDE[-1]}
	busy() { ! flock -n "$ROOT/$ID" true; }
	wait_for busy
	for command in "update --pids-limit 7" pause resume start delete; do
		# shellcheck disable=SC2086 # words
		impatient $command "$ID"
		failed "container \"$ID\": process $holder (\"sleep 1000\") has been at work on it for more than 1 s"
		[ "$(status_of "$ID")" = running ]
		coracle exec "$ID" true
	done
	# This one ends the container, which others give up then.
	impatient delete --force "$ID"
	failed "process $holder (\"sleep 1000\") has been at work on it for more than 1 s"
	[ "$(status_of "$ID")" = stopped ]
	kill "$holder"
	coracle delete "$ID"
	nothing_left
}

@test "signals end a command that waits for another one" {
	detached 'sleep 1000'
	aside flock --no-fork "$ROOT/$ID" sleep 1000
	busy() { grep -qs "$ROOT/$ID" <<<"$(ls -l "/proc/$1/fd" 2>/dev/null)"; }
	wait_for busy "${ASIDE[-1]}"
	ends_by TERM 1 pause "$ID"
	grep "interrupted" "$BATS_TEST_TMPDIR/out"
	ends_by INT 130 update --pids-limit 7 "$ID"
	ends_by HUP 129 delete "$ID"
	kill "${ASIDE[0]}"
	[ "$(status_of "$ID")" = running ]
}

@test "a second creation in a cgroup names the process that has it" {
	config --arg path "/$ID" '.linux.cgroupsPath = $path'
	CORACLE_FAILPOINT=phase=claim:stop "$failing" --root "$ROOT" create "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
	stopped() { [ "$(proc_status State "$1")" = 'T (stopped)' ]; }
	wait_for stopped $!
	run coracle create "$ID-b"
	failed "another container is being created in it, by process $!"
	kill -CONT $!
	wait $!
}

@test "signals end a run that waits for its configuration, and leave nothing" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	busy() { grep -qs fifo <<<"$(ls -l "/proc/$1/fd" 2>/dev/null)"; }
	for signal in TERM INT HUP; do
		ends_by "$signal" 1 run --config "$BATS_TEST_TMPDIR/fifo" "$ID"
		grep interrupted "$BATS_TEST_TMPDIR/out"
		nothing_left
	done
}

@test "a socket at which nobody accepts connections is an error after a while" {
	python3 -c 'import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(0)
clients = []
while True:
    c = socket.socket(socket.AF_UNIX)
    c.setblocking(False)
    try: c.connect(sys.argv[1])
    except BlockingIOError: break
    clients.append(c)
print("full", flush=True)
time.sleep(1000)' "$BATS_TEST_TMPDIR/socket" >"$BATS_TEST_TMPDIR/listener" 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
	wait_for grep -qx full "$BATS_TEST_TMPDIR/listener"
	impatient create --pidfd-socket "$BATS_TEST_TMPDIR/socket" "$ID"
	failed "pidfd socket $BATS_TEST_TMPDIR/socket" "resource temporarily unavailable"
	config '.process.terminal = true'
	impatient create --console-socket "$BATS_TEST_TMPDIR/socket" "$ID"
	failed "console socket $BATS_TEST_TMPDIR/socket" "resource temporarily unavailable"
	nothing_left
}

@test "exec into a paused container without a pid namespace of its own (cgroup v2) ends by a signal, or goes on with the container" {
	grep -q cgroup2 /proc/filesystems || skip "no cgroup v2"
	share pid
	config '.linux.cgroupsPath = "/'"$ID"'" | del(.linux.resources)'
	# shellcheck disable=SC2016 # for the shell inside
	run env CORACLE="$CORACLE" ROOT="$ROOT" ID="$ID" timeout -k 1 60 unshare --mount --propagation private bash -c '
		[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup
		coracle() { "$CORACLE" --root "$ROOT" "$@" </dev/null; }
		coracle run --detach "$ID" >/dev/null 2>&1 || exit 40
		coracle pause "$ID"
		"$CORACLE" --root "$ROOT" exec --ignore-paused "$ID" true </dev/null &
		sleep 0.5
		kill -TERM $!
		wait $!
		echo "status $?"
		"$CORACLE" --root "$ROOT" exec --ignore-paused "$ID" echo done </dev/null &
		sleep 0.5
		coracle resume "$ID"
		wait $! || echo "status $?"
		coracle delete --force "$ID"' 3>&-
	[ "${lines[*]}" = "interrupted status 255 done" ]
}
