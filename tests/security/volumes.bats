#!/usr/bin/env bats
# bats file_tags=vm
# Volumes are directories of the host in a container. The image has links that lead into them, and
# a process exchanges directories of a shared rootfs: nothing may be created, removed or changed
# in a volume for a path that does not lie in it.
#
# Protections: the comparison of mount numbers (compile/places.go), and the path resolution of the
# runtime (hostfs.Territory); /dev is pinned when it is made (dev in compile/devices.go).

load ../helpers
load canary

# volume [OPTION...] mounts the canary as a volume at /vol, with a directory and a file for
# mounts.
volume() {
	mkdir source
	echo content >source/file
	config --arg OUTSIDE "$OUTSIDE" '.mounts += [{destination: "/vol", source: $OUTSIDE, options: (["rbind"] + $ARGS.positional)}]' --args -- "$@"
}

# refused TEXT... asserts that create fails and nothing is changed.
refused() {
	background create "$ID"
	failed "$@"
	nothing_left
	untouched
}

@test "volumes: nothing is made in one for a mount point to which a link of the image leads" {
	volume
	ln -s /vol/new/file rootfs/file
	ln -s /vol/new/dir rootfs/dir
	ln -s /vol rootfs/existing
	ln -s existing/dir rootfs/chain
	local before mount
	before=$(<config.json)
	for mount in '"/file", source: "source/file", options: ["bind"]' '"/dir", source: "source", options: ["rbind"]' \
		'"/dir/below", type: "tmpfs"' '"/existing/new/dir", source: "source", options: ["rbind"]' '"/existing/new", type: "tmpfs", options: ["tmpcopyup"]' \
		'"/chain/new", type: "tmpfs"' '"/file", source: "rootfs/file", options: ["bind", "copy-symlink", "src-nofollow"]'; do
		printf '%s\n' "$before" >config.json
		mount_also "{destination: $mount}"
		background create "$ID"
		[ "$status" -eq 1 ]
		nothing_left
		untouched
	done
	printf '%s\n' "$before" >config.json
	mount_also '{destination: "/existing/new/dir", source: "source", options: ["rbind"]}'
	refused 'mount at "/existing/new/dir" (mounts[8])' 'a symbolic link leads into another mount (mounts[7] at "/vol"), where nothing is made or changed for it'
}

@test "volumes: no symbolic link, device or working directory is made in one behind a link either" {
	volume
	ln -s /vol rootfs/there
	ln -s /etc/passwd source/link
	local before
	before=$(<config.json)
	mount_also '{destination: "/there/copy", source: "source/link", options: ["bind", "copy-symlink"]}'
	refused "mounts[8]" "into another mount"
	printf '%s\n' "$before" >config.json
	for place in /there/dir/node /there/new/node /there/node; do
		config --arg p "$place" '.linux.devices = [{path: $p, type: "c", major: 1, minor: 3, uid: 7}]'
		refused "make the device \"$place\" (linux.devices[0])" "into another mount"
	done
	printf '%s\n' "$before" >config.json
	config '.process.cwd = "/there/new/dir"'
	refused 'working directory "/there/new/dir" (process.cwd)' "into another mount"
	# An existing directory may be used.
	config '.process.cwd = "/there/dir"'
	shell pwd
	[ "$output" = /vol/dir ]
	untouched
}

@test "volumes: one that a link of the image puts on /dev gets no devices, and keeps its ptmx" {
	volume
	config '.mounts[7].destination = "/data" | .linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, uid: 7}]'
	for place in /dev /dev/pts /dev/shm /sys /sys/fs/cgroup; do
		ln -sfn $place rootfs/data
		echo mine >"$OUTSIDE/ptmx"
		listing >"$BATS_TEST_TMPDIR/before"
		background create "$ID"
		clean() { [ "$status" -eq 0 ] || [ "$(wc -l <<<"$output")" -eq 1 ]; }
		clean
		coracle delete --force "$ID"
		untouched
	done
	ln -sfn /dev rootfs/data
	config '.process.terminal = true'
	background create --console-socket "$BATS_TEST_TMPDIR/none" "$ID"
	[ "$status" -eq 1 ]
	untouched
}

@test "volumes: nothing is mounted behind a link in one that is shared with the host" {
	volume rshared
	ln -s /vol rootfs/there
	local before
	before=$(<config.json)
	mount_also '{destination: "/there/secret", source: "source/file", options: ["bind"]}'
	refused "mounts[8]" "into another mount"
	printf '%s\n' "$before" >config.json
	for list in maskedPaths readonlyPaths; do
		printf '%s\n' "$before" >config.json
		config ".linux.$list = [\"/there/dir\"]"
		refused "linux.${list}[0]" "into another mount"
	done
}

@test "volumes: a remount changes none that a link leads to" {
	volume ro
	ln -s /vol rootfs/there
	mount_also '{destination: "/there", options: ["remount", "bind", "rw"]}'
	refused 'mount at "/there" (mounts[8])' 'another mount (mounts[7] at "/vol")'
	# By its own path it works.
	config '.mounts[8].destination = "/vol"'
	shell 'touch /vol/made'
	[ "$status" -eq 0 ]
	rm "$OUTSIDE/made"
}

@test "volumes: what a path of the configuration names is made in the volume that it lies in" {
	volume
	mkdir other
	mount_also '{destination: "/vol/sub/dir", source: "other", options: ["rbind"]}, {destination: "/vol/sub/file", source: "source/file", options: ["bind"]},
		{destination: "/vol/sub/dir/below", type: "tmpfs"}'
	config '.linux.devices = [{path: "/vol/dev/node", type: "p"}] | .process.cwd = "/vol/cwd"'
	shell 'pwd; cat /vol/sub/file; stat -c %F /vol/dev/node; ls /vol/sub/dir'
	[ "$output" = $'/vol/cwd\ncontent\nfifo\nbelow' ]
	[ "$(cd "$OUTSIDE" && echo sub/* dev/* cwd) $(ls other)" = "sub/dir sub/file dev/node cwd below" ]
}

@test "volumes: with mounts of the host in them, these get what their paths name, and nothing by a link" {
	mkdir nested
	mkdir "$OUTSIDE/nested"
	volume
	ln -s /vol/nested rootfs/there
	mount --bind nested "$OUTSIDE/nested"
	mount_also '{destination: "/vol/nested/new/dir", type: "tmpfs"}'
	coracle run "$ID" </dev/null
	made=$(ls nested)
	config '.mounts[8].destination = "/there/more"'
	run coracle run "$ID"
	umount "$OUTSIDE/nested"
	failed "mounts[8]" "into another mount (one of the host)"
	[ "$made $(ls nested)" = "new new" ]
}

@test "volumes: links between the rootfs and new file systems in memory lead where they did" {
	ln -s /run rootfs/var/run
	mkdir -p rootfs/run
	mkdir source
	echo content >source/file
	mount_also '{destination: "/run", type: "tmpfs", options: ["mode=755"]}, {destination: "/var/run/secrets/file", source: "source/file", options: ["bind"]},
		{destination: "/var/run/dir", source: "source", options: ["rbind"]}'
	config '.process.cwd = "/var/run/app"'
	shell 'pwd; cat /run/secrets/file /run/dir/file'
	[ "$output" = $'/run/app\ncontent\ncontent' ]
	[ -z "$(ls -A rootfs/run)" ]
}

@test "volumes: somebody who exchanges directories of the rootfs has nothing made in one" {
	volume
	mkdir -p rootfs/etc rootfs/vol
	mount_also '{destination: "/etc/made/file", source: "source/file", options: ["bind"]}, {destination: "/etc/made/dir", type: "tmpfs"}'
	config '.linux.devices = [{path: "/etc/node", type: "p"}] | .process.cwd = "/etc/cwd"'
	python3 "$BATS_TEST_DIRNAME/exchange.py" rootfs etc vol "$BATS_TEST_TMPDIR/count" >/dev/null 2>&1 </dev/null 3>&- &
	ASIDE+=("$!")
	wait_for test -e "$BATS_TEST_TMPDIR/count"
	local i
	for ((i = 0; i < ${CREATES:-25}; i++)); do
		background create "$ID"
		[ "$status" -eq 0 ] || [ "$(wc -l <<<"$output")" -eq 1 ]
		coracle delete --force "$ID"
		rm -rf rootfs/*/made rootfs/*/node rootfs/*/cwd || : # they change places
	done
	kill "${ASIDE[-1]}"
	wait "${ASIDE[-1]}" || :
	untouched
}
