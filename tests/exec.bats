#!/usr/bin/env bats
# coracle exec: an additional process in a container.

# shellcheck disable=SC2016,SC2030,SC2031 # scripts for others in quotes; each test is a subshell

load helpers

setup() {
	setup_busybox
	SOCKET=$BATS_TEST_TMPDIR/console.sock
}

# waiting starts a container that only sleeps.
waiting() {
	args sleep 1000
	background run --detach "$ID"
	[ "$status" -eq 0 ]
}

# x runs coracle exec; $status, $output and ${lines[@]} are those of bats' `run`.
x() {
	run coracle exec "$@" </dev/null
}

# refused TEXT... asserts that exec itself failed: status 255 and one line with these texts.
refused() {
	if [ "$status" -ne 255 ] || [ "${#lines[@]}" -ne 1 ]; then
		echo "status $status: $output" >&2
		return 1
	fi
	says "$@"
}

# process_json CHANGE makes a file for --process: the process of config.json, changed by a jq
# program.
process_json() {
	jq ".process | $1" config.json >"$BATS_TEST_TMPDIR/process.json"
}

# exec_detached ARG... starts a process and leaves it running; its pid is in $pid, and `printed`
# prints its output.
exec_detached() {
	rm -f "$BATS_TEST_TMPDIR/pid"
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$@"
	[ "$status" -eq 0 ]
	[ -z "$(cat "$BATS_TEST_TMPDIR/err")" ]
	pid=$(cat "$BATS_TEST_TMPDIR/pid")
}

# foreground ARG... starts an exec in the background of this shell: its pid is in $EXEC.
foreground() {
	"$CORACLE" --root "$ROOT" exec "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	EXEC=$!
}

# ended waits for that exec and sets $status.
ended() {
	status=0
	wait "$EXEC" || status=$?
}

# namespaces PID [TYPE...] prints the namespaces of a process.
namespaces() {
	local p=$1 t
	shift
	[ $# -gt 0 ] || set -- cgroup ipc mnt net pid time user uts
	for t in "$@"; do
		readlink "/proc/$p/ns/$t"
	done
}

# receiver STEP... waits for the master of the terminal at $SOCKET.
receiver() {
	python3 "$BATS_TEST_DIRNAME/pty.py" console "$SOCKET" "$@" >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- </dev/null &
	RECEIVER=$!
	wait_for test -S "$SOCKET"
}

# gone PID reports whether a process has ended, also as a zombie.
gone() {
	! grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"
}

# --- command and status

@test "exec runs a command with its arguments" {
	waiting
	x "$ID" echo 'a  b' -e --help '*'
	[ "$status" -eq 0 ]
	[ "$output" = 'a  b -e --help *' ]
}

@test "options behind the id belong to the command" {
	waiting
	x "$ID" sh -c 'echo "$@"' sh --user 5 --tty
	[ "$status" -eq 0 ]
	[ "$output" = '--user 5 --tty' ]
}

@test "two dashes may stand between the id and the command" {
	waiting
	x "$ID" -- echo -- -e x
	[ "$output" = "-- -e x" ]
	x "$ID" --
	refused "no command is given"
	process_json '.args = ["echo", "file"]'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID" --
	[ "$output" = file ]
}

# bats test_tags=vm
@test "the exit status is that of the process" {
	waiting
	for s in 0 1 42 126 255; do
		x "$ID" sh -c "exit $s"
		[ "$status" -eq "$s" ]
		[ -z "$output" ]
	done
}

@test "the exit status is 128 + signal for a process that a signal ended" {
	waiting
	x "$ID" sh -c 'kill -KILL $$'
	[ "$status" -eq 137 ]
	x "$ID" sh -c 'kill -TERM $$'
	[ "$status" -eq 143 ]
}

@test "standard output and error are those of the caller" {
	waiting
	status=0
	coracle exec "$ID" sh -c 'echo out; echo err >&2; exit 3' >"$BATS_TEST_TMPDIR/o" 2>"$BATS_TEST_TMPDIR/e" </dev/null || status=$?
	[ "$status" -eq 3 ]
	[ "$(cat "$BATS_TEST_TMPDIR/o")" = out ]
	[ "$(cat "$BATS_TEST_TMPDIR/e")" = err ]
}

@test "standard input is passed on, to its end" {
	waiting
	run bash -c 'printf "one\ntwo" | "$0" "$@"' "$CORACLE" --root "$ROOT" exec "$ID" sh -c 'cat; echo; echo end'
	[ "$status" -eq 0 ]
	[ "$output" = $'one\ntwo\nend' ]
}

@test "the standard streams may be closed" {
	waiting
	status=0
	coracle exec "$ID" sh -c 'exit 6' <&- >&- 2>&- || status=$?
	[ "$status" -eq 6 ]
}

@test "a large output arrives in full" {
	waiting
	coracle exec "$ID" seq 1 50000 </dev/null >"$BATS_TEST_TMPDIR/seq"
	seq 1 50000 | cmp - "$BATS_TEST_TMPDIR/seq"
}

@test "a container takes several processes at once" {
	waiting
	for i in 1 2 3 4 5 6; do
		{ coracle exec "$ID" sh -c "echo $i; exit $i" >"$BATS_TEST_TMPDIR/o.$i" 2>&1 </dev/null 3>&- || echo $? >>"$BATS_TEST_TMPDIR/o.$i"; } &
	done
	wait
	for i in 1 2 3 4 5 6; do
		[ "$(paste -sd, "$BATS_TEST_TMPDIR/o.$i")" = "$i,$i" ]
	done
	[ "$(status_of "$ID")" = running ]
}

# --- errors of exec itself: status 255

@test "an unknown container is an error" {
	x "$ID" true
	refused "$ID" "does not exist"
}

@test "a stopped container is an error" {
	detached true
	wait_for has_status "$ID" stopped
	x "$ID" true
	refused "cannot exec in a stopped container: \"$ID\""
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" true
	[ "$status" -eq 255 ]
	[ ! -e "$BATS_TEST_TMPDIR/pid" ]
}

@test "a missing command is an error in the words that engines know" {
	waiting
	x "$ID" nope
	refused 'exec: "nope": executable file not found in $PATH'
	x "$ID" /no/such/file
	refused 'exec: "/no/such/file": stat /no/such/file: no such file or directory'
	background exec --detach "$ID" nope
	[ "$status" -eq 255 ]
	[[ "$output" == *'executable file not found in $PATH'* ]]
	[ "$(status_of "$ID")" = running ]
}

@test "a directory, a file without x and garbage are errors" {
	mkdir rootfs/opt
	touch rootfs/plain
	printf 'garbage\n' >rootfs/garbage
	chmod 755 rootfs/garbage
	printf '#!/no/such/interpreter\n' >rootfs/script
	chmod 755 rootfs/script
	waiting
	x "$ID" /opt
	refused 'exec: "/opt"' "permission denied"
	x "$ID" /plain
	refused 'exec: "/plain"' "permission denied"
	x "$ID" /garbage
	refused 'exec: "/garbage"' "exec format error"
	x "$ID" /script
	refused 'exec: "/script"' "no such file or directory" interpreter
}

@test "a working directory that is missing is an error" {
	waiting
	x --cwd /no/such "$ID" true
	refused 'chdir to cwd ("/no/such") set in config.json failed: no such file or directory'
	x --cwd relative "$ID" true
	refused process.cwd '"relative" is not absolute'
}

@test "no command is an error" {
	waiting
	x "$ID"
	refused "no command"
	x
	[ "$status" -eq 255 ]
	process_json '.args = []'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused process.args
	x "$ID" ''
	refused 'process.args[0]'
}

@test "an unknown option is an error of exec" {
	waiting
	x --no-such-option "$ID" true
	refused no-such-option
}

@test "--user takes numbers only, exactly" {
	waiting
	for u in '' root user 1000: :5 1000:user 01000 +5 -1 ' 5' 5:5:5 4294967295 5:4294967295 4294967296 0x10 1e3; do
		x --user "$u" "$ID" true
		refused "--user \"$u\"" "is not a number"
	done
	x --additional-gids wheel "$ID" true
	refused --additional-gids '"wheel"'
}

@test "AppArmor profiles and SELinux labels that nobody knows are refused, not ignored" {
	waiting
	x --apparmor cortest-nobody "$ID" true
	refused "process.apparmorProfile" cortest-nobody
	x --process-label u:r:nosuchtype:s0 "$ID" true
	refused "process.selinuxLabel"
	process_json '.apparmorProfile = "cortest-nobody"'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused "process.apparmorProfile" cortest-nobody
}

@test "a failed exec leaves no pid file, no process and a running container" {
	waiting
	before=$(sort "/proc/$(pid_of "$ID")/cgroup")
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" nope
	[ "$status" -eq 255 ]
	background exec --pid-file "$BATS_TEST_TMPDIR/pid" --cwd /no/such "$ID" true
	[ "$status" -eq 255 ]
	[ ! -e "$BATS_TEST_TMPDIR/pid" ]
	[ -n "$before" ]
	[ "$(processes | wc -l)" -eq 1 ]
	[ "$(status_of "$ID")" = running ]
}

@test "an error is one line in the log too" {
	waiting
	status=0
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" --log-format json exec "$ID" nope >/dev/null 2>&1 </dev/null || status=$?
	[ "$status" -eq 255 ]
	[ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = error ]
	[[ "$(jq -r .msg "$BATS_TEST_TMPDIR/log")" == *'executable file not found in $PATH'* ]]
}

# --- attributes from the container's configuration

@test "user, groups, environment, working directory and umask are the container's" {
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 63} | .process.env += ["A=1", "B=two words"] | .process.cwd = "/tmp"'
	waiting
	x "$ID" sh -c 'id -u; id -g; id -G; echo "$A,$B"; pwd; umask'
	[ "$status" -eq 0 ]
	[ "$output" = $'1000\n1001\n1001 7 8\n1,two words\n/tmp\n0077' ]
}

@test "the environment is the container's and nothing of the caller's" {
	waiting
	run env SECRET=1 GOMAXPROCS=4 _OCI_SYNCPIPE=3 "$CORACLE" --root "$ROOT" exec "$ID" env </dev/null
	[ "$status" -eq 0 ]
	[ "$(sort <<<"$output")" = $'HOME=/root\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=xterm' ]
}

# bats test_tags=vm
@test "capabilities, no_new_privs and limits are the container's" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]
		| .process.capabilities.permitted += ["CAP_SYS_ADMIN"] | .process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.oomScoreAdj = 77'
	waiting
	first=$(pid_of "$ID")
	exec_detached "$ID" sleep 1000
	for field in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Uid Gid Groups Umask; do
		[ "$(proc_status "$field" "$pid")" = "$(proc_status "$field" "$first")" ]
	done
	[ "$(proc_status NoNewPrivs "$pid")" = 1 ]
	diff "/proc/$first/limits" "/proc/$pid/limits"
	[ "$(cat "/proc/$pid/oom_score_adj")" = 77 ]
}

@test "a container with no_new_privs off runs processes so, too" {
	config '.process.noNewPrivileges = false'
	waiting
	x "$ID" grep NoNewPrivs /proc/self/status
	[ "$output" = $'NoNewPrivs:\t0' ]
	x --no-new-privs "$ID" grep NoNewPrivs /proc/self/status
	[ "$output" = $'NoNewPrivs:\t1' ]
}

@test "config.json may change or go after create" {
	config '.process.env += ["A=old"]'
	waiting
	config '.process.env += ["A=new"] | .process.user.uid = 5 | .linux.namespaces = []'
	x "$ID" sh -c 'echo "$A"; id -u; hostname'
	[ "$output" = $'old\n0\ncoracle' ]
	rm config.json
	x "$ID" sh -c 'echo "$A"; id -u; hostname'
	[ "$output" = $'old\n0\ncoracle' ]
}

@test "exec needs nothing but the state root" {
	waiting
	cd /
	run env -i "$CORACLE" --root "$ROOT" exec "$ID" echo hello </dev/null
	[ "$status" -eq 0 ]
	[ "$output" = hello ]
}

@test "a container without process takes commands" {
	config 'del(.process)'
	created
	process_json '{args: ["/bin/sh", "-c", "id -u"], cwd: "/"}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = 0 ]
	x "$ID" /bin/grep CapEff /proc/self/status
	[ "$output" = $'CapEff:\t0000000000000000' ]
}

# --- options

@test "a command can be named through /proc/self" {
	waiting
	x "$ID" /proc/self/root/bin/echo found
	[ "$output" = found ]
	x "$ID" /proc/self/root/no/such
	refused 'exec: "/proc/self/root/no/such": stat /proc/self/root/no/such: no such file or directory'
}

@test "a scheduling policy that children do not have is that of the process" {
	waiting
	process_json '.args = ["cat", "/proc/self/stat"] | .scheduler = {policy: "SCHED_OTHER", nice: -5, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$status" -eq 0 ]
	[ "$(cut -d ' ' -f 19 <<<"$output")" = -5 ]
}

@test "the program of a created container's init is no command" {
	args sleep 1000
	created
	local command
	for command in /proc/1/exe /proc/self/exe; do
		x "$ID" "$command"
		refused "exec: \"$command\": no such file or directory" "leads to the program that sets the container up"
	done
	# When a running script executes it, the program itself reports the error.
	x "$ID" sh -c '/proc/1/exe; echo $?'
	says "there is no command in it" 127
	# Once the container runs, the path leads to the container's own program.
	coracle start "$ID"
	background exec "$ID" /proc/1/exe
	says "applet not found"
}

@test "--process has everything about the process" {
	waiting
	process_json '{args: ["sh", "-c", "id -u; id -g; id -G; pwd; env | sort; grep -E \"^(CapEff|NoNewPrivs)\" /proc/self/status; ulimit -n; exit 4"],
		cwd: "/tmp", env: ["PATH=/bin", "X=y", "HOME=/h", "PWD=/tmp", "SHLVL=1"], user: {uid: 5, gid: 6, additionalGids: [7]},
		rlimits: [{type: "RLIMIT_NOFILE", soft: 50, hard: 60}]}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$status" -eq 4 ]
	[ "$output" = $'5\n6\n6 7\n/tmp\nHOME=/h\nPATH=/bin\nPWD=/tmp\nSHLVL=2\nX=y\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n50' ]
}

# bats test_tags=vm
@test "--process: what it does not say is the container's" {
	config '.process.capabilities |= map_values(["CAP_KILL"]) | .process.oomScoreAdj = 300 | .process.user.umask = 63
		| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 50, hard: 60}] | .process.scheduler = {policy: "SCHED_BATCH", nice: 7}
		| .process.ioPriority = {class: "IOPRIO_CLASS_IDLE"} | .process.execCPUAffinity = {final: "0"}'
	waiting
	first=$(pid_of "$ID")
	process_json '{args: ["sleep", "1000"], cwd: "/", user: {uid: 0, gid: 0}, env: ["PATH=/bin"]}'
	exec_detached --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	for field in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Umask; do
		[ "$(proc_status "$field" "$pid")" = "$(proc_status "$field" "$first")" ]
	done
	[ "$(proc_status CapEff "$pid") $(proc_status NoNewPrivs "$pid") $(proc_status Umask "$pid")" = "0000000000000020 1 0077" ]
	[ "$(proc_status Cpus_allowed_list "$pid")" = 0 ]
	diff "/proc/$first/limits" "/proc/$pid/limits"
	[ "$(cat "/proc/$pid/oom_score_adj")" = 300 ]
	[ "$(chrt -p "$pid" | grep -c SCHED_BATCH)" -eq 1 ]
	[ "$(ionice -p "$pid")" = idle ]
	# Attributes that the process sets are used, even if they are weaker.
	process_json '{args: ["sleep", "1000"], cwd: "/", user: {uid: 0, gid: 0, umask: 2}, env: ["PATH=/bin"],
		capabilities: {}, oomScoreAdj: 400, noNewPrivileges: false, execCPUAffinity: {}, scheduler: {policy: "SCHED_OTHER"}}'
	exec_detached --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$(proc_status CapEff "$pid") $(proc_status NoNewPrivs "$pid") $(proc_status Umask "$pid")" = "0000000000000000 0 0002" ]
	[ "$(cat "/proc/$pid/oom_score_adj")" = 400 ]
	[ "$(chrt -p "$pid" | grep -c SCHED_OTHER)" -eq 1 ]
}

@test "--process is read before exec returns" {
	waiting
	process_json '.args = ["sh", "-c", "echo ready; exec sleep 1000"]'
	exec_detached --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	rm "$BATS_TEST_TMPDIR/process.json"
	wait_for has_printed ready
}

@test "--process and a command exclude each other" {
	waiting
	process_json .
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID" true
	refused exclude
}

@test "--process: a file that is missing, no JSON or against the rules is an error" {
	waiting
	x --process "$BATS_TEST_TMPDIR/missing" "$ID"
	refused "no such file or directory"
	echo '{"args": [' >"$BATS_TEST_TMPDIR/process.json"
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused process.json
	process_json '.cwd = "x"'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused process.cwd
	process_json '.rlimits = [{type: "RLIMIT_X", soft: 1, hard: 1}]'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused 'process.rlimits[0]'
}

@test "--env adds variables and replaces those of the container" {
	config '.process.env += ["A=1", "B=2"]'
	waiting
	x --env A=new --env C=3 --env D= "$ID" env
	[ "$status" -eq 0 ]
	[ "$(grep '^[A-D]=' <<<"$output" | sort)" = $'A=new\nB=2\nC=3\nD=' ]
}

@test "of variables with one name the last counts, once, in the environment, in --process and with --env" {
	config '.process.env = ["A=1", "PATH=/bin", "B=2", "HOME=/x", "A=3", "HOME=/y"]'
	waiting
	process_json '.args = ["cat", "/proc/self/environ"] | .env = ["X=1", "PATH=/bin", "HOME=/x", "X=2", "HOME="]'
	background exec --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$(tr '\0' ' ' <"$BATS_TEST_TMPDIR/out")" = "PATH=/bin X=2 HOME=/root " ]
	background exec --env B=4 --env C=5 --env B=6 "$ID" cat /proc/self/environ
	[ "$(tr '\0' ' ' <"$BATS_TEST_TMPDIR/out")" = "PATH=/bin A=3 HOME=/y C=5 B=6 " ]
}

@test "a value of --env is taken as it is" {
	waiting
	x --env 'A=1,2 , 3=4' "$ID" env
	[ "${#lines[@]}" -eq 4 ]
	grep -qxF 'A=1,2 , 3=4' <<<"$output"
}

@test "a PATH by --env finds the command" {
	mkdir -p rootfs/opt
	printf '#!/bin/sh\necho "$PATH"\n' >rootfs/opt/mine
	chmod 755 rootfs/opt/mine
	waiting
	x "$ID" mine
	refused 'not found in $PATH'
	x --env PATH=/opt "$ID" mine
	[ "$status" -eq 0 ]
	[ "$output" = /opt ]
}

@test "--cwd is the working directory" {
	waiting
	x --cwd /home/user "$ID" pwd
	[ "$output" = /home/user ]
}

@test "--user runs as another user, with its home" {
	waiting
	x --user 1000:1001 "$ID" sh -c 'id -u; id -g; echo $HOME'
	[ "$output" = $'1000\n1001\n/home/user' ]
	x -u 4711 "$ID" sh -c 'id -u; echo $HOME'
	[ "$output" = $'4711\n/' ]
}

@test "--user without a group keeps that of the container, and the additional ones" {
	config '.process.user = {uid: 1, gid: 1001, additionalGids: [7], umask: 63}'
	waiting
	x --user 1000 "$ID" sh -c 'id -u; id -g; id -G; umask'
	[ "$output" = $'1000\n1001\n1001 7\n0077' ]
}

@test "a user without capabilities of its own keeps only what the configuration gives" {
	waiting
	x --user 1000 "$ID" grep -E '^Cap(Inh|Amb)' /proc/self/status
	[ "$output" = $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000' ]
}

@test "users of the image that are named like numbers do not matter" {
	printf 'root:x:0:0:root:/root:/bin/sh\n1000:x:0:0::/evil:/bin/sh\nother:x:1000:1000::/right:/bin/sh\n' >rootfs/etc/passwd
	printf '1000:x:0:\n' >rootfs/etc/group
	waiting
	x --user 1000:1000 --additional-gids 1000 "$ID" sh -c 'grep -E "^(Uid|Gid)" /proc/self/status; echo $HOME'
	[ "$output" = $'Uid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n/right' ]
}

@test "HOME of the container's environment stays for another user" {
	config '.process.env += ["HOME=/mine"]'
	waiting
	x --user 1000 "$ID" sh -c 'echo $HOME'
	[ "$output" = /mine ]
}

@test "a hostile /etc/passwd does not hang exec" {
	rm rootfs/etc/passwd
	mkfifo rootfs/etc/passwd
	waiting
	x "$ID" sh -c 'echo $HOME'
	[ "$status" -eq 0 ]
	[ "$output" = / ]
}

@test "--additional-gids adds groups" {
	config '.process.user.additionalGids = [7]'
	waiting
	x --additional-gids 20 --additional-gids 30 "$ID" grep Groups /proc/self/status
	[ "$(tr -s '[:space:]' ' ' <<<"$output")" = "Groups: 7 20 30 " ]
}

@test "--cap adds capabilities, but never inheritable ones" {
	waiting
	x "$ID" grep ^Cap /proc/self/status
	plain=$output
	[ "$(grep CapEff <<<"$plain")" = $'CapEff:\t0000000020000420' ]
	x --cap CAP_NET_RAW --cap CAP_CHOWN "$ID" grep ^Cap /proc/self/status
	[ "$output" = $'CapInh:\t0000000000000000\nCapPrm:\t0000000020002421\nCapEff:\t0000000020002421\nCapBnd:\t0000000020002421\nCapAmb:\t0000000000000000' ]
	x --user 1000 --cap CAP_NET_RAW "$ID" grep -E '^Cap(Inh|Amb)' /proc/self/status
	says $'CapInh:\t0000000000000000\nCapAmb:\t0000000000000000'
}

@test "--cap reaches a user who is not root where the container has the capability inheritable; elsewhere it warns" {
	config '.process.capabilities |= (.inheritable = ["CAP_NET_RAW"] | .bounding += ["CAP_NET_RAW"])'
	waiting
	x --user 1000 --cap CAP_NET_RAW "$ID" grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status
	[ "$output" = $'CapInh:\t0000000000002000\nCapPrm:\t0000000000002000\nCapEff:\t0000000000002000\nCapAmb:\t0000000000002000' ]
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" exec --user 1000 --cap CAP_CHOWN "$ID" sh -c 'grep CapEff /proc/self/status' >"$BATS_TEST_TMPDIR/out" </dev/null
	has_printed $'CapEff:\t0000000000000000'
	grep -q 'level=warning.*user 1000 will not have the capability CAP_CHOWN' "$BATS_TEST_TMPDIR/log"
}

@test "an unknown capability is a warning" {
	waiting
	status=0
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" exec --cap CAP_NO_SUCH "$ID" true </dev/null || status=$?
	[ "$status" -eq 0 ]
	grep -q 'level=warning.*CAP_NO_SUCH' "$BATS_TEST_TMPDIR/log"
}

@test "an unknown capability of --cap is told once, with the name that was meant, and the others are added" {
	waiting
	background exec --user 1000 --cap kill --cap CAP_KILL "$ID" true
	[ "$status" -eq 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = 'warning: exec: "kill" is not a capability that this runtime knows (did you mean CAP_KILL?); it is ignored
warning: exec: user 1000 will not have the capability CAP_KILL: that would take it in process.capabilities.inheritable of the container' ]
	background exec --cap no_such --cap CAP_CHOWN "$ID" grep CapEff /proc/self/status
	[ "$status" -eq 0 ]
	[ $((0x$(sed -n 's/^CapEff:[[:space:]]*//p' "$BATS_TEST_TMPDIR/out") & 1)) -eq 1 ]
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = 'warning: exec: "no_such" is not a capability that this runtime knows; it is ignored' ]
}

@test "the long and the short name of an option may be mixed, and the last value counts" {
	waiting
	x --env A=1 -e A=2 --env B=3 -e C=a,b -e D=1 --env D=2 "$ID" sh -c 'echo $A $B $C $D'
	[ "$output" = "2 3 a,b 2" ]
	x -g 5 --additional-gids 6 -c CAP_CHOWN --cap CAP_FOWNER "$ID" sh -c 'id -G; grep CapEff /proc/self/status'
	[ "${lines[0]}" = "0 5 6" ]
	[[ ${lines[1]} == *2000042[09] ]]
}

@test "options have short names" {
	waiting
	x -e A=1 -u 5:6 -g 7 -c CAP_CHOWN "$ID" sh -c 'echo "$A"; id -u; id -g; id -G'
	[ "$status" -eq 0 ]
	[ "${lines[*]:0:4}" = "1 5 6 6 7" ]
	# A user other than root does not get the capability; a warning says so.
	[[ ${lines[4]} == *CAP_CHOWN* ]]
	process_json '.args = ["echo", "hello"]'
	x -p "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$output" = hello ]
	x -d "$ID" true
	[ "$status" -eq 0 ]
}

# --- terminal

@test "--tty works inside script" {
	waiting
	run script -qec "'$CORACLE' --root '$ROOT' exec --tty '$ID' sh -c 'tty; exit 4'" /dev/null </dev/null
	[ "$status" -eq 4 ]
	[[ "$output" == */dev/pts/0* ]]
}

@test "--tty: streams, size and typing, and the caller's terminal is restored" {
	waiting
	run python3 "$BATS_TEST_DIRNAME/pty.py" run size=33x77 expect=ready raw 'send=a b\n' 'expect=got <a b>' size=40x100 \
		'send=more\n' 'expect=40 100' -- "$CORACLE" --root "$ROOT" exec --tty "$ID" sh -c \
		'for f in 0 1 2; do readlink /proc/self/fd/$f; done; echo by-tty >/dev/tty; stty size; echo ready; read -r l; echo "got <$l>"; read -r l; sleep 0.2; stty size; exit 5'
	output=${output//$'\r'/}
	echo "$output"
	[ "$status" -eq 5 ]
	[[ "$output" == $'/dev/pts/0\n/dev/pts/0\n/dev/pts/0\nby-tty\n'*$'terminal restored' ]]
}

@test "--tty: a program that is interrupted by typing Ctrl-C" {
	waiting
	run python3 "$BATS_TEST_DIRNAME/pty.py" run expect=ready 'send=\x03' expect=interrupted -- \
		"$CORACLE" --root "$ROOT" exec -t "$ID" sh -c 'trap "echo interrupted; exit 7" INT; echo ready; while :; do sleep 0.05; done'
	[ "$status" -eq 7 ]
	[[ "$output" == *"terminal restored"* ]]
}

@test "--tty: the terminal is restored when exec fails" {
	waiting
	run python3 "$BATS_TEST_DIRNAME/pty.py" run -- "$CORACLE" --root "$ROOT" exec -t "$ID" nope
	[ "$status" -eq 255 ]
	[[ "$output" == *'not found in $PATH'*"terminal restored"* ]]
}

@test "process.terminal of the container does not give exec a terminal" {
	config '.process.terminal = true | .process.args = ["sleep", "1000"]'
	receiver
	background run --detach --console-socket "$SOCKET" "$ID"
	[ "$status" -eq 0 ]
	x "$ID" tty
	[ "$status" -eq 1 ]
	[ "$output" = "not a tty" ]
	# A second terminal next to the first.
	run script -qec "'$CORACLE' --root '$ROOT' exec --tty '$ID' tty" /dev/null </dev/null
	# script sends an end-of-file character, which the terminal may echo.
	[[ "$output" == */dev/pts/1* ]]
	coracle delete --force "$ID"
	wait "$RECEIVER"
}

@test "--console-socket with --detach hands over the terminal" {
	waiting
	receiver winsize=31x91 'expect=31 91' 'send=a b\n' 'expect=got <a b>'
	process_json '.terminal = true | .consoleSize = {height: 31, width: 91} | .args = ["sh", "-c", "stty size; read -r l; echo \"got <$l>\""]'
	exec_detached --console-socket "$SOCKET" --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ -z "$(printed)" ]
	wait "$RECEIVER"
}

@test "a process with a terminal keeps none of the caller's streams open" {
	waiting
	receiver
	exec_detached --tty --console-socket "$SOCKET" "$ID" sleep 1000
	run ls -l "/proc/$pid/fd/"
	[[ "$output" != *"$BATS_TEST_TMPDIR"* ]]
	[ "$(grep -c /pts/0 <<<"$output")" -eq 3 ]
	kill -KILL "$pid"
	wait "$RECEIVER"
}

@test "--console-socket needs --tty and --detach, and the other way round" {
	waiting
	x --detach --tty "$ID" true
	refused "cannot allocate tty if coracle will detach without setting console socket"
	x --detach --console-socket "$SOCKET" "$ID" true
	refused "cannot use console socket if coracle will not detach or allocate tty"
	x --tty --console-socket "$SOCKET" "$ID" true
	refused "cannot use console socket if coracle will not detach or allocate tty"
	x --console-socket "$SOCKET" "$ID" true
	refused "cannot use console socket if coracle will not detach or allocate tty"
	x --detach --tty --console-socket "$SOCKET" "$ID" true
	refused "console socket $SOCKET: connect: no such file or directory"
}

@test "a terminal where no devpts is mounted is an error that says so" {
	config 'del(.mounts[] | select(.type == "devpts"))'
	waiting
	x --tty "$ID" true
	refused process.terminal devpts
}

# --- detached

@test "--detach returns with the process running; the pid file has digits only" {
	waiting
	first=$(pid_of "$ID")
	exec_detached "$ID" sh -c 'exec sleep 500'
	[[ "$(cat -A "$BATS_TEST_TMPDIR/pid")" =~ ^[0-9]+$ ]]
	kill -0 "$pid"
	[ "$(namespaces "$pid")" = "$(namespaces "$first")" ]
	diff "/proc/$first/cgroup" "/proc/$pid/cgroup"
	[ "$(status_of "$ID")" = running ]
}

@test "the command has been executed when exec --detach returns" {
	waiting
	exec_detached "$ID" sleep 501
	[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 501 " ]
}

@test "--detach without --pid-file prints nothing" {
	waiting
	background exec --detach "$ID" sleep 500
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "--pid-file replaces a file, in the foreground too" {
	echo old-and-long >"$BATS_TEST_TMPDIR/pid"
	waiting
	x --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" sh -c 'sed -n "s/^NSpid:.*[^0-9]//p" /proc/self/status >/dev/null'
	[ "$status" -eq 0 ]
	[[ "$(cat -A "$BATS_TEST_TMPDIR/pid")" =~ ^[0-9]+$ ]]
}

@test "a pid file that cannot be written fails and leaves no process" {
	waiting
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/no/such/pid" "$ID" sleep 503
	[ "$status" -eq 255 ]
	[[ "$output" == "pid file: "* ]]
	[ "$(processes | wc -l)" -eq 1 ]
}

@test "a detached process leads a session of its own" {
	waiting
	exec_detached "$ID" sleep 1000
	# The process leads its process group and its session.
	[ "$(ps -o pgid=,sid= -p "$pid" | xargs)" = "$pid $pid" ]
}

@test "a detached process ends with its container" {
	waiting
	exec_detached "$ID" sleep 1000
	coracle kill "$ID" KILL
	wait_for gone "$pid"
}

@test "a detached process outlives the exec command" {
	waiting
	exec_detached "$ID" sh -c 'sleep 0.3; echo alive; exec sleep 1000'
	wait_for has_printed alive
}

# --- descriptors and signals

@test "the process has the standard streams and nothing else" {
	echo secret >"$BATS_TEST_TMPDIR/file"
	waiting
	exec_detached "$ID" sleep 1000 9<"$BATS_TEST_TMPDIR/file"
	[ "$(find "/proc/$pid/fd" -mindepth 1 -printf '%f\n' | sort | xargs)" = "0 1 2" ]
	x "$ID" ls /proc/self/fd
	[ "$(xargs <<<"$output")" = "0 1 2 3" ] # ls has opened 3
}

@test "--preserve-fds passes on descriptors, and no others" {
	echo one >"$BATS_TEST_TMPDIR/one"
	echo two >"$BATS_TEST_TMPDIR/two"
	waiting
	# 4 is closed, and 6 is not among the preserved ones.
	run coracle exec --preserve-fds 3 "$ID" sh -c 'cat <&3; cat <&5; for f in 3 4 5 6; do [ ! -e /proc/self/fd/$f ] || echo $f; done' </dev/null \
		3<"$BATS_TEST_TMPDIR/one" 4<&- 5<"$BATS_TEST_TMPDIR/two" 6<"$BATS_TEST_TMPDIR/two"
	[ "$status" -eq 0 ]
	[ "$output" = $'one\ntwo\n3\n5' ]
}

# pidfd_receiver waits for a pidfd at $SOCKET.
pidfd_receiver() {
	rm -f "$SOCKET"
	python3 "$BATS_TEST_DIRNAME/pidfd.py" "$SOCKET" >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- </dev/null &
	RECEIVER=$!
	wait_for test -S "$SOCKET"
}

@test "--pidfd-socket sends a pidfd of the process" {
	waiting
	pidfd_receiver
	exec_detached --pidfd-socket "$SOCKET" "$ID" sleep 1000
	wait "$RECEIVER"
	[ "$(cat "$BATS_TEST_TMPDIR/received")" = "setns 1 $pid end" ]
	pidfd_receiver
	x --pidfd-socket "$SOCKET" "$ID" sh -c 'exit 5'
	[ "$status" -eq 5 ]
	wait "$RECEIVER"
	[[ $(cat "$BATS_TEST_TMPDIR/received") =~ ^'setns 1 '[-0-9]+' end'$ ]]
}

@test "--pidfd-socket: without a socket no process is run" {
	writable
	waiting
	x --pidfd-socket "$BATS_TEST_TMPDIR/none" "$ID" touch /file
	refused "pidfd socket $BATS_TEST_TMPDIR/none: connect: no such file or directory"
	[ ! -e rootfs/file ]
}

# bats test_tags=vm
@test "the CPUs are those of the container, not of the caller" {
	waiting
	all=$(proc_status Cpus_allowed_list "$(pid_of "$ID")")
	output=$(taskset -c 0 "$CORACLE" --root "$ROOT" exec "$ID" sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
	[ "$output" = "$all" ]
}

# bats test_tags=vm
@test "execCPUAffinity: initial is tried first, final counts, and CPUs beyond those of the machine do not matter" {
	[ "$(nproc)" -ge 2 ] || skip "one CPU only"
	config '.process.execCPUAffinity = {initial: "0"}'
	waiting
	x "$ID" sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status
	# Without final the kernel decides: some kernels give a process that changes its cpuset all of
	# its CPUs.
	[ "$output" = 0 ] || [ "$output" = "$(proc_status Cpus_allowed_list "$(pid_of "$ID")")" ]
	for final in 1:1 0-1:0-1 1,1024-8000:1; do
		process_json ".args = [\"sed\", \"-n\", \"s/^Cpus_allowed_list:[[:space:]]*//p\", \"/proc/self/status\"] | .execCPUAffinity = {initial: \"0\", final: \"${final%:*}\"}"
		x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
		[ "$output" = "${final#*:}" ]
	done
}

@test "execCPUAffinity: what is wrong is said, in a fixed order" {
	config '.process.execCPUAffinity = {initial: "x", final: "y"}'
	for _ in 1 2 3 4 5 6; do
		background create "$ID"
		failed 'config.json: process.execCPUAffinity.initial: "x" is not a list'
	done
	config 'del(.process.execCPUAffinity)'
	waiting
	process_json '.args = ["true"] | .execCPUAffinity = {final: "4000"}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	refused 'set the CPU affinity "4000" (process.execCPUAffinity.final)' "invalid argument"
}

# bats test_tags=vm
@test "execCPUAffinity: an initial one that the runtime may not use is left out, with a warning" {
	config '.process.execCPUAffinity = {initial: "4000"}'
	waiting
	rm -f "$BATS_TEST_TMPDIR/log"
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" exec "$ID" sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status >"$BATS_TEST_TMPDIR/out" </dev/null
	has_printed "$(proc_status Cpus_allowed_list "$(pid_of "$ID")")"
	grep -q 'level=warning.*process.execCPUAffinity.initial is left out.*4000' "$BATS_TEST_TMPDIR/log"
	process_json '.args = ["sed", "-n", "s/^Cpus_allowed_list:[[:space:]]*//p", "/proc/self/status"] | .execCPUAffinity = {initial: "4000", final: "0"}'
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/log" exec --process "$BATS_TEST_TMPDIR/process.json" "$ID" >"$BATS_TEST_TMPDIR/out" </dev/null
	has_printed 0
	# CPUs that can be used cause no warning.
	rm -f "$BATS_TEST_TMPDIR/log"
	process_json '.args = ["true"] | .execCPUAffinity = {initial: "0,4000"}'
	coracle --log "$BATS_TEST_TMPDIR/log" exec --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ ! -s "$BATS_TEST_TMPDIR/log" ]
}

# subgroups makes a cgroup "sub" below each of the container's.
subgroups() {
	local dir sub
	for dir in $(cgroup_dirs "$ID"); do
		for sub in "$dir/sub" "$dir/sub/deep"; do
			mkdir "$sub"
			# A new cpuset of cgroup v1 is empty.
			[ ! -e "$sub/cpuset.cpu_exclusive" ] || for f in cpuset.cpus cpuset.mems; do cat "$dir/$f" >"$sub/$f"; done
		done
	done
}

# bats test_tags=vm
@test "--cgroup runs the process in a cgroup below that of the container" {
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	subgroups
	for path in sub sub/ /sub ./sub sub/deep; do
		x --cgroup "$path" "$ID" cat /proc/self/cgroup
		[ "$status" -eq 0 ]
		want=/coracle-$ID/sub
		[ "$path" != sub/deep ] || want+=/deep
		# In all hierarchies of the container.
		[ "$(grep -c ":.*coracle-$ID" <<<"$output")" -gt 0 ]
		[ "$(grep "coracle-$ID" <<<"$output")" = "$(grep "$want\$" <<<"$output")" ]
	done
	for path in / .; do
		x --cgroup "$path" "$ID" cat /proc/self/cgroup
		[ "$status" -eq 0 ]
		[[ $output == *"coracle-$ID"* && $output != *sub* ]]
	done
}

@test "--cgroup with controllers is for these (cgroup v1)" {
	[ -d /sys/fs/cgroup/memory ] || skip "no cgroup v1 here"
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	subgroups
	x --cgroup memory,pids:sub --cgroup systemd:sub/deep "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$(grep -c "/coracle-$ID/sub\$" <<<"$output")" -eq 2 ]
	grep -q ":memory:.*/coracle-$ID/sub\$" <<<"$output"
	grep -q ":pids:.*/coracle-$ID/sub\$" <<<"$output"
	grep -q "name=systemd:.*/coracle-$ID/sub/deep\$" <<<"$output"
	grep -q ":devices:.*/coracle-$ID\$" <<<"$output"
	x --cgroup memory:sub --cgroup memory:sub/deep "$ID" true
	refused --cgroup 'the controller "memory" is named twice'
	x --cgroup nonesuch:sub "$ID" true
	refused --cgroup 'no cgroup of a controller "nonesuch"'
	x --cgroup sub --cgroup memory:sub "$ID" true
	refused --cgroup 'each needs its controllers'
}

@test "--cgroup does not leave the container's cgroup, and makes none" {
	waiting
	subgroups
	beside=$(cgroup_dirs "$ID" | grep -v /sub | head -1)2
	mkdir "$beside"
	for path in .. ../coracle-"$ID"2 sub/../.. ../coracle-"$ID" "sub/../sub" ''; do
		x --cgroup "$path" "$ID" true
		refused --cgroup "is not the path of a cgroup below that of the container"
	done
	rmdir "$beside"
	for path in missing 2 /sub2; do
		x --cgroup "$path" "$ID" true
		refused --cgroup "no such file or directory"
	done
}

# bats test_tags=vm
@test "a process gets into a container whose payload has nested its cgroup (cgroup v2)" {
	unified || skip "no cgroup v2 here"
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	dir=$(cgroup_dirs "$ID" | head -1)
	mkdir "$dir/leaf" "$dir/other"
	pid_of "$ID" >"$dir/leaf/cgroup.procs"
	echo +pids >"$dir/cgroup.subtree_control"
	x "$ID" cat /proc/self/cgroup
	[ "$output" = "0::${dir#/sys/fs/cgroup}/leaf" ]
	x --cgroup other "$ID" cat /proc/self/cgroup
	[ "$output" = "0::${dir#/sys/fs/cgroup}/other" ]
	x --cgroup / "$ID" true
	refused "can have no processes"
	process_json '.args = ["cat", "/proc/self/cgroup"] | .execCPUAffinity = {initial: "0"}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$output" = "0::${dir#/sys/fs/cgroup}/leaf" ]
}

# bats test_tags=vm
@test "a process goes to the cgroups of the init where the container has left its own, and they are gone" {
	config 'del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	local d left=() pid
	pid=$(pid_of "$ID")
	for d in $(cgroup_dirs "$ID" | grep "$(unified && echo . || echo '/\(unified\|memory\|pids\)/')"); do
		mkdir "${d%/*}/left-$ID"
		echo "$pid" >"${d%/*}/left-$ID/cgroup.procs"
		rmdir "$d"
		left+=("${d%/*}/left-$ID")
	done
	[ "${#left[@]}" -gt 0 ]
	x "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat "/proc/$pid/cgroup")" ]
	[ "$(grep -c "/left-$ID\$" <<<"$output")" -eq "${#left[@]}" ]
	x --cgroup sub "$ID" true
	refused "no such file or directory"
	[ "$(coracle ps --format json "$ID" | jq -c .)" = "[$pid]" ]
	coracle delete --force "$ID"
	rmdir "${left[@]}"
}

@test "signals are passed on to the process" {
	waiting
	foreground "$ID" sh -c 'for s in 1 2 3 10 12 15; do trap "echo $s" $s; done; trap "exit 9" USR2; echo ready; while :; do sleep 0.05; done'
	wait_for has_printed ready
	for s in 1 2 3 15; do
		# coracle inherits ignored signals: background jobs ignore INT and QUIT, for instance.
		if ignores "$EXEC" "$s"; then
			continue
		fi
		# In its first milliseconds the process catches only the signals that end it.
		wait_for repeat_until_printed "$s" "$EXEC"
	done
	wait_for repeat_until_printed 10 "$EXEC"
	kill -USR2 "$EXEC"
	ended
	[ "$status" -eq 9 ]
}

@test "signals that the caller ignores have their defaults" {
	waiting
	run bash -c 'trap "" PIPE HUP TERM; exec "$0" "$@"' "$CORACLE" --root "$ROOT" exec "$ID" grep -E '^Sig(Ign|Blk)' /proc/self/status </dev/null
	[ "$status" -eq 0 ]
	[ "$output" = $'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000' ]
}

# --- every kind of container

# bats test_tags=vm
@test "the process is in all namespaces and cgroups of the container" {
	waiting
	first=$(pid_of "$ID")
	x "$ID" sh -c 'for t in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$t; done'
	[ "$status" -eq 0 ]
	[ "$output" = "$(namespaces "$first")" ]
	exec_detached "$ID" sleep 1000
	grep -q "$ID" "/proc/$pid/cgroup"
	diff "/proc/$first/cgroup" "/proc/$pid/cgroup"
	x "$ID" sh -c 'diff /proc/1/cgroup /proc/self/cgroup; test $$ -gt 1'
	[ "$status" -eq 0 ]
}

# bats test_tags=vm
@test "the process is in the cgroups also with an empty cgroupsPath hierarchy of its own" {
	config --arg path "/$ID-custom" '.linux.cgroupsPath = $path'
	waiting
	exec_detached "$ID" sleep 1000
	grep -q "/$ID-custom" "/proc/$pid/cgroup"
}

# bats test_tags=vm
@test "exec works with the pid namespace of the host" {
	share pid
	waiting
	first=$(pid_of "$ID")
	exec_detached "$ID" sleep 1000
	[ "$(namespaces "$pid")" = "$(namespaces "$first")" ]
	[ "$(namespaces "$pid" pid)" = "$(readlink /proc/self/ns/pid)" ]
	x "$ID" sh -c 'exit 3'
	[ "$status" -eq 3 ]
	coracle delete --force "$ID"
	wait_for gone "$pid"
	nothing_left
}

# bats test_tags=vm
@test "exec works in namespaces joined by path" {
	unshare --net --ipc --uts --pid --fork --kill-child sleep 1000 3>&- </dev/null >/dev/null 2>&1 &
	unshare=$!
	wait_for pgrep -P "$unshare" >/dev/null
	inner=$(pgrep -P "$unshare")
	for t in network:net ipc:ipc uts:uts pid:pid; do
		join "${t%:*}" "/proc/$inner/ns/${t#*:}"
	done
	waiting
	first=$(pid_of "$ID")
	x "$ID" sh -c 'for t in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$t; done; exit 4'
	kept=$(namespaces "$inner" ipc net pid uts)
	all=$(namespaces "$first")
	mine=$(namespaces "$first" ipc net pid uts)
	coracle delete --force "$ID"
	kill -KILL "$inner"
	[ "$status" -eq 4 ]
	[ "$output" = "$all" ]
	[ "$mine" = "$kept" ]
}

# bats test_tags=vm
@test "exec works in a container without namespaces but that of mounts" {
	config '.linux.namespaces = [{type: "mount"}] | del(.hostname) | .mounts |= map(select(.type | IN("proc", "tmpfs")))
		| .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	waiting
	x "$ID" sh -c 'ls /bin/busybox; exit 3'
	[ "$status" -eq 3 ]
	[ "$output" = /bin/busybox ]
}

@test "exec sees the root of a container that was made with --no-pivot" {
	touch rootfs/marker
	args sleep 1000
	background run --detach --no-pivot "$ID"
	[ "$status" -eq 0 ]
	x "$ID" ls /marker
	[ "$status" -eq 0 ]
	x --cwd /tmp "$ID" sh -c 'pwd; ls / | grep -c marker'
	[ "$output" = $'/tmp\n1' ]
}

@test "exec works on a read-only root, and on a writable one" {
	waiting
	x "$ID" touch /file
	[ "$status" -eq 1 ]
	[[ "$output" == *"Read-only"* ]]
	coracle delete --force "$ID"
	writable
	waiting
	x "$ID" touch /file
	[ "$status" -eq 0 ]
	[ -e rootfs/file ]
}

@test "exec works on Debian" {
	rm config.json
	setup_debian
	waiting
	x --env A=1 "$ID" bash -c 'echo "$A $(. /etc/os-release; echo "$ID")"; exit 2'
	[ "$status" -eq 2 ]
	[ "$output" = "1 debian" ]
}

@test "exec works in a created container, which stays created" {
	args echo started
	created
	x "$ID" sh -c 'hostname; id -u; exit 4'
	[ "$status" -eq 4 ]
	[ "$output" = $'coracle\n0' ]
	[ "$(status_of "$ID")" = created ]
	background start "$ID"
	[ "$status" -eq 0 ]
	wait_for has_status "$ID" stopped
}

@test "exec works after the container has mounted over its own root directories" {
	config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"]) | .process.noNewPrivileges = false'
	detached 'mount -t tmpfs none /tmp && echo in >/tmp/file && echo ready; exec sleep 1000'
	wait_for has_printed ready
	x "$ID" cat /tmp/file
	[ "$output" = in ]
}

# bats test_tags=vm
# left reports whether the first process has a namespace that the container was not made with.
left() {
	[ "$(readlink "/proc/$PID/ns/$1")" != "$(jq -r --arg n "$1" '"\($n):[\(.place.namespaces[$n])]"' "$ROOT/$ID/state.json")" ]
}

@test "exec does not follow the first process to a user namespace that it has made; --follow-init does" {
	config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {} | .process.noNewPrivileges = true'
	detached 'exec unshare -U -m sleep 1000'
	PID=$(pid_of "$ID")
	wait_for left mnt
	for options in "" "--detach" "--user 0"; do
		# shellcheck disable=SC2086 # no option, or one with its value
		run coracle exec $options "$ID" touch /tmp/followed
		[ "$status" -eq 255 ]
		says "exec in container \"$ID\": its first process has left the namespaces (mnt, user) that the container was created with (--follow-init goes where it is)"
	done
	[ ! -e rootfs/tmp/followed ]
	run coracle exec --follow-init --user 0 "$ID" readlink /proc/self/ns/mnt
	[ "$output" = "$(readlink "/proc/$PID/ns/mnt")" ]
}

@test "exec does not follow the first process to another namespace of any kind" {
	config '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
	for option in mnt:-m net:-n ipc:-i uts:-u; do
		config '.process.env += ["HOME=/"]'
		detached "exec unshare ${option#*:} sleep 1000"
		PID=$(pid_of "$ID")
		wait_for left "${option%:*}"
		run coracle exec "$ID" true
		[ "$status" -eq 255 ]
		says "has left the namespaces (${option%:*})"
		coracle exec --follow-init "$ID" true
		coracle delete --force "$ID"
	done
}

# jailed starts a container whose first process has changed its root by a script.
jailed() {
	writable
	mkdir -p rootfs/jail/old
	cp -a rootfs/bin rootfs/jail/
	echo container >rootfs/where
	echo jail >rootfs/jail/where
	config '.process.capabilities |= map_values(. + ["CAP_SYS_CHROOT", "CAP_SYS_ADMIN"])'
	args sh -c "$1"
	background run --detach "${@:2}" "$ID"
	PID=$(pid_of "$ID")
	wait_for bash -c '[ -e "/proc/$0/root/old" ]' "$PID"
}

@test "exec is in the root of the container where the first process has changed its own" {
	for option in "" --no-pivot; do
		jailed 'exec chroot /jail sleep 1000' $option
		[ "$(coracle exec "$ID" cat /where)" = container ]
		[ "$(coracle exec --follow-init "$ID" cat /where)" = jail ]
		coracle delete --force "$ID"
		rm -r rootfs/jail
	done
}

@test "exec says so where the root of the container cannot be found any more" {
	jailed 'mount --bind /jail /jail && cd /jail && pivot_root . old && exec chroot . sleep 1000'
	run coracle exec "$ID" cat /where
	[ "$status" -eq 255 ]
	says "its first process has left the root that the container was created with" "--follow-init"
	[ "$(coracle exec --follow-init "$ID" cat /where)" = jail ]
	coracle delete --force "$ID"
}

@test "a container of an older version, of which nobody knows where it was, takes commands" {
	detached 'exec sleep 1000'
	jq 'del(.place, .keyring)' "$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/state"
	cp "$BATS_TEST_TMPDIR/state" "$ROOT/$ID/state.json"
	coracle exec "$ID" true
}

@test "a paused container is refused, and waits with --ignore-paused" {
	dir=/sys/fs/cgroup/freezer/coracle-$ID
	waiting
	[ -e "$dir/freezer.state" ] || skip "no freezer of cgroup v1 here"
	echo FROZEN >"$dir/freezer.state"
	wait_for grep -q FROZEN "$dir/freezer.state"
	x "$ID" true
	refused "paused container" --ignore-paused
	foreground --ignore-paused "$ID" sh -c 'echo thawed; exit 3'
	sleep 0.3
	[ -z "$(printed)" ]
	echo THAWED >"$dir/freezer.state"
	ended
	[ "$status" -eq 3 ]
	has_printed thawed
}

# pids_of_cgroup FILE prints a file of the controller pids of the container.
pids_of_cgroup() {
	local dir
	dir=$(cgroup_dirs "$ID" | grep -m 1 "$(unified && echo . || echo /pids/)")
	cat "$dir/$1"
}

# bats test_tags=vm
@test "exec works at the limit of pids, and takes nothing but the place of its process" {
	config '.linux.resources.pids = {limit: 1} | del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	x "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$(grep -c "$ID" <<<"$output")" -eq "$(grep -c "$ID" "/proc/$(pid_of "$ID")/cgroup")" ]
	# A process above the limit, where the kernel counts the forks that it refused.
	exec_detached "$ID" sleep 1000
	[ "$(pids_of_cgroup pids.current)" -eq 2 ]
	unified || [ "$(pids_of_cgroup pids.events)" = "max 0" ]
	process_json '.args = ["cat", "/proc/self/cgroup"] | .execCPUAffinity = {initial: "0", final: "0"}'
	x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
	[ "$status" -eq 0 ]
	# The limit still applies.
	x "$ID" sh -c 'true & wait'
	[ "$status" -ne 0 ]
	[[ $output == *"can't fork"* ]]
}

# bats test_tags=vm
@test "where a process may look into others, exec takes two places, and none without its cgroups" {
	config '.linux.resources.pids = {limit: 2} | .process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"] | unique)'
	waiting
	x "$ID" true
	refused "fork into the pid namespace: resource temporarily unavailable (a limit of processes is reached)"
	coracle update --pids-limit 3 "$ID"
	x "$ID" true
	[ "$status" -eq 0 ]
}

# bats test_tags=vm
@test "exec works at the limit of pids in the pid namespace of the host" {
	share pid
	config '.linux.resources.pids = {limit: 1} | del(.linux.namespaces[] | select(.type == "cgroup"))'
	waiting
	for initial in "" 0; do
		process_json ".args = [\"cat\", \"/proc/self/cgroup\"] | .execCPUAffinity = {initial: \"$initial\"}"
		x --process "$BATS_TEST_TMPDIR/process.json" "$ID"
		[ "$status" -eq 0 ]
		[ "$(grep -c "$ID" <<<"$output")" -eq "$(grep -c "$ID" "/proc/$(pid_of "$ID")/cgroup")" ]
	done
}

# bats test_tags=vm
@test "exec works at the limit of pids in a user namespace, and so do hooks of start" {
	writable
	config '.linux.namespaces += [{type: "user"}] | .linux.resources.pids = {limit: 1} | del(.linux.namespaces[] | select(.type == "cgroup"))
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings
		| .hooks.startContainer = [{path: "/bin/true"}]'
	chown -R 100000:100000 rootfs
	waiting
	[ "$(pids_of_cgroup pids.max)" = 1 ]
	x "$ID" id -u
	[ "$output" = 0 ]
	x "$ID" cat /proc/self/cgroup
	[ "$(grep -c "$ID" <<<"$output")" -eq "$(grep -c "$ID" "/proc/$(pid_of "$ID")/cgroup")" ]
}

# bats test_tags=vm
@test "exec works in a container that has used up its memory" {
	writable
	config '.linux.resources.memory = {limit: 16777216}'
	waiting
	# Its page cache counts as memory, too.
	x "$ID" sh -c 'dd if=/dev/zero of=/file bs=1M count=40 2>/dev/null; exec cat /file >/dev/null'
	[ "$status" -eq 0 ]
	for _ in 1 2 3; do
		x "$ID" true
		[ "$status" -eq 0 ]
	done
	[ "$(status_of "$ID")" = running ]
}

# bats test_tags=vm
@test "a user who has as many processes as RLIMIT_NPROC allows is an error that says so" {
	local uid=$((70000 + $$ % 10000))
	# The kernel allows a user one process more.
	config ".process.user = {uid: $uid, gid: 0} | .process.rlimits = [{type: \"RLIMIT_NPROC\", hard: 0, soft: 0}]"
	waiting
	x "$ID" true
	refused "exec: \"true\": resource temporarily unavailable (user $uid has as many processes as RLIMIT_NPROC allows: 0, process.rlimits)"
}

@test "a process that exec has started can be seen, but not before it is the container's" {
	# While the exec program joins, it is non-dumpable: a process of the container cannot open its
	# /proc/PID/{exe,fd,mem,root,...}. Joining takes less than a millisecond, so a test here would
	# be a race; libcontainer/internal/initprog/compile checks the program instead. The command is
	# an ordinary process:
	waiting
	exec_detached "$ID" sleep 1000
	inner=$(awk '/^NSpid:/ { print $NF }' "/proc/$pid/status")
	x "$ID" sh -c "for f in exe root cwd; do readlink /proc/$inner/\$f; done; ls /proc/$inner/fd | xargs"
	[ "$status" -eq 0 ]
	[ "$output" = $'/bin/busybox\n/\n/\n0 1 2' ]
}

@test "a process in the container that watches sees no init program it could open" {
	# The watcher opens what it can of each process that is not its own.
	config '.process.capabilities |= map_values(. + ["CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"])'
	detached 'while :; do for p in /proc/[0-9]*; do
		case $(readlink $p/exe) in *memfd*) echo "caught $p";; esac; done; done 2>/dev/null'
	for _ in {1..30}; do
		x "$ID" true
		[ "$status" -eq 0 ]
	done
	run printed
	[ -z "$output" ]
}

@test "exec while the container is killed ends with 255 or a signal" {
	for i in 1 2 3 4 5 6 7 8; do
		args sleep 1000
		background run --detach "$ID"
		[ "$status" -eq 0 ]
		: >"$BATS_TEST_TMPDIR/statuses"
		for _ in 1 2; do
			# Each has its own subshell, which runs until the container is gone.
			(
				exec 3>&-
				for _ in {1..200}; do
					s=0
					timeout --foreground 20 "$CORACLE" --root "$ROOT" exec "$ID" true >/dev/null 2>>"$BATS_TEST_TMPDIR/errors" </dev/null || s=$?
					echo "$s" >>"$BATS_TEST_TMPDIR/statuses"
					[ "$s" -eq 0 ] || break
				done
			) &
		done
		sleep "0.0$i"
		coracle kill "$ID" KILL
		wait
		cat "$BATS_TEST_TMPDIR/statuses" >>"$BATS_TEST_TMPDIR/all"
		wait_for has_status "$ID" stopped
		coracle delete "$ID"
	done
	sort "$BATS_TEST_TMPDIR/all" | uniq -c
	sort "$BATS_TEST_TMPDIR/errors" | uniq -c
	[ "$(grep -cvxE '0|255|137' "$BATS_TEST_TMPDIR/all")" -eq 0 ]
	grep -qxE '255|137' "$BATS_TEST_TMPDIR/all"
	nothing_left
}

@test "a process whose first thread has ended: it is joined, waited for, and gets signals" {
	leaderless
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	PID=$(pid_of "$ID")
	wait_for first_thread_gone "$PID"
	run coracle exec "$ID" sh -c 'readlink /proc/self/ns/net; cat /proc/self/cgroup'
	if [ "$status" -ne 0 ]; then
		# PIDFD_THREAD
		failed "the first thread of process $PID has ended" "Linux 6.9"
		coracle delete --force "$ID"
		args sleep 1000
		background run --detach "$ID"
		PID=$(pid_of "$ID")
	else
		thread=$(find "/proc/$PID/task" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tail -n 1)
		[ "${lines[0]}" = "$(readlink "/proc/$PID/task/$thread/ns/net")" ]
		[ "${lines[*]:1}" = "$(nsenter --cgroup="/proc/$PID/task/$thread/ns/cgroup" cat "/proc/$PID/task/$thread/cgroup" | tr '\n' ' ' | sed 's/ $//')" ]
	fi
	"$CORACLE" --root "$ROOT" exec --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" /leaderless >"$BATS_TEST_TMPDIR/dots" 2>&1 </dev/null 3>&- &
	wait_for test -s "$BATS_TEST_TMPDIR/dots"
	wait_for first_thread_gone "$(cat "$BATS_TEST_TMPDIR/pid")"
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 143 ]
}
