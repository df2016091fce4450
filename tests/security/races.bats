#!/usr/bin/env bats
# R-09: somebody changes the rootfs while the runtime works in it. A directory and a
# symbolic link to the canary are exchanged all the time, during many creates.
#
# What protects is RESOLVE_IN_ROOT in inRoot and inRootNoLinks (compile/rootfs.go), and
# that names are only made below a pinned parent (openOrMake there, makeNode in
# compile/devices.go, makeOne in tree/make.go). Tried: without RESOLVE_IN_ROOT in inRoot, eight
# creates are enough to make directories and devices in the canary.

load ../helpers
load canary

# How often each, which makes some hundreds. Without the protection a dozen is enough.
CREATES=${CREATES:-25}

# exchanging PATH TARGET lets a directory of the rootfs and a link change places from now
# on. The directory has the same names as the canary.
exchanging() {
	local dir
	dir=rootfs/$(dirname "$1")
	mkdir -p "rootfs/$1/dir"
	echo mine >"rootfs/$1/secret"
	ln -s "$2" "$dir/exchanged"
	python3 "$BATS_TEST_DIRNAME/exchange.py" "$dir" "$(basename "$1")" exchanged "$BATS_TEST_TMPDIR/count" 2>"$BATS_TEST_TMPDIR/exchange-err" >/dev/null </dev/null 3>&- &
	EXCHANGER=$!
	ASIDE+=("$EXCHANGER")
	wait_for test -e "$BATS_TEST_TMPDIR/count"
}

# creates CHECK... creates a container many times and deletes it, with the number in
# place of @ in config.json. CHECK is run for each one that was created.
creates() {
	local i created=0
	cp config.json template.json
	for ((i = 0; i < CREATES; i++)); do
		sed "s/@/$i/g" template.json >config.json
		background create "$ID"
		clean
		if [ "$status" -eq 0 ]; then
			created=$((created + 1))
			[ $# -eq 0 ] || "$@"
		fi
		coracle delete --force "$ID"
	done
	rm template.json
	echo "$created of $CREATES were created"
	kill "$EXCHANGER"
	wait "$EXCHANGER"
	[ "$(cat "$BATS_TEST_TMPDIR/count")" -gt $((CREATES * 10)) ]
	nothing_left
	untouched
}

# unseen asserts that a file of the container, if it is there, is not the canary's.
unseen() {
	local seen
	seen=$(coracle exec "$ID" cat "$1" 2>&1 </dev/null) || true
	[[ $seen != *canary* ]] || {
		echo "$1 is the canary's: $seen" >&2
		return 1
	}
}

@test "race: the directory of a mount point" {
	mount_also '{destination: "/flip/dir", type: "tmpfs"}, {destination: "/flip/secret", type: "bind", source: "/etc/hostname", options: ["bind"]}'
	exchanging flip "$OUTSIDE"
	creates
}

@test "race: mount points that have to be made, by a link to above the root" {
	mount_also '{destination: "/flip/new@/deep/dir", type: "tmpfs"}, {destination: "/flip/file@", type: "bind", source: "/etc/hostname", options: ["bind"]}'
	# As seen from rootfs/.
	exchanging flip ../../outside
	creates
}

@test "race: a link to a place that has to be made" {
	mount_also '{destination: "/flip/below@", type: "tmpfs"}'
	exchanging flip "$OUTSIDE/new"
	creates
}

@test "race: the directory of devices" {
	config '.linux.devices = [{path: "/flip/null@", type: "c", major: 1, minor: 3, uid: 1000}, {path: "/flip/secret@", type: "p", uid: 1000}, {path: "/flip/dir/x@", type: "c", major: 1, minor: 5}]'
	exchanging flip "$OUTSIDE"
	creates
}

@test "race: /dev itself, without a mount there" {
	config 'del(.mounts[] | select(.destination | startswith("/dev")))'
	rm -rf rootfs/dev
	exchanging dev "$OUTSIDE"
	creates
}

@test "race: /dev, /proc and /sys as mount points" {
	rm -rf rootfs/dev rootfs/proc rootfs/sys
	mkdir rootfs/proc rootfs/sys
	exchanging dev "$OUTSIDE"
	creates
	rm -rf rootfs/proc rootfs/exchanged "$BATS_TEST_TMPDIR/count"
	exchanging proc "$OUTSIDE"
	creates
	rm -rf rootfs/sys rootfs/exchanged "$BATS_TEST_TMPDIR/count"
	exchanging sys /etc
	creates
}

# shellcheck disable=SC2317,SC2329 # called by creates
cwd_inside() {
	[[ $(readlink "/proc/$(pid_of "$ID")/cwd") != "$OUTSIDE"* ]]
}

@test "race: the working directory, there and to be made" {
	config '.process.cwd = "/flip/dir"'
	exchanging flip "$OUTSIDE"
	creates cwd_inside
	rm -rf rootfs/exchanged rootfs/flip "$BATS_TEST_TMPDIR/count"
	config '.process.cwd = "/flip/new@/cwd"'
	exchanging flip "$OUTSIDE"
	creates cwd_inside
}

@test "race: masked and read-only paths" {
	config '.linux.maskedPaths += ["/flip/secret", "/flip/dir"] | .linux.readonlyPaths += ["/flip", "/flip/dir"]'
	exchanging flip "$OUTSIDE"
	creates unseen /flip/secret
}

@test "race: what tmpcopyup copies" {
	mount_also '{destination: "/flip", type: "tmpfs", options: ["tmpcopyup"]}'
	exchanging flip "$OUTSIDE"
	creates unseen /flip/secret
}

@test "race: creates that fail late clean up only what is theirs" {
	mount_also '{destination: "/flip/new@/dir", type: "tmpfs"}, {destination: "/flip/dir", type: "tmpfs", options: ["tmpcopyup"]}'
	config '.linux.devices = [{path: "/flip/null@", type: "c", major: 1, minor: 3}]'
	args /missing
	exchanging flip "$OUTSIDE"
	creates
}

@test "race: /etc/passwd as a link, for the home directory" {
	printf 'root:x:0:0::/canary:/bin/sh\n' >"$OUTSIDE/passwd"
	listing >"$BATS_TEST_TMPDIR/before"
	rm -rf rootfs/etc/passwd
	exchanging etc "$OUTSIDE"
	config 'del(.process.env[] | select(startswith("HOME=")))'
	args sh -c 'echo "HOME is $HOME"'
	for ((i = 0; i < CREATES; i++)); do
		background run "$ID"
		[[ $output != *canary* ]]
	done
	kill "$EXCHANGER"
	wait "$EXCHANGER"
	nothing_left
	untouched
}
