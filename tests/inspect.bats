#!/usr/bin/env bats
# coracle inspect: what a running container is now, beside what was configured.

load helpers

setup() {
	setup_busybox
	args sleep 1000
}

# inspected FILTER prints a part of the report.
inspected() {
	"$CORACLE" --root "$ROOT" inspect --format json "$ID" | jq -r "$1"
}

@test "inspect shows what the kernel says of the container, and no difference from its configuration" {
	config '.linux.resources = {memory: {limit: 33554432}, pids: {limit: 50}} | .process.oomScoreAdj = 100
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", syscalls: [
			{names: ["read", "write", "nanosleep", "clock_nanosleep", "execve", "exit_group", "mmap", "brk", "arch_prctl", "getuid", "prctl", "rt_sigaction", "set_tid_address"], action: "SCMP_ACT_ALLOW"},
			{names: ["personality"], action: "SCMP_ACT_ALLOW", args: [{index: 0, value: 8, op: "SCMP_CMP_EQ"}]}]}'
	config '.linux.seccomp.defaultAction = "SCMP_ACT_LOG"'
	create_and_start "$ID"
	[ "$(inspected '.id, .status')" = "$ID"$'\n'running ]
	[ "$(inspected .process.pid)" = "$(pid_of "$ID")" ]
	[ "$(inspected .process.oomScoreAdj)" = 100 ]
	[ "$(inspected '.process.capabilities.effective | length')" = "$(jq '.process.capabilities.effective | length' config.json)" ]
	[ "$(inspected '.namespaces[] | select(.type == "pid") | .shared')" = null ]
	[ "$(inspected '.namespaces[] | select(.type == "user") | .shared[0]')" = host ]
	[ "$(inspected .seccomp.mode)" = filter ]
	[ "$(inspected '.seccomp.calls | has("SCMP_ACT_ALLOW"), .conditional[0]')" = true$'\n'personality ]
	inspected '.seccomp.calls.SCMP_ACT_LOG[]' | grep -Fx mount
	inspected '.mounts[].destination' | grep -Fx /dev/pts
	inspected '.limits[] | select(.file | endswith("pids.max")) | .value' | grep -Fx 50
	[ "$(inspected '.differences | length')" = 0 ]
	run "$CORACLE" --root "$ROOT" inspect "$ID"
	grep -E "^  pid +[0-9]+  its own" <<<"$output"
	coracle delete --force "$ID"
	nothing_left
}

@test "inspect tells with whom a container shares namespaces" {
	create_and_start "$ID"
	config --arg path "/proc/$(pid_of "$ID")/ns/net" '(.linux.namespaces[] | select(.type == "network")).path = $path'
	create_and_start "$ID-2"
	[ "$(inspected '.namespaces[] | select(.type == "network") | .shared[]')" = "$ID-2" ]
	[ "$(inspected '.namespaces[] | select(.type == "uts") | .shared')" = null ]
	coracle delete --force "$ID-2"
	coracle delete --force "$ID"
}

@test "inspect shows what was changed since the container was created" {
	config '.linux.resources = {pids: {limit: 50}}
		| .process.capabilities |= with_entries(.value += ["CAP_SYS_ADMIN"] | if .key == "ambient" or .key == "inheritable" then .value = [] else . end)'
	args sh -c 'mount -o remount,ro /dev/shm; umount /dev/mqueue; exec sleep 1000'
	create_and_start "$ID"
	wait_for unmounted
	coracle update --pids-limit 60 "$ID"
	[ "$(inspected '.differences[] | select(.property == "linux.resources.pids.limit") | .configured, .now')" = 50$'\n'60 ]
	inspected '.differences[] | .configured + ": " + .now' | grep -Fx "a mount at /dev/mqueue: no mount there"
	run "$CORACLE" --root "$ROOT" inspect "$ID"
	grep -F "linux.resources.pids.limit: configured 50, now 60" <<<"$output"
	coracle delete --force "$ID"
}

unmounted() {
	! grep -q ' /dev/mqueue ' "/proc/$(pid_of "$ID")/mountinfo"
}

@test "inspect lists the hooks that ran" {
	config '.hooks = {createRuntime: [{path: "/bin/true"}], poststart: [{path: "/bin/true"}], poststop: [{path: "/bin/true"}]}'
	coracle create "$ID" </dev/null >/dev/null
	[ "$(inspected '[.hooks[] | .kind + " " + (.ran | tostring)] | join(", ")')" = "createRuntime true, poststart false, poststop false" ]
	coracle start "$ID"
	[ "$(inspected '[.hooks[] | .kind + " " + (.ran | tostring)] | join(", ")')" = "createRuntime true, poststart true, poststop false" ]
	coracle delete --force "$ID"
}

@test "inspect of a container in a user namespace shows ids of the host" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 1000}]'
	far 2>/dev/null || true
	chmod 755 "$BATS_TEST_TMPDIR" "$BUNDLE"
	create_and_start "$ID"
	[ "$(inspected '.process.uids[0], .process.gids[0]')" = 100000$'\n'200000 ]
	[ "$(inspected '.differences | length')" = 0 ]
	coracle delete --force "$ID"
}

@test "a name that a process has chosen cannot write to the terminal" {
	args sh -c 'printf "\033[31mevil" >/tmp/x; exec 9>"/tmp/$(printf "\033[31mevil")"; exec sleep 1000'
	config '.root.readonly = false'
	create_and_start "$ID"
	wait_for opened
	run "$CORACLE" --root "$ROOT" inspect "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" != *$'\033'* ]]
	[[ "$output" == *evil* ]]
	coracle delete --force "$ID"
}

opened() {
	[ -e "/proc/$(pid_of "$ID")/fd/9" ]
}

@test "what cannot be inspected is told as by the other commands" {
	run "$CORACLE" --root "$ROOT" inspect "$ID"
	failed "does not exist"
	create_and_start "$ID"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run "$CORACLE" --root "$ROOT" inspect "$ID"
	failed "container not running"
	run "$CORACLE" --root "$ROOT" inspect --format xml "$ID"
	failed 'invalid --format "xml"'
	coracle delete "$ID"
}
