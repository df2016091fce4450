#!/usr/bin/env bats
# tmpfs: its mode, and tmpcopyup.

load helpers
load mounts

@test "a tmpfs has the mode of its mount point unless an option says otherwise" {
	mkdir -m 750 rootfs/a
	mkdir -m 3777 rootfs/b
	mkdir -m 755 rootfs/c
	ln -s b rootfs/link
	# The mount is read-only in the end, so the mode has to be set before.
	mount_also '{destination: "/a", type: "tmpfs", options: ["ro"]}, {destination: "/link", type: "tmpfs"}, {destination: "/c", type: "tmpfs", options: ["mode=711"]},
		{destination: "/missing", type: "tmpfs"}'
	shell 'stat -c %a /a /b /c /missing'
	[ "$output" = $'750\n3777\n711\n1777' ]
}

@test "a tmpfs on a mount point that has to be made has the same mode each time" {
	ln -s /no/where rootfs/link
	mount_also '{destination: "/new", type: "tmpfs"}, {destination: "/copied", type: "tmpfs", options: ["tmpcopyup"]}, {destination: "/link", type: "tmpfs"},
		{destination: "/mode", type: "tmpfs", options: ["mode=750"]}, {destination: "/in/new", source: $SOURCE, options: ["bind"]}'
	args stat -c '%a %n' /new /copied /no /no/where /mode /in
	run coracle run "$ID"
	[ "$output" = $'1777 /new\n1777 /copied\n755 /no\n1777 /no/where\n750 /mode\n755 /in' ]
	local first=$output
	run coracle run "$ID"
	[ "$output" = "$first" ]
}

# A tree with every kind of file that can be copied.
fill() {
	mkdir -p "$1/sub/deep" "$1/empty"
	chmod 775 "$1"
	chmod 2755 "$1/sub"
	echo one >"$1/file"
	cp /bin/true "$1/sub/setuid"
	chown 1000:100 "$1/sub/setuid"
	chmod 4755 "$1/sub/setuid"
	ln -s ../file "$1/sub/link"
	ln -s /nowhere "$1/dangling"
	mkfifo "$1/fifo"
	truncate -s 100M "$1/sparse"
	echo end >>"$1/sparse"
	touch -d 2001-02-03T04:05:06Z "$1/file" "$1/sub/deep"
	chown 5:6 "$1"
}

@test "tmpcopyup fills a tmpfs with what the mount point holds" {
	mkdir rootfs/data
	fill rootfs/data
	mknod rootfs/data/null c 1 3
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$(realpath --relative-to . rootfs/data)/sock"
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup", "nosuid", "nodev"]}'
	shell 'cd /data; cat file sub/link; stat -c "%n %a %u:%g %F %s" . file sub sub/deep sub/setuid empty fifo; stat -c "%n %Y" file sub/deep; readlink sub/link; readlink dangling; ls | tr "\n" " "; echo
		tail -n 1 sparse | tr -d "\000"; echo $(($(stat -c %b sparse) < 100)); grep " /data " /proc/self/mountinfo | cut -d" " -f6'
	[ "$status" -eq 0 ]
	expected="one
one
. 775 5:6 directory $(grep -o '^\. 775 5:6 directory [0-9]*' <<<"$output" | cut -d' ' -f5)
file 644 0:0 regular file 4
sub 2755 0:0 directory $(grep '^sub 2' <<<"$output" | cut -d' ' -f5)
sub/deep 755 0:0 directory $(grep '^sub/deep 755' <<<"$output" | cut -d' ' -f5)
sub/setuid 4755 1000:100 regular file $(stat -c %s rootfs/data/sub/setuid)
empty 755 0:0 directory $(grep '^empty 755' <<<"$output" | cut -d' ' -f5)
fifo 644 0:0 fifo 0
file 981173106
sub/deep 981173106
../file
/nowhere
dangling empty fifo file sparse sub 
end
1
rw,nosuid,nodev,relatime"
	[ "$output" = "$expected" ] || {
		diff <(echo "$expected") <(echo "$output") >&2
		return 1
	}
	# The original is unchanged.
	[ "$(cat rootfs/data/file)" = one ]
	[ -d rootfs/data/sub/deep ]
}

@test "tmpcopyup takes the options of the tmpfs before the mode and owner of the mount point" {
	mkdir -m 700 rootfs/data
	chown 5:6 rootfs/data
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup", "mode=755", "gid=7"]}'
	shell 'stat -c "%a %u:%g" /data'
	[ "$output" = "755 5:7" ]
}

@test "tmpcopyup of a missing directory, and of an empty one, gives an empty tmpfs" {
	mkdir rootfs/empty
	mount_also '{destination: "/missing", type: "tmpfs", options: ["tmpcopyup"]}, {destination: "/empty", type: "tmpfs", options: ["tmpcopyup", "ro"]}'
	shell 'ls -A /missing /empty; touch /empty/x'
	[ "${lines[0]}" = /empty: ]
	[ "${lines[1]}" = /missing: ]
	says "Read-only file system"
	[ -d rootfs/missing ]
}

@test "tmpcopyup shows what earlier mounts have put there, but not what is mounted below" {
	mkdir "$SOURCE/sub"
	mount_also '{destination: "/data", source: $SOURCE, options: ["bind", "ro"]}, {destination: "/data/sub", type: "tmpfs", options: ["mode=700"]},
		{destination: "/data", type: "tmpfs", options: ["tmpcopyup"]}'
	shell 'cat /data/file; stat -c %a /data/sub; rmdir /data/sub; echo new >/data/file'
	[ "$status" -eq 0 ]
	[ "$output" = $'content\n755' ]
	[ "$(cat "$SOURCE/file")" = content ]
}

@test "tmpcopyup reads nothing outside of the container" {
	ln -s "$OUTSIDE" rootfs/link
	mkdir rootfs/data
	ln -s "$OUTSIDE/canary" rootfs/data/absolute
	ln -s ../../../outside/canary rootfs/data/relative
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup"]}, {destination: "/link", type: "tmpfs", options: ["tmpcopyup"]}'
	shell 'cat /data/absolute /data/relative; ls -A /link'
	[[ $output != *canary$'\n'canary* ]]
	[ "$(grep -c "No such file" <<<"$output")" = 2 ]
	untouched
}

@test "tmpcopyup into a tmpfs that is too small is an error" {
	mkdir rootfs/data
	head -c 2M /dev/zero | tr '\0' x >rootfs/data/big
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup", "size=1m"]}'
	background create "$ID"
	failed 'mount at "/data" (mounts[7]): tmpcopyup: copy big: no space left on device' "too small"
	nothing_left
}

# memory_of PATH prints how much memory the cgroup of a process has been charged with, in MiB.
memory_of() {
	local dir=/sys/fs/cgroup/memory
	if [ -d $dir ]; then
		echo $(($(cat "$dir$(sed -n 's/^[0-9]*:memory://p' "/proc/$1/cgroup")/memory.usage_in_bytes") >> 20))
	else
		echo $(($(cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")/memory.current") >> 20))
	fi
}

@test "tmpcopyup keeps hard links, and is charged to the container" {
	mkdir -p rootfs/data/dir
	head -c 20M /dev/urandom >rootfs/data/file
	local i
	for i in {1..40}; do ln rootfs/data/file "rootfs/data/dir/$i"; done
	ln -s dir rootfs/data/link
	ln rootfs/data/link rootfs/data/hard
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup"]}'
	config '.linux.resources.memory.limit = 209715200'
	detached 'stat -c %h /data/file /data/dir/7 /data/link; du -sm /data | cut -f1; cat /data/dir/40 | wc -c; exec sleep 1000'
	wait_for has_printed 20971520
	[ "$(printed)" = $'41\n41\n2\n20\n20971520' ]
	[ "$(memory_of "$(pid_of "$ID")")" -ge 20 ]
	cmp rootfs/data/file "/proc/$(pid_of "$ID")/root/data/dir/3"
}

@test "tmpcopyup of more than the container's memory is an error that leaves nothing" {
	mkdir rootfs/data
	head -c 100M /dev/urandom >rootfs/data/file
	mount_also '{destination: "/data", type: "tmpfs", options: ["tmpcopyup"]}'
	# First of all: what is mounted before may need the cgroups, too.
	config '.linux.resources.memory.limit = 33554432 | .linux.resources.memory.swap = 33554432 | .mounts |= [.[-1]] + .[:-1]'
	background create "$ID"
	failed "out of memory while" "limit 33554432 bytes (linux.resources.memory.limit)"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	nothing_left
}

@test "tmpcopyup is for new tmpfs only" {
	mount_also '{destination: "/data", source: $SOURCE, options: ["bind", "tmpcopyup"]}'
	background create "$ID"
	failed 'mounts[7].options: "tmpcopyup" is only possible for a new tmpfs'
	nothing_left
}
