#!/usr/bin/env bats
# coracle list: all containers of a state root.

load helpers

setup() {
	setup_busybox
}

# two makes a created and a stopped container.
two() {
	created
	args true
	background run --detach "$ID-b"
	wait_for has_status "$ID-b" stopped
}

@test "the table has a line for each container" {
	two
	run coracle list
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	[ "$(tr -s ' ' <<<"${lines[0]}")" = "ID PID STATUS BUNDLE CREATED OWNER" ]
	[[ $(tr -s ' ' <<<"${lines[1]}") == "$ID $(pid_of "$ID") created $BUNDLE "*" root" ]]
	[[ $(tr -s ' ' <<<"${lines[2]}") == "$ID-b - stopped $BUNDLE "*" root" ]]
}

@test "--format json prints what state prints" {
	two
	coracle list --format json >"$BATS_TEST_TMPDIR/list"
	[ "$(jq length "$BATS_TEST_TMPDIR/list")" -eq 2 ]
	[ "$(jq '.[0]' "$BATS_TEST_TMPDIR/list")" = "$(coracle state "$ID" | jq .)" ]
	[ "$(jq '.[1]' "$BATS_TEST_TMPDIR/list")" = "$(coracle state "$ID-b" | jq .)" ]
}

@test "-q prints ids only" {
	two
	[ "$(coracle list -q)" = "$ID"$'\n'"$ID-b" ]
	[ "$(coracle list --quiet)" = "$ID"$'\n'"$ID-b" ]
}

@test "without containers there is an empty table and an empty list" {
	mkdir "$ROOT"
	[ "$(coracle list | tr -s ' ')" = "ID PID STATUS BUNDLE CREATED OWNER" ]
	[ "$(coracle list --format json | jq length)" = 0 ]
	[ -z "$(coracle list -q)" ]
}

@test "a root that was named and does not exist is an error, the default one is empty" {
	run coracle list
	failed "list the containers below --root: stat $ROOT: no such file or directory"
	ln -s nowhere "$BATS_TEST_TMPDIR/link"
	for option in "--quiet" "--format=json"; do
		run "$CORACLE" --root "$BATS_TEST_TMPDIR/link" list "$option"
		failed "$BATS_TEST_TMPDIR/link: no such file or directory"
	done
	touch "$BATS_TEST_TMPDIR/file"
	run "$CORACLE" --root "$BATS_TEST_TMPDIR/file" list
	failed "$BATS_TEST_TMPDIR/file: not a directory"
	# Without --root, and without anything below XDG_RUNTIME_DIR or in /run.
	run unshare --mount sh -ec 'mount -t tmpfs none /run; unset XDG_RUNTIME_DIR; exec "$0" list --quiet' "$CORACLE"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "an unknown format is refused" {
	run coracle list --format yaml
	failed '--format "yaml"'
}

@test "what is not a container of coracle is left out" {
	created
	mkdir "$ROOT/empty" "$ROOT/runc" "$ROOT/garbage" "$ROOT/not an id"
	echo '{"id": "runc", "init_process_pid": 1}' >"$ROOT/runc/state.json"
	echo '{"id": ' >"$ROOT/garbage/state.json"
	echo hello >"$ROOT/file"
	ln -s / "$ROOT/link"
	background list -q
	[ "$status" -eq 0 ]
	[ "$(printed)" = "$ID" ]
	# A directory that looks like a container causes a warning.
	grep -q '^warning: container "garbage": unreadable state: id: line 2' "$BATS_TEST_TMPDIR/err"
	grep -q '^warning: container "runc": unreadable state: it belongs to another runtime' "$BATS_TEST_TMPDIR/err"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 2 ]
	rm -r "${ROOT:?}"/{empty,runc,garbage,"not an id",file,link}
}

@test "containers are sorted by id" {
	for i in c a b; do
		background create "$ID-$i"
	done
	[ "$(coracle list -q)" = "$ID-a"$'\n'"$ID-b"$'\n'"$ID-c" ]
}

@test "another root has other containers" {
	created
	[ -z "$("$CORACLE" --root "$ROOT.other" list -q)" ]
	[ ! -e "$ROOT.other" ]
}
