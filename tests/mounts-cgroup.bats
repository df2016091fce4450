#!/usr/bin/env bats
# Mounts of cgroups: what a container sees of its own, and that it sees nothing else.

load helpers
load mounts

@test "the cgroup mount shows the container's own cgroups, read-only" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	shell 'ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x /sys/fs/cgroup/x; grep -c " / /sys/fs/cgroup/" /proc/self/mountinfo'
	[[ $output == *memory*pids* ]]
	[[ $output == *$'\n1\n'* ]]
	[ "$(grep -c 'Read-only file system' <<<"$output")" = 2 ]
	[ "${lines[-1]}" -ge 8 ]
}

@test "the cgroup mount without cgroup namespace shows the container's part only" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	share cgroup
	shell 'cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x; grep " /sys/fs/cgroup/pids " /proc/self/mountinfo'
	[ "${lines[0]}" = 1 ]
	[[ $output == *"Read-only file system"* ]]
	[[ ${lines[-1]} == *"/coracle-$ID /sys/fs/cgroup/pids ro,"* ]]
}

@test "a writable cgroup mount can be written to" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	for own in yes no; do
		[ "$own" = yes ] || share cgroup
		config '(.mounts[] | select(.type == "cgroup").options) = ["rw", "nosuid"]'
		shell 'mkdir /sys/fs/cgroup/pids/x && echo 0 >/sys/fs/cgroup/pids/x/cgroup.procs && cat /sys/fs/cgroup/pids/x/cgroup.procs | head -n 1'
		[ "$status" -eq 0 ]
		[ "${lines[0]}" -ge 1 ]
		nothing_left
	done
}

@test "cgroups in a mount namespace that is joined, with and without a cgroup namespace" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	aside unshare --mount --propagation private sleep 1000
	wait_for mount_namespace_of "${ASIDE[-1]}"
	join mount "/proc/${ASIDE[-1]}/ns/mnt"
	for own in yes no; do
		[ "$own" = yes ] || share cgroup
		shell 'cat /sys/fs/cgroup/pids/cgroup.procs | wc -l; mkdir /sys/fs/cgroup/pids/x; ls -d /sys/fs/cgroup/pids/*/ 2>/dev/null | wc -l'
		[ "${lines[0]}" -ge 1 ]
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
