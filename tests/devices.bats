#!/usr/bin/env bats
# Devices: the default ones, linux.devices, and other entries of /dev.

load helpers

setup() {
	setup_busybox
}

@test "the default devices have the right numbers, modes and owners" {
	shell 'cd /dev && stat -c "%n %F %a %u:%g %t:%T" null zero full random urandom tty'
	[ "$output" = "null character special file 666 0:0 1:3
zero character special file 666 0:0 1:5
full character special file 666 0:0 1:7
random character special file 666 0:0 1:8
urandom character special file 666 0:0 1:9
tty character special file 666 0:0 5:0" ]
}

@test "the default devices can be used, also by another user" {
	config '.process.user = {uid: 1000, gid: 1000}'
	shell 'echo x >/dev/null && head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; echo x >/dev/full'
	[ "${lines[0]}" = 3 ]
	[ "${lines[1]}" = 5 ]
	[[ $output == *"No space left on device"* ]]
}

@test "the umask of the caller does not change modes" {
	umask 077
	shell 'stat -c %a /dev/null /dev/shm /dev'
	[ "$output" = $'666\n1777\n755' ]
}

@test "the links in /dev are there" {
	shell 'cd /dev && for l in fd stdin stdout stderr core ptmx; do readlink $l; done'
	[ "$output" = "/proc/self/fd
/proc/self/fd/0
/proc/self/fd/1
/proc/self/fd/2
/proc/kcore
pts/ptmx" ]
}

@test "ptmx is that of the container's own devpts" {
	shell 'stat -L -c "%t:%T %a" /dev/ptmx; ls /dev/pts'
	[ "$output" = $'5:2 666\nptmx' ]
}

@test "there is nothing else in /dev" {
	shell 'ls /dev'
	[ "$(tr '\n' ' ' <<<"$output")" = "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero " ]
}

@test "linux.devices makes character and block devices and fifos" {
	config '.linux.devices = [
		{path: "/dev/char", type: "c", major: 1, minor: 3, fileMode: 384, uid: 1000, gid: 100},
		{path: "/dev/block", type: "b", major: 7, minor: 200, fileMode: 432},
		{path: "/dev/pipe", type: "p", fileMode: 420},
		{path: "/dev/unbuffered", type: "u", major: 1, minor: 5}]'
	shell 'cd /dev && stat -c "%n %F %a %u:%g %t:%T" char block pipe unbuffered'
	[ "$output" = "char character special file 600 1000:100 1:3
block block special file 660 0:0 7:c8
pipe fifo 644 0:0 0:0
unbuffered character special file 666 0:0 1:5" ]
}

@test "the mode of a device may say its type, as podman's does, and only the right one" {
	config '.linux.devices = [
		{path: "/dev/char", type: "c", major: 1, minor: 3, fileMode: 8576},
		{path: "/dev/block", type: "b", major: 7, minor: 200, fileMode: 25008},
		{path: "/dev/pipe", type: "p", fileMode: 4516}]'
	shell 'cd /dev && stat -c "%n %F %a" char block pipe'
	[ "$output" = "char character special file 600
block block special file 660
pipe fifo 644" ]
	config '.linux.devices[0].fileMode = 25008'
	run coracle run "$ID"
	failed 'linux.devices[0].fileMode: 060660 is the mode of another type of file than "c"'
	config '.linux.devices[0].fileMode = 131072'
	run coracle run "$ID"
	failed 'linux.devices[0].fileMode: 0400000 has more than permission bits'
}

@test "a device can be outside of /dev, in directories that are made" {
	config '.linux.devices = [{path: "/opt/new/dir/null", type: "c", major: 1, minor: 3}]'
	shell 'stat -c "%t:%T" /opt/new/dir/null; stat -c %a /opt/new/dir'
	[ "$output" = $'1:3\n755' ]
}

@test "a device can be in a directory below /dev" {
	config '.linux.devices = [{path: "/dev/net/tun", type: "c", major: 10, minor: 200}]'
	shell 'stat -c "%t:%T" /dev/net/tun'
	[ "$output" = a:c8 ]
}

@test "a default device can be configured" {
	config '.linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 438, gid: 5}]'
	shell 'stat -c "%t:%T %g" /dev/null'
	[ "$output" = "1:3 5" ]
}

@test "what exists at the path of a device and is something else is an error" {
	for thing in file dir link other; do
		rm -rf rootfs/opt
		mkdir rootfs/opt
		case $thing in
		file) echo >rootfs/opt/device ;;
		dir) mkdir rootfs/opt/device ;;
		link) ln -s /dev/null rootfs/opt/device ;;
		other) mknod rootfs/opt/device c 1 5 ;;
		esac
		config '.linux.devices = [{path: "/opt/device", type: "c", major: 1, minor: 3}]'
		background create "$ID"
		failed 'make the device "/opt/device" (linux.devices[0])' "something else exists"
		nothing_left
	done
}

@test "a device that exists already is accepted and stays as it is" {
	mkdir rootfs/opt
	mknod -m 600 rootfs/opt/device c 1 3
	config '.linux.devices = [{path: "/opt/device", type: "c", major: 1, minor: 3}]'
	shell 'stat -c "%t:%T %a" /opt/device'
	[ "$output" = "1:3 600" ]
}

@test "without a mount at /dev the devices are made in the image, which may not hold others" {
	config 'del(.mounts[] | select(.destination | startswith("/dev")))'
	shell 'stat -c "%t:%T" /dev/null'
	[ "$output" = 1:3 ]
	rm rootfs/dev/null
	echo >rootfs/dev/null
	run coracle run "$ID"
	failed 'make the device "/dev/null"' "something else exists"
}

@test "a ptmx of the image is replaced" {
	config 'del(.mounts[] | select(.destination == "/dev"))'
	mknod rootfs/dev/ptmx c 1 3
	shell 'readlink /dev/ptmx'
	[ "$output" = pts/ptmx ]
}

@test "a bind-mounted /dev is left alone" {
	mkdir "$BATS_TEST_TMPDIR/dev"
	config --arg dev "$BATS_TEST_TMPDIR/dev" 'del(.mounts[] | select(.destination | startswith("/dev"))) | .mounts += [{destination: "/dev", type: "bind", source: $dev, options: ["bind"]}] | .linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 3}]'
	shell 'ls /dev | wc -l'
	[ "$output" = 0 ]
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/dev")" ]
}

@test "devices on which nothing was allowed cannot be used" {
	config '.linux.devices = [{path: "/dev/block", type: "b", major: 7, minor: 0}, {path: "/dev/mem", type: "c", major: 1, minor: 1}] |
		.process.capabilities.bounding += ["CAP_SYS_RAWIO"]'
	shell 'head -c 1 /dev/block; head -c 1 /dev/mem'
	[ "$(grep -c 'Operation not permitted' <<<"$output")" = 2 ]
}

@test "a wrong device is refused" {
	for device in '{path: "/dev/x", type: "z"}' '{path: "dev/x", type: "p"}' '{path: "/", type: "p"}' \
		'{path: "/dev/x", type: "c", major: -1, minor: 0}' '{path: "/dev/x", type: "c", major: 5000, minor: 0}'; do
		config ".linux.devices = [$device]"
		background create "$ID"
		failed 'linux.devices[0]'
		nothing_left
	done
}

@test "a link in the place of a device's directory does not lead out of the container" {
	mkdir "$BATS_TEST_TMPDIR/outside"
	ln -s "$BATS_TEST_TMPDIR/outside" rootfs/opt
	config '.linux.devices = [{path: "/opt/device", type: "c", major: 1, minor: 3}]'
	background create "$ID"
	failed 'make the device "/opt/device"'
	[ -z "$(ls -A "$BATS_TEST_TMPDIR/outside")" ]
	nothing_left
}
