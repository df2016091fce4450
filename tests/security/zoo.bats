#!/usr/bin/env bats
# bats file_tags=vm
# R-07, R-13, R-14, R-16: images with something unexpected at the paths that a runtime uses.
#
# Protections: the resolve flags inRoot and inRootNoLinks (compile/rootfs.go); the null device for
# masks that comes from the host and is checked (source.Null, pinMasks in compile/paths.go); the
# checks of ptmx and the slave by TIOCGPTPEER (compile/terminal.go); O_NOFOLLOW and the check of a
# link in console there; checkNode in compile/devices.go.

load ../helpers
load canary

# things are the replacements.
things="outside up dangling inside parent file fifo"

# put THING PATH replaces a path in the rootfs.
put() {
	rm -rf "rootfs/$2"
	mkdir -p "$(dirname "rootfs/$2")"
	case $1 in
	outside) ln -s "$OUTSIDE" "rootfs/$2" ;;
	up) ln -s ../../../../../../../../../.."$OUTSIDE" "rootfs/$2" ;;
	dangling) ln -s "$OUTSIDE/new" "rootfs/$2" ;;
	inside) ln -s /usr "rootfs/$2" ;;
	parent)
		# Replaces the parent, not the last component.
		rm -rf "$(dirname "rootfs/$2")"
		ln -s "$OUTSIDE" "$(dirname "rootfs/$2")"
		;;
	file) echo mine >"rootfs/$2" ;;
	fifo) mkfifo "rootfs/$2" ;;
	canary) ln -s "$OUTSIDE/secret" "rootfs/$2" ;;
	link)
		echo mine >rootfs/linked
		ln -s /linked "rootfs/$2"
		;;
	zero) mknod "rootfs/$2" c 1 5 ;;
	dir) mkdir "rootfs/$2" ;;
	ptmx) mknod "rootfs/$2" c 5 2 ;;
	esac
}

# fresh restores the rootfs.
fresh() {
	rm -rf rootfs
	cp -a "$CORACLE_CACHE/busybox" rootfs
}

# create_cleanly creates and deletes the container, with a time limit: nothing may hang.
create_cleanly() {
	status=0
	timeout 20 "$CORACLE" --root "$ROOT" create "$ID" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
	clean || {
		echo "($*)" >&2
		return 1
	}
	coracle delete --force "$ID"
	untouched || {
		echo "changed by $*" >&2
		return 1
	}
}

@test "zoo: links and files in the places of special mounts" {
	for path in proc sys dev sys/fs/cgroup; do
		for thing in $things; do
			# The parent of these is the rootfs itself.
			[[ $thing != parent || $path == */* ]] || continue
			fresh
			put "$thing" "$path"
			create_cleanly "$path as $thing"
			# A kernel file system is at its place or nowhere.
			[ "$status" -eq 1 ] || [ "$path" = sys/fs/cgroup ] || {
				echo "$path as $thing is accepted" >&2
				return 1
			}
		done
	done
	nothing_left
}

@test "zoo: links and files in the places of mounts below /dev and /sys of the image" {
	config 'del(.mounts[] | select(.destination == "/dev" or .destination == "/sys"))'
	for path in dev/pts dev/mqueue dev/shm sys/fs/cgroup; do
		for thing in $things; do
			fresh
			put "$thing" "$path"
			create_cleanly "$path as $thing"
			# A tmpfs may be where the image puts it, within the container; the others may not.
			[ "$status" -eq 1 ] || [ "$path" = dev/shm ] || {
				echo "$path as $thing is accepted" >&2
				return 1
			}
		done
	done
	nothing_left
}

# R-16: everything that the runtime creates by itself.
@test "zoo: links in the places of what the runtime makes" {
	config 'del(.mounts[] | select(.destination | startswith("/dev")))'
	for path in dev dev/null dev/zero dev/ptmx dev/fd dev/stdin dev/core; do
		for thing in $things canary; do
			# The parent of /dev is the rootfs, whose path the caller chooses.
			[[ $thing != parent || $path == */* ]] || continue
			fresh
			put "$thing" "$path"
			create_cleanly "$path as $thing"
		done
	done
	config '.linux.devices = [{path: "/a/b/device", type: "c", major: 1, minor: 3, uid: 5}] | .process.cwd = "/c/d" |
		.mounts += [{destination: "/e/f", type: "tmpfs"}, {destination: "/g/h", type: "bind", source: "/etc/hostname", options: ["bind"]}]'
	for path in a/b/device a/b c/d e/f g/h; do
		for thing in $things canary; do
			fresh
			put "$thing" "$path"
			create_cleanly "$path as $thing"
		done
	done
	nothing_left
}

@test "zoo: a /dev/null of the image is not used, neither for masks nor for streams" {
	mkdir "$BATS_TEST_TMPDIR/dev"
	config --arg dev "$BATS_TEST_TMPDIR/dev" 'del(.mounts[] | select(.destination | startswith("/dev"))) |
		.mounts += [{destination: "/dev", type: "bind", source: $dev, options: ["bind"]}] |
		.process.user = {uid: 1000, gid: 1000} | .linux.maskedPaths += ["/masked"]'
	echo content >rootfs/masked
	# shellcheck disable=SC2016 # for the container's shell
	args sh -c 'stat -c %t:%T /masked; wc -c </masked; stat -L -c %d:%i /proc/self/fd/0'
	for thing in canary file fifo zero; do
		rm -f "$BATS_TEST_TMPDIR/dev/null"
		case $thing in
		canary) ln -s "$OUTSIDE/secret" "$BATS_TEST_TMPDIR/dev/null" ;;
		file) echo mine >"$BATS_TEST_TMPDIR/dev/null" ;;
		fifo) mkfifo "$BATS_TEST_TMPDIR/dev/null" ;;
		zero) mknod "$BATS_TEST_TMPDIR/dev/null" c 1 5 ;;
		esac
		owner=$(stat -c '%u:%g %a' "$BATS_TEST_TMPDIR/dev/null")
		# A stream that is the host's /dev/null stays the host's.
		run timeout 20 "$CORACLE" --root "$ROOT" run "$ID" </dev/null
		[ "$status" -eq 0 ]
		[ "$output" = $'1:3\n0\n'"$(stat -c %d:%i /dev/null)" ]
		[ "$(stat -c '%u:%g %a' "$BATS_TEST_TMPDIR/dev/null")" = "$owner" ]
		[ "$(stat -c '%u:%g' /dev/null)" = 0:0 ]
		untouched
	done
}

# console runs a container with a terminal; $output describes the terminal.
console() {
	rm -f "$BATS_TEST_TMPDIR/socket"
	python3 "$BATS_TEST_DIRNAME/../pty.py" fd-receiver "$BATS_TEST_TMPDIR/socket" >"$BATS_TEST_TMPDIR/received" 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
	wait_for test -S "$BATS_TEST_TMPDIR/socket"
	background create --console-socket "$BATS_TEST_TMPDIR/socket" "$ID"
}

@test "zoo: ptmx and console of the image are not opened" {
	config '.process.terminal = true | del(.mounts[] | select(.destination == "/dev"))'
	for path in dev/ptmx dev/console; do
		for thing in canary dangling link file fifo zero ptmx dir; do
			fresh
			put "$thing" "$path"
			console
			clean
			if [ "$status" -eq 0 ]; then
				pid=$(pid_of "$ID")
				# The terminal belongs to the container's own devpts, whatever the image has.
				pts=$(stat -c %d "/proc/$pid/root/dev/pts")
				for fd in 0 1 2; do
					[ "$(stat -L -c '%d %t' "/proc/$pid/fd/$fd")" = "$pts 88" ]
				done
				[ "$(stat -c '%d %t' "/proc/$pid/root/dev/console")" = "$pts 88" ]
			fi
			# A ptmx of the image is replaced, unless it is a directory. A console is covered
			# itself, not what a link leads to.
			case $path-$thing in
			*-dir) ;;
			dev/console-canary | dev/console-dangling | dev/console-link) failed console ;;
			*) [ "$status" -eq 0 ] || { echo "$path as $thing: $output" >&2; return 1; } ;;
			esac
			coracle delete --force "$ID"
			untouched || {
				echo "changed by $path as $thing" >&2
				return 1
			}
		done
	done
	nothing_left
}

@test "zoo: no terminal without a devpts at /dev/pts itself" {
	config '.process.terminal = true | del(.mounts[] | select(.destination | startswith("/dev")))'
	# Another devpts, behind a link and without one.
	mkdir -p rootfs/dev/pts rootfs/other
	mknod rootfs/dev/pts/ptmx c 5 2
	console
	failed "process.terminal"
	rm -r rootfs/dev/pts
	mount_also '{destination: "/other", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}'
	ln -s ../other rootfs/dev/pts
	console
	failed "process.terminal"
	nothing_left
	untouched
}
