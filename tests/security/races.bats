#!/usr/bin/env bats
# R-09: an attacker changes the rootfs while the runtime works in it. A directory and a symbolic
# link to the canary are exchanged continuously, during many creates.
#
# Protections: RESOLVE_IN_ROOT in inRoot and inRootNoLinks (compile/rootfs.go), and names that are
# created only below a pinned parent (openOrMake there, makeNode in compile/devices.go, makeOne in
# tree/make.go). After the pivot the root of the process is a second wall: those steps are tested
# with both protections removed.

load ../helpers
load canary

# The number of creates in each test, some hundreds in total. Without the protection a dozen is
# enough.
CREATES=${CREATES:-25}

# exchanging PATH TARGET starts exchanging a directory of the rootfs and a link. The directory has
# the same names as the canary.
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

# creates CHECK... creates and deletes a container many times; @ in config.json is replaced by the
# number. CHECK runs for each container that was created.
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

# marked COUNT asserts that all mounts with marked sources are in the container: one that followed
# a link to outside would be missing.
marked() {
	local n
	n=$(awk '$4 ~ "/marked$" || $(NF - 1) == "marked"' "/proc/$(pid_of "$ID")/mountinfo" | wc -l)
	[ "$n" -eq "$1" ] || {
		echo "$n of $1 mounts are in the container:" >&2
		cat "/proc/$(pid_of "$ID")/mountinfo" >&2
		return 1
	}
}

# special asserts that each kernel file system is at its place, which may currently be named
# "exchanged", and that everything in /proc that has to be protected is.
special() {
	local pid place p mounts
	pid=$(pid_of "$ID")
	mounts=$(cut -d' ' -f5 "/proc/$pid/mountinfo" | sed 's,^/[^/]*,,')
	for place in proc:proc dev/pts:devpts dev/mqueue:mqueue sys:sysfs; do
		awk -v t="${place#*:}" -v p="/${place%:*}" '{ sub("^/exchanged", "/" first(p), $5) } $5 == p && $0 ~ " - " t " " { n++ } END { exit n != 1 }
			function first(p) { split(p, a, "/"); return a[2] }' "/proc/$pid/mountinfo" || {
			echo "not at its place: $place" >&2
			cat "/proc/$pid/mountinfo" >&2
			return 1
		}
	done
	for p in $(jq -r '.linux | .maskedPaths[], .readonlyPaths[] | select(startswith("/proc/"))' config.json); do
		[ ! -e "$p" ] || grep -qxF "${p#/proc}" <<<"$mounts" || {
			echo "not protected: $p" >&2
			return 1
		}
	done
}

# unseen asserts that a file of the container, if it exists, is not the canary's.
unseen() {
	local seen
	seen=$(coracle exec "$ID" cat "$1" 2>&1 </dev/null) || true
	[[ $seen != *canary* ]] || {
		echo "$1 is the canary's: $seen" >&2
		return 1
	}
}

# The link leads to something in the rootfs as well, so that each mount has a place. The runtime
# has to find that place, not the canary.
@test "race: the directory of a mount point" {
	touch "$BATS_TEST_TMPDIR/marked"
	mount_also '{destination: "/flip/dir", type: "tmpfs", source: "marked"}'
	config --arg source "$BATS_TEST_TMPDIR/marked" '.mounts += [{destination: "/flip/secret", type: "bind", source: $source, options: ["bind"]}]'
	mkdir -p "rootfs$OUTSIDE/dir"
	touch "rootfs$OUTSIDE/secret"
	exchanging flip "$OUTSIDE"
	creates marked 2
}

@test "race: the source of a bind mount in the rootfs" {
	config --arg p "$BUNDLE/rootfs/flip" '.mounts += [{destination: "/a", type: "bind", source: ($p + "/dir"), options: ["rbind"]}, {destination: "/b", type: "bind", source: ($p + "/secret"), options: ["bind"]}]'
	mkdir -p "rootfs$OUTSIDE/dir"
	touch "rootfs$OUTSIDE/secret"
	exchanging flip "$OUTSIDE"
	creates
}

# shellcheck disable=SC2317,SC2329 # called by creates
not_in_proc() {
	marked 1
	! awk '$(NF - 1) == "marked" && $5 ~ "^/proc"' "/proc/$(pid_of "$ID")/mountinfo" | grep . >&2
}

@test "race: a mount point that becomes a link to /proc" {
	mkdir -p rootfs/flip/sys
	mount_also '{destination: "/flip/sys", type: "tmpfs", source: "marked"}'
	exchanging flip proc
	creates not_in_proc
}

@test "race: mount points that have to be made, by a link to above the root" {
	mount_also '{destination: "/flip/new@/deep/dir", type: "tmpfs"}, {destination: "/flip/file@", type: "bind", source: "/etc/hostname", options: ["bind"]}'
	# As seen from rootfs/.
	exchanging flip ../../../../../../../../../.."$OUTSIDE"
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

# The kernel has made the node, and the program waits before its next step. That is time enough to
# replace the node by a link to the canary, whose owner must not change.
@test "race: a device that is replaced before it gets its owner" {
	failing=${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../../bin/coracle-failpoints}
	[ -x "$failing" ] || skip "bin/coracle-failpoints has not been built (make failpoints)"
	mkdir rootfs/made
	config '.linux.devices = [{path: "/made/null", type: "c", major: 1, minor: 3, uid: 1000, gid: 1000}]'
	op=$(coracle plan | sed -n '/^make the device "\/made\/null"/,$ s/^ *\([0-9]*\)  mknodat(.*/\1/p' | head -n 1)
	[ -n "$op" ]
	replaced=0
	# Until it has come in time once.
	for ((i = 0; i < 12 && replaced == 0; i++)); do
		rm -f rootfs/made/* "$BATS_TEST_TMPDIR/waits"
		ln -s "$OUTSIDE/secret" rootfs/link
		python3 -c 'import os, sys, time
open(sys.argv[3], "w").close()
while not os.path.lexists(sys.argv[1]):
    time.sleep(0.001)
os.rename(sys.argv[2], sys.argv[1])' rootfs/made/null rootfs/link "$BATS_TEST_TMPDIR/waits" >/dev/null 2>&1 3>&- &
		ASIDE+=($!)
		wait_for test -e "$BATS_TEST_TMPDIR/waits"
		status=0
		# create may have one op more than the plan at the beginning, for the timer slack.
		CORACLE_FAILPOINT="op=$((op + 1 + i % 2)):linger" "$failing" --root "$ROOT" create "$ID" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
		output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
		clean
		[ "$status" -eq 0 ] || replaced=$((replaced + 1))
		wait "${ASIDE[-1]}"
		coracle delete --force "$ID"
		untouched
	done
	[ "$replaced" -gt 0 ]
	nothing_left
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
	creates special
	rm -rf rootfs/proc rootfs/exchanged "$BATS_TEST_TMPDIR/count"
	exchanging proc "$OUTSIDE"
	creates special
	rm -rf rootfs/sys rootfs/exchanged "$BATS_TEST_TMPDIR/count"
	exchanging sys /etc
	creates special
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

# shellcheck disable=SC2317,SC2329 # called by creates
covered() {
	local n
	unseen /flip/secret
	# Each of the four mounts covers something, here or there.
	n=$(awk -v o="$OUTSIDE" '$5 ~ "^/(flip|exchanged)(/|$)" || index($5, o) == 1' "/proc/$(pid_of "$ID")/mountinfo" | wc -l)
	[ "$n" -ge 4 ] || {
		echo "$n of 4 paths are covered" >&2
		return 1
	}
}

@test "race: masked and read-only paths" {
	config '.linux.maskedPaths += ["/flip/secret", "/flip/dir"] | .linux.readonlyPaths += ["/flip", "/flip/dir"]'
	mkdir -p "rootfs$OUTSIDE/dir"
	echo mine >"rootfs$OUTSIDE/secret"
	exchanging flip "$OUTSIDE"
	creates covered
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
