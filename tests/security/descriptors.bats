#!/usr/bin/env bats
# bats file_tags=vm
# R-03, R-04, R-05, R-12: a process of the container cannot reach anything of the host: no
# descriptor, no program, no directory.
#
# What protects: dropDescriptors (compile/identity.go) and CloseFrom in exec
# (compile/process.go); O_CLOEXEC everywhere (make seclint); PR_SET_DUMPABLE in Exec
# (compile/exec.go); the sealed memfd (launch/launch.go); RESOLVE_NO_MAGICLINKS in openCwd and
# the check of getcwd (compile/identity.go).

load ../helpers
load canary

# census PID KIND... asserts that the descriptors of a process are the standard streams and these
# kinds only, and that none is a directory or in a mount that the process does not see, except for
# streams that the caller gave.
census() {
	local pid=$1 fd n target kind mnt
	shift
	for fd in /proc/"$pid"/fd/*; do
		n=${fd##*/}
		target=$(readlink "$fd")
		[ ! -d "$fd" ] || {
			echo "descriptor $n of $pid is the directory $target" >&2
			return 1
		}
		[ "$n" -gt 2 ] || continue
		for kind in "$@" none; do
			# shellcheck disable=SC2053 # kind is a pattern
			[[ $target != $kind ]] || break
		done
		[ "$kind" != none ] || {
			echo "descriptor $n of $pid is $target" >&2
			return 1
		}
		if [[ $target == /* ]]; then
			mnt=$(sed -n 's/^mnt_id:[[:space:]]*//p' "/proc/$pid/fdinfo/$n")
			grep -q "^$mnt " "/proc/$pid/mountinfo" || {
				echo "descriptor $n of $pid is $target of the host" >&2
				return 1
			}
		fi
	done
}

# busy makes a configuration with every feature that uses descriptors.
busy() {
	mount_also '{destination: "/data", type: "bind", source: $OUTSIDE, options: ["rbind", "ro"]},
		{destination: "/copy", type: "tmpfs", options: ["tmpcopyup"]}'
	mkdir -p rootfs/copy rootfs/made
	config '.linux.devices = [{path: "/made/null", type: "c", major: 1, minor: 3}] | .linux.maskedPaths += ["/etc/passwd"] |
		.linux.readonlyPaths += ["/home"] | .process.user = {uid: 1000, gid: 1000}'
}

@test "descriptors: of a created, a running and a further process, with all that takes descriptors" {
	busy
	args sh -c 'while :; do sleep 100; done'
	# Descriptors of the caller: a directory of the host, a file, a socket.
	created 7<"$OUTSIDE" 8<"$OUTSIDE/secret" 9<>"$OUTSIDE/fifo"
	pid=$(pid_of "$ID")
	census "$pid" 'socket:*'
	coracle start "$ID" 7<"$OUTSIDE"
	census "$pid"
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" sleep 1000 7<"$OUTSIDE" 8<"$OUTSIDE/secret"
	[ "$status" -eq 0 ]
	census "$(cat "$BATS_TEST_TMPDIR/pid")"
}

@test "descriptors: of processes with a terminal, and with preserved ones" {
	busy
	config '.process.terminal = true'
	args sh -c 'while :; do sleep 100; done'
	python3 "$BATS_TEST_DIRNAME/../pty.py" fd-receiver "$BATS_TEST_TMPDIR/socket" >/dev/null 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
	wait_for test -S "$BATS_TEST_TMPDIR/socket"
	created --console-socket "$BATS_TEST_TMPDIR/socket" 7<"$OUTSIDE"
	census "$(pid_of "$ID")" 'socket:*'
	coracle delete --force "$ID"
	config '.process.terminal = false'
	created --preserve-fds 1 3<>"$OUTSIDE/fifo" 7<"$OUTSIDE"
	pid=$(pid_of "$ID")
	# The descriptor that the caller preserves is there, and nothing else.
	[ "$(readlink "/proc/$pid/fd/3")" = "$OUTSIDE/fifo" ]
	run census "$pid" 'socket:*'
	[ "$status" -ne 0 ]
	[[ $output == *"$OUTSIDE/fifo"* ]]
	[ "$(find "/proc/$pid/fd" -mindepth 1 -lname '/*' -printf '%f\n' | awk '$1 > 2' | xargs)" = 3 ]
}

@test "descriptors: the census sees what it is looking for" {
	sleep 1000 7<"$OUTSIDE" >/dev/null 2>&1 3>&- 4>&- 5>&- 6>&- &
	sleeper=$!
	ASIDE+=("$sleeper")
	wait_for grep -qx sleep "/proc/$sleeper/comm"
	run census "$sleeper"
	[ "$status" -ne 0 ]
	[[ $output == "descriptor "* ]]
}

@test "exe: the program of a waiting container is sealed, and not a file of the host" {
	before=$(sha256sum "$CORACLE"; stat -c '%y %z %i' "$CORACLE")
	args sleep 1000
	created
	# From inside, as root with all capabilities over files.
	# shellcheck disable=SC2016 # for the container's shell
	run coracle exec --cap CAP_DAC_OVERRIDE "$ID" sh -c 'readlink /proc/1/exe; echo x >/proc/1/exe; echo x >>/proc/1/exe; dd if=/dev/zero of=/proc/1/exe count=1 conv=notrunc 2>&1'
	[[ ${lines[0]} == /memfd:coracle-init* ]]
	[ "$(grep -c 'Text file busy\|Permission denied\|Operation not permitted' <<<"$output")" -eq 3 ]
	# From outside: even without the process, which keeps the file busy, the seals protect it.
	run python3 - "/proc/$(pid_of "$ID")/exe" <<'END'
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
want = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
print("sealed" if seals & want == want else f"seals {seals:#x}")
END
	[ "$output" = sealed ]
	[ "$before" = "$(sha256sum "$CORACLE"; stat -c '%y %z %i' "$CORACLE")" ]
}

# The runtime's program is seen as /proc/PID/exe, and can be executed by that.
@test "exe: the program of the runtime cannot be read from inside, neither where it waits nor where it is executed" {
	writable
	printf '#!/proc/self/exe\n' >rootfs/bin/script
	printf '#!/proc/1/exe\n' >rootfs/bin/other
	chmod 755 rootfs/bin/script rootfs/bin/other
	args sleep 1000
	created
	run coracle exec "$ID" cat /proc/1/exe
	[ "$status" -ne 0 ]
	[[ $output == *"Permission denied"* ]]
	# shellcheck disable=SC2016 # for the container's shell
	run coracle exec "$ID" sh -c 'cp /proc/1/exe /tmp/copy; dd if=/proc/1/exe of=/tmp/copy; wc -c </proc/1/exe; ls /tmp/copy'
	[ "$(grep -c 'Permission denied' <<<"$output")" -eq 3 ]
	# A script whose interpreter it is gets the program, which says what it is.
	for script in script other; do
		status=0
		output=$(coracle exec "$ID" "$script" 2>&1) || status=$?
		[ "$status" -eq 127 ]
		[[ $output == *"there is no command in it"* ]]
	done
	run coracle exec "$ID" /proc/self/exe
	[[ $output == *"leads to the program that sets the container up"* ]]
}

# waits_in_op PID reports whether a process sleeps in a failpoint.
waits_in_op() {
	[ -d "/proc/$1" ] && grep -q '^\(35\|230\|101\) ' "/proc/$1/syscall" 2>/dev/null
}

# hung prints the pid of the program of the exec that hangs or, from its first step on, of the
# program's child.
hung() {
	local p
	# shellcheck disable=SC2013 # pids have no blanks
	for p in $(cat "/proc/$runtime"/task/*/children 2>/dev/null); do
		if [[ $(readlink "/proc/$p/exe") == /memfd:coracle-init* ]] && waits_in_op "$p"; then
			echo "$p"
			return
		fi
	done
	return 1
}

# standing OP COMMAND... runs a command whose program stands still before a step, and sets p to that
# when it is in the pid namespace of the container, to nothing when it is not. ended reports
# whether the command has run to its end.
standing() {
	local op=$1
	shift
	CORACLE_FAILPOINT="op=$op:hang" "$coracle_failing" --root "$ROOT" "$@" >/dev/null 2>&1 </dev/null 3>&- &
	runtime=$!
	ASIDE+=("$runtime")
	stuck() { p=$(hung) || ! kill -0 "$runtime" 2>/dev/null; }
	wait_for stuck
	ended=1
	kill -0 "$runtime" 2>/dev/null || return 0
	ended=
	inner=$(awk '/^NSpid:/ && NF > 2 { print $NF }' "/proc/$p/status")
	if [ -z "$inner" ] || [ "$(readlink "/proc/$p/ns/pid")" != "${namespace:-$(readlink "/proc/$(pid_of "$ID")/ns/pid")}" ]; then
		unstuck
	fi
}

# unstuck ends what stands still.
unstuck() {
	kill -9 "$runtime" "$p"
	wait "$runtime" || true
	p=
}

# visible FIRST LAST COMMAND... lets the program of a command stand still before each step from FIRST
# back to LAST, and calls look when it is in the pid namespace of the container. It ends where three
# steps are before the fork. seen is how often it looked. A test may replace the other functions.
visible() {
	local op first=$1 last=$2 hidden=0
	shift 2
	seen=0
	for ((op = first; op > last && hidden < 3; op--)); do
		before_step
		standing "$op" "$@"
		if [ -z "$ended" ] && [ -z "$p" ]; then
			hidden=$((hidden + 1))
		elif [ -z "$ended" ]; then
			seen=$((seen + 1)) hidden=0
			look
			unstuck
		fi
		after_step
	done
	echo "$seen steps"
	[ "$seen" -ge 3 ]
}

before_step() { :; }
after_step() { :; }

# credentials PID prints what a process may do, and where.
credentials() {
	grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' "/proc/$1/status"
	stat -L -c '%d %i' "/proc/$1/root"
	sort "/proc/$1/cgroup"
}

needs_failpoints() {
	coracle_failing=${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../../bin/coracle-failpoints}
	[ -x "$coracle_failing" ] || skip "bin/coracle-failpoints has not been built (make failpoints)"
}

# confined makes a container whose processes may look into others.
confined() {
	config '.process.noNewPrivileges = $nnp | .process.user = {uid: $uid, gid: 7, additionalGids: [8]}
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mount"], action: "SCMP_ACT_ERRNO"}]}
		| .process.capabilities = {bounding: $caps, permitted: $caps, effective: $caps, inheritable: $caps, ambient: $caps}' \
		--argjson nnp "$1" --argjson uid "$2" --argjson caps '["CAP_SYS_PTRACE", "CAP_KILL"]'
}

# Without lastFork (compile/lastfork.go) the process is there with all privileges of the runtime.
@test "privileges: of a process on its way in, others see no more than a process of the container" {
	needs_failpoints
	for user in "true 0" "true 1000" "false 1000"; do
		# shellcheck disable=SC2086 # two words
		confined $user
		detached 'exec sleep 1000'
		want=$(credentials "$(pid_of "$ID")")
		look() {
			diff <(echo "$want") <(credentials "$p")
			census "$p" 'socket:*'
		}
		visible 240 100 exec "$ID" true
		coracle delete --force "$ID"
	done
}

@test "privileges: of a hook of the container on its way in, others see no more than of its process" {
	needs_failpoints
	confined true 1000
	config '.hooks.startContainer = [{path: "/bin/true"}]'
	args sleep 1000
	before_step() { created; }
	look() {
		[ "$(grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapBnd|CapInh|NoNewPrivs)' "/proc/$p/status")" = \
			"$(grep -E '^(Uid|Gid|Groups|CapEff|CapPrm|CapBnd|CapInh|NoNewPrivs)' "/proc/$(pid_of "$ID")/status")" ]
		grep -q '^Seccomp:	2$' "/proc/$p/status"
		census "$p" 'socket:*' 'pipe:*'
	}
	after_step() { coracle delete --force "$ID"; }
	visible 200 80 start "$ID"
}

# Without lastForkOfFirst (compile/lastfork.go) the peer sees it from its beginning.
@test "privileges: of the init of a container in the pid namespace of others, they see no more than of its process" {
	needs_failpoints
	[ "$(printf '%s\n' 6.17 "$(uname -r)" | sort -V | head -n 1)" = 6.17 ] || skip "a procfs for another pid namespace takes Linux 6.17"
	peer=$ID-peer
	args sleep 1000
	background run --detach "$peer"
	[ "$status" -eq 0 ]
	confined true 1000
	config --arg path "/proc/$(pid_of "$peer")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $path else . end)'
	created
	want=$(credentials "$(pid_of "$ID")")
	grep -q '^Seccomp:	2$' <<<"$want"
	coracle delete --force "$ID"
	namespace=$(readlink "/proc/$(pid_of "$peer")/ns/pid")
	look() {
		diff <(echo "$want") <(credentials "$p")
		census "$p" 'socket:*'
	}
	after_step() { coracle delete --force "$ID"; }
	visible "$(coracle plan | grep -c '^ *[0-9][0-9]*  ')" 150 create "$ID"
	coracle delete --force "$peer"
}

# A process of the container looks into a process that exec is about to make, which stands still
# before each of its last steps. Without PR_SET_DUMPABLE in Exec (compile/exec.go) it can.
@test "dumpable: a further process cannot be looked into before it is the container's" {
	needs_failpoints
	# It says of each process that it has seen whether anything of it could be read.
	# shellcheck disable=SC2016 # for the container's shell
	detached 'while :; do for p in /proc/[0-9]*; do
		[ "$(cat $p/comm 2>/dev/null)" = coracle/init ] || continue
		n=${p#/proc/}; [ ! -e /seen/$n ] || continue; mkdir -p /seen
		if ls $p/root/ >/dev/null 2>&1 || [ -n "$(cat $p/environ $p/auxv 2>/dev/null | head -c 1)" ] || readlink $p/fd/0 $p/cwd >/dev/null 2>&1; then
			# Unless it has executed the command meanwhile.
			[ "$(cat $p/comm 2>/dev/null)" != coracle/init ] || echo "open $n"
		else echo "closed $n"; fi
		touch /seen/$n
	done; usleep 20000; done'
	told() { grep -q " $inner\$" "$BATS_TEST_TMPDIR/out"; }
	look() { wait_for told; }
	visible 240 100 exec "$ID" true
	[ "$(grep -c open "$BATS_TEST_TMPDIR/out")" -eq 0 ]
}

# R-12. Each path leads, or could lead, to a directory outside of the container.
ways="/proc/1/cwd/.. /proc/1/root/.. /proc/self/cwd /proc/thread-self/root/.. /proc/self/root /proc/self/fd/7 /proc/self/fd/3/../.. /proc/self/task/1/cwd relative"

@test "cwd: whatever leads outside is refused, for create and exec" {
	for cwd in $ways ""; do
		for fd in 3 5 7; do
			config --arg cwd "${cwd/fd\/[37]/fd/$fd}" '.process.cwd = $cwd'
			shell '/bin/pwd'
			[ "$status" -eq 1 ] || {
				echo "$cwd: $output" >&2
				return 1
			}
		done
	done 7<"$OUTSIDE" 3</
	config '.process.cwd = "/"'
	detached 'mkdir /gone; cd /gone; rmdir /gone; while :; do sleep 100; done'
	for cwd in $ways; do
		run coracle exec --cwd "$cwd" "$ID" /bin/pwd 7<"$OUTSIDE"
		[ "$status" -eq 255 ] || {
			echo "exec --cwd $cwd: $status $output" >&2
			return 1
		}
	done
	untouched
}

@test "cwd: commands that are named through descriptors of the runtime are not found" {
	cp rootfs/bin/busybox "$OUTSIDE/true"
	listing >"$BATS_TEST_TMPDIR/before"
	detached 'while :; do sleep 100; done'
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		for command in "/proc/self/fd/$fd/true" "/proc/self/fd/$fd$OUTSIDE/true" "/proc/self/fd/$fd"; do
			run coracle exec "$ID" "$command" 7<"$OUTSIDE" 8</ 9<"$OUTSIDE/true"
			[ "$status" -eq 255 ] || [ "$status" -eq 127 ] || [ "$status" -eq 126 ] || {
				echo "$command: $status $output" >&2
				return 1
			}
		done
	done
	coracle delete --force "$ID"
	for fd in 3 5 7 9; do
		args "/proc/self/fd/$fd/true"
		background create "$ID" 7<"$OUTSIDE" 9</
		failed "process.args[0]" || failed "exec:"
	done
	nothing_left
	untouched
}
