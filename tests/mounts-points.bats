#!/usr/bin/env bats
# Mount points: where mounts land, what is created for them, and that none lands outside.

load helpers
load mounts

@test "missing mount points are made: directories and files" {
	mount_also '{destination: "/new/dir", type: "tmpfs"}, {destination: "/other/new/file", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	shell 'stat -c "%a %u %F" /new /new/dir /other/new; cat /other/new/file'
	[ "$output" = "755 0 directory
1777 0 directory
755 0 directory
content" ]
	[ -d rootfs/new/dir ]
	[ -f rootfs/other/new/file ]
	[ ! -s rootfs/other/new/file ]
}

@test "a mount may lie in an earlier one" {
	mount_also '{destination: "/mnt", type: "tmpfs"}, {destination: "/mnt/deep/er", type: "bind", source: $SOURCE, options: ["bind"]}'
	shell 'cat /mnt/deep/er/file'
	[ "$output" = content ]
	[ ! -e rootfs/mnt/deep ]
}

@test "a directory on a file, and a file on a directory, are errors" {
	mount_also '{destination: "/etc/passwd", type: "bind", source: $SOURCE, options: ["bind"]}'
	background create "$ID"
	failed "bind mount \"$SOURCE\" at \"/etc/passwd\" (mounts[7])" "not both directories or both files"
	config '.mounts[-1] |= (.source += "/file" | .destination = "/etc")'
	background create "$ID"
	failed "(mounts[7])" "not both directories or both files"
	nothing_left
}

@test "a destination through a link stays in the container" {
	ln -s "$OUTSIDE" rootfs/absolute
	ln -s ../../../../../../../../.."$OUTSIDE" rootfs/relative
	ln -s /usr rootfs/inside
	mkdir -p "rootfs$OUTSIDE"
	mount_also '{destination: "/absolute", type: "tmpfs"}, {destination: "/relative/below", type: "tmpfs"}, {destination: "/inside/new", type: "bind", source: $SOURCE, options: ["bind"]}'
	see_mounts
	[[ $(mounted "$OUTSIDE") == *" - tmpfs "* ]]
	[[ $(mounted "$OUTSIDE/below") == *" - tmpfs "* ]]
	[ -n "$(mounted /usr/new)" ]
	untouched
}

@test "what a dangling link leads to is made in the container, also when it names a place outside" {
	for target in "$OUTSIDE/new" "../../outside/new" /missing/dir missing ../../../../missing/./up/../dir; do
		for type in dir file; do
			rm -rf rootfs/link rootfs/missing rootfs/outside "rootfs/${OUTSIDE%%/outside}"
			ln -s "$target" rootfs/link
			config 'del(.mounts[7:])'
			if [ "$type" = dir ]; then
				mount_also '{destination: "/link/below", type: "tmpfs"}'
			else
				mount_also '{destination: "/link", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
			fi
			if [ "$type" = dir ]; then shell 'touch /link/below/x && echo content'; else shell 'cat /link'; fi
			[ "$status" -eq 0 ] || {
				echo "$target $type: $output" >&2
				return 1
			}
			[ "$output" = content ]
			untouched
			[ -L rootfs/link ]
		done
	done
	[ "$(stat -c '%a %u %F' rootfs/missing/dir)" = "644 0 regular empty file" ]
	[ "$(stat -c '%a %u %F' rootfs/missing)" = "755 0 directory" ]
}

@test "links that lead to each other are followed, endless ones are an error" {
	ln -s two rootfs/one
	ln -s /three/x rootfs/two
	ln -s four/./five rootfs/three
	mount_also '{destination: "/one/mnt", source: $SOURCE, options: ["bind"]}'
	shell 'cat /four/five/x/mnt/file'
	[ "$output" = content ]
	rm -r rootfs/two rootfs/four
	ln -s one/below rootfs/two
	background create "$ID"
	failed "mounts[7]" "symbolic link"
	nothing_left
}

# Links to outside, to outside of the rootfs by "..", to nothing, and to a place in the rootfs.
@test "proc, sys and dev as links: special file systems are refused, nothing is made outside" {
	for name in proc sys dev; do
		for target in "$OUTSIDE" ../../outside "$OUTSIDE/new" /missing /usr/bin; do
			rm -rf "rootfs/$name"
			ln -s "$target" "rootfs/$name"
			background create "$ID"
			failed "mounts[" "link"
			untouched
			nothing_left
		done
		rm "rootfs/$name"
		mkdir "rootfs/$name"
	done
}

@test "sysfs and cgroups are not mounted through a link in the middle" {
	without /sys
	mkdir rootfs/real
	ln -s real rootfs/via
	for type in sysfs proc devpts mqueue cgroup; do
		config 'del(.mounts[5:])'
		mount_also '{destination: "/via/below", type: "'$type'", source: "'$type'"}'
		background create "$ID"
		failed "mount \"$type\" at \"/via/below\"" "symbolic link"
		nothing_left
	done
	[ -z "$(ls -A rootfs/real)" ]
}

@test "a link in proc that leads to an open file is not followed" {
	ln -s /proc/self/fd/0 rootfs/link
	mount_also '{destination: "/link", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	background create "$ID"
	failed "(mounts[7])"
	config '.mounts[7].destination = "/proc/self/root/mnt"'
	background create "$ID"
	failed "mounts[7]"
	untouched
	nothing_left
}

@test "a destination with .. stays in the container" {
	mount_also '{destination: "/../../../mnt/../../tmp/x", type: "tmpfs"}'
	see_mounts
	[[ $(mounted /tmp/x) == *" - tmpfs "* ]]
	untouched
}

@test "nothing can be mounted over proc, but files that only inform" {
	for destination in /proc /proc/sys /proc/self /proc/self/attr /proc/1/attr/exec /proc/sysrq-trigger //proc/./sys/../sys/kernel; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", type: "tmpfs"}'
		background create "$ID"
		failed "mounts[7].destination" "cannot be covered"
	done
	config 'del(.mounts[7:])'
	mount_also '{destination: "/proc", type: "bind", source: $SOURCE, options: ["bind"]}'
	background create "$ID"
	failed "(mounts[7])" "not a procfs"
	config 'del(.mounts[7:])'
	mount_also '{destination: "/proc/uptime", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]},
		{destination: "/proc/meminfo", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	shell 'cat /proc/uptime /proc/meminfo'
	[ "$output" = $'content\ncontent' ]
	untouched
}

@test "a file in proc that is not there cannot be covered, and that is said" {
	config '(.mounts[] | select(.type == "proc").options) = ["subset=pid"]'
	for destination in /proc/uptime /proc/sys/kernel/ns_last_pid; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
		background create "$ID"
		failed "at \"$destination\" (mounts[7]): it does not exist, and cannot be made there"
		nothing_left
	done
}

@test "nothing can be mounted over proc through a link" {
	ln -s proc/sys rootfs/link
	mount_also '{destination: "/link/kernel", type: "tmpfs"}'
	background create "$ID"
	failed "(mounts[7])" "in a procfs"
	mkdir rootfs/other
	config 'del(.mounts[7:])'
	mount_also '{destination: "/other", type: "proc", source: "proc"}, {destination: "/other/sys", type: "tmpfs"}'
	background create "$ID"
	failed "(mounts[8])" "in a procfs"
	nothing_left
}

@test "the root of the container cannot be a destination" {
	for destination in / /. /x/..; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", type: "tmpfs"}'
		background create "$ID"
		failed "mounts[7].destination"
	done
}
