#!/usr/bin/env bats
# bats file_tags=vm
# ps.

load helpers

setup() {
	setup_busybox
}

children() {
	[ "$(pgrep -cP "$(pid_of "$ID")")" -eq "$1" ]
}

@test "ps shows the container's processes as ps -ef does, and no other" {
	detached 'sleep 1000 & sleep 1001 & wait'
	wait_for children 2
	run coracle ps "$ID"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 4 ]
	[[ "${lines[0]}" == UID*PID*PPID*CMD ]]
	[[ "$output" == *"sleep 1000"* ]]
	[[ "$output" == *"sleep 1001"* ]]
	[[ "$output" == *" $(pid_of "$ID") "* ]]
}

@test "ps passes options on to ps" {
	detached 'exec sleep 1000'
	wait_for grep -qx sleep "/proc/$(pid_of "$ID")/comm"
	run coracle ps "$ID" -e -o comm,pid
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 2 ]
	[[ "${lines[0]}" == COMMAND*PID ]]
	[[ "${lines[1]}" =~ ^sleep\ +$(pid_of "$ID")$ ]]
}

@test "ps --format json is an array of the process ids" {
	detached 'sleep 1000 & sleep 1001 & wait'
	wait_for children 2
	run coracle ps --format json "$ID"
	[ "$status" -eq 0 ]
	diff <(jq -r '.[]' <<<"$output" | sort) <({
		pid_of "$ID"
		pgrep -P "$(pid_of "$ID")"
	} | sort)
}

@test "ps finds processes of exec, and those in nested cgroups" {
	detached 'exec sleep 1000'
	coracle exec --detach "$ID" sleep 1001 >/dev/null 2>&1 </dev/null 3>&-
	two() { [ "$(coracle ps --format json "$ID" | jq length)" -eq 2 ]; }
	wait_for two
	cgroup_dirs "$ID" | while read -r d; do
		mkdir "$d/nested"
		[[ $d == */cpuset/* ]] || pid_of "$ID" >"$d/nested/cgroup.procs"
	done
	two
}

@test "ps shows the process of a created and of a paused container" {
	args sleep 1000
	created
	[ "$(coracle ps -f json "$ID" | jq -c .)" = "[$(pid_of "$ID")]" ]
	coracle start "$ID"
	coracle pause "$ID"
	[ "$(coracle ps -f json "$ID" | jq -c .)" = "[$(pid_of "$ID")]" ]
}

@test "ps says what is wrong" {
	run coracle ps "$ID"
	failed "does not exist"
	run coracle ps
	failed usage
	detached 'exec sleep 1000'
	run coracle ps --format xml "$ID"
	failed '--format "xml"' "table or json"
	run coracle ps "$ID" --no-such-option
	failed "ps --no-such-option:"
	[ "${#lines[@]}" -eq 1 ]
	run coracle ps "$ID" -e -o comm
	failed "no PID column"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run coracle ps "$ID"
	failed "not running"
}
