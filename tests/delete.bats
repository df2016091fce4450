#!/usr/bin/env bats
# coracle delete: nothing is left.

load helpers

setup() {
	setup_busybox
}

@test "a stopped container is deleted with all that it had, and nothing is printed" {
	detached true
	wait_for has_status "$ID" stopped
	run coracle delete "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	nothing_left
}

@test "a running container is refused" {
	detached 'exec sleep 1000'
	run coracle delete "$ID"
	failed "not stopped" "running"
	[ "$(status_of "$ID")" = running ]
}

@test "a created container is refused" {
	created
	run coracle delete "$ID"
	failed "not stopped" "created"
	[ "$(status_of "$ID")" = created ]
}

@test "a container whose process had just begun when run was killed is a running one" {
	detached 'exec sleep 1000'
	# The last step of run.
	touch "$ROOT/$ID/creating"
	[ "$(status_of "$ID")" = running ]
	run coracle delete "$ID"
	failed "not stopped" "running"
	run coracle exec "$ID" true
	[ "$status" -eq 0 ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "--force deletes a created container" {
	created
	coracle delete --force "$ID"
	nothing_left
}

@test "--force deletes a running container" {
	detached 'sleep 1000 & exec sleep 1000'
	coracle delete --force "$ID"
	nothing_left
}

@test "--force can be repeated" {
	detached 'exec sleep 1000'
	coracle delete --force "$ID"
	coracle delete --force "$ID"
	coracle delete -f "$ID"
}

@test "a second delete says that the container does not exist" {
	detached true
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	run coracle delete "$ID"
	failed "does not exist"
}

@test "--force succeeds for an unknown container, without it that is an error" {
	run coracle delete --force "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run coracle delete "$ID"
	failed "does not exist"
}

# bats test_tags=vm
@test "several deletes at once leave nothing" {
	detached 'exec sleep 1000'
	for _ in 1 2 3 4 5 6; do
		coracle delete --force "$ID" >/dev/null 2>>"$BATS_TEST_TMPDIR/errors" 3>&- || echo "status $?" >>"$BATS_TEST_TMPDIR/errors" &
	done
	wait
	run cat "$BATS_TEST_TMPDIR/errors"
	[ -z "$output" ]
	nothing_left
}

@test "the id can be used again after delete" {
	for _ in 1 2 3; do
		detached 'exec sleep 1000'
		coracle delete --force "$ID"
	done
	nothing_left
}

@test "the bundle stays" {
	detached true
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	[ -e config.json ]
	[ -e rootfs/bin/busybox ]
}

# bats test_tags=vm
@test "cgroups that the payload made below its own go too" {
	detached 'exec sleep 1000'
	pid=$(pid_of "$ID")
	for dir in $(cgroup_dirs "$ID"); do
		mkdir -p "$dir/a/b" "$dir/c"
	done
	local hierarchies=(/sys/fs/cgroup/{pids,memory,freezer})
	! unified || hierarchies=(/sys/fs/cgroup)
	for dir in "${hierarchies[@]}"; do
		dir=$(find "$dir" -path "*$ID/a/b" -type d)
		[ -z "$dir" ] || echo "$pid" >"$dir/cgroup.procs"
	done
	coracle delete --force "$ID"
	nothing_left
}

# bats test_tags=vm
@test "cgroups that a stopped container made go too" {
	writable
	config '(.mounts[] | select(.type == "cgroup").options) |= map(select(. != "ro"))'
	detached 'for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/inner $d/inner/most && echo 0 >$d/inner/cgroup.procs; done; true'
	wait_for has_status "$ID" stopped
	[ -n "$(cgroup_dirs most)" ] || [ -n "$(find /sys/fs/cgroup -path "*$ID/inner*" -type d)" ]
	coracle delete "$ID"
	nothing_left
}

# bats test_tags=vm
@test "cgroups that are deeper than paths can be long hide no process, and go too" {
	local hierarchy=.
	[ ! -d /sys/fs/cgroup/pids ] || hierarchy=pids
	config '(.mounts[] | select(.type == "cgroup").options) = ["rw", "nosuid"]'
	share pid
	# shellcheck disable=SC2016 # for the container's shell
	detached 'cd /sys/fs/cgroup/'"$hierarchy"'; for i in $(seq 30); do d=$(printf "%0200d" "$i"); mkdir "$d" && { cd -P "$d" || cd "./$d"; } || exit; done
		sleep 1000 & echo $! >cgroup.procs; echo $!; wait'
	wait_for grep -q . "$BATS_TEST_TMPDIR/out"
	sleeper=$(printed)
	run coracle ps --format json "$ID"
	[[ $output == *"$sleeper"* ]] && seen=1 || seen=0
	status=0
	coracle delete --force "$ID" || status=$?
	# If delete fails, nothing else would remove them.
	mapfile -t left < <(cgroup_dirs "$ID")
	kill -9 "$sleeper" 2>/dev/null || true
	[ "${#left[@]}" -eq 0 ] || find "${left[@]}" -depth -type d -execdir rmdir {} \; || true
	[ "$seen" -eq 1 ]
	[ "$status" -eq 0 ]
	[ "${#left[@]}" -eq 0 ]
	nothing_left
}

# bats test_tags=vm
@test "--force deletes a container that forks all the time" {
	config '.linux.resources.pids = {limit: 200}'
	detached 'echo ready; while :; do sleep 0.01 & done'
	wait_for has_printed ready
	coracle delete --force "$ID"
	nothing_left
}

# bats test_tags=vm
@test "--force deletes a container that forks all the time in a shared pid namespace" {
	share pid
	config '.linux.resources.pids = {limit: 200}'
	detached 'echo ready; f() { while :; do (sleep 0.01 &) ; done; }; f & f & f & f'
	wait_for has_printed ready
	coracle delete --force "$ID"
	nothing_left
}

# bats test_tags=vm
@test "what is left of a stopped container in a shared pid namespace is killed" {
	share pid
	detached 'sleep 1000 & exit 0'
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "an empty state directory is removed by --force" {
	mkdir -p "$ROOT/$ID"
	coracle delete --force "$ID"
	nothing_left
}

@test "a container whose bundle is gone is deleted" {
	detached 'exec sleep 1000'
	rm config.json
	coracle delete --force "$ID"
	nothing_left
}

# Each round kills create at another moment within its few milliseconds.
killed_creates() {
	for _ in $(seq "$1"); do
		"$CORACLE" --root "$ROOT" create "$ID" >/dev/null 2>&1 </dev/null 3>&- &
		local pid=$!
		sleep "$(printf '0.%05d' $((RANDOM % 1500)))"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		coracle delete --force "$ID" || return
		no_leftovers || nothing_left || return
	done
}

@test "--force leaves nothing of a create that was killed at any moment" {
	killed_creates 80
}

@test "--force leaves nothing of a killed create that joins a pid namespace" {
	aside unshare --pid --fork --kill-child sleep 1000
	wait_for pgrep -P "${ASIDE[-1]}" >"$BATS_TEST_TMPDIR/holder"
	join pid "/proc/$(cat "$BATS_TEST_TMPDIR/holder")/ns/pid"
	killed_creates 40
}

@test "--force leaves nothing of a start that was killed at any moment" {
	args sleep 1000
	for _ in $(seq 20); do
		created
		coracle start "$ID" >/dev/null 2>&1 3>&- &
		sleep "$(printf '0.%05d' $((RANDOM % 800)))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		[[ $(status_of "$ID") =~ ^(created|running)$ ]]
		coracle delete --force "$ID"
		no_leftovers || nothing_left
	done
}

@test "--force leaves nothing of a run that was killed at any moment" {
	args sleep 1000
	for _ in $(seq 30); do
		"$CORACLE" --root "$ROOT" run "$ID" >/dev/null 2>&1 </dev/null 3>&- &
		sleep "$(printf '0.%05d' $((RANDOM % 2500)))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		coracle delete --force "$ID"
		no_leftovers || nothing_left
	done
}

# bats test_tags=vm
@test "--force interrupts a create that is at work" {
	"$CORACLE" --root "$ROOT" create "$ID" >/dev/null 2>&1 </dev/null 3>&- &
	while [ ! -d "$ROOT/$ID" ] && kill -0 $! 2>/dev/null; do :; done
	coracle delete --force "$ID"
	wait $! || true
	coracle delete --force "$ID"
	nothing_left
}

@test "--force ends a process whose first thread has ended, without cgroups too" {
	leaderless
	for manager in cgroupfs disabled; do
		background --cgroup-manager "$manager" run --detach "$ID"
		[ "$status" -eq 0 ]
		PID=$(pid_of "$ID")
		wait_for first_thread_gone "$PID"
		run coracle delete "$ID"
		failed "not stopped" "running"
		coracle delete --force "$ID"
		wait_for has_ended "$PID"
		nothing_left
	done
}
