# What the tests of security have in common. It is loaded after helpers.bash.
#
# The canary is a directory of the host, outside of the rootfs, that no container may
# change or see.

setup() {
	setup_busybox
	writable
	canary
}

# canary makes the directory $OUTSIDE, and remembers everything about it.
canary() {
	OUTSIDE=$BATS_TEST_TMPDIR/outside
	mkdir -p "$OUTSIDE/dir/below"
	echo canary >"$OUTSIDE/secret"
	echo canary >"$OUTSIDE/dir/secret"
	chmod 640 "$OUTSIDE/secret"
	chown 1234:1234 "$OUTSIDE/dir/secret"
	ln -s secret "$OUTSIDE/link"
	mkfifo "$OUTSIDE/fifo"
	listing >"$BATS_TEST_TMPDIR/before"
}

# listing prints everything about the canary. The times of change tell of a file that was
# made and removed again, and of an owner or mode that was set to what it was.
listing() {
	find "$OUTSIDE" -printf '%P %y %i %m %U:%G %s %n %T@ %C@ %l\n' | sort
	find "$OUTSIDE" -type f -exec sha256sum {} + | sort
}

# untouched asserts that nothing has changed, and that no mount of the test is left. It
# is used in conditions as well, where a command that fails does not end it.
untouched() {
	listing | diff "$BATS_TEST_TMPDIR/before" - >&2 || return 1
	! grep -F "$BATS_TEST_TMPDIR" /proc/self/mountinfo >&2
}

# outside_mounts PID prints the mounts that a process sees of the canary.
outside_mounts() {
	awk 'index($4, "/outside") && !index($4, "/bundle/rootfs")' "/proc/$1/mountinfo"
}

# confined asserts that a container that was created sees nothing of the canary.
confined() {
	local pid
	pid=$(pid_of "$ID")
	[ -z "$(outside_mounts "$pid")" ] || {
		outside_mounts "$pid" >&2
		return 1
	}
}

# clean asserts that create has succeeded, or has failed with one line.
# shellcheck disable=SC2154,SC2015 # bats assigns status and output; the last command fails
clean() {
	if [ "$status" -eq 0 ]; then
		confined
	else
		[ "$status" -eq 1 ] && [ "$(wc -l <<<"$output")" -eq 1 ] || {
			echo "status $status: $output" >&2
			return 1
		}
	fi
}

# mount_also JSON adds a mount; $OUTSIDE is a variable of jq.
mount_also() {
	config --arg OUTSIDE "$OUTSIDE" ".mounts += [$1]"
}
