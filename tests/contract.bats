#!/usr/bin/env bats
# The contract with engines: coracle is called as containerd's shim, conmon, Podman, CRI-O,
# BuildKit and Buildah call it, with their arguments, environments, working directories and
# streams. The points of the contract, and the files that test them:
#
#  1 commands, flags and their forms       here
#  2 missing values, checkpoint --help     here, errors.bats
#  3 the log                               here, errors.bats, create.bats
#  4 errors, status, silence, bad streams  here, errors.bats, run.bats
#  5 state                                 here, state.bats
#  6 ps                                    here, ps.bats
#  7 features                              here, features.bats
#  8 --version                             here, errors.bats
#  9 pid files                             here, create.bats, exec.bats
# 10 what is done when create returns      here, create.bats, cgroups.bats
# 11 console and pidfd sockets             terminal.bats, exec.bats
# 12 detached processes                    here, exec.bats, kill.bats
# 13 no descriptor is left open            here, create.bats, start.bats, terminal.bats
# 14 processes in the foreground           here, terminal.bats, run.bats, exec.bats
# 15 run --keep                            here, run.bats
# 16 kill                                  here, kill.bats
# 17 shared pid namespaces                 kill.bats, delete.bats
# 18 delete                                here, delete.bats
# 19 what later commands need not be told  here, systemd.bats, rootless.bats
# 20 reduced environments                  here, start.bats, exec.bats
# 21 what cannot be executed               here, create.bats, start.bats, exec.bats
# 22 the same from create and exec         here, exec.bats
# 23 update                                here, update.bats
# 24 preserved descriptors, process files  here, run.bats, exec.bats
# 25 foreign things in the root            here, errors.bats, state.bats
# 26 the owner of the standard streams     here
# 27 the systemd driver                    systemd.bats
# 28 the engines themselves                containerd.bats, engines/*.bats

load helpers

setup() {
	setup_busybox
	ELSEWHERE=$BATS_TEST_TMPDIR/elsewhere
	mkdir "$ELSEWHERE"
}

# The callers. Each sets $status, and $output to the output of both streams.

# call COMMAND... runs it with pipes, as programs do that read the result.
call() {
	status=0
	"$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
}

# shim calls as containerd's shim: its working directory is another container's.
shim() {
	call env -C "$ELSEWHERE" -i "PATH=$PATH" GOMAXPROCS=4 OTEL_SERVICE_NAME=containerd-shim-x "TTRPC_ADDRESS=$ELSEWHERE/s" \
		"$CORACLE" --root "$ROOT" --log "$BUNDLE/log.json" --log-format json "$@"
}

# conmon calls as conmon: it passes Podman's flags on, and ignores SIGPIPE.
conmon() {
	call bash -c 'trap "" PIPE; exec "$@"' bash env -C "$ELSEWHERE" -i "PATH=$PATH" XDG_RUNTIME_DIR= _OCI_SYNCPIPE=8 _OCI_STARTPIPE=9 \
		"$CORACLE" --log-format=json --log="$BUNDLE/oci-log" --root="$ROOT" "$@"
}

# podman calls with an almost empty environment.
podman() {
	call env -C "$ELSEWHERE" -i XDG_RUNTIME_DIR= "$CORACLE" --root "$ROOT" "$@"
}

# silent asserts that the last command succeeded without output.
silent() {
	if [ "$status" -ne 0 ] || [ -n "$output" ]; then
		echo "status $status: $output" >&2
		return 1
	fi
}

# logged FILE COUNT asserts that a log has COUNT entries, in the form that engines read.
logged() {
	[ "$(wc -l <"$1")" -eq "$2" ]
	jq -se 'all(.level == "error" and (.msg | length > 0) and (.time | test("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(Z|[+-]\\d\\d:\\d\\d)$")))' "$1"
}

# process ARG... prints a process for exec --process.
# shellcheck disable=SC2094 # it reads config.json only
process() {
	jq '.process | .args = $ARGS.positional | .terminal = false' --args -- "$@" <config.json
}

# bats test_tags=vm
@test "contract: the life of a container of containerd" {
	args sleep 1000
	shim create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" "$ID"
	silent
	[[ "$(od -An -c "$BUNDLE/init.pid")" != *'\n'* ]]
	pid=$(cat "$BUNDLE/init.pid")
	grep -q "$ID" "/proc/$pid/cgroup"
	shim start "$ID"
	silent
	process sh -c 'echo out; sleep 1000' >"$ELSEWHERE/runc-process1"
	shim exec --process "$ELSEWHERE/runc-process1" --detach --pid-file "$BUNDLE/one.pid" "$ID"
	rm "$ELSEWHERE/runc-process1"
	[ "$status" -eq 0 ]
	second=$(cat "$BUNDLE/one.pid")
	grep -q "$ID" "/proc/$second/cgroup"
	shim ps --format json "$ID"
	[ "$(jq -c sort <<<"$output")" = "$(jq -nc --argjson a "$pid" --argjson b "$second" '[$a, $b] | sort')" ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	shim pause "$ID"
	silent
	shim resume "$ID"
	silent
	shim state "$ID"
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	jq -e --argjson pid "$pid" --arg b "$BUNDLE" '.pid == $pid and .status == "running" and .bundle == $b and .rootfs == $b + "/rootfs"' <<<"$output"
	shim kill "$ID" 9
	silent
	wait_for has_status "$ID" stopped
	shim kill --all "$ID" 9
	silent
	shim kill "$ID" 9
	failed "container not running"
	shim delete "$ID"
	silent
	shim delete "$ID"
	failed "does not exist"
	shim delete --force "$ID"
	silent
	# Only the two failed commands have left entries.
	logged "$BUNDLE/log.json" 2
	nothing_left
}

# bats test_tags=vm
@test "contract: the life of a container of podman" {
	args sh -c 'grep SigIgn /proc/self/status; env; ls /proc/self/fd; exec sleep 1000'
	conmon create --bundle "$BUNDLE" --pid-file "$BUNDLE/pidfile" --preserve-fds 0 "$ID"
	silent
	mv "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/log"
	podman start "$ID"
	silent
	wait_for grep -qx 2 "$BATS_TEST_TMPDIR/log"
	# Signals that conmon ignores are not ignored here, and its variables are not set.
	grep -q 'SigIgn:.0000000000000000' "$BATS_TEST_TMPDIR/log"
	[ "$(grep -cE 'OCI|XDG_RUNTIME_DIR' "$BATS_TEST_TMPDIR/log")" -eq 0 ]
	# The process leads a session: conmon kills its process group.
	pid=$(cat "$BUNDLE/pidfile")
	[ "$(ps -o sid=,pgid= -p "$pid" | tr -s ' ' | sed 's/^ //')" = "$pid $pid" ]
	process sh -c 'sleep 1000' >"$ELSEWHERE/process"
	conmon exec --pid-file "$BUNDLE/exec.pid" --process "$ELSEWHERE/process" --detach "$ID"
	[ "$status" -eq 0 ]
	second=$(cat "$BUNDLE/exec.pid")
	[ "$(ps -o sid=,pgid= -p "$second" | tr -s ' ' | sed 's/^ //')" = "$second $second" ]
	echo '{"pids": {"limit": 77}}' >"$ELSEWHERE/resources"
	podman update --resources="$ELSEWHERE/resources" "$ID"
	silent
	podman pause "$ID"
	silent
	podman resume "$ID"
	silent
	podman kill "$ID" 15
	silent
	podman kill --all "$ID" 9
	silent
	wait_for has_status "$ID" stopped
	podman state "$ID"
	jq -e '.pid == 0 or (has("pid") | not)' <<<"$output"
	podman delete --force "$ID"
	silent
	podman delete --force "$ID"
	silent
	[ ! -s "$BUNDLE/oci-log" ]
	nothing_left
}

# bats test_tags=vm
@test "contract: the life of a container of CRI-O" {
	args sleep 1000
	: >"$BUNDLE/pidfile"
	call "$CORACLE" --root="$ROOT" create --bundle "$BUNDLE" --pid-file "$BUNDLE/pidfile" "$ID"
	silent
	call "$CORACLE" --root "$ROOT" start "$ID"
	silent
	# kubectl exec, in the foreground.
	process sh -c 'cat; exit 9' >process.json
	status=0
	output=$(echo word | env -i XDG_RUNTIME_DIR="$ELSEWHERE" "$CORACLE" --root "$ROOT" exec --process "$BUNDLE/process.json" "$ID" 2>&1) || status=$?
	[ "$status" -eq 9 ]
	[ "$output" = word ]
	# The pid file of exec exists before, and is empty.
	: >"$BUNDLE/exec.pid"
	process true >process.json
	call "$CORACLE" --root="$ROOT" exec --pid-file "$BUNDLE/exec.pid" --process "$BUNDLE/process.json" --detach "$ID"
	silent
	[[ "$(cat "$BUNDLE/exec.pid")" =~ ^[0-9]+$ ]]
	jq -c .linux.resources config.json | call_stdin update --resources - "$ID"
	jq -c .linux.resources config.json | call_stdin update --resources=- "$ID"
	call "$CORACLE" --root "$ROOT" kill "$ID" KILL
	silent
	wait_for has_status "$ID" stopped
	call "$CORACLE" --root "$ROOT" kill -a "$ID" 9
	silent
	call "$CORACLE" --root "$ROOT" delete --force "$ID"
	silent
	nothing_left
}

call_stdin() {
	[ -z "$("$CORACLE" --root "$ROOT" "$@" 2>&1)" ]
}

# bats test_tags=vm
@test "contract: a step of BuildKit" {
	config --arg id "$ID" '.linux.cgroupsPath = "/" + $id'
	args sh -c 'echo step; exit 6'
	call "$CORACLE" --root "$ROOT" --log "$BUNDLE/runc-log.json" --log-format json run --bundle "$BUNDLE" --keep "$ID"
	[ "$status" -eq 6 ]
	[ "$output" = step ]
	[ ! -s "$BUNDLE/runc-log.json" ]
	# It reads the cgroup, then deletes without force.
	[ -n "$(cgroup_dirs "$ID")" ]
	has_status "$ID" stopped
	call "$CORACLE" --root "$ROOT" --log "$BUNDLE/runc-log.json" --log-format json delete "$ID"
	silent
	nothing_left
}

# buildkit calls from its own process group.
buildkit() {
	call setsid --wait "$CORACLE" --root "$ROOT" --log "$BUNDLE/runc-log.json" --log-format json "$@"
}

# bats test_tags=vm
@test "contract: a step that BuildKit cancels, and a process in it" {
	args sleep 1000
	aside "$CORACLE" --root "$ROOT" --log "$BUNDLE/runc-log.json" --log-format json run --bundle "$BUNDLE" --keep "$ID"
	wait_for has_status "$ID" running
	# It opens the configuration whose bundle is in the state, and looks users up in the rootfs.
	buildkit state "$ID"
	[ -e "$(jq -r .bundle <<<"$output")/config.json" ]
	[ -e "$(jq -r .rootfs <<<"$output")/etc/passwd" ]
	process sh -c 'trap "" TERM; sleep 1000 & wait' >process.json
	aside "$CORACLE" --root "$ROOT" exec --process "$BUNDLE/process.json" --pid-file "$BUNDLE/exec.pid" "$ID"
	wait_for test -e exec.pid
	[[ "$(cat exec.pid)" =~ ^[0-9]+$ ]]
	kill -9 "$(cat exec.pid)"
	status=0
	wait "${ASIDE[1]}" || status=$?
	[ "$status" -eq 137 ]
	has_status "$ID" running
	buildkit kill "$ID" 9
	silent
	status=0
	wait "${ASIDE[0]}" || status=$?
	[ "$status" -eq 137 ]
	buildkit delete "$ID"
	silent
	[ ! -s runc-log.json ]
	nothing_left
}

# bats test_tags=vm
@test "contract: a step that BuildKit cancels before it has begun" {
	printf '#!/bin/sh\necho $$ >%s\nexec sleep 1000\n' "$BUNDLE/hooked" >hook
	chmod 755 hook
	config --arg hook "$BUNDLE/hook" '.hooks.createRuntime = [{path: $hook}]'
	aside "$CORACLE" --root "$ROOT" --log "$BUNDLE/runc-log.json" --log-format json run --bundle "$BUNDLE" --keep "$ID"
	wait_for test -s hooked
	# When it cannot kill the container, it kills the runtime and deletes at once, without force.
	# The init dies slowly: on cgroup v1 a frozen process does not die.
	for d in $(cgroup_dirs "$ID"); do
		[ ! -e "$d/freezer.state" ] || echo FROZEN >"$d/freezer.state"
	done
	kill -9 "${ASIDE[0]}"
	wait "${ASIDE[0]}" || true
	buildkit delete "$ID"
	silent
	kill -9 "$(cat hooked)" || true
	nothing_left
}

@test "contract: a step of Buildah" {
	args sh -c 'exit 5'
	background create --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" --no-new-keyring --no-pivot "$ID"
	silent
	background start "$ID"
	silent
	wait_for has_status "$ID" stopped
	background kill "$ID"
	failed "container not running"
	background delete "$ID"
	silent
	nothing_left
}

@test "contract: dockerd's wrapper for runtimes with arguments" {
	printf '#!/bin/sh\n%s --debug=false $@\n' "$CORACLE" >wrapper
	chmod 755 wrapper
	args sleep 1000
	call ./wrapper --root "$ROOT" --log "$BUNDLE/log.json" --log-format json create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" "$ID"
	silent
	call ./wrapper --root "$ROOT" --log "$BUNDLE/log.json" --log-format json start "$ID"
	silent
	has_status "$ID" running
}

@test "contract: flags in every form, and those that are for others" {
	args true
	for form in "run -b $BUNDLE" "run --bundle=$BUNDLE" "run -bundle $BUNDLE" "run -bundle=$BUNDLE -no-subreaper" \
		"run --no-subreaper --no-pivot --no-new-keyring" "run -no-new-keyring -preserve-fds=0"; do
		# shellcheck disable=SC2086 # several words
		background $form "$ID"
		silent
	done
	for global in "--criu /usr/sbin/criu" "--criu=x" "-criu x" "--rootless=auto" "--rootless auto" "--rootless=false" "--cgroup-manager cgroupfs" \
		"--cgroup-manager=cgroupfs" "--debug=false" "-log-format=json" "--systemd-cgroup=false"; do
		# shellcheck disable=SC2086 # several words
		background $global run "$ID"
		silent
	done
	background --cgroup-manager disabled run "$ID"
	silent
	nothing_left
}

@test "contract: how engines find out about checkpoints" {
	# Podman reads status 0 as "supported".
	background checkpoint --help
	[ "$status" -ne 0 ]
	background restore --lsm-mount-context
	[ "$status" -ne 0 ]
	for command in "run --bundle" "exec --process" "update --resources" "--log"; do
		# shellcheck disable=SC2086 # several words
		background $command
		[ "$status" -ne 0 ]
		says "flag needs an argument"
	done
}

@test "contract: --version and features, as they are parsed" {
	call "$CORACLE" --version
	[ "$status" -eq 0 ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	[[ "$(head -n 1 <<<"$output")" == "coracle version "* ]]
	[ "$(grep -c version <<<"$output")" -eq 1 ]
	[ "$(grep -c '^commit: .' <<<"$output")" -eq 1 ]
	call env -i "$CORACLE" features
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	jq -e '(.ociVersionMin | length > 0) and (.ociVersionMax | length > 0) and (.mountOptions | index("rro")) and
		(.linux.namespaces | index("user")) and (.linux.mountExtensions.idmap.enabled | type == "boolean")' <<<"$output"
}

@test "contract: the log is there from the beginning, and has one line for each failure" {
	shim state "$ID"
	failed "does not exist"
	shim create --no-such-flag "$ID"
	[ "$status" -eq 1 ]
	shim create --bundle /no/such/bundle "$ID"
	[ "$status" -eq 1 ]
	args no-such-command
	shim create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" "$ID"
	failed "executable file not found"
	[ "$(tail -n 1 "$BUNDLE/log.json" | jq -r .msg)" = "$output" ]
	logged "$BUNDLE/log.json" 4
	[ ! -e "$BUNDLE/init.pid" ]
	args true
	rm "$BUNDLE/log.json"
	shim create --bundle "$BUNDLE" "$ID"
	silent
	# Otherwise containerd reports that it cannot read the log.
	[ -f "$BUNDLE/log.json" ]
	[ ! -s "$BUNDLE/log.json" ]
}

@test "contract: what cannot be executed, in the words that become 126 and 127" {
	mkdir rootfs/opt
	echo text >rootfs/opt/text
	local -A words=(
		[no-such-command]='exec: "no-such-command": executable file not found in $PATH'
		[/no/such/command]='exec: "/no/such/command": stat /no/such/command: no such file or directory'
		[/opt]='exec: "/opt": is a directory: permission denied'
		[/opt/text]='exec: "/opt/text": permission denied'
	)
	args sleep 1000
	cp config.json good.json
	background create "$ID-0"
	background start "$ID-0"
	for command in "${!words[@]}"; do
		args "$command"
		shim create --bundle "$BUNDLE" "$ID"
		failed "${words[$command]}"
		cp good.json config.json
		process "$command" >process.json
		rm -f exec.pid
		shim exec --process "$BUNDLE/process.json" --detach --pid-file "$BUNDLE/exec.pid" "$ID-0"
		[ "$status" -eq 255 ]
		says "${words[$command]}"
		# Conmon reads a pid file as a sign that the process was started.
		[ ! -e exec.pid ]
	done
}

@test "contract: an error fits into one read of conmon" {
	args "/$(printf 'x%.0s' {1..20000})"
	conmon create --bundle "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	[ "$(wc -c <"$BATS_TEST_TMPDIR/err")" -lt 8192 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	says 'exec: "/xxx' " [...] xxx" "name too long"
	[ "$(wc -l <"$BUNDLE/oci-log")" -eq 1 ]
	nothing_left
}

@test "contract: streams that cannot be written to" {
	# containerd's "null" streams are /dev/null opened for reading.
	args sh -c 'echo lost; echo lost >&2; sleep 1000'
	"$CORACLE" --root "$ROOT" create --bundle "$BUNDLE" "$ID" 1</dev/null 2</dev/null
	"$CORACLE" --root "$ROOT" start "$ID" 1</dev/null 2</dev/null
	process sleep 1000 >process.json
	"$CORACLE" --root "$ROOT" exec --process process.json --detach --pid-file exec.pid "$ID" 1</dev/null 2</dev/null
	status=0
	"$CORACLE" --root "$ROOT" exec "$ID" no-such-command 1</dev/null 2</dev/null || status=$?
	[ "$status" -eq 255 ]
	status=0
	"$CORACLE" --root "$ROOT" --log log.json --log-format json create --bundle "$BUNDLE" "$ID" 1</dev/null 2</dev/null || status=$?
	[ "$status" -eq 1 ]
	logged log.json 1
	status=0
	"$CORACLE" --root "$ROOT" kill "$ID" KILL >&- 2>&- <&- || status=$?
	[ "$status" -eq 0 ]
}

@test "contract: nobody but the container holds its streams" {
	args sh -c 'exec sleep 1000 >/dev/null 2>&1'
	mkfifo pipe
	timeout --foreground 20 cat pipe >read.out &
	reader=$!
	"$CORACLE" --root "$ROOT" create --bundle "$BUNDLE" "$ID" >pipe 2>&1 </dev/null
	"$CORACLE" --root "$ROOT" start "$ID" >/dev/null 2>&1
	# The stream ends when the process no longer holds it.
	wait "$reader"
	has_status "$ID" running
}

@test "contract: what is done when create returns" {
	args sleep 1000
	# dockerd's former hook reads the pid in the state to set up the network.
	printf '#!/bin/sh\nreadlink /proc/$(jq .pid)/ns/net >%s/net\n' "$ELSEWHERE" >hook
	chmod 755 hook
	config --arg hook "$BUNDLE/hook" '.hooks.prestart = [{path: $hook, env: ["PATH=/usr/bin:/bin"]}]'
	shim create --bundle "$BUNDLE" --pid-file "$BUNDLE/init.pid" "$ID"
	silent
	pid=$(cat init.pid)
	[ "$(cat "$ELSEWHERE/net")" = "$(readlink "/proc/$pid/ns/net")" ]
	[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]
	# The limits and events of the cgroup apply to the process.
	cgroup=$(sed -n 's/^[0-9]*:pids://p;s/^0:://p' "/proc/$pid/cgroup" | grep -m 1 "$ID")
	[ -n "$cgroup" ]
}

@test "contract: the standard streams belong to the user of the process" {
	config '.process.user = {uid: 1000, gid: 1000}'
	for what in init exec; do
		if [ "$what" = init ]; then
			args sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin'
			output=$(echo in | "$CORACLE" --root "$ROOT" run "$ID" 2>&1)
		else
			args sleep 1000
			background run --detach "$ID"
			output=$(echo in | "$CORACLE" --root "$ROOT" exec "$ID" sh -c 'echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin' 2>&1)
		fi
		[ "$output" = $'out\nerr\nin' ]
	done
	[ "$(stat -c %u /dev/null)" = 0 ]
}

@test "contract: the same container by flags that differ" {
	# The process that cleans up does not pass the flags of create again.
	args sleep 1000
	background --cgroup-manager disabled --rootless=false create "$ID"
	silent
	for command in "start $ID" "state $ID" "kill $ID KILL" "delete --force $ID"; do
		# shellcheck disable=SC2086 # several words
		podman $command
		[ "$status" -eq 0 ]
	done
	nothing_left
}

@test "contract: without --root, the state is in /run, for real root" {
	args sleep 1000
	# shellcheck disable=SC2016 # expanded by the shell inside
	call unshare --mount sh -ec '
		mount -t tmpfs -o mode=755 tmpfs /run
		coracle=$1 id=$2
		"$coracle" create --pid-file pid "$id" </dev/null >/dev/null 2>&1
		ls /run/coracle
		for command in "start $id" "pause $id" "resume $id" "kill $id 9"; do
			env -i XDG_RUNTIME_DIR= "$coracle" $command
		done
		env -i XDG_RUNTIME_DIR= "$coracle" delete --force "$id"
		ls /run/coracle' sh "$CORACLE" "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$ID" ]
	nothing_left
}

@test "contract: a root that others use, a configuration of another time" {
	mkdir -p "$ROOT/$ID-foreign"
	echo '{"id": "x", "init_process_pid": 1}' >"$ROOT/$ID-foreign/state.json"
	args true
	for v in 1.0.0 1.0.2-dev 1.1.0+dev 1.2.1 1.9.0; do
		config --arg v "$v" '.ociVersion = $v | .unknown = {a: 1} | .linux.unknown = [1]'
		background run "$ID"
		silent
	done
	call "$CORACLE" --root "$ROOT" list --format json
	[ "$status" -eq 0 ]
	jq -e '. == []' "$BATS_TEST_TMPDIR/out"
	[[ "$(cat "$BATS_TEST_TMPDIR/err")" == "warning: container "*"it belongs to another runtime"* ]]
	rm -r "${ROOT:?}/$ID-foreign"
}
