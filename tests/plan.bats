#!/usr/bin/env bats
# coracle plan: shows what would be done, without doing it.

load helpers

setup() {
	setup_busybox
}

teardown() {
	[ -z "${OPEN:-}" ] || rm -rf "$OPEN"
}

# nobody_plan runs coracle plan as a user without privileges, who cannot access the directories of
# bats.
nobody_plan() {
	OPEN=$(mktemp -d "/tmp/cortest-$RUN-plan.XXXXXX")
	chmod 755 "$OPEN"
	cp "$CORACLE" "$OPEN/coracle"
	cp "$BUNDLE/config.json" "$OPEN"
	mkdir "$OPEN/rootfs"
	chmod -R a+rX "$OPEN"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$OPEN/coracle" plan --bundle "$OPEN"
}

@test "plan needs no privileges" {
	nobody_plan
	[ "$status" -eq 0 ]
	[[ "$output" == *execve* ]]
	[[ "$output" == *move_mount* ]]
}

@test "plan needs no root file system that is complete, nor a command that exists" {
	rm -r rootfs/*
	args /no/such/command
	run "$CORACLE" plan
	[ "$status" -eq 0 ]
	[[ "$output" == */no/such/command* ]]
}

@test "each property of the configuration that does something is named" {
	config '.process.terminal = true | .process.consoleSize = {height: 24, width: 80} | .process.user = {uid: 1000, gid: 1000, umask: 18, additionalGids: [5]}
		| .process.cwd = "/tmp" | .domainname = "d" | .linux.rootfsPropagation = "slave"
		| .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229}]
		| .mounts += [{destination: "/mnt", source: "rootfs", options: ["rbind", "rprivate"]}]'
	run "$CORACLE" plan
	[ "$status" -eq 0 ]
	# On cgroup v2 the process starts in its cgroup, so there is no step for that.
	local cgroup=linux.cgroupsPath
	! unified || cgroup=
	for pointer in $cgroup root.path root.readonly 'mounts[0]' 'mounts[1]' 'mounts[6]' 'mounts[7]' linux.namespaces linux.rootfsPropagation \
		'linux.devices[0]' 'linux.maskedPaths[0]' 'linux.readonlyPaths[0]' hostname domainname process.terminal process.consoleSize process.cwd \
		process.user.uid process.user.gid process.user.additionalGids process.user.umask process.capabilities process.noNewPrivileges 'process.args[0]'; do
		[[ "$output" == *"$pointer"* ]] || {
			echo "no $pointer" >&2
			return 1
		}
	done
}

@test "--json is valid and holds the same steps" {
	run "$CORACLE" plan --json
	[ "$status" -eq 0 ]
	jq -e '.namespaces and (.descriptors | length > 0) and (.ops | length > 20)' <<<"$output"
	jq -e 'all(.ops[]; .step and .kind) and any(.ops[]; .step == "attach-rootfs") and any(.ops[]; .kind == "exec")' <<<"$output"
}

@test "--brief has the same steps, a line each, without their calls" {
	"$CORACLE" plan --brief >"$BATS_TEST_TMPDIR/brief"
	diff "$BATS_TEST_TMPDIR/brief" <("$CORACLE" plan | grep -v '^  ')
	[ "$(wc -l <"$BATS_TEST_TMPDIR/brief")" -lt 120 ]
	grep -qxF 'mount "proc" at "/proc"  (mounts[0])' "$BATS_TEST_TMPDIR/brief"
	background plan --brief --json
	failed '--json and --brief exclude each other'
}

@test "plan is the same each time, whatever the id" {
	"$CORACLE" plan one >"$BATS_TEST_TMPDIR/one"
	"$CORACLE" plan one >"$BATS_TEST_TMPDIR/again"
	diff "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/again"
}

@test "plan has no side effects" {
	find . -printf '%p %m %T@\n' | sort >"$BATS_TEST_TMPDIR/before"
	run coracle plan "$ID"
	[ "$status" -eq 0 ]
	[ ! -e "$ROOT" ]
	[ -z "$(cgroup_dirs "$ID")" ]
	diff "$BATS_TEST_TMPDIR/before" <(find . -printf '%p %m %T@\n' | sort)
}

@test "plan reports a wrong configuration like create" {
	config '.process.args = []'
	background plan
	failed 'config.json: process.args is missing or empty'
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
}

@test "the example in docs/plan.md is what is printed" {
	run "$CORACLE" plan
	[ "$status" -eq 0 ]
	local line count=0
	while IFS= read -r line; do
		grep -qFx -- "$line" <<<"$output"
		count=$((count + 1))
	done < <(sed -n '/^    mount "proc"/,/^$/s/^    //p' "$BATS_TEST_DIRNAME/../docs/plan.md")
	[ "$count" -gt 5 ]
}

@test "plan refuses an id that create refuses" {
	run "$CORACLE" plan a/b
	[ "$status" -eq 1 ]
	[[ "$output" == 'invalid container id "a/b"'* ]]
}
