#!/usr/bin/env bats
# bats file_tags=vm
# Containers of an ordinary user in a session, with cgroups by files and by systemd.

load ../helpers

setup() {
	[ "$(id -u)" -ne 0 ] || skip "for an ordinary user"
	[ -S "${XDG_RUNTIME_DIR:-}/systemd/private" ] || skip "not in a session of systemd"
	common_setup
	cp -r "$CORACLE_CACHE/busybox" "$BUNDLE/rootfs"
	"$CORACLE" spec --rootless --bundle "$BUNDLE"
	config '.process.terminal = false'
	UNIT=coracle-$ID.scope
}

teardown() {
	[ ! -d "$ROOT/$ID" ] || coracle delete --force "$ID"
	systemctl --user stop "$UNIT" 2>/dev/null || true
	wait_for no_cgroups
}

# started FLAG... starts a container that sleeps.
started() {
	args sleep 1000
	background "$@" run --detach "$ID"
	[ "$status" -eq 0 ] || {
		echo "$output" >&2
		return 1
	}
	PID=$(pid_of "$ID")
	DIR=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
}

show() {
	systemctl --user show --property "$1" --value "$UNIT"
}

gone() {
	[ "$(show LoadState)" = not-found ] || [ "$(show ActiveState)" = inactive ]
}

@test "user: a container runs, and its root is the user outside" {
	args sh -c 'id -u; cat /proc/self/uid_map'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "$(awk '{ print $2 }' <<<"${lines[1]}")" = "$(id -u)" ]
	nothing_left
}

@test "user: cgroups by files, below what is delegated" {
	config '.linux.resources = {pids: {limit: 55}, memory: {limit: 67108864}}'
	started
	[[ "$DIR" == */user@$(id -u).service/*/coracle-$ID ]]
	[ "$(cat "$DIR/pids.max")" = 55 ]
	[ "$(cat "$DIR/memory.max")" = 67108864 ]
	coracle pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	coracle resume "$ID"
	run coracle exec "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	coracle delete --force "$ID"
	nothing_left
}

@test "user: cgroups by the user's systemd" {
	config '.linux.resources = {pids: {limit: 55}, memory: {limit: 67108864}}'
	started --systemd-cgroup
	[ "$DIR" = "/sys/fs/cgroup/user.slice/user-$(id -u).slice/user@$(id -u).service/user.slice/$UNIT" ]
	[ "$(show ActiveState)" = active ]
	[ "$(show TasksMax)" = 55 ]
	[ "$(show MemoryMax)" = 67108864 ]
	[ "$(cat "$DIR/pids.max")" = 55 ]
	run coracle exec "$ID" echo in
	[ "$output" = in ]
	coracle update --pids-limit 66 "$ID"
	[ "$(show TasksMax)" = 66 ]
	coracle delete --force "$ID"
	wait_for gone
	nothing_left
}

@test "user: a limit of one process holds with the user's systemd, and exec works at it" {
	config '.linux.resources = {pids: {limit: 1}}'
	started --systemd-cgroup
	[ "$(show TasksMax)" = 1 ]
	[ "$(cat "$DIR/pids.max")" = 1 ]
	run coracle exec "$ID" echo in
	[ "$output" = in ]
	coracle delete --force "$ID"
	wait_for gone
	nothing_left
}

@test "user: a unit is removed without anything in the environment" {
	started --systemd-cgroup
	env -i "$CORACLE" --root "$ROOT" delete --force "$ID"
	wait_for gone
	nothing_left
}

@test "user: a unit is made with nothing but XDG_RUNTIME_DIR in the environment, and without that" {
	args true
	env -i "XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR" "$CORACLE" --root "$ROOT" --systemd-cgroup run "$ID"
	env -i "$CORACLE" --root "$ROOT" --systemd-cgroup run "$ID"
	wait_for gone
}

@test "user: the slice is one of the user's" {
	config --arg path "cortest.slice:pre:$ID" '.linux.cgroupsPath = $path'
	UNIT=pre-$ID.scope
	started --systemd-cgroup
	[[ "$DIR" == */user@$(id -u).service/cortest.slice/$UNIT ]]
}
