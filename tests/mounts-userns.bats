#!/usr/bin/env bats
# Mounts of containers with a new user namespace.

load helpers
load mounts

# users gives the container a user namespace in which root is 100000 of the host.
users() {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
}

# locked runs the container on a host where the mount of the source has attributes that cannot be
# cleared in a user namespace.
locked() {
	args cat /proc/self/mountinfo
	run unshare --mount bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,nosuid,nodev,noexec,noatime "$1" && exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
}

@test "idmap without mappings takes those of the user namespace" {
	users
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "idmap"]}'
	shell 'stat -c %u:%g /mnt/file; touch /mnt/new && echo made'
	[ "$output" = $'0:0\nmade' ]
	[ "$(stat -c %u:%g "$SOURCE/new")" = 0:0 ]
}

@test "idmap takes the mappings of a user namespace that is joined" {
	users
	detached 'sleep 1000'
	config --arg p "/proc/$(pid_of "$ID")/ns/user" '(.linux.namespaces[] | select(.type == "user")).path = $p | del(.linux.uidMappings, .linux.gidMappings)'
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "idmap"]}'
	args stat -c %u:%g /mnt/file
	run coracle run "$ID-2"
	[ "$output" = 0:0 ]
}

@test "a mapping in the option is one to ids of the host, and with @ one to those of the user namespace" {
	users
	config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 10, hostID: 200000, size: 65526}]'
	chown 5:7 "$SOURCE/file"
	mount_also '{destination: "/host", source: $SOURCE, options: ["rbind", "idmap=uids=5-200001-1;gids=7-100003-1"]},
		{destination: "/relative", source: $SOURCE, options: ["rbind", "ridmap=uids=@0-5-10;gids=@7-3-1"]}'
	chown 0:0 "$SOURCE"
	shell 'stat -c %u:%g /host/file /relative/file'
	[ "$output" = $'11:3\n10:3' ]
}

@test "a new file system in a user namespace cannot be mapped, and that is said" {
	users
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["idmap"]}'
	background create "$ID"
	failed "mounts[7].options" "only bind mounts can"
	nothing_left
}

@test "tmpcopyup keeps the owners" {
	users
	mkdir -p rootfs/data/sub
	echo x >rootfs/data/file
	chown -R 100005:100006 rootfs/data
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup"]}'
	shell 'stat -c %u:%g /data /data/file /data/sub; cat /data/file'
	[ "$output" = $'5:6\n5:6\n5:6\nx' ]
}

@test "tmpcopyup leaves a file whose owner is not mapped what it is" {
	users
	mkdir rootfs/data
	echo secret >rootfs/data/file
	chmod 600 rootfs/data/file
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup", "uid=0", "gid=0"]}'
	shell 'stat -c %u:%g /data /data/file; cat /data/file'
	[ "${lines[0]} ${lines[1]}" = "0:0 65534:65534" ]
	[[ ${lines[2]} == *"Permission denied" ]]
}

@test "a mount point behind a dangling link belongs to the container's root" {
	users
	ln -s /no/where rootfs/link
	mount_also '{destination: "/link", source: $SOURCE, options: ["rbind"]}'
	shell 'cat /no/where/file; stat -c %u:%g /no'
	[ "$output" = $'content\n0:0' ]
}

@test "what the container's root may not make, the runtime does not make for it" {
	users
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind"]}, {destination: "/mnt/new", type: "tmpfs"}'
	background create "$ID"
	failed "(mounts[8])" "permission denied"
	untouched
	nothing_left
}

@test "where something cannot be made because the owner is not mapped, that and the place are said" {
	users
	local closed='"/mnt" belongs to user 0 and group 0 of the host, and the user namespace has no such user (linux.uidMappings)'
	for mount in '{destination: "/mnt/new", type: "tmpfs"}' '{destination: "/mnt/new", type: "proc"}' \
		'{destination: "/mnt/a/new", source: ($SOURCE + "/file"), options: ["bind"]}'; do
		for mode in 755 700; do
			config 'del(.mounts[7:])'
			chmod $mode "$SOURCE"
			mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind"]}, '"$mount"
			background create "$ID"
			failed "(mounts[8]): make /mnt/" ": permission denied: $closed"
			nothing_left
		done
	done
	config 'del(.mounts[8:]) | .process.cwd = "/mnt/cwd"'
	background create "$ID"
	failed 'working directory "/mnt/cwd" (process.cwd): make /mnt/cwd: permission denied: '"$closed"
	for path in /mnt/device /mnt/a/device; do
		config --arg path $path '.process.cwd = "/" | .linux.devices = [{path: $path, type: "c", major: 1, minor: 3}]'
		background create "$ID"
		failed "make the device \"$path\" (linux.devices[0]): make /mnt/" ": permission denied: $closed"
	done
	config 'del(.linux.devices) | .process.cwd = "/mnt/cwd"'
	chown 100000:0 "$SOURCE"
	chmod 500 "$SOURCE"
	background create "$ID"
	failed "and the user namespace has no such group (linux.gidMappings)"
	config 'del(.mounts[7:]) | .process.cwd = "/"'
	rmdir rootfs/proc
	chown 0:0 rootfs
	background create "$ID"
	failed '(mounts[0]): make /proc: permission denied: "/" belongs to user 0'
	nothing_left
}

@test "remounts" {
	users
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "nosuid"]}, {destination: "/mnt", options: ["bind", "remount", "ro"]},
		{destination: "/tmp", type: "tmpfs", options: ["ro", "nodev"]}, {destination: "/tmp", options: ["remount", "rw"]}'
	shell 'touch /tmp/x && echo made; touch /mnt/x; cat /proc/self/mountinfo'
	[ "${lines[0]}" = made ]
	says "Read-only file system"
	[[ $(mounted /mnt) == ro,nosuid,* ]]
	[[ $(mounted /tmp) == rw,nodev,* ]]
	untouched
}

@test "attributes that the host's mount has stay unless an option takes them away" {
	users
	mount_also '{destination: "/ro", source: $SOURCE, options: ["rbind", "ro"]}, {destination: "/suid", source: $SOURCE, options: ["rbind", "rw", "suid"]},
		{destination: "/mnt", source: $SOURCE, options: ["bind"]}, {destination: "/mnt", options: ["bind", "remount", "ro"]}'
	config '.linux.readonlyPaths += ["/suid/file"]'
	locked
	[[ $(mounted /ro) == "ro,nosuid,nodev,noexec,noatime "* ]]
	[[ $(mounted /suid) == "rw,nodev,noexec,noatime "* ]]
	[[ $(mounted /mnt) == "ro,nosuid,nodev,noexec,noatime "* ]]
	[[ $(mounted /suid/file) == "ro,nodev,noexec,noatime "* ]]
}

@test "an overlay with options of more than 256 bytes" {
	users
	local i dir lower=
	for i in 1 2 3; do
		dir=$BATS_TEST_TMPDIR/$(printf %0120d $i)
		mkdir "$dir"
		echo $i >"$dir/$i"
		lower+=${lower:+:}$dir
	done
	config --arg l "lowerdir=$lower" '.mounts += [{destination: "/mnt", type: "overlay", source: "overlay", options: [$l]}]'
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_RUN_TMPDIR"
	shell 'cat /mnt/1 /mnt/3'
	[ "$output" = $'1\n3' ]
}

@test "cgroups without a cgroup namespace are read-only" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	users
	share cgroup
	shell 'mkdir /sys/fs/cgroup/pids/x; cat /sys/fs/cgroup/pids/cgroup.procs | head -n 1'
	says "Read-only file system"
	[ "${lines[1]}" = 1 ]
}
