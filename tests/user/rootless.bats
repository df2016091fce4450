#!/usr/bin/env bats
# bats file_tags=vm
# Containers of an ordinary user in a session, to whom a part of the cgroup tree is delegated.

load ../helpers

setup() {
	[ "$(id -u)" -ne 0 ] || skip "for an ordinary user"
	[ -n "${XDG_RUNTIME_DIR:-}" ] || skip "not in a session"
	common_setup
	cp -r "$CORACLE_CACHE/busybox" rootfs
	"$CORACLE" spec --rootless
	config '.process.terminal = false | .root.readonly = false'
}

# group prints the directory of the container's cgroup.
group() {
	cgroup_dirs "$ID"
}

@test "user: a container runs, with all of the user's ids" {
	shell 'id -u; awk "{ n += \$3 } END { print n }" /proc/self/uid_map; hostname; touch /file'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" -gt 60000 ]
	[ "${lines[2]}" = coracle ]
	nothing_left
}

@test "user: a container has a cgroup of its own, with limits" {
	config '.linux.resources = {pids: {limit: 33}, memory: {limit: 67108864}}'
	detached 'sleep 1000'
	[ -n "$(group)" ]
	[ "$(cat "$(group)/pids.max")" = 33 ]
	[ "$(cat "$(group)/memory.max")" = 67108864 ]
	grep -qx "$(pid_of "$ID")" "$(group)/cgroup.procs"
	run coracle exec "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = 0::/ ]
	run coracle update --pids-limit 44 "$ID"
	[ "$status" -eq 0 ]
	[ "$(cat "$(group)/pids.max")" = 44 ]
	run coracle pause "$ID"
	[ "$status" -eq 0 ]
	[ "$(status_of "$ID")" = paused ]
	run coracle resume "$ID"
	[ "$(status_of "$ID")" = running ]
	run coracle delete --force "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "user: exec works at the limit of pids" {
	config '.linux.resources = {pids: {limit: 1}}'
	detached 'exec sleep 1000'
	[ "$(cat "$(group)/pids.max")" = 1 ]
	run coracle exec "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = 0::/ ]
	coracle exec --detach "$ID" sleep 1000 >/dev/null 2>&1 </dev/null
	[ "$(cat "$(group)/pids.current")" -eq 2 ]
	run coracle delete --force "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "user: limits that are not delegated are an error" {
	config '.linux.resources = {cpu: {cpus: "0"}}'
	run coracle run "$ID"
	if [ "$status" -eq 0 ]; then
		skip "cpuset is delegated here"
	fi
	says "linux.resources" cpu
	nothing_left
}

@test "user: processes that outlive the first one end with delete" {
	share pid
	config '.mounts |= map(select(.destination != "/proc")) | .mounts += [{destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]}]'
	detached 'sleep 1000 & sleep 1000'
	run coracle kill "$ID" KILL
	[ "$status" -eq 0 ]
	wait_for has_status "$ID" stopped
	run coracle delete "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}
