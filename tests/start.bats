#!/usr/bin/env bats
# coracle start: the waiting process executes the user's command.

load helpers

setup() {
	setup_busybox
}

@test "start runs the command and prints nothing" {
	args sh -c 'echo started; exec sleep 1000'
	created
	run coracle start "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	wait_for has_printed started
	[ "$(status_of "$ID")" = running ]
}

@test "the command has been executed when start returns" {
	args sleep 1000
	created
	coracle start "$ID"
	[ "$(tr '\0' ' ' <"/proc/$(pid_of "$ID")/cmdline")" = "sleep 1000 " ]
}

@test "the pid stays the same from create to start" {
	args sleep 1000
	created
	pid=$(pid_of "$ID")
	coracle start "$ID"
	[ "$(pid_of "$ID")" = "$pid" ]
}

# older turns the record of the container into one of an older version, without kinds of steps.
older() {
	jq 'del(.hasProcess) | del(.steps[].kind)' <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/new"
	cp "$BATS_TEST_TMPDIR/new" "$ROOT/$ID/state.json"
}

@test "start starts what an older version has created, and reports why it cannot be executed" {
	args sleep 1000
	created
	older
	coracle start "$ID"
	[ "$(status_of "$ID")" = running ]
	coracle delete --force "$ID"
	printf '#!/no/such/interpreter\n' >rootfs/bin/script
	chmod 755 rootfs/bin/script
	args script
	created
	older
	run coracle start "$ID"
	[ "$status" -eq 1 ]
	failed 'exec: "script"' interpreter
}

@test "start reports a script whose interpreter is missing" {
	printf '#!/no/such/interpreter\n' >rootfs/bin/script
	chmod 755 rootfs/bin/script
	args script
	created
	run coracle start "$ID"
	failed 'exec: "script"' "no such file or directory" interpreter
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "start reports a program that is garbage" {
	printf '\x7fELF garbage' >rootfs/bin/garbage
	chmod 755 rootfs/bin/garbage
	args /bin/garbage
	created
	run coracle start "$ID"
	failed 'exec: "/bin/garbage"' "exec format error"
	wait_for has_status "$ID" stopped
}

@test "start reports a file without #! line" {
	printf 'echo hello\n' >rootfs/bin/text
	chmod 755 rootfs/bin/text
	args text
	created
	run coracle start "$ID"
	failed 'exec: "text"' "exec format error"
}

@test "start reports a command that was removed after create" {
	cp rootfs/bin/busybox rootfs/bin/mine
	args mine sleep 1000
	created
	rm rootfs/bin/mine
	run coracle start "$ID"
	failed 'exec: "mine"' "no such file or directory"
}

@test "start reports arguments that are too large" {
	config '.process.args = ["echo", ("x" * 200000)]'
	created
	run coracle start "$ID"
	failed "argument list too long"
}

@test "a second start is refused and does not disturb the container" {
	detached 'exec sleep 1000'
	run coracle start "$ID"
	failed "it is running"
	[ "$(status_of "$ID")" = running ]
}

@test "of several starts at once one succeeds" {
	args sleep 1000
	created
	for i in 1 2 3 4 5 6; do
		{ coracle start "$ID" >/dev/null 2>&1 3>&- && echo >"$BATS_TEST_TMPDIR/won.$i"; } &
	done
	wait
	[ "$(find "$BATS_TEST_TMPDIR" -name 'won.*' | wc -l)" -eq 1 ]
	[ "$(status_of "$ID")" = running ]
}

@test "a container that does not exist cannot be started" {
	run coracle start "$ID"
	failed "does not exist"
}

@test "a stopped container cannot be started" {
	detached true
	wait_for has_status "$ID" stopped
	run coracle start "$ID"
	failed "it is stopped"
}

@test "a created container that was killed cannot be started" {
	created
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run coracle start "$ID"
	failed "it is stopped"
}

@test "changes of config.json after create have no effect" {
	args sh -c 'echo old; hostname'
	created
	args sh -c 'echo new'
	config '.hostname = "new"'
	coracle start "$ID"
	wait_for has_status "$ID" stopped
	[ "$(printed)" = $'old\ncoracle' ]
}

@test "a container starts without its bundle's config.json" {
	args echo hello
	created
	rm config.json
	coracle start "$ID"
	wait_for has_printed hello
}

@test "start needs nothing but the state root" {
	args echo hello
	created
	cd /
	env -i "$CORACLE" --root "$ROOT" start "$ID"
	wait_for has_printed hello
}

@test "the running process holds the standard streams and nothing else" {
	echo secret >"$BATS_TEST_TMPDIR/file"
	args sleep 1000
	created 9<"$BATS_TEST_TMPDIR/file"
	coracle start "$ID" 8<"$BATS_TEST_TMPDIR/file"
	[ "$(ls "/proc/$(pid_of "$ID")/fd")" = $'0\n1\n2' ]
}

@test "a container whose first thread ends as it begins has been started, and runs" {
	leaderless
	created
	run coracle start "$ID"
	[ "$status" -eq 0 ]
	wait_for first_thread_gone "$(pid_of "$ID")"
	[ "$(status_of "$ID")" = running ]
}
