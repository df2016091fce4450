# Helpers for the bats tests. A test loads this file and calls setup_busybox or
# setup_debian; what it makes is removed by teardown.
#
#   CORACLE        the binary to test; default: the one that `make` built
#   CORACLE_CACHE  where root file systems are kept; default: /var/cache/coracle

CORACLE=${CORACLE:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)/coracle}
CORACLE_CACHE=${CORACLE_CACHE:-/var/cache/coracle}

# Every test has a state root, a bundle and an id of its own.
common_setup() {
	ROOT=$BATS_TEST_TMPDIR/root
	BUNDLE=$BATS_TEST_TMPDIR/bundle
	ID=cortest-$$-$BATS_TEST_NUMBER
	mkdir -p "$BUNDLE"
	cd "$BUNDLE" || return
}

# setup_busybox makes a bundle with a small, writable rootfs of its own.
setup_busybox() {
	common_setup
	cp -a "$CORACLE_CACHE/busybox" "$BUNDLE/rootfs"
	make_config
}

# setup_debian makes a bundle on the shared rootfs that debootstrap made. It is
# read-only: the same one serves all tests.
setup_debian() {
	common_setup
	make_config
	config --arg path "$CORACLE_CACHE/debian" '.root.path = $path | .root.readonly = true'
}

make_config() {
	"$CORACLE" spec --bundle "$BUNDLE"
	config '.process.terminal = false'
}

# config changes config.json with a jq program; options of jq may come before it.
config() {
	jq "$@" <"$BUNDLE/config.json" >"$BUNDLE/.new" && mv "$BUNDLE/.new" "$BUNDLE/config.json"
}

# args sets the command of the container.
args() {
	config --arg args "$(printf '%s\n' "$@" | jq -R . | jq -s .)" '.process.args = ($args | fromjson)'
}

# coracle runs the binary with the state root of the test. Do not use it with bats'
# `run` for create and detached run of long-lived containers: these inherit the
# output, and `run` waits for its end. Use `background` there.
coracle() {
	"$CORACLE" --root "$ROOT" "$@"
}

# background runs coracle with the standard streams of the container in files. The
# status is in $status and the combined output in $output, as with `run`.
background() {
	status=0
	"$CORACLE" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
}

# status_of prints the status of a container.
status_of() {
	coracle state "$1" | jq -r .status
}

# wait_for CONDITION... tries a command for up to 10 seconds.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.05
	done
	echo "never true: $*" >&2
	return 1
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

# cgroup_dirs prints the directories of a container's cgroup.
cgroup_dirs() {
	find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null
}

teardown() {
	local d
	[ -d "$ROOT" ] || return 0
	for d in "$ROOT"/*/; do
		[ -d "$d" ] && coracle delete --force "$(basename "$d")"
	done
	return 0
}
