# Helpers for the tests with real engines.
#
# An engine believes that the machine is its own. So those of a file live in a mount
# namespace: /run, /dev/shm and what they keep below /var/lib are empty there and end
# with it, and /mnt is the directory of the file, which is open to every user.
#
# With ENGINES=system they are those of the system, with its services and with the
# defaults that they have there; coracle is what the configuration in packaging/engines
# makes of it. That is for a machine of which nothing is needed afterwards, such as the
# virtual one; the directory of the file is below /mnt there.

# The user for those who need one, with the ids that they may hand out. They exist in the
# namespace only, or is one of the virtual machine.
USER_ID=54321 GROUP_ID=54322

# DIR is the directory of the file as engines see it, PROGRAM is coracle there.
if [ "${ENGINES:-private}" = system ]; then
	DIR=/mnt/$(basename "$BATS_TEST_FILENAME" .bats) PROGRAM=/usr/bin/coracle
else
	DIR=/mnt PROGRAM=/mnt/coracle
fi

# of_system reports whether the engines are those of the system.
of_system() {
	[ "${ENGINES:-private}" = system ]
}

# need_apparmor skips a test where there is none.
need_apparmor() {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "AppArmor is not there"
}

# need_unified skips a test where there are the hierarchies of cgroup v1.
need_unified() {
	unified || skip "cgroup v1"
}

# need_system skips a test for private engines.
need_system() {
	of_system || skip "not the engines of a system with systemd"
}

# unit PROPERTY UNIT prints a property of a unit of systemd.
unit() {
	systemctl show --property "$1" --value "$2"
}

# engines_start NAME COMMAND... makes the namespace, if the commands are there. NAME is
# the cgroup of the file's containers.
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
	# The name of the program is its name for engines.
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

# engines_end ends all processes of the namespace, and what is left of the cgroups.
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

# inside runs a command where the engines are.
inside() {
	if of_system; then
		(cd "$DIR" && exec "$@" 3>&-)
		return
	fi
	# shellcheck disable=SC2016 # expanded by the shell inside
	nsenter --mount --target "$(cat "$BATS_FILE_TMPDIR/namespace")" -- sh -c 'cd /mnt && exec "$@"' sh "$@" 3>&-
}

# as_user runs a command there as the user; in the system with their service manager.
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

# try runs a command as bats' run does, which warns of status 127.
try() {
	status=0
	output=$("$@" 2>&1) || status=$?
}

# is STATUS [TEXT...] asserts the status of the last command, and texts in its output.
is() {
	if [ "$status" -ne "$1" ]; then
		echo "status $status, not $1: $output" >&2
		return 1
	fi
	shift
	says "$@"
}

# limit V1FILE V2FILE ID... prints what the cgroup of a container has in a file of one
# version or the other.
limit() {
	local f
	for f in "/sys/fs/cgroup/${1%%.*}/$CGROUP"/*"$3"*/"$1" "/sys/fs/cgroup/$CGROUP"/*"$3"*/"$2" \
		/sys/fs/cgroup/*.slice/{libpod,docker}-"$3".scope/"$2"; do
		[ ! -e "$f" ] || cat "$f"
	done
}
