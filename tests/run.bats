#!/usr/bin/env bats
# coracle run: create, start, wait, delete.

load helpers

@test "run prints what the process prints and returns its status" {
	setup_busybox
	shell 'echo hello; exit 7'
	[ "$status" -eq 7 ]
	[ "$output" = hello ]
}

@test "run leaves nothing behind" {
	setup_busybox
	args true
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	nothing_left
}

@test "a Debian made by debootstrap runs with bash as its first process" {
	setup_debian
	args bash -c 'echo $$ $BASH_VERSION; . /etc/os-release; echo $ID; hostname; ls /proc | grep -c "^[0-9]*$"'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "1 5."* ]]
	[ "${lines[1]}" = debian ]
	[ "${lines[2]}" = coracle ]
	[ "${lines[3]}" -le 4 ]
}

@test "dpkg works in a writable copy of the Debian" {
	setup_debian
	args dpkg-query -W -f '${Status}\n' bash
	run coracle run "$ID"
	[ "$output" = "install ok installed" ]
}

@test "standard input is passed on" {
	setup_busybox
	args tr a-z A-Z
	run bash -c 'echo from outside | "$1" --root "$2" run "$3"' - "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "FROM OUTSIDE" ]
}

@test "standard output and error stay apart" {
	setup_busybox
	args sh -c 'echo out; echo err >&2'
	background run "$ID"
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = out ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = err ]
}

@test "much output arrives completely" {
	setup_busybox
	args head -c 5000000 /dev/zero
	run bash -c '"$1" --root "$2" run "$3" | wc -c' - "$CORACLE" "$ROOT" "$ID"
	[ "$output" -eq 5000000 ]
}

@test "closed standard streams do no harm" {
	setup_busybox
	args true
	run bash -c '"$1" --root "$2" run "$3" <&- >&- 2>&-' - "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "the status is 128 plus the signal that ended the process" {
	setup_busybox
	share pid
	for signal in 1 9 11 15; do
		shell "kill -$signal \$\$; sleep 1000"
		[ "$status" -eq $((128 + signal)) ]
	done
	nothing_left
}

@test "the status is 137 after kill KILL" {
	setup_busybox
	args sleep 1000
	"$CORACLE" --root "$ROOT" run "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	wait_for has_status "$ID" running
	coracle kill "$ID" KILL
	wait $! || status=$?
	[ "$status" -eq 137 ]
	nothing_left
}

@test "signals are passed on to the process" {
	setup_busybox
	args sh -c 'for s in 1 2 3 10 12 35; do trap "echo $s" $s; done; trap "echo 15; exit 3" 15; echo ready; while :; do sleep 0.05; done'
	"$CORACLE" --root "$ROOT" run "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	wait_for has_printed ready
	for signal in 1 3 10 12 35; do
		if ignores $! "$signal"; then
			continue
		fi
		# In its first milliseconds the process catches only the signals that end it.
		wait_for repeat_until_printed "$signal" $!
	done
	kill -TERM $!
	wait $! || status=$?
	[ "$status" -eq 3 ]
	has_printed 15
	nothing_left
}

@test "--detach returns when the process has been started" {
	setup_busybox
	detached 'echo $$; exec sleep 1000'
	[ "$(status_of "$ID")" = running ]
	wait_for has_printed 1
}

@test "--detach reports a command that cannot be executed and leaves nothing" {
	setup_busybox
	printf '#!/no/such/interpreter\n' >rootfs/bin/script
	chmod 755 rootfs/bin/script
	args script
	background run --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	failed 'exec: "script"' "no such file or directory"
	nothing_left
	background run "$ID"
	failed 'exec: "script"' "no such file or directory"
	nothing_left
}

@test "a detached container stays when its process has ended" {
	setup_busybox
	detached true
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
}

@test "--keep leaves the stopped container" {
	setup_busybox
	args sh -c 'exit 5'
	run coracle run --keep "$ID"
	[ "$status" -eq 5 ]
	[ "$(status_of "$ID")" = stopped ]
	[ -n "$(cgroup_dirs "$ID")" ]
	coracle delete "$ID"
	nothing_left
}

@test "--pid-file is written" {
	setup_busybox
	args sleep 1000
	background run --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	printf %s "$(pid_of "$ID")" | cmp - "$BATS_TEST_TMPDIR/pid"
}

@test "there is no pid file when the command is missing" {
	setup_busybox
	args missing
	run coracle run --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	failed "executable file not found"
	[ ! -e "$BATS_TEST_TMPDIR/pid" ]
	nothing_left
}

@test "--preserve-fds passes descriptors on and skips holes" {
	setup_busybox
	echo three >"$BATS_TEST_TMPDIR/three"
	echo five >"$BATS_TEST_TMPDIR/five"
	args sh -c 'cat <&3; cat <&5; for i in 3 4 5 6 7; do [ ! -e /proc/$$/fd/$i ] || echo $i; done'
	background run --preserve-fds 3 "$ID" 3<"$BATS_TEST_TMPDIR/three" 4<&- 5<"$BATS_TEST_TMPDIR/five" 6<"$BATS_TEST_TMPDIR/five"
	[ "$output" = $'three\nfive\n3\n5' ]
}

@test "without --preserve-fds no descriptor is passed on" {
	setup_busybox
	args sleep 1000
	background run --detach "$ID" 3<config.json 4<config.json 7<config.json 200<config.json
	[ "$(ls "/proc/$(pid_of "$ID")/fd")" = $'0\n1\n2' ]
}

@test "a detached process has the preserved descriptors and the standard streams only" {
	setup_busybox
	args sleep 1000
	background run --detach --preserve-fds 2 "$ID" 3<config.json 4<&- 7<config.json
	[ "$(ls "/proc/$(pid_of "$ID")/fd")" = $'0\n1\n2\n3' ]
}

@test "orphans of a container in a shared pid namespace are adopted and reaped" {
	setup_busybox
	share pid
	writable
	args sh -c 'sh -c "sleep 0.2 & echo \$! >/orphan"; exec sleep 1000'
	"$CORACLE" --root "$ROOT" run "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	wait_for test -s rootfs/orphan
	wait_for test ! -e "/proc/$(cat rootfs/orphan)"
	coracle kill "$ID" KILL
	wait $! || status=$?
	[ "$status" -eq 137 ]
}

@test "orphans are children of run, and not with --no-subreaper" {
	setup_busybox
	share pid
	writable
	for option in "" --no-subreaper; do
		rm -f rootfs/orphan
		args sh -c 'sh -c "sleep 1000 & echo \$! >/orphan"; exec sleep 1000'
		# shellcheck disable=SC2086
		"$CORACLE" --root "$ROOT" run $option "$ID" >/dev/null 2>&1 </dev/null 3>&- &
		wait_for test -s rootfs/orphan
		wait_for orphaned "$(cat rootfs/orphan)" "$(pid_of "$ID")"
		parent=$(proc_status PPid "$(cat rootfs/orphan)")
		if [ -z "$option" ]; then [ "$parent" = $! ]; else [ "$parent" != $! ]; fi
		coracle kill "$ID" KILL
		wait $! || true
	done
	nothing_left
}

# orphaned PID INIT reports whether a process has a parent other than a shell that has ended.
orphaned() {
	[ -e "/proc/$(proc_status PPid "$1")" ] && [ "$(tr '\0' ' ' <"/proc/$(proc_status PPid "$1")/cmdline")" != "" ] &&
		! grep -q '^Name:.sh$' "/proc/$(proc_status PPid "$1")/status"
}

# Older kernels report another error for the pid of a process that has ended while a session still
# has that id.
# bats test_tags=vm
@test "processes that the first one leaves in a shared pid namespace are ended" {
	setup_busybox
	share pid
	args sh -c 'sleep 1000 & exit 4'
	background run "$ID"
	[ "$status" -eq 4 ]
	nothing_left
}

# session_keyring prints the serial number of the session keyring: keyctl(2) with
# KEYCTL_GET_KEYRING_ID and KEY_SPEC_SESSION_KEYRING.
session_keyring='use POSIX; my $n = (POSIX::uname())[4] eq "x86_64" ? 250 : 219; print syscall($n, 0, -3, 0), "\n"'

@test "the container has a session keyring of its own" {
	command -v perl >/dev/null || skip "no perl on the host"
	setup_debian
	args perl -e "$session_keyring"
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" -gt 0 ]
	[ "$output" != "$(perl -e "$session_keyring")" ]
}

# squat makes a keyring as another user of the host; $squatted is its number.
squat() {
	aside bash -c 'exec python3 "$0" 65534 "$2" >"$1"' "$BATS_TEST_DIRNAME/keys.py" "$BATS_TEST_TMPDIR/squatted" "$1"
	wait_for grep -qs . "$BATS_TEST_TMPDIR/squatted"
	squatted=$(cat "$BATS_TEST_TMPDIR/squatted")
}

@test "the session keyring is not one that another user has made and called like it" {
	command -v perl >/dev/null || skip "no perl on the host"
	setup_debian
	squat "_ses.$ID"
	args perl -e "$session_keyring"
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" -gt 0 ]
	[ "$output" != "$squatted" ]
}

@test "exec has the session keyring of the container, and none that another user has called like it" {
	command -v perl >/dev/null || skip "no perl on the host"
	setup_debian
	args perl -e '$| = 1;'"$session_keyring"'; $SIG{USR1} = sub { syscall($n, 3, -3); print "gone\n" }; sleep 1 while 1'
	background run --detach "$ID"
	wait_for grep -qs . "$BATS_TEST_TMPDIR/out"
	run coracle exec "$ID" perl -e "$session_keyring"
	[ "$output" = "$(printed)" ]
	# The container revokes its keyring (KEYCTL_REVOKE), so that the name is free.
	coracle kill "$ID" USR1
	wait_for has_printed gone
	squat "$(jq -r '.keyring // "_ses.'"$ID"'"' "$ROOT/$ID/state.json")"
	run coracle exec "$ID" true
	[ "$status" -eq 255 ]
	says "make the session keyring: the keyring \"_ses.$ID." "belongs to another user"
}

@test "--no-new-keyring keeps that of the caller" {
	command -v perl >/dev/null || skip "no perl on the host"
	setup_debian
	args perl -e "$session_keyring"
	run coracle run --no-new-keyring "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$(perl -e "$session_keyring")" ]
}

@test "a container that exists cannot be run" {
	setup_busybox
	created
	pid=$(pid_of "$ID")
	run coracle run "$ID"
	failed "already exists"
	[ "$(pid_of "$ID")" = "$pid" ]
}

@test "several containers run at once from one bundle" {
	setup_busybox
	args hostname
	for i in 1 2 3 4 5 6 7 8; do
		"$CORACLE" --root "$ROOT" run "$ID-$i" >"$BATS_TEST_TMPDIR/out.$i" 2>&1 </dev/null 3>&- &
	done
	wait
	[ "$(cat "$BATS_TEST_TMPDIR"/out.* | sort | uniq -c | tr -s ' ')" = " 8 coracle" ]
	nothing_left
}

@test "a limit of open files above that of the kernel is called by its name" {
	setup_busybox
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1024, hard: 4294967296}]'
	args true
	background run "$ID"
	failed "set RLIMIT_NOFILE to 1024:4294967296 (process.rlimits[0]): operation not permitted (/proc/sys/fs/nr_open is $(cat /proc/sys/fs/nr_open))"
}
