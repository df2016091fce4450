#!/usr/bin/env bats
# bats file_tags=vm
# Mounts of cgroups: a container sees its own cgroups and no others.

load helpers
load mounts

# hierarchy prints a hierarchy in the container: one of several, or the only one.
hierarchy() {
	if [ -d /sys/fs/cgroup/memory ]; then
		HIERARCHY=/sys/fs/cgroup/pids
	elif unified; then
		HIERARCHY=/sys/fs/cgroup
	else
		skip "the host has no cgroups"
	fi
}

@test "the cgroup mount shows the container's own cgroups, read-only" {
	hierarchy
	shell "cat $HIERARCHY/cgroup.procs | head -n 1; mkdir $HIERARCHY/x; touch /sys/fs/cgroup/x; grep ' $HIERARCHY ' /proc/self/mountinfo"
	[ "${lines[0]}" = 1 ]
	[[ ${lines[1]} == *"Read-only file system"* ]]
	[[ ${lines[2]} == *"Read-only file system"* ]]
	[[ ${lines[3]} == *" / $HIERARCHY ro,"* ]]
}

@test "with several hierarchies, each has its directory" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	shell 'ls /sys/fs/cgroup; grep -c " / /sys/fs/cgroup/" /proc/self/mountinfo'
	[[ $output == *memory*pids* ]]
	[ "${lines[-1]}" -ge 8 ]
}

@test "the cgroup mount without cgroup namespace shows the container's part only" {
	hierarchy
	share cgroup
	shell "cat $HIERARCHY/cgroup.procs | head -n 1; mkdir $HIERARCHY/x; grep ' $HIERARCHY ' /proc/self/mountinfo"
	[ "${lines[0]}" = 1 ]
	[[ ${lines[1]} == *"Read-only file system"* ]]
	[[ ${lines[2]} == *"$ID $HIERARCHY ro,"* ]]
}

@test "a writable cgroup mount can be written to" {
	hierarchy
	for own in yes no; do
		[ "$own" = yes ] || share cgroup
		config '(.mounts[] | select(.type == "cgroup").options) = ["rw", "nosuid"]'
		shell "mkdir $HIERARCHY/x && echo 0 >$HIERARCHY/x/cgroup.procs && cat $HIERARCHY/x/cgroup.procs | head -n 1"
		[ "$status" -eq 0 ]
		[ "${lines[0]}" -ge 1 ]
		nothing_left
	done
}

@test "cgroups in a mount namespace that is joined, with and without a cgroup namespace" {
	hierarchy
	aside unshare --mount --propagation private sleep 1000
	wait_for mount_namespace_of "${ASIDE[-1]}"
	join mount "/proc/${ASIDE[-1]}/ns/mnt"
	for own in yes no; do
		[ "$own" = yes ] || share cgroup
		shell "cat $HIERARCHY/cgroup.procs | head -n 1; mkdir $HIERARCHY/x; ls -d $HIERARCHY/*/ 2>/dev/null | wc -l"
		[ "${lines[0]}" = 1 ]
		[[ ${lines[1]} == *"Read-only file system"* ]]
		[ "${lines[2]}" = 0 ]
		nothing_left
	done
}

mount_namespace_of() {
	[ "$(readlink "/proc/$1/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
}

@test "a mount of the unified hierarchy shows the container's part in a cgroup namespace" {
	grep -q ' - cgroup2 ' /proc/self/mountinfo || skip "the host has no cgroup v2"
	mount_also '{destination: "/mnt", type: "cgroup2", source: "cgroup2", options: ["ro", "nosuid"]}'
	shell 'grep " /mnt " /proc/self/mountinfo; cat /mnt/cgroup.procs | wc -l; mkdir /mnt/x'
	[[ ${lines[0]} == *" / /mnt ro,nosuid"*" - cgroup2 cgroup2 "* ]]
	says "Read-only file system"
}

@test "a mount of cgroups can be read-only by rro and by a remount" {
	for options in '["rro"]' '["rw", "ro"]' '["rw"]'; do
		config --argjson o "$options" 'del(.mounts[7:]) | (.mounts[] | select(.type == "cgroup").options) = $o'
		[ "$options" != '["rw"]' ] || mount_also '{destination: "/sys/fs/cgroup", options: ["remount", "rro"]}'
		shell 'n=0; for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/x 2>/dev/null && n=$((n + 1)); done; echo $n'
		[ "$output" = 0 ] || {
			echo "$options: $output can be written to" >&2
			return 1
		}
	done
}
