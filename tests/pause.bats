#!/usr/bin/env bats
# bats file_tags=vm
# pause, resume, and other commands on a paused container.

load helpers

setup() {
	setup_busybox
}

teardown() {
	local d
	[ -z "${FROZEN_FS:-}" ] || fsfreeze -u "$FROZEN_FS" 2>/dev/null || true
	for d in "$ROOT"/*/; do
		[ ! -d "$d" ] || coracle delete --force "$(basename "$d")" || true
	done
	for d in "$BATS_TEST_TMPDIR/inner" "$BATS_TEST_TMPDIR/outer"; do
		# The kernel takes a moment to release a loop device.
		! mountpoint -q "$d" || wait_for umount "$d"
	done
	wait_for no_cgroups
}

# counting starts a container that counts in the file "count" of its rootfs.
counting() {
	writable
	detached 'i=0; while :; do i=$((i + 1)); echo $i >/count.new; mv /count.new /count; sleep 0.01; done'
	wait_for test -s rootfs/count
}

counts_on() {
	[ "$(cat rootfs/count)" != "$1" ]
}

# freezer prints the state of the container's freezer: 1 for frozen.
freezer() {
	local pid path
	pid=$(pid_of "$ID")
	if unified; then
		path=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
		sed -n 's/^frozen //p' "/sys/fs/cgroup$path/cgroup.events"
	else
		path=$(sed -n 's/^[0-9]*:freezer://p' "/proc/$pid/cgroup")
		case $(cat "/sys/fs/cgroup/freezer$path/freezer.state") in
		FROZEN) echo 1 ;;
		THAWED) echo 0 ;;
		*) echo freezing ;;
		esac
	fi
}

@test "a paused container does nothing until it is resumed" {
	counting
	run coracle pause "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(status_of "$ID")" = paused ]
	[ "$(freezer)" = 1 ]
	count=$(cat rootfs/count)
	sleep 0.2
	[ "$(cat rootfs/count)" = "$count" ]
	run coracle resume "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(status_of "$ID")" = running ]
	[ "$(freezer)" = 0 ]
	wait_for counts_on "$count"
}

@test "a container that forks all the time can be paused and resumed" {
	config '.linux.resources.pids = {limit: 100}'
	detached 'fork() { while :; do (true &) 2>/dev/null; done; }; fork & fork & fork & wait'
	for _ in 1 2 3; do
		coracle pause "$ID"
		[ "$(freezer)" = 1 ]
		coracle resume "$ID"
		[ "$(freezer)" = 0 ]
	done
}

@test "a created container can be paused, and started only when it is resumed" {
	args sh -c 'echo started; exec sleep 1000'
	created
	coracle pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	run coracle start "$ID"
	failed "cannot start" paused
	coracle resume "$ID"
	[ "$(status_of "$ID")" = created ]
	coracle start "$ID"
	wait_for has_printed started
}

@test "only a running or created container can be paused, only a paused one resumed" {
	run coracle pause "$ID"
	failed "does not exist"
	run coracle resume "$ID"
	failed "does not exist"
	detached 'exec sleep 1000'
	run coracle resume "$ID"
	failed "cannot resume" "it is running, not paused"
	coracle pause "$ID"
	run coracle pause "$ID"
	failed "cannot pause" "it is paused, not running"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run coracle pause "$ID"
	failed "cannot pause" "container not running"
	run coracle resume "$ID"
	failed "cannot resume" "container not running"
}

@test "kill -9 ends a paused container" {
	detached 'exec sleep 1000'
	coracle pause "$ID"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "kill -9 ends a paused container in the pid namespace of the host" {
	share pid
	detached 'sleep 1000 & wait'
	coracle pause "$ID"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "other signals wait until the container is resumed" {
	detached 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.01; done'
	wait_for has_printed ready
	coracle pause "$ID"
	coracle kill "$ID" TERM
	[ "$(status_of "$ID")" = paused ]
	[ "$(printed)" = ready ]
	coracle resume "$ID"
	wait_for has_printed "got it"
	wait_for has_status "$ID" stopped
}

@test "delete needs --force for a paused container" {
	detached 'sleep 1000 & wait'
	coracle pause "$ID"
	run coracle delete "$ID"
	failed "it is paused"
	coracle delete --force "$ID"
	nothing_left
}

@test "list shows a paused container as such" {
	detached 'exec sleep 1000'
	coracle pause "$ID"
	run coracle list
	[[ "${lines[1]}" == "$ID "*" paused "* ]]
}

# unfreezable starts a container with a process that cannot be frozen: it waits for a disk that is
# a file on a frozen file system.
unfreezable() {
	local fs image=$BATS_TEST_TMPDIR/image
	command -v fsfreeze mkfs.ext4 >/dev/null || skip "fsfreeze or mkfs.ext4 is not there"
	FROZEN_FS=$BATS_TEST_TMPDIR/outer
	for fs in "$FROZEN_FS" "$BATS_TEST_TMPDIR/inner"; do
		[ -e "$image" ] || truncate -s 16M "$image"
		mkfs.ext4 -q "$image"
		mkdir "$fs"
		mount -o loop "$image" "$fs" 2>/dev/null || skip "no loop device, or no ext4"
		image=$fs/image
		truncate -s 4M "$image"
	done
	config --arg fs "$fs" '.mounts += [{destination: "/fs", type: "bind", source: $fs, options: ["rbind"]}]'
	mkdir rootfs/fs
	detached 'exec sleep 1000'
	fsfreeze -f "$FROZEN_FS"
	coracle exec --detach "$ID" dd if=/dev/zero of=/fs/file bs=4k count=1 conv=fsync >/dev/null 2>&1 </dev/null 3>&-
	wait_for waits
}

waits() {
	local pid
	for pid in $(coracle ps --format json "$ID" | jq '.[]'); do
		[[ "$(proc_status State "$pid")" != D* ]] || return 0
	done
	return 1
}

@test "a container that cannot be frozen goes on, and the error says so" {
	unfreezable
	run coracle pause "$ID"
	failed "cannot pause" "did not freeze"
	[ "$(freezer)" = 0 ]
	[ "$(status_of "$ID")" = running ]
}

# freezing reports whether the container is being frozen or is frozen.
freezing() {
	if unified; then
		[ "$(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pid_of "$ID")/cgroup")/cgroup.freeze")" = 1 ]
	else
		[ "$(freezer)" != 0 ]
	fi
}

@test "a pause that a signal ends leaves nothing frozen" {
	unfreezable
	"$CORACLE" --root "$ROOT" pause "$ID" >"$BATS_TEST_TMPDIR/pause" 2>&1 3>&- &
	pause=$!
	wait_for freezing
	kill -TERM "$pause"
	status=0
	wait "$pause" || status=$?
	[ "$status" -eq 1 ]
	grep -q "interrupted" "$BATS_TEST_TMPDIR/pause"
	[ "$(freezer)" = 0 ]
}
