#!/usr/bin/env bats
# The command line: positions of flags, ids that look like something else, suggestions.

load helpers

setup() {
	setup_busybox
}

@test "flags may follow the id" {
	cd /
	args sleep 1000
	background run "$ID" --bundle "$BUNDLE" -d
	[ "$status" -eq 0 ]
	[ "$(coracle ps "$ID" --format json)" = "$(coracle ps "$ID" -f json)" ]
	coracle update "$ID" --pids-limit 50
	coracle events "$ID" --stats | jq -e '.data.pids.limit == 50'
	coracle kill "$ID" KILL --all
	wait_for has_status "$ID" stopped
	coracle delete "$ID" --force
	background create "$ID" --bundle="$BUNDLE" --pid-file "$BATS_TEST_TMPDIR/pid"
	[ "$status" -eq 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(pid_of "$ID")" ]
	coracle delete "$ID" -f
}

@test "what follows the id of exec is the command, with its flags" {
	detached 'exec sleep 1000'
	[ "$(coracle exec "$ID" echo --cwd / -t)" = "--cwd / -t" ]
	[ "$(coracle exec "$ID" -- echo -- x)" = "-- x" ]
}

@test "after two dashes there are no more flags" {
	run coracle delete -- --force
	failed '"--force"'
	run coracle delete "$ID" -- --force
	failed "wrong number of arguments"
	detached 'exec sleep 1000'
	coracle delete --force -- "$ID"
}

@test "what follows the id of ps is for ps, but for the formats that it has not" {
	detached 'exec sleep 1000'
	for options in "-o pid" "-- -o pid" "--format pid" "-- --format pid"; do
		# shellcheck disable=SC2086
		[ "$(coracle ps "$ID" $options | tail -n 1 | tr -d ' ')" = "$(pid_of "$ID")" ]
	done
	[ "$(coracle ps "$ID" --format=table | wc -l)" -eq 2 ]
	run coracle ps "$ID" -- -f json
	failed "ps -f json"
}

@test "h and help are ids like others" {
	args sleep 1000
	config --arg path "/$ID" '.linux.cgroupsPath = $path'
	for id in h help; do
		for command in start state kill ps pause resume events update delete exec; do
			run coracle "$command" "$id"
			[ "$status" -ne 0 ]
		done
		coracle create "$id" </dev/null >/dev/null 2>&1
		[ "$(coracle state "$id" | jq -r .status)" = created ]
		coracle start "$id"
		coracle exec "$id" true
		coracle kill "$id" KILL
		wait_for has_status "$id" stopped
		coracle delete "$id"
		coracle run --detach "$id" </dev/null >/dev/null 2>&1
		[ "$(coracle list -q)" = "$id" ]
		coracle delete --force "$id"
		run coracle plan --brief "$id"
		[ "$status" -eq 0 ]
		[[ "$output" != *USAGE* ]]
	done
}

@test "--help shows help wherever it stands" {
	for command in "delete --help x" "delete x --help" "kill -h x KILL" "exec --help x ls" "ps x --help"; do
		# shellcheck disable=SC2086
		run coracle $command
		[ "$status" -eq 0 ]
		[[ "$output" == *"coracle ${command%% *} - "*USAGE* ]]
	done
}

@test "a mistyped command or flag gets a suggestion, a strange one does not" {
	run coracle craete "$ID"
	failed 'no such command: "craete" (did you mean "create"?)'
	run coracle rm "$ID"
	failed '(did you mean "delete"?)'
	run coracle frobnicate
	failed '(see coracle --help)'
	run coracle delete --froce "$ID"
	failed "flag provided but not defined: -froce (did you mean --force?)"
	run coracle delete "$ID" --recursive
	[ "$output" = "flag provided but not defined: -recursive" ]
	run coracle state "$ID" --root /
	failed "(--root goes before the command)"
	run coracle kill -9 "$ID"
	failed "the signal goes after the id, without a dash"
	run coracle exec --usr 0 "$ID" true
	[ "$status" -eq 255 ]
	says "(did you mean --user?)"
}

# elsewhere moves the configuration out of the bundle, to $OTHER.
elsewhere() {
	OTHER=$BATS_TEST_TMPDIR/other.json
	mv config.json "$OTHER"
}

@test "--config: the configuration is in another file, relative to the working directory, and the bundle is still the bundle" {
	args sh -c 'echo from other; exec sleep 1000'
	elsewhere
	cd "$BATS_TEST_TMPDIR"
	background run --detach --bundle "$BUNDLE" --config other.json "$ID"
	[ "$status" -eq 0 ]
	wait_for has_printed "from other"
	[ "$(coracle state "$ID" | jq -r '.bundle, .rootfs' | paste -sd ' ')" = "$BUNDLE $BUNDLE/rootfs" ]
	rm other.json
	[ "$(coracle exec "$ID" echo works)" = works ]
	coracle delete --force "$ID"
	nothing_left
}

@test "--config: create, run, plan and validate take it, from a pipe too, and errors name it" {
	args true
	elsewhere
	for command in "create" "run --detach" "run" "plan --brief" "validate -b $BUNDLE"; do
		id=$ID
		[[ $command != validate* ]] || id=
		# shellcheck disable=SC2086
		"$CORACLE" --root "$ROOT" $command -f <(cat "$OTHER") $id </dev/null >/dev/null
		coracle delete --force "$ID"
	done
	jq '.process.args = ["true"] | .process.cwd = "x" | .colour = "red"' <"$OTHER" >wrong.json
	run coracle create --config wrong.json "$ID"
	failed 'wrong.json: process.cwd'
	[[ $output != *config.json* ]]
	run coracle validate --config wrong.json
	failed 'wrong.json:' 'process.cwd'
	[[ $output != *config.json* ]]
	jq '.colour = "red"' <"$OTHER" >odd.json
	run coracle plan --brief --config odd.json
	[ "$status" -eq 0 ]
	[[ "$output" == *"warning: odd.json: colour"* ]]
	echo '{' >broken.json
	run coracle run --config broken.json "$ID"
	failed 'broken.json: '
	run coracle run --config none.json "$ID"
	failed 'configuration: open none.json: no such file or directory'
	# Errors that are found only when the program is compiled.
	jq '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", syscalls: [{names: ["write"], action: "SCMP_ACT_ALLOW"}]}' <"$OTHER" >filter.json
	run coracle run --config filter.json "$ID"
	failed 'filter.json: linux.seccomp'
	nothing_left
}

@test "spec --config writes there, and overwrites nothing" {
	rm config.json
	coracle spec --config mine.json
	jq -e .ociVersion mine.json
	[ ! -e config.json ]
	run coracle spec -f mine.json
	failed "mine.json exists already"
	run coracle spec -f x.json -b .
	failed "exclude each other"
}
