#!/usr/bin/env bats
# Remounts: entries that change the mounts of earlier entries.

load helpers
load mounts

@test "bind and remount as two entries make a read-only bind mount" {
	mount_also '{destination: "/mnt", type: "none", source: $SOURCE, options: ["bind"]},
		{destination: "/mnt", type: "none", source: $SOURCE, options: ["bind", "remount", "ro", "nosuid"]}'
	see_mounts
	[[ $(mounted /mnt) == "ro,nosuid,"* ]]
	shell 'touch /mnt/new'
	says "Read-only file system"
	untouched
}

@test "a remount of a bind mount needs neither type nor source, and leaves the host's file system alone" {
	for bind in '"bind", ' ''; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "/mnt", source: $SOURCE, options: ["bind"]}, {destination: "/mnt", options: ['"$bind"'"remount", "ro"]}'
		shell 'touch /mnt/new'
		says "Read-only file system"
		untouched
		touch "$SOURCE/new"
		rm "$SOURCE/new"
	done
}

@test "a remount changes what its options name, and nothing else" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["ro", "nosuid", "nodev", "noatime"]},
		{destination: "/mnt", options: ["remount", "rw", "dev", "noexec"]}'
	shell 'touch /mnt/file && cat /proc/self/mountinfo'
	[[ $(mounted /mnt) == "rw,nosuid,noexec,noatime - tmpfs "* ]]
}

@test "the last remount decides whether a tmpfs or /dev is read-only" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: []}, {destination: "/mnt", options: ["remount", "ro"]},
		{destination: "/mnt/below", type: "tmpfs", options: ["ro"]}, {destination: "/mnt/below", options: ["remount", "rw"]},
		{destination: "/dev", options: ["remount", "ro"]}'
	shell 'touch /mnt/x 2>/dev/null || echo ro; touch /mnt/below/x && echo rw; touch /dev/x 2>/dev/null || echo ro; ls /dev/null /dev/pts/ptmx; touch /dev/shm/x && echo rw'
	[ "$output" = $'ro\nrw\nro\n/dev/null\n/dev/pts/ptmx\nrw' ]
}

@test "a remount changes the parameters of a file system" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["size=1m"]}, {destination: "/mnt", type: "tmpfs", options: ["remount", "size=2m", "sync"]}'
	see_mounts
	[[ $(mounted /mnt) == *size=2048k* ]]
	[[ $(mounted /mnt) == *" rw,sync,"* ]]
	config '.mounts[8].options = ["remount", "nosuchoption=1"]'
	background create "$ID"
	failed 'remount at "/mnt" (mounts[8])' '"nosuchoption=1"'
	nothing_left
}

@test "a remount can be recursive, and change the propagation" {
	mount_also '{destination: "/mnt", type: "tmpfs"}, {destination: "/mnt/below", type: "tmpfs"}, {destination: "/mnt", options: ["remount", "rnosuid", "rshared"]}'
	see_mounts
	[[ $(mounted /mnt) =~ ^"rw,nosuid,relatime shared:"[0-9]+" - " ]]
	[[ $(mounted /mnt/below) =~ ^"rw,nosuid,relatime shared:"[0-9]+" - " ]]
}

@test "a file in proc that was covered can be remounted" {
	mount_also '{destination: "/proc/uptime", source: ($SOURCE + "/file"), options: ["bind"]}, {destination: "/proc/uptime", options: ["bind", "remount", "ro", "noexec"]},
		{destination: "/proc", options: ["remount", "nosuid", "nodev", "noexec"]}'
	see_mounts
	[[ $(mounted /proc/uptime) == "ro,noexec,"* ]]
	[[ $(mounted /proc) == "rw,nosuid,nodev,noexec,"* ]]
}

@test "a remount where nothing is mounted is an error" {
	mkdir rootfs/plain
	for destination in /plain /missing; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", options: ["remount", "ro"]}'
		background create "$ID"
		failed "remount at \"$destination\" (mounts[7]): nothing is mounted there"
		nothing_left
	done
	[ ! -e rootfs/missing ]
	# A remount must not reach the parts of a procfs, either.
	config '.mounts[7].destination = "/proc/sys"'
	background create "$ID"
	failed "mounts[7].destination"
}

@test "masks and read-only paths lie in the mount that was remounted" {
	mount_also '{destination: "/proc", options: ["remount", "nosuid"]}'
	shell 'cat /proc/keys | wc -c; echo x >/proc/sys/kernel/hostname'
	[ "${lines[0]}" = 0 ]
	says "Read-only file system"
}
