#!/usr/bin/env bats
# bats file_tags=vm
# start, run and exec report only whether the command was executed, even if its process ends at
# once.

load helpers

setup() {
	failing=${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../bin/coracle-failpoints}
	[ -x "$failing" ] || skip "bin/coracle-failpoints has not been built (make failpoints)"
	setup_busybox
	config '.linux.resources.memory = {limit: 16777216, swap: 16777216}'
}

# children PID STATE succeeds when a process has a child in one of the states.
children() {
	local p
	for p in /proc/[0-9]*; do
		grep -qsx "PPid:[[:space:]]*$1" "$p/status" && grep -qs "^State:[[:space:]]*[$2]" "$p/status" && return
	done
	return 1
}

# sees_late PHASE CONDITION COMMAND... runs a command of coracle that stops after a phase until a
# condition holds; its pid is $late.
sees_late() {
	local phase=$1 condition=$2
	CORACLE_FAILPOINT="phase=$phase:stop" "$failing" --root "$ROOT" "${@:3}" >"$BATS_TEST_TMPDIR/late" 2>&1 </dev/null 3>&- &
	late=$!
	ASIDE+=("$late")
	wait_for grep -qs '^State:[[:space:]]*T' "/proc/$late/status"
	wait_for "$condition"
	kill -CONT "$late"
	status=0
	wait "$late" || status=$?
	output=$(<"$BATS_TEST_TMPDIR/late")
}

# running_program PID succeeds when a command has launched a program, or has ended.
running_program() {
	children "$1" RSD || ! kill -0 "$1" 2>/dev/null
}

has_ended() {
	has_status "$ID" stopped
}

child_has_ended() {
	children "$late" Z
}

# commands are commands that end at once: one that runs out of memory, one whose child does, one
# that fails, one that succeeds.
commands=('exec tail -c 50m /dev/zero' '{ tail -c 50m /dev/zero; } 2>/dev/null; exit 0' 'exit 1' 'exit 0')
statuses=(137 0 1 0)

@test "start succeeds, however the process has ended before start looks" {
	local command
	for command in "${commands[@]}"; do
		args sh -c "$command"
		created
		sees_late "gate opened" has_ended start "$ID"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		coracle delete "$ID"
	done
	nothing_left
}

@test "run has the status of a process that has ended before run looks" {
	local i
	for i in "${!commands[@]}"; do
		args sh -c "${commands[i]}"
		sees_late follow child_has_ended run "$ID"
		[ "$status" -eq "${statuses[i]}" ]
	done
	nothing_left
}

@test "a detached run succeeds, however the process has ended before run looks" {
	local command
	for command in "${commands[@]}"; do
		args sh -c "$command"
		sees_late follow child_has_ended run --detach "$ID"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		coracle delete "$ID"
	done
	nothing_left
}

@test "exec has the status of a process that has ended before exec looks" {
	detached 'exec sleep 1000'
	local i
	for i in "${!commands[@]}"; do
		sees_late "execve announced" child_has_ended exec "$ID" sh -c "${commands[i]}"
		[ "$status" -eq "${statuses[i]}" ]
	done
}

@test "a hook of the container counts by its own status, however soon it has ended" {
	config '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "exit 0"]}]'
	args sleep 1000
	created
	sees_late "execve of a hook announced" child_has_ended start "$ID"
	[ "$status" -eq 0 ]
	coracle delete --force "$ID"
	config '.hooks.startContainer[0].args = ["sh", "-c", "exit 3"]'
	created
	sees_late "execve of a hook announced" child_has_ended start "$ID"
	failed "exit status 3"
}

@test "a quick command of a filter that forbids every report has been executed, whatever its name" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["sendto", "write"], action: "SCMP_ACT_ERRNO"}]}'
	printf '#!/bin/sh\nexit 3\n' >rootfs/bin/coracle-init
	chmod +x rootfs/bin/coracle-init
	args coracle-init
	sees_late follow child_has_ended run "$ID"
	[ "$status" -eq 3 ]
	[ -z "$output" ]
}

@test "exec says that the container is not running when it ends meanwhile, whatever failed by that" {
	args sleep 1000
	local op
	# While the process is set up, and while its program runs.
	for op in phase="program compiled":stop op={20,60,70,80,90,100,120,140,160}:delay; do
		background run --detach "$ID"
		[ "$status" -eq 0 ]
		CORACLE_FAILPOINT=$op "$failing" --root "$ROOT" exec "$ID" true >"$BATS_TEST_TMPDIR/late" 2>&1 </dev/null 3>&- &
		late=$!
		ASIDE+=("$late")
		[[ $op != *stop ]] || wait_for grep -qs '^State:[[:space:]]*T' "/proc/$late/status"
		[[ $op == *stop ]] || wait_for running_program "$late"
		coracle kill "$ID" KILL
		[[ $op != *stop ]] || wait_for has_ended
		kill -CONT "$late" 2>/dev/null || true
		status=0
		wait "$late" || status=$?
		output=$(<"$BATS_TEST_TMPDIR/late")
		# start may have come in time.
		[[ $status -eq 0 || $status -eq 137 ]] || says "container not running"
		coracle delete --force "$ID"
	done
}

# Like an engine that waits for the container late: it kills an init that hangs after its
# announcement, and prints the output of start.
kill_before_execve='
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) # PR_SET_CHILD_SUBREAPER
command, pid_file = sys.argv[2:-1], sys.argv[1]
def coracle(*args, **more):
    return subprocess.Popen([*command, *args, sys.argv[-1]], stdin=subprocess.DEVNULL, **more)
coracle("create", "--pid-file", pid_file).wait()
pid = int(open(pid_file).read())
start = coracle("start")
calls = 35, 101, 230 # nanosleep, in which the failpoint hangs
while start.poll() is None:
    try:
        if int(open(f"/proc/{pid}/syscall").read().split()[0]) in calls:
            os.kill(pid, 9)
            break
    except (OSError, ValueError):
        pass
    time.sleep(0.005)
sys.exit(start.wait())
'

@test "start reports a process that was killed when it was about to execute the command" {
	args true
	op=$(coracle plan | sed -n 's/^ *\([0-9]*\)  execve(.*/\1/p')
	# create may have one op more than the plan.
	for op in $((op + 1)) "$op"; do
		CORACLE_FAILPOINT="op=$op:hang" run python3 -c "$kill_before_execve" "$BATS_TEST_TMPDIR/pid" "$failing" --root "$ROOT" "$ID"
		[ "$status" -eq 0 ] || break
		coracle delete "$ID"
	done
	failed "was killed before it had executed the command"
	wait_for has_status "$ID" stopped
}

# leaves lets the first process go on, and succeeds when it is in another user namespace.
leaves() {
	[ ! -p rootfs/tmp/wait ] || { echo go >rootfs/tmp/wait && rm rootfs/tmp/wait; }
	[ "$(readlink "/proc/$PID/ns/user")" != "$(readlink /proc/self/ns/user)" ]
}

@test "exec does not follow a first process that leaves its namespaces at that moment" {
	writable
	detached 'mkfifo /tmp/wait; read -r line </tmp/wait; exec unshare -U -m sleep 1000'
	PID=$(pid_of "$ID")
	wait_for [ -p rootfs/tmp/wait ]
	sees_late 'program compiled' leaves exec "$ID" touch /tmp/followed
	[ "$status" -eq 255 ]
	says "its first process has left the namespaces (mnt, user)"
	[ ! -e rootfs/tmp/followed ]
}
