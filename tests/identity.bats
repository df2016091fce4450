#!/usr/bin/env bats
# The identity of the process: user, groups, environment, directory, limits.

load helpers

setup() {
	setup_busybox
}

@test "the process has the user and group of the configuration" {
	config '.process.user = {uid: 1000, gid: 100}'
	shell 'id -u; id -g; grep -E "^(Uid|Gid|Groups):" /proc/self/status'
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 100 ]
	[ "${lines[2]}" = $'Uid:\t1000\t1000\t1000\t1000' ]
	[ "${lines[3]}" = $'Gid:\t100\t100\t100\t100' ]
}

@test "additional groups are set, and none of the caller stay" {
	config '.process.user.additionalGids = [7, 5, 4000000000]'
	args sh -c 'grep ^Groups: /proc/self/status'
	run setpriv --groups 111,222 "$CORACLE" --root "$ROOT" run "$ID"
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "Groups: 5 7 4000000000 " ]
	config 'del(.process.user.additionalGids)'
	run setpriv --groups 111,222 "$CORACLE" --root "$ROOT" run "$ID"
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "Groups: " ]
}

# bats test_tags=vm
@test "run.oci.keep_original_groups leaves the process, also of exec, the groups of its caller" {
	config '.annotations = {"run.oci.keep_original_groups": "1"} | .process.user.additionalGids = [7]'
	# The last one is the startContainer hook, a program of the image.
	config '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "grep ^Groups: /proc/self/status >/hook"]}] | .root.readonly = false'
	args sh -c 'grep ^Groups: /proc/self/status; exec sleep 1000'
	setpriv --groups 111,222 "$CORACLE" --root "$ROOT" run --detach "$ID" >out </dev/null
	wait_for test -s out
	[ "$(tr -s ' \t' ' ' <out)" = "Groups: 111 222 " ]
	run setpriv --groups 333 "$CORACLE" --root "$ROOT" exec "$ID" grep ^Groups: /proc/self/status
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "Groups: 333 " ]
	[ "$(tr -s ' \t' ' ' <rootfs/hook)" = "Groups: 111 222 " ]
	run "$CORACLE" validate
	[ "$status" -eq 0 ]
	says 'warning: process.user.additionalGids has no effect: annotations["run.oci.keep_original_groups"] leaves'
	coracle delete --force "$ID"
	config '.annotations[] = "0" | del(.hooks)'
	args grep ^Groups: /proc/self/status
	run setpriv --groups 111,222 "$CORACLE" --root "$ROOT" run "$ID"
	[ "$(tr -s ' \t' ' ' <<<"$output")" = "Groups: 7 " ]
}

@test "large ids are possible" {
	config '.process.user = {uid: 4294967294, gid: 4294967294}'
	shell 'id -u; id -g'
	[ "$output" = $'4294967294\n4294967294' ]
}

@test "ids out of range are refused" {
	for id in -1 4294967295 4294967296 1.5 '"root"'; do
		for property in uid gid; do
			config ".process.user.$property = $id"
			background create "$ID"
			failed "process.user.$property"
			config ".process.user.$property = 0"
		done
		config ".process.user.additionalGids = [5, $id]"
		background create "$ID"
		failed "process.user.additionalGids[1]"
		config 'del(.process.user.additionalGids)'
	done
	nothing_left
}

@test "the umask is that of the configuration" {
	config '.process.user.umask = 63'
	umask 0
	shell 'umask; touch /dev/shm/file; stat -c %a /dev/shm/file'
	[ "$output" = $'0077\n600' ]
}

@test "without one it is that of the caller" {
	for mask in 0000 0022 0027; do
		umask "$mask"
		shell umask
		[ "$output" = "$mask" ]
	done
	umask 0022
}

@test "the environment is exactly that of the configuration" {
	config '.process.env = ["PATH=/bin", "HOME=/somewhere", "EMPTY=", "SPACE=a b", "LINES=1\n2", "DOUBLE=1", "NOEQUALS"]'
	args sh -c 'tr "\0" "|" </proc/self/environ'
	export LEAK=leak
	run coracle run "$ID"
	config '.process.args = ["cat", "/proc/self/environ"]'
	background run "$ID"
	[ "$(tr '\0' '|' <"$BATS_TEST_TMPDIR/out")" = $'PATH=/bin|HOME=/somewhere|EMPTY=|SPACE=a b|LINES=1\n2|DOUBLE=1|NOEQUALS|' ]
}

@test "of variables with one name the last counts, once, at its place" {
	config '.process.env = ["ONE=1", "PATH=/none", "ONE=two=2", "HOME=/first", "PATH=/bin", "ONE=three", "HOME=", "NOEQUALS", "NOEQUALS"]'
	args cat /proc/self/environ
	background run "$ID"
	[ "$(tr '\0' '|' <"$BATS_TEST_TMPDIR/out")" = 'PATH=/bin|ONE=three|NOEQUALS|HOME=/root|' ]
}

@test "HOME comes from the container's /etc/passwd" {
	for user in 0:/root 1000:/home/user; do
		config ".process.user.uid = ${user%%:*}"
		shell 'echo $HOME'
		[ "$output" = "${user#*:}" ]
	done
}

@test "HOME is / for a user without entry, and without a usable /etc/passwd" {
	config '.process.user.uid = 4711'
	shell 'echo $HOME'
	[ "$output" = / ]
	config '.process.user.uid = 0'
	for thing in missing dir fifo link device garbage; do
		rm -rf rootfs/etc/passwd
		case $thing in
		missing) ;;
		dir) mkdir rootfs/etc/passwd ;;
		fifo) mkfifo rootfs/etc/passwd ;;
		link) ln -s "$BATS_TEST_TMPDIR/passwd" rootfs/etc/passwd ;;
		device) mknod rootfs/etc/passwd c 1 5 ;;
		garbage) head -c 100000 /dev/urandom >rootfs/etc/passwd ;;
		esac
		echo 'root:x:0:0:root:/outside:/bin/sh' >"$BATS_TEST_TMPDIR/passwd"
		shell 'echo $HOME'
		[ "$output" = / ]
	done
}

@test "a HOME of the configuration stays, an empty one does not" {
	config '.process.env += ["HOME=/mine"]'
	shell 'echo $HOME'
	[ "$output" = /mine ]
	config '.process.env[-1] = "HOME="'
	shell 'echo $HOME'
	[ "$output" = /root ]
}

@test "the working directory is that of the configuration" {
	config '.process.cwd = "/usr/bin"'
	shell 'pwd; /bin/pwd; readlink /proc/self/cwd'
	[ "$output" = $'/usr/bin\n/usr/bin\n/usr/bin' ]
}

@test "a missing working directory is made" {
	writable
	config '.process.cwd = "/new/and/deep"'
	shell 'pwd; stat -c "%a %u" /new/and/deep'
	[ "$output" = $'/new/and/deep\n755 0' ]
	[ -d rootfs/new/and/deep ]
}

@test "a missing working directory is made in a read-only root too" {
	config '.process.cwd = "/new"'
	shell 'pwd; touch /new/file'
	[ "${lines[0]}" = /new ]
	[[ ${lines[1]} == *"Read-only file system"* ]]
}

@test "a working directory that is a file is reported" {
	config '.process.cwd = "/etc/passwd"'
	background create "$ID"
	failed 'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'
	nothing_left
}

@test "a working directory that is reached through an open file is refused" {
	for fd in 3 4 5 6 7 8 9; do
		for path in "/proc/self/fd/$fd" "/proc/self/fd/$fd/../.." "/proc/thread-self/fd/$fd"; do
			config --arg cwd "$path" '.process.cwd = $cwd'
			background create --preserve-fds 2 "$ID" 3</ 4</etc
			failed 'chdir to cwd ("'"$path"'")'
		done
	done
	nothing_left
}

@test "a working directory that is a link stays in the container" {
	mkdir "$BATS_TEST_TMPDIR/outside"
	echo >"$BATS_TEST_TMPDIR/outside/canary"
	ln -s /usr/bin rootfs/inside
	ln -s ../../../../../../../.. rootfs/up
	ln -s "$BATS_TEST_TMPDIR/outside" rootfs/out
	config '.process.cwd = "/inside"'
	shell '/bin/pwd'
	[ "$output" = /usr/bin ]
	config '.process.cwd = "/up"'
	shell '/bin/pwd; ls /up/bin/busybox'
	[ "$output" = $'/\n/up/bin/busybox' ]
	config '.process.cwd = "/out"'
	background create "$ID"
	failed 'chdir to cwd ("/out")'
	[ "$(ls "$BATS_TEST_TMPDIR/outside")" = canary ]
}

@test "a working directory that the user may not enter is entered as root" {
	mkdir -m 700 rootfs/secret
	config '.process.cwd = "/secret" | .process.user = {uid: 1000, gid: 1000}'
	shell 'readlink /proc/self/cwd; ls . 2>&1'
	[ "${lines[0]}" = /secret ]
	[[ ${lines[1]} == *"Permission denied"* ]]
}

@test "the command is looked up in the PATH of the configuration" {
	mkdir rootfs/opt
	printf '#!/bin/sh\necho mine\n' >rootfs/opt/mine
	chmod 755 rootfs/opt/mine
	config '.process.env = ["PATH=/nowhere:/opt:/bin"] | .process.args = ["mine"]'
	run coracle run "$ID"
	[ "$output" = mine ]
}

@test "a command that leads to the init's own program is not found" {
	ln -s /proc/self/exe rootfs/bin/linked
	config '.process.env = ["PATH=/proc/self:/bin"]'
	local command
	for command in /proc/self/exe /proc/1/exe /proc/thread-self/exe /bin/linked ../bin/linked; do
		args "$command"
		background create "$ID"
		failed "exec: \"$command\": no such file or directory" "leads to the program that sets the container up"
		background run "$ID"
		failed "exec: \"$command\": no such file or directory"
	done
	for command in exe linked; do
		args "$command"
		background run "$ID"
		failed "exec: \"$command\": executable file not found in \$PATH"
	done
	nothing_left
}

@test "a script that has the init's own program for its interpreter says so" {
	printf '#!/proc/self/exe\n' >rootfs/bin/script
	chmod +x rootfs/bin/script
	args script
	background run "$ID"
	[ "$status" -eq 127 ]
	says "/proc/self/exe has led to: there is no command in it"
	nothing_left
}

@test "the command is looked up as the user: what it may not execute is passed over" {
	mkdir -m 700 rootfs/first
	mkdir rootfs/second rootfs/third
	for dir in first second third; do
		printf '#!/bin/sh\necho %s\n' "$dir" >rootfs/$dir/mine
		chmod 755 rootfs/$dir/mine
	done
	chmod 700 rootfs/second/mine
	config '.process.env = ["PATH=/first:/second:/third"] | .process.args = ["mine"]'
	run coracle run "$ID"
	[ "$output" = first ]
	config '.process.user = {uid: 1000, gid: 1000}'
	run coracle run "$ID"
	[ "$output" = third ]
}

@test "a directory in PATH with the name of the command is passed over" {
	mkdir -p rootfs/first/echo
	config '.process.env = ["PATH=/first:/bin"] | .process.args = ["echo", "found"]'
	run coracle run "$ID"
	[ "$output" = found ]
}

@test "without PATH only a path can be executed" {
	config '.process.env = [] | .process.args = ["echo", "x"]'
	run coracle run "$ID"
	failed 'exec: "echo": executable file not found in $PATH'
	config '.process.args = ["/bin/echo", "x"]'
	run coracle run "$ID"
	[ "$output" = x ]
}

@test "a relative command starts at the working directory" {
	config '.process.cwd = "/bin" | .process.args = ["./echo", "x"]'
	run coracle run "$ID"
	[ "$output" = x ]
}

@test "arguments arrive as they are" {
	args printf '<%s>' "" "a b" $'new\nline' '$HOME' -- 'ä"'\'
	run coracle run "$ID"
	[ "$output" = $'<><a b><new\nline><$HOME><--><ä"\'>' ]
}

@test "pipes as standard streams belong to the user, who can open them again" {
	config '.process.user = {uid: 1000, gid: 100}'
	args sh -c 'stat -L -c %u /proc/self/fd/0 /proc/self/fd/1; echo again >/dev/stdout; echo error >/dev/stderr'
	run bash -c 'set -o pipefail; echo | "$1" --root "$2" run "$3" 2>&1 | cat' - "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = $'1000\n1000\nagain\nerror' ]
}

# stdout_again MODE prints what a process of user 1000 wrote to /dev/stdout when that is a regular
# file, and the owner of the file. MODE is run, create or exec.
stdout_again() {
	local file=$BATS_TEST_TMPDIR/$1.log script='echo first; echo again >>/dev/stdout'
	case $1 in
	exec) "$CORACLE" --root "$ROOT" exec "$ID" sh -c "$script" ;;
	run) args sh -c "$script" && "$CORACLE" --root "$ROOT" run "$ID" ;;
	create)
		args sh -c "$script; sleep 1000"
		"$CORACLE" --root "$ROOT" create "$ID" && coracle start "$ID"
		;;
	esac >>"$file" 2>&1 </dev/null
	wait_for grep -q again "$file"
	echo "$(cat "$file")" "$(stat -c %u:%g:%a "$file")"
}

# What runs in the foreground gives the file back when it ends.
@test "a regular file as standard output belongs to the user, who can open it again" {
	config '.process.user = {uid: 1000, gid: 100}'
	[ "$(stdout_again run | xargs)" = "first again 0:0:644" ]
	args sleep 1000
	background run --detach "$ID"
	[ "$(stdout_again exec | xargs)" = "first again 0:0:644" ]
	coracle delete --force "$ID"
	[[ $(stdout_again create | xargs) == *"again 1000:0:644" ]]
}

@test "the same in a user namespace, of its own and that of another container" {
	config '.process.user = {uid: 1000, gid: 100} | .linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 2000}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
	[ "$(stdout_again run | xargs)" = "first again 0:0:644" ]
	args sleep 1000
	background run --detach "$ID"
	[ "$(stdout_again exec | xargs)" = "first again 0:0:644" ]
	local pid first=$ID
	pid=$(pid_of "$ID")
	join user "/proc/$pid/ns/user"
	config 'del(.linux.uidMappings, .linux.gidMappings)'
	ID=$ID-b
	rm "$BATS_TEST_TMPDIR"/*.log
	[ "$(stdout_again run | xargs)" = "first again 0:0:644" ]
	args sleep 1000
	background run --detach "$ID"
	[ "$(stdout_again exec | xargs)" = "first again 0:0:644" ]
	coracle delete --force "$ID"
	coracle delete --force "$first"
}

@test "a file on a read-only file system, or that is only read, keeps its owner" {
	config '.process.user = {uid: 1000, gid: 100}'
	args cat
	mkdir "$BATS_TEST_TMPDIR/ro"
	unshare --mount sh -c '
		mount -t tmpfs tmpfs "$1" && echo content >"$1/file" && mount -o remount,ro "$1" || exit 9
		"$2" --root "$3" run "$4" <"$1/file" && stat -c %u "$1/file"' \
		- "$BATS_TEST_TMPDIR/ro" "$CORACLE" "$ROOT" "$ID" >"$BATS_TEST_TMPDIR/out"
	[ "$(xargs <"$BATS_TEST_TMPDIR/out")" = "content 0" ]
	echo mine >"$BATS_TEST_TMPDIR/in"
	[ "$("$CORACLE" --root "$ROOT" run "$ID" <"$BATS_TEST_TMPDIR/in")" = mine ]
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/in")" = 0 ]
}

@test "a terminal of the caller keeps its owner" {
	config '.process.user = {uid: 1000, gid: 100}'
	args true
	run python3 "$BATS_TEST_DIRNAME/pty.py" run -- sh -c '"$1" --root "$2" run "$3"; stat -c %u "$(tty)"' - "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	[ "$(tr -d '\r' <<<"${lines[0]}")" = 0 ]
}

@test "devices and directories as standard streams keep their owners" {
	config '.process.user = {uid: 1000, gid: 100}'
	args true
	mknod "$BATS_TEST_TMPDIR/zero" c 1 5
	mkdir "$BATS_TEST_TMPDIR/dir"
	# shellcheck disable=SC2094 # a device
	"$CORACLE" --root "$ROOT" run "$ID" <"$BATS_TEST_TMPDIR/zero" 1<>"$BATS_TEST_TMPDIR/zero" 2<"$BATS_TEST_TMPDIR/dir"
	args sleep 1000
	background run --detach "$ID"
	# shellcheck disable=SC2094 # the same
	coracle exec "$ID" true <"$BATS_TEST_TMPDIR/zero" 1<>"$BATS_TEST_TMPDIR/zero" 2<"$BATS_TEST_TMPDIR/dir"
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/zero" "$BATS_TEST_TMPDIR/dir" | xargs)" = "0 0" ]
}

@test "the null device of the host keeps its owner" {
	config '.process.user = {uid: 1000, gid: 100}'
	args true
	"$CORACLE" --root "$ROOT" run "$ID" </dev/null >/dev/null 2>/dev/null
	[ "$(stat -c '%u:%g %a' /dev/null)" = "0:0 666" ]
}

@test "limits are lowered" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0},
		{type: "RLIMIT_NPROC", soft: 1000, hard: 1000}, {type: "RLIMIT_STACK", soft: 1048576, hard: 2097152}]'
	shell 'grep -E "open files|core file|processes|stack" /proc/self/limits | tr -s " "'
	[[ $output == *"Max open files 100 200 files"* ]]
	[[ $output == *"Max core file size 0 0 bytes"* ]]
	[[ $output == *"Max processes 1000 1000 processes"* ]]
	[[ $output == *"Max stack size 1048576 2097152 bytes"* ]]
}

@test "limits that are not named are those of the caller" {
	config 'del(.process.rlimits)'
	shell 'grep "open files" /proc/self/limits | tr -s " "'
	[ "$output" = "$(grep 'open files' /proc/self/limits | tr -s ' ')" ]
}

# has_sys_resource reports whether limits can be raised.
has_sys_resource() {
	((0x$(proc_status CapEff self) >> 24 & 1))
}

# bats test_tags=vm
@test "a hard limit is raised" {
	has_sys_resource || skip "to raise a hard limit takes CAP_SYS_RESOURCE"
	config '.process.rlimits = [{type: "RLIMIT_MSGQUEUE", soft: 1000000, hard: 1000000}]'
	shell 'grep "msgqueue" /proc/self/limits | tr -s " "'
	[[ $output == *"1000000 1000000"* ]]
}

# bats test_tags=vm
@test "a hard limit that cannot be raised is an error that says why" {
	! has_sys_resource || skip "hard limits can be raised here"
	config '.process.rlimits = [{type: "RLIMIT_MSGQUEUE", soft: 1000000, hard: 1000000}]'
	background create "$ID"
	failed "RLIMIT_MSGQUEUE" "process.rlimits[0]" "operation not permitted" "CAP_SYS_RESOURCE"
	nothing_left
}

@test "wrong limits are refused" {
	for limits in '[{type: "RLIMIT_NO", soft: 1, hard: 1}]' '[{type: "RLIMIT_CORE", soft: 2, hard: 1}]'; do
		config ".process.rlimits = $limits"
		background create "$ID"
		failed "process.rlimits[0]"
	done
	config '.process.rlimits = [{type: "RLIMIT_CORE", soft: 1, hard: 1}, {type: "RLIMIT_CORE", soft: 1, hard: 1}]'
	background create "$ID"
	failed "process.rlimits[1]"
}

# bats test_tags=vm
@test "oomScoreAdj is raised" {
	config '.process.oomScoreAdj = 321'
	shell 'cat /proc/self/oom_score_adj'
	[ "$output" = 321 ]
}

@test "without oomScoreAdj the value is that of the caller" {
	shell 'cat /proc/self/oom_score_adj'
	[ "$output" = "$(cat /proc/self/oom_score_adj)" ]
}

# bats test_tags=vm
@test "oomScoreAdj is lowered" {
	has_sys_resource || skip "to lower oom_score_adj takes CAP_SYS_RESOURCE"
	config '.process.oomScoreAdj = -500'
	shell 'cat /proc/self/oom_score_adj'
	[ "$output" = -500 ]
}

# bats test_tags=vm
@test "an oomScoreAdj that cannot be lowered is an error that says why" {
	! has_sys_resource || skip "oom_score_adj can be lowered here"
	config '.process.oomScoreAdj = -500'
	background create "$ID"
	failed "process.oomScoreAdj" "permission denied" "CAP_SYS_RESOURCE"
	nothing_left
}

@test "an oomScoreAdj out of range is refused" {
	config '.process.oomScoreAdj = 1001'
	background create "$ID"
	failed "process.oomScoreAdj" "out of range"
}

@test "noNewPrivileges is set, or not" {
	shell 'grep NoNewPrivs /proc/self/status'
	[ "$output" = $'NoNewPrivs:\t1' ]
	config '.process.noNewPrivileges = false'
	shell 'grep NoNewPrivs /proc/self/status'
	[ "$output" = $'NoNewPrivs:\t0' ]
}

@test "the process leads a session of its own" {
	shell 'cut -d" " -f6 /proc/self/stat'
	[ "$output" = 1 ]
}

@test "the process ignores and blocks no signal, whatever the caller does" {
	args grep -E '^Sig(Ign|Blk)' /proc/self/status
	run bash -c 'trap "" PIPE HUP USR1; exec "$1" --root "$2" run "$3"' - "$CORACLE" "$ROOT" "$ID"
	[ "$output" = $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000' ]
}

@test "the process has the timer slack of the caller" {
	# coracle changes the slack of some of its own threads.
	config '.process.args = ["sh", "-c", "cat /proc/1/timerslack_ns"]'
	local slack='import ctypes, os, sys
ctypes.CDLL(None).prctl(29, 123456, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])'
	for _ in 1 2 3 4 5; do
		run python3 -c "$slack" "$CORACLE" --root "$ROOT" run "$ID"
		[ "$output" = 123456 ]
	done
	detached 'sleep 1000'
	run python3 -c "$slack" "$CORACLE" --root "$ROOT" exec "$ID" cat /proc/self/timerslack_ns
	[ "$output" = 123456 ]
}
