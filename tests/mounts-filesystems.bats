#!/usr/bin/env bats
# File systems by type: overlay, images, fuse and others, and options of any length.

load helpers
load mounts

# layers N LENGTH makes N lower directories with long names, and sets LOWER to the list.
layers() {
	local i name
	LOWER=
	for ((i = 0; i < $1; i++)); do
		name=$BATS_TEST_TMPDIR/layers/$(printf "%0$2d" "$i")
		mkdir -p "$name"
		echo "$i" >"$name/file-$i"
		echo "$i" >"$name/same"
		LOWER+=${LOWER:+:}$name
	done
	mkdir -p "$BATS_TEST_TMPDIR/upper" "$BATS_TEST_TMPDIR/work"
	UPPER=$BATS_TEST_TMPDIR/upper WORK=$BATS_TEST_TMPDIR/work
}

# overlay OPTION... mounts an overlay at /mnt.
overlay() {
	local list
	list=$(jq -nc '$ARGS.positional' --args -- "$@")
	config --argjson o "$list" 'del(.mounts[7:]) | .mounts += [{destination: "/mnt", type: "overlay", source: "overlay", options: $o}]'
}

@test "an overlay of two layers" {
	layers 2 10
	overlay "lowerdir=$LOWER" "upperdir=$UPPER" "workdir=$WORK"
	shell 'cat /mnt/file-0 /mnt/file-1 /mnt/same; echo new >/mnt/new'
	[ "$output" = $'0\n1\n0' ]
	[ "$(cat "$UPPER/new")" = new ]
}

@test "an overlay with options of more than 256 bytes" {
	layers 10 100
	[ ${#LOWER} -gt 1000 ]
	overlay "lowerdir=$LOWER" "upperdir=$UPPER" "workdir=$WORK" nosuid noatime ro
	shell 'cat /mnt/file-0 /mnt/file-9 /mnt/same; touch /mnt/new 2>/dev/null || echo read-only; cat /proc/self/mountinfo'
	[ "${lines[0]} ${lines[1]} ${lines[2]} ${lines[3]}" = "0 9 0 read-only" ]
	[[ $(mounted /mnt) == "ro,nosuid,noatime - overlay overlay "* ]]
	# No temporary mount is left.
	[ "$(grep -c ' - tmpfs ' <<<"$output")" -le 6 ]
	[ "$(awk '$5 == "/"' <<<"$output" | wc -l)" -eq 1 ]
	nothing_left
}

@test "a single long directory of an overlay" {
	layers 1 200
	mkdir -p "$LOWER/$(printf %0200d 1)/lower"
	echo deep >"$LOWER/$(printf %0200d 1)/lower/file"
	overlay "lowerdir=$LOWER/$(printf %0200d 1)/lower:$UPPER"
	shell 'cat /mnt/file'
	[ "$output" = deep ]
}

@test "an overlay with options of more than 4096 bytes" {
	layers 60 100
	[ ${#LOWER} -gt 4096 ]
	overlay "lowerdir=$LOWER" "upperdir=$UPPER" "workdir=$WORK"
	args sh -c 'cat /mnt/file-0 /mnt/file-59 /mnt/same; echo new >/mnt/new'
	run coracle run "$ID"
	if [ "$status" -ne 0 ] && [[ $output == *'"lowerdir+='* ]]; then
		skip "the kernel has no lowerdir+ (it came with Linux 6.7)"
	fi
	[ "$output" = $'0\n59\n0' ]
	[ "$(cat "$UPPER/new")" = new ]
}

@test "the directories of an overlay may be relative to the bundle, and have colons and backslashes" {
	mkdir -p "lower" 'a:b' 'c\d' up work
	echo 1 >lower/1
	echo 2 >a:b/2
	echo 3 >'c\d/3'
	overlay 'lowerdir=lower:a\:b:c\\d' upperdir=up workdir=work
	args cat /mnt/1 /mnt/2 /mnt/3
	cd /
	run coracle run --bundle "$BUNDLE" "$ID"
	[ "$output" = $'1\n2\n3' ]
}

@test "a directory of an overlay to which a link of the rootfs leads is refused" {
	mkdir -p "$BATS_TEST_TMPDIR/outside/dir" rootfs/layer lower
	echo secret >"$BATS_TEST_TMPDIR/outside/dir/secret"
	ln -s "$BATS_TEST_TMPDIR/outside" rootfs/link
	ln -s bundle/rootfs/link "$BATS_TEST_TMPDIR/host"
	for dir in "$PWD/rootfs/link/dir" "$BATS_TEST_TMPDIR/host/dir" rootfs/link/dir; do
		overlay "lowerdir=$dir:$PWD/lower"
		background create "$ID"
		failed 'mount "overlay" at "/mnt" (mounts[7])' "is in the rootfs, and a symbolic link there leads to it"
		nothing_left
	done
	overlay "lowerdir=$PWD/rootfs/layer:$PWD/lower"
	shell true
	[ "$status" -eq 0 ]
}

@test "a missing directory of an overlay is an error that names the mount" {
	layers 2 10
	overlay "lowerdir=$LOWER:$BATS_TEST_TMPDIR/missing"
	background create "$ID"
	failed 'mount "overlay" at "/mnt" (mounts[7])' "no such file or directory"
	layers 10 100
	overlay "lowerdir=$LOWER:$BATS_TEST_TMPDIR/missing"
	background create "$ID"
	failed 'mount "overlay" at "/mnt" (mounts[7])' "no such file or directory"
	nothing_left
}

@test "an option that is too long for the kernel is an error that names it" {
	config --arg long "$(printf %05000d 1)" '.mounts += [{destination: "/mnt", type: "tmpfs", options: ["size=" + $long]}]'
	background create "$ID"
	failed 'mount "tmpfs" at "/mnt" (mounts[7]): the value of "size" has 5000 bytes'
	nothing_left
}

@test "a tmpfs with a long option keeps its other options, and its mode" {
	mkdir -m 751 rootfs/mnt
	config --arg long "0x$(printf %0300d 100000)" '.mounts += [{destination: "/mnt", type: "tmpfs", source: "name", options: ["size=" + $long, "nodev", "sync", "nosymfollow", "strictatime", "ro"]}, {destination: "/mnt/below", type: "tmpfs"}]'
	shell 'stat -c %a /mnt; cat /proc/self/mountinfo'
	[ "${lines[0]}" = 751 ]
	[[ $(mounted /mnt) == "ro,nodev,nosymfollow - tmpfs name rw,sync,size=1024k"* ]]
}

teardown() {
	common_teardown
	[ -z "${LOOP-}" ] || losetup -d "$LOOP"
}

# image makes a disk with a file system, and sets LOOP to its loop device.
image() {
	truncate -s 16M "$BATS_TEST_TMPDIR/disk.img"
	mke2fs -q -t ext4 "$BATS_TEST_TMPDIR/disk.img"
	LOOP=$(losetup -f --show "$BATS_TEST_TMPDIR/disk.img") || skip "no loop device"
	config '.linux.resources.devices += [{allow: true, type: "b", major: 7, access: "rw"}]'
}

@test "a file system on a block device" {
	image
	config --arg loop "$LOOP" '.mounts += [{destination: "/mnt", type: "ext4", source: $loop, options: ["nosuid", "lazytime", "errors=continue"]}]'
	shell 'echo hello >/mnt/file; cat /mnt/file; cat /proc/self/mountinfo'
	first=$output
	config '.mounts[7].options = ["ro"]'
	shell 'cat /mnt/file; touch /mnt/new; cat /proc/self/mountinfo'
	second=$output
	config '.mounts[7].options = ["ro"] | .mounts += [{destination: "/mnt", options: ["remount", "rw"]}]'
	shell 'touch /mnt/new && ls /mnt'
	third=$output
	output=$first
	[[ $(mounted /mnt) == "rw,nosuid,relatime - ext4 $LOOP rw,lazytime"* ]]
	output=$second
	says "hello" "Read-only file system"
	[[ $(mounted /mnt) == "ro,relatime - ext4 $LOOP ro"* ]]
	[[ $third == *new* ]]
}

@test "a file system on a block device can have mapped ids" {
	image
	config --arg loop "$LOOP" '.mounts += [{destination: "/mnt", type: "ext4", source: $loop, options: ["idmap", "ro"],
		uidMappings: [{containerID: 0, hostID: 100000, size: 10}], gidMappings: [{containerID: 0, hostID: 200000, size: 10}]}]'
	shell 'stat -c %u:%g /mnt /mnt/lost+found'
	[ "$output" = $'100000:200000\n100000:200000' ]
}

@test "what is wrong with a block device is said" {
	image
	config --arg loop "$LOOP" '.mounts += [{destination: "/mnt", type: "xfs", source: $loop, options: []}]'
	background create "$ID"
	failed "mount \"xfs\" at \"/mnt\" (mounts[7])"
	config '.mounts[7].type = "ext4" | .mounts[7].source = "/dev/no-such-device"'
	background create "$ID"
	failed 'mount "ext4" at "/mnt" (mounts[7])' 'no such file or directory: the source is "/dev/no-such-device"'
	config --arg s "$SOURCE/file" '.mounts[7].source = $s'
	background create "$ID"
	failed 'mount "ext4" at "/mnt" (mounts[7])' "has to be a block device"
	nothing_left
}

@test "a block device that the container may not use is an error that says so" {
	image
	config --arg loop "$LOOP" 'del(.linux.resources.devices[-1]) | .mounts += [{destination: "/mnt", type: "ext4", source: $loop, options: []}]'
	background create "$ID"
	failed "mount \"ext4\" at \"/mnt\" (mounts[7]): operation not permitted" "linux.resources.devices"
	nothing_left
}

@test "a fuse file system of the caller, by a preserved descriptor" {
	[ -c /dev/fuse ] || skip "no /dev/fuse"
	mount_also '{destination: "/mnt", type: "fuse", source: "caller", options: ["fd=3", "rootmode=40000", "user_id=0", "group_id=0", "nosuid"]}'
	args cat /proc/self/mountinfo
	run bash -c 'exec 3<>/dev/fuse; "$@"' - "$CORACLE" --root "$ROOT" run --preserve-fds 1 "$ID"
	[ "$status" -eq 0 ]
	[[ $(mounted /mnt) == "rw,nosuid,relatime - fuse caller rw,user_id=0,group_id=0" ]]
}

@test "file systems of the kernel: proc with options, mqueue, devpts, ramfs" {
	mount_also '{destination: "/mnt/proc", type: "proc", source: "proc", options: ["hidepid=invisible", "nosuid"]},
		{destination: "/mnt/mqueue", type: "mqueue"}, {destination: "/mnt/pts", type: "devpts", options: ["newinstance", "ptmxmode=0600"]},
		{destination: "/mnt/ram", type: "ramfs", source: "ram", options: ["mode=700"]}'
	see_mounts
	[[ $(mounted /mnt/proc) == "rw,nosuid,relatime - proc proc rw,hidepid=invisible" ]]
	[[ $(mounted /mnt/mqueue) == *" - mqueue "* ]]
	[[ $(mounted /mnt/pts) == *" - devpts "*ptmxmode=600* ]]
	[[ $(mounted /mnt/ram) == *" - ramfs ram rw,mode=700" ]]
}
