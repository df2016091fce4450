# Helpers for the tests of mounts. Load it after helpers.bash.

setup() {
	setup_busybox
	OUTSIDE=$BATS_TEST_TMPDIR/outside
	mkdir "$OUTSIDE"
	echo canary >"$OUTSIDE/canary"
	SOURCE=$BATS_TEST_TMPDIR/source
	mkdir "$SOURCE"
	echo content >"$SOURCE/file"
}

# mount_also JSON adds a mount; $SOURCE and $OUTSIDE are variables of jq.
mount_also() {
	config --arg SOURCE "$SOURCE" --arg OUTSIDE "$OUTSIDE" ".mounts += [$1]"
}

# without DESTINATION removes the mounts at and below a path.
without() {
	config --arg d "$1" 'del(.mounts[] | select(.destination == $d or (.destination | startswith($d + "/"))))'
}

# see_mounts sets $output to the container's mountinfo.
# shellcheck disable=SC2154 # bats assigns status and output
see_mounts() {
	shell 'cat /proc/self/mountinfo'
	[ "$status" -eq 0 ] || {
		echo "status $status: $output" >&2
		return 1
	}
}

# untouched asserts that nothing was created or changed outside of the rootfs.
untouched() {
	[ "$(ls -A "$OUTSIDE")" = canary ]
	[ "$(cat "$OUTSIDE/canary")" = canary ]
	[ "$(ls -A "$SOURCE")" = file ]
	[ -z "$(find "$BUNDLE" -mindepth 1 -maxdepth 1 ! -name config.json ! -name rootfs)" ]
	[ "$(find "$BATS_TEST_TMPDIR" -mindepth 1 -maxdepth 1 | wc -l)" -le 6 ] # these, root, out and err
}
