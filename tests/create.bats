#!/usr/bin/env bats
# coracle create: a container whose process waits to be started.

load helpers

setup() {
	setup_busybox
}

@test "create leaves the init waiting and prints nothing" {
	created
	[ -z "$output" ]
	[ "$(status_of "$ID")" = created ]
	[[ $(readlink "/proc/$(pid_of "$ID")/exe") == /memfd:coracle-init* ]]
}

@test "the process is in its final cgroup when create returns" {
	created
	pid=$(pid_of "$ID")
	if [ -d /sys/fs/cgroup/memory ]; then
		grep -q ":memory:.*$ID" "/proc/$pid/cgroup"
		grep -q ":pids:.*$ID" "/proc/$pid/cgroup"
		grep -q ":devices:.*$ID" "/proc/$pid/cgroup"
	else
		grep -q "^0::.*$ID" "/proc/$pid/cgroup"
	fi
}

@test "the init holds no descriptors but the standard streams and the gate" {
	echo secret >"$BATS_TEST_TMPDIR/file"
	created 9<"$BATS_TEST_TMPDIR/file"
	for fd in /proc/"$(pid_of "$ID")"/fd/*; do
		[[ $(basename "$fd") =~ ^[012]$ || $(readlink "$fd") == socket:* ]]
	done
}

@test "the pid file holds the digits of the pid and nothing else" {
	created --pid-file "$BATS_TEST_TMPDIR/pid"
	printf %s "$(pid_of "$ID")" | cmp - "$BATS_TEST_TMPDIR/pid"
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/pid")" = 644 ]
}

@test "a pid file is replaced, not overwritten" {
	echo old >"$BATS_TEST_TMPDIR/pid"
	ln "$BATS_TEST_TMPDIR/pid" "$BATS_TEST_TMPDIR/link"
	created --pid-file "$BATS_TEST_TMPDIR/pid"
	[ "$(cat "$BATS_TEST_TMPDIR/link")" = old ]
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$(pid_of "$ID")" ]
	[ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name '.pid*')" ]
}

@test "there is no pid file when create fails" {
	args missing-command
	background create --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	failed
	[ ! -e "$BATS_TEST_TMPDIR/pid" ]
}

@test "create fails and leaves nothing when the pid file cannot be written" {
	background create --pid-file "$BATS_TEST_TMPDIR/no/pid" "$ID"
	failed "pid file" "no such file or directory"
	nothing_left
}

@test "a second create with the same id fails and does not disturb the first" {
	created
	pid=$(pid_of "$ID")
	background create "$ID"
	failed "already exists"
	[ "$(pid_of "$ID")" = "$pid" ]
	coracle start "$ID"
}

@test "of several creates with one id at once one succeeds" {
	for i in 1 2 3 4 5 6; do
		{ "$CORACLE" --root "$ROOT" create "$ID" >/dev/null 2>&1 </dev/null 3>&- && echo >"$BATS_TEST_TMPDIR/won.$i"; } &
	done
	wait
	[ "$(find "$BATS_TEST_TMPDIR" -name 'won.*' | wc -l)" -eq 1 ]
	[ "$(status_of "$ID")" = created ]
}

@test "invalid ids are refused" {
	for id in "" . .. a/b ../x "a b" 'a$b' $'a\nb' a:b é "$(printf 'a%.0s' {1..1025})"; do
		background create "$id"
		failed id
	done
	[ ! -d "$ROOT" ] || [ -z "$(ls -A "$ROOT")" ]
}

@test "ids may have letters, digits and the characters _+-." {
	ID=$ID.aZ09_+-.
	created
	[ "$(coracle state "$ID" | jq -r .id)" = "$ID" ]
	coracle delete --force "$ID"
	nothing_left
}

@test "an id is needed, and one only" {
	background create
	failed "wrong number of arguments"
	background create a b
	failed "wrong number of arguments"
}

@test "the bundle can be given" {
	cd /
	created --bundle "$BUNDLE"
	[ "$(coracle state "$ID" | jq -r .bundle)" = "$BUNDLE" ]
}

@test "create reports a command that is not in PATH" {
	args no-such-command
	background create "$ID"
	failed 'exec: "no-such-command": executable file not found in $PATH'
	nothing_left
}

@test "a command with a name that no file can have is not found, and a PATH without end is refused" {
	local dirs
	dirs=$(seq -s : 1000000 1004000)
	config --arg p "PATH=$dirs:/bin" '.process.env = [$p] | .process.args = ["x" * 100000]'
	(
		# A megabyte for each of the directories would not be there.
		ulimit -v 4000000
		background create "$ID"
		failed "executable file not found in \$PATH"
	)
	args true
	config --arg p "PATH=$dirs:$(seq -s : 1 200):/bin" '.process.env = [$p]'
	background create "$ID"
	failed "process.env" "PATH has more than 4096 directories"
	nothing_left
}

@test "create reports a path that does not exist" {
	args /no/such/command
	background create "$ID"
	failed 'exec: "/no/such/command": stat /no/such/command: no such file or directory'
	nothing_left
}

@test "create reports a command that is not executable" {
	args /etc/passwd
	background create "$ID"
	failed 'exec: "/etc/passwd"' "permission denied"
	nothing_left
}

@test "create reports a command that is a directory" {
	args /etc
	background create "$ID"
	failed 'exec: "/etc"' "permission denied"
	nothing_left
}

@test "create reports a command on a noexec mount" {
	config '.mounts += [{destination: "/bin", type: "bind", source: "rootfs/bin", options: ["bind", "noexec"]}]'
	args /bin/true
	background create "$ID"
	failed 'exec: "/bin/true"' "permission denied"
	nothing_left
}

@test "create reports a command that the user may not execute" {
	chmod 700 rootfs/bin/busybox
	config '.process.user = {uid: 1000, gid: 1000}'
	args /bin/true
	background create "$ID"
	failed 'exec: "/bin/true"' "permission denied"
	nothing_left
}

@test "a failing create writes one line of level error to the log and the same text to stderr" {
	args /no/such/command
	status=0
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format json create "$ID" >/dev/null 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	[ "$status" -eq 1 ]
	[ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = error ]
	[ "$(jq -r .msg "$BATS_TEST_TMPDIR/log")" = "$(cat "$BATS_TEST_TMPDIR/err")" ]
}

# Failures at every stage of the creation.
@test "nothing is left behind by a create that fails" {
	cp config.json good.json
	for change in \
		'.root.path = "missing"' \
		'.mounts += [{destination: "/mnt", type: "nosuchfs"}]' \
		'.mounts += [{destination: "/mnt", type: "bind", source: "missing", options: ["bind"]}]' \
		'.linux.namespaces[0].path = "/proc/self/ns/net"' \
		'.linux.devices = [{path: "/etc/passwd", type: "c", major: 1, minor: 3}]' \
		'.process.cwd = "/etc/passwd/x"' \
		'.process.args = ["/missing"]' \
		'.linux.resources.cpu = {cpus: "4095"}'; do
		jq "$change" good.json >config.json
		background create "$ID"
		failed || {
			echo "$change" >&2
			return 1
		}
		nothing_left
	done
}

@test "create fails cleanly when the state root cannot be made" {
	echo >"$ROOT"
	background create "$ID"
	failed "state root" "not a directory"
	rm "$ROOT"
	nothing_left
}

# in_tmpfs_root SCRIPT runs a script with a state root of 16 KiB on a private tmpfs.
in_tmpfs_root() {
	mkdir -p "$ROOT"
	# shellcheck disable=SC2016
	run unshare --mount bash -c 'ROOT=$1 CORACLE=$2 ID=$3; mount -t tmpfs -o size=16k tmpfs "$ROOT"; '"$1" - "$ROOT" "$CORACLE" "$ID"
}

@test "create fails cleanly when the state root is read-only" {
	in_tmpfs_root 'mount -o remount,ro "$ROOT"; "$CORACLE" --root "$ROOT" create "$ID" >/dev/null'
	failed "read-only file system"
	nothing_left
}

@test "create fails cleanly when the state root is full" {
	in_tmpfs_root 'dd if=/dev/zero of="$ROOT/fill" bs=4k 2>/dev/null; "$CORACLE" --root "$ROOT" create "$ID" >/dev/null; s=$?; ls -A "$ROOT"; exit $s'
	failed "no space left on device"
	[ "$(tail -n 1 <<<"$output")" = fill ]
	nothing_left
}

@test "create fails cleanly however little room the state root has" {
	in_tmpfs_root '
		for n in 1 2 3 4; do
			dd if=/dev/zero of="$ROOT/fill" bs=4k count=$n 2>/dev/null
			"$CORACLE" --root "$ROOT" create "$ID" >/dev/null 2>&1 || { [ "$(ls -A "$ROOT")" = fill ] || exit 1; }
			"$CORACLE" --root "$ROOT" delete --force "$ID" || exit 1
			[ "$(ls -A "$ROOT")" = fill ] || exit 1
		done'
	[ "$status" -eq 0 ]
	nothing_left
}

@test "a terminal needs a console socket, and the other way round" {
	background create --console-socket "$BATS_TEST_TMPDIR/socket" "$ID"
	failed "cannot use console socket"
	config '.process.terminal = true'
	background create "$ID"
	failed "cannot allocate tty"
	nothing_left
}

@test "a configuration without process can be created but not started" {
	config 'del(.process)'
	created
	[ "$(status_of "$ID")" = created ]
	run coracle start "$ID"
	failed "no process"
	[ "$(status_of "$ID")" = created ]
}
