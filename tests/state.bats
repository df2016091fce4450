#!/usr/bin/env bats
# coracle state: the output of runtime.md#state, and what engines expect in addition.

load helpers

setup() {
	setup_busybox
}

@test "the state has the properties of the specification, the creation time, rootfs and owner" {
	config '.annotations = {"org.example.key": "value", "other": ""}'
	created
	coracle state "$ID" >"$BATS_TEST_TMPDIR/state"
	[ "$(jq -c keys "$BATS_TEST_TMPDIR/state")" = '["annotations","bundle","created","id","ociVersion","owner","pid","rootfs","status"]' ]
	[ "$(jq -r .id "$BATS_TEST_TMPDIR/state")" = "$ID" ]
	[ "$(jq -r .bundle "$BATS_TEST_TMPDIR/state")" = "$BUNDLE" ]
	[ "$(jq -r .rootfs "$BATS_TEST_TMPDIR/state")" = "$BUNDLE/rootfs" ]
	[ "$(jq -r .owner "$BATS_TEST_TMPDIR/state")" = root ]
	[ "$(jq -c .annotations "$BATS_TEST_TMPDIR/state")" = '{"org.example.key":"value","other":""}' ]
	[[ $(jq -r .ociVersion "$BATS_TEST_TMPDIR/state") =~ ^1\.[0-9]+\.[0-9]+ ]]
	[[ $(jq -r .created "$BATS_TEST_TMPDIR/state") =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$ ]]
	[ "$(jq '.pid | type' "$BATS_TEST_TMPDIR/state")" = '"number"' ]
}

@test "the statuses are created, running and stopped" {
	args sleep 1000
	created
	[ "$(status_of "$ID")" = created ]
	coracle start "$ID"
	[ "$(status_of "$ID")" = running ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
}

@test "a stopped container has no pid" {
	detached true
	wait_for has_status "$ID" stopped
	[ "$(pid_of "$ID")" = 0 ]
}

@test "the pid is that of the container's first process" {
	detached 'exec sleep 1000'
	[ "$(tr '\0' ' ' <"/proc/$(pid_of "$ID")/cmdline")" = "sleep 1000 " ]
	[ "$(proc_status NSpid "$(pid_of "$ID")")" = "$(pid_of "$ID") 1" ]
}

@test "a container whose process was killed from outside is stopped" {
	created
	kill -9 "$(pid_of "$ID")"
	wait_for has_status "$ID" stopped
}

@test "a container whose first thread has ended is running, and does what others do" {
	leaderless
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	PID=$(pid_of "$ID")
	wait_for first_thread_gone "$PID"
	[ "$(status_of "$ID")" = running ]
	[ "$(coracle list --format json | jq -r .[0].status)" = running ]
	[ "$(coracle ps --format json "$ID" | jq -c .)" = "[$PID]" ]
	coracle update --pids-limit 55 "$ID"
	[ "$(coracle events --stats "$ID" | jq .data.pids.limit)" = 55 ]
	coracle pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	coracle resume "$ID"
	[ "$(status_of "$ID")" = running ]
	run coracle delete "$ID"
	failed "not stopped" "running"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "a container whose pid belongs to another process by now is stopped" {
	detached true
	wait_for has_status "$ID" stopped
	aside sleep 1000
	jq --argjson pid "${ASIDE[-1]}" '.pid = $pid' "$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/new"
	cp "$BATS_TEST_TMPDIR/new" "$ROOT/$ID/state.json"
	[ "$(status_of "$ID")" = stopped ]
	coracle delete --force "$ID"
	kill -0 "${ASIDE[-1]}"
}

@test "a frozen container is paused" {
	dir=/sys/fs/cgroup/freezer/coracle-$ID
	detached 'exec sleep 1000'
	[ -e "$dir/freezer.state" ] || skip "no freezer of cgroup v1 here"
	echo FROZEN >"$dir/freezer.state"
	[ "$(status_of "$ID")" = paused ]
	echo THAWED >"$dir/freezer.state"
	[ "$(status_of "$ID")" = running ]
}

@test "annotations are left out when there are none" {
	created
	[ "$(coracle state "$ID" | jq 'has("annotations")')" = false ]
}

@test "a container that does not exist is an error" {
	run coracle state "$ID"
	failed "does not exist"
	mkdir -p "$ROOT"
	run coracle state "$ID"
	failed "does not exist"
}

@test "an empty directory in the root is no container" {
	mkdir -p "$ROOT/$ID"
	run coracle state "$ID"
	failed "does not exist"
}

@test "a file in the root is no container" {
	mkdir -p "$ROOT"
	echo >"$ROOT/$ID"
	run coracle state "$ID"
	failed "does not exist"
	rm "$ROOT/$ID"
}

@test "the state of another runtime is refused and left alone" {
	mkdir -p "$ROOT/$ID"
	echo '{"id": "'"$ID"'", "init_process_pid": 1, "init_process_start": 1}' >"$ROOT/$ID/state.json"
	cp "$ROOT/$ID/state.json" "$BATS_TEST_TMPDIR/before"
	run coracle state "$ID"
	failed "another runtime"
	run coracle delete --force "$ID"
	failed "another runtime"
	cmp "$ROOT/$ID/state.json" "$BATS_TEST_TMPDIR/before"
	rm -r "${ROOT:?}/$ID"
}

@test "an id that would leave the root is refused" {
	mkdir -p "$ROOT"
	run coracle state ../bundle
	failed "invalid container id"
}

# Other commands change records and remove containers at any time.
@test "fifty parallel list and state while containers come and go give no error" {
	args true
	background create "$ID"
	for round in 1 2 3; do
		for i in $(seq 6); do
			"$CORACLE" --root "$ROOT" run "$ID-$round-$i" >/dev/null 2>>"$BATS_TEST_TMPDIR/errors" </dev/null 3>&- &
		done
		for i in $(seq 25); do
			"$CORACLE" --root "$ROOT" list >/dev/null 2>>"$BATS_TEST_TMPDIR/errors" 3>&- || echo "list: $?" >>"$BATS_TEST_TMPDIR/errors" &
			"$CORACLE" --root "$ROOT" state "$ID" >/dev/null 2>>"$BATS_TEST_TMPDIR/errors" 3>&- || echo "state: $?" >>"$BATS_TEST_TMPDIR/errors" &
		done
		wait
	done
	run cat "$BATS_TEST_TMPDIR/errors"
	[ -z "$output" ]
}

@test "state during creation and deletion says something sensible or that there is no container" {
	args true
	for i in 1 2 3 4 5 6 7 8; do
		"$CORACLE" --root "$ROOT" run "$ID" >/dev/null 2>&1 </dev/null 3>&- &
		while kill -0 $! 2>/dev/null; do
			run coracle state "$ID"
			[ "$status" -eq 0 ] || failed "does not exist"
			[ "$status" -ne 0 ] || [[ $(jq -r .status <<<"$output") =~ ^(creating|created|running|stopped)$ ]]
		done
	done
}
