# Helpers for the tests with real engines.
#
# An engine assumes that the machine is its own. So the engines of a file run in a mount
# namespace: /run, /dev/shm and their directories below /var/lib are empty there and are removed
# with it, and /mnt is the directory of the file, which is accessible for all users.
#
# With ENGINES=system the engines are those of the system, with its services and defaults, and
# coracle is configured by the files in packaging/engines. This is for a machine that is thrown
# away afterwards, such as the virtual one; there the directory of the file is below /mnt.

# The user for rootless engines, with subordinate ids. The user exists only in the namespace, or
# is a user of the virtual machine.
USER_ID=54321 GROUP_ID=54322

# DIR is the directory of the file as the engines see it, and PROGRAM is the path of coracle
# there.
if [ "${ENGINES:-private}" = system ]; then
	DIR=/mnt/$(basename "$BATS_TEST_FILENAME" .bats) PROGRAM=/usr/bin/coracle
else
	DIR=/mnt PROGRAM=/mnt/coracle
fi

# of_system reports whether the engines are those of the system.
of_system() {
	[ "${ENGINES:-private}" = system ]
}

# need_apparmor skips a test where AppArmor is not enabled.
need_apparmor() {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "AppArmor is not there"
}

# need_unified skips a test on cgroup v1.
need_unified() {
	unified || skip "cgroup v1"
}

# need_system skips a test unless the engines are those of the system.
need_system() {
	of_system || skip "not the engines of a system with systemd"
}

# unit PROPERTY UNIT prints a property of a systemd unit.
unit() {
	systemctl show --property "$1" --value "$2"
}

# engines_start NAME COMMAND... makes the namespace, if the commands exist. NAME is the parent
# cgroup of the file's containers.
engines_start() {
	local dir=$BATS_FILE_TMPDIR name=$1
	shift
	for c in "$@"; do
		command -v "$c" >/dev/null || {
			echo "$c is not there" >"$dir/missing"
			return
		}
	done
	chmod 755 "$dir"
	mkdir "$dir/etc" "$dir/home" "$dir/xdg"
	chown "$USER_ID:$GROUP_ID" "$dir/home" "$dir/xdg"
	chmod 700 "$dir/xdg"
	echo "cortest-$RUN-$name" >"$dir/cgroup"
	tar -C "$CORACLE_CACHE/busybox" -cf "$dir/busybox.tar" .
	if of_system; then
		cp /etc/subuid "$dir/etc/"
		mkdir -p "$DIR"
		mount --bind "$dir" "$DIR"
		# Two files may do this at the same time.
		install "$CORACLE" "$PROGRAM.$name" && mv "$PROGRAM.$name" "$PROGRAM"
		touch "$dir/ready"
		return
	fi
	# Engines use the program's name as the runtime's name.
	cp "$CORACLE" "$dir/coracle"
	{ cat /etc/passwd && echo "cortest:x:$USER_ID:$GROUP_ID::/mnt/home:/bin/sh"; } >"$dir/etc/passwd"
	{ cat /etc/group && echo "cortest:x:$GROUP_ID:"; } >"$dir/etc/group"
	printf '%s\n' cortest:300000:65536 containers:400000:1048576 | tee "$dir/etc/subuid" >"$dir/etc/subgid"
	# shellcheck disable=SC2016 # expanded by the shell inside
	unshare --mount --propagation private sh -c '
		set -e
		mount --bind "$1" /mnt
		mount --make-shared /mnt
		for f in passwd group subuid subgid; do
			[ -e "/etc/$f" ] || continue
			mount --bind "/mnt/etc/$f" "/etc/$f"
		done
		for d in /run /dev/shm /var/lib/containers /var/lib/cni; do
			[ ! -d "$d" ] || mount -t tmpfs -o mode=755 tmpfs "$d"
		done
		chmod 1777 /dev/shm
		echo ready >/mnt/ready
		exec sleep infinity' sh "$dir" >"$dir/namespace.log" 2>&1 </dev/null 3>&- &
	echo $! >"$dir/namespace"
	wait_for test -e "$dir/ready"
}

# engines_end kills all processes of the namespace, and removes the remaining cgroups.
engines_end() {
	local dir=$BATS_FILE_TMPDIR namespace p
	[ -e "$dir/ready" ] || return 0
	if of_system; then
		umount --recursive "$DIR"
		return
	fi
	namespace=$(readlink "/proc/$(cat "$dir/namespace")/ns/mnt")
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/ns/mnt")" != "$namespace" ] || kill -9 "${p#/proc/}" 2>/dev/null || true
	done
	wait_for no_engine_cgroups
}

no_engine_cgroups() {
	find /sys/fs/cgroup -depth -type d -path "*/$(cat "$BATS_FILE_TMPDIR/cgroup")*" -exec rmdir {} + 2>/dev/null
	[ -z "$(find /sys/fs/cgroup -type d -name "$(cat "$BATS_FILE_TMPDIR/cgroup")")" ]
}

# engines_setup prepares a test, or skips it.
engines_setup() {
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || skip "$(cat "$BATS_FILE_TMPDIR/missing")"
	common_setup
	CGROUP=$(cat "$BATS_FILE_TMPDIR/cgroup")
	# The name of the container.
	# shellcheck disable=SC2034 # for the tests
	ID=test$BATS_TEST_NUMBER
}

# inside runs a command in the namespace of the engines.
inside() {
	if of_system; then
		(cd "$DIR" && exec "$@" 3>&-)
		return
	fi
	# shellcheck disable=SC2016 # expanded by the shell inside
	nsenter --mount --target "$(cat "$BATS_FILE_TMPDIR/namespace")" -- sh -c 'cd /mnt && exec "$@"' sh "$@" 3>&-
}

# as_user runs a command there as the user; with system engines below the user's systemd.
as_user() {
	local home=$DIR/home runtime=$DIR/xdg bus=()
	if of_system; then
		home=/home/cortest runtime=/run/user/$USER_ID bus=("DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$USER_ID/bus")
	fi
	inside setpriv --reuid "$USER_ID" --regid "$GROUP_ID" --clear-groups \
		env -i PATH=/usr/sbin:/usr/bin:/bin "HOME=$home" "XDG_RUNTIME_DIR=$runtime" "${bus[@]}" "$@"
}

# on_terminal runs a command there, on a terminal of 31 rows and 97 columns.
on_terminal() {
	inside python3 "$BATS_TEST_DIRNAME/../pty.py" run size=31x97 -- "$@"
}

# try runs a command as bats' run does, but without its warning about status 127.
try() {
	status=0
	output=$("$@" 2>&1) || status=$?
}

# is STATUS [TEXT...] asserts the status of the last command, and that its output has these texts.
is() {
	if [ "$status" -ne "$1" ]; then
		echo "status $status, not $1: $output" >&2
		return 1
	fi
	shift
	says "$@"
}

# limit V1FILE V2FILE ID... prints a file of a container's cgroup, by its name on each cgroup
# version.
limit() {
	local f
	for f in "/sys/fs/cgroup/${1%%.*}/$CGROUP"/*"$3"*/"$1" "/sys/fs/cgroup/$CGROUP"/*"$3"*/"$2" \
		/sys/fs/cgroup/*.slice/{libpod,docker}-"$3".scope/"$2"; do
		[ ! -e "$f" ] || cat "$f"
	done
}
