#!/usr/bin/env bats
# Coracle below conmon, as with CRI-O. CRI-O itself is not part of the tests: they do what it
# does, with the real conmon, and with its arguments, descriptors and files.

load ../helpers

setup() {
	command -v conmon >/dev/null || skip "conmon is not there"
	setup_busybox
	mkdir exits persist
	LOG=$BUNDLE/log
}

teardown() {
	common_teardown
	[ -z "${PINNED:-}" ] || umount "${PINNED[@]}"
	# Conmon ends after its container.
	[ ! -e "$BUNDLE/conmon.pid" ] || wait_for conmon_ended
}

conmon_ended() {
	! kill -0 "$(cat "$BUNDLE/conmon.pid")" 2>/dev/null
}

# crio_conmon ARG... runs conmon as CRI-O does. Its answer, on a pipe of CRI-O, is in $answer.
# Conmon keeps running; its pid is in the file conmon.pid.
crio_conmon() {
	# CRI-O lets conmon continue after it has moved it to its cgroup.
	printf x >begin
	: >answer
	status=0
	env -i "PATH=$PATH" XDG_RUNTIME_DIR= _OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 \
		conmon -b "$BUNDLE" -c "$ID" --exit-dir "$BUNDLE/exits" -l "$LOG" --log-level info -n name -P "$BUNDLE/conmon.pid" \
		-p "$BUNDLE/pidfile" --persist-dir "$BUNDLE/persist" -r "$CORACLE" --runtime-arg "--root=$ROOT" -u "$ID" --socket-dir-path "$BUNDLE" \
		"$@" >conmon.out 2>&1 </dev/null 3>answer 4<begin || status=$?
	wait_for test -s answer
	answer=$(cat answer)
}

# exec_sync [-T SECONDS] COMMAND... executes a command as kubelet's probes do.
exec_sync() {
	local options=()
	if [ "$1" = -T ]; then
		options=(-T "$2")
		shift 2
	fi
	jq '.process | .args = $ARGS.positional | .terminal = false' --args -- "$@" <config.json >process.json
	: >sync.log
	printf x >begin
	: >answer
	env -i "PATH=$PATH" XDG_RUNTIME_DIR= _OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 \
		conmon -c "$ID" -n name -r "$CORACLE" -p "$BUNDLE/exec.pid" -e --exec-process-spec "$BUNDLE/process.json" -l "$BUNDLE/sync.log" \
		--exit-dir "$BUNDLE/exits" --socket-dir-path "$BUNDLE" --log-level info --runtime-arg "--root=$ROOT" -u "$ID" "${options[@]}" \
		>conmon.out 2>&1 </dev/null 3>answer 4<begin || true
	# A child of the first process answers when everything is done.
	wait_for test -s answer
	answer=$(cat answer)
}

# logged prints the container's output on a stream, from the log that kubelet reads.
logged() {
	sed -nE "s/^[^ ]+ $1 [FP] //p" "${2:-$LOG}"
}

direct() {
	env -i XDG_RUNTIME_DIR= "$CORACLE" --root "$ROOT" "$@"
}

@test "crio: the life of a container" {
	args sh -c 'echo out; echo err >&2; exec sleep 1000'
	crio_conmon
	[ "$status" -eq 0 ]
	[ "$(jq .pid <<<"$answer")" = "$(cat pidfile)" ]
	has_status "$ID" created
	direct start "$ID"
	wait_for grep -q out "$LOG"
	wait_for grep -q err "$LOG"
	[ "$(logged stdout)" = out ]
	[ "$(logged stderr)" = err ]
	direct kill "$ID" 15
	direct kill "$ID" KILL
	wait_for test -s "exits/$ID"
	[ "$(cat "exits/$ID")" = 137 ]
	has_status "$ID" stopped
	direct delete --force "$ID"
	nothing_left
}

@test "crio: what cannot be created, in the words that it shows" {
	args no-such-command
	crio_conmon
	[ "$(jq .pid <<<"$answer")" = -1 ]
	[[ "$(jq -r .message <<<"$answer")" == *'executable file not found in $PATH'* ]]
	config '.process.terminal = true'
	crio_conmon -t
	[ "$(jq .pid <<<"$answer")" = -1 ]
	[[ "$(jq -r .message <<<"$answer")" == *'executable file not found in $PATH'* ]]
	args true
	config '.process.terminal = false | .mounts += [{destination: "/x", type: "bind", source: "/no/such/source", options: ["bind"]}]'
	crio_conmon
	[ "$(jq .pid <<<"$answer")" = -1 ]
	[[ "$(jq -r .message <<<"$answer")" == *"/no/such/source"*"no such file or directory"* ]]
	nothing_left
}

# Without --log, messages of create and exec go to standard error, which is also their process's.
@test "crio: warnings are in the container's log, and confuse nobody" {
	config '.process.capabilities |= (.permitted -= ["CAP_KILL"] | .effective += ["CAP_KILL"]) | .hooks.poststop = [{path: "/bin/false"}] | .colour = "red"'
	args sh -c 'echo err >&2; exec sleep 1000'
	crio_conmon
	[ "$status" -eq 0 ]
	[ "$(jq .pid <<<"$answer")" = "$(cat pidfile)" ]
	direct start "$ID"
	wait_for grep -q 'err$' "$LOG"
	[[ "$(logged stderr)" == $'warning: process.capabilities.effective: CAP_KILL'*$'\nerr' ]]
	[ "$(logged stderr | wc -l)" -eq 2 ]
	[ -z "$(logged stdout)" ]
	direct state "$ID" 2>&1 | jq -e '.status == "running"'
	exec_sync sh -c 'echo out; exit 7'
	[ "$answer" = '{"exit_code": 7}' ]
	[ "$(logged stdout sync.log)" = out ]
	exec_sync no-such-command
	[[ "$(jq -r .message <<<"$answer")" == 'exec: "no-such-command": executable file not found in $PATH'* ]]
	direct kill "$ID" KILL
	wait_for has_status "$ID" stopped
	[ -z "$(direct delete --force "$ID" 2>/dev/null)" ]
	nothing_left
}

@test "crio: processes executed for a probe" {
	args sleep 1000
	crio_conmon
	direct start "$ID"
	exec_sync sh -c 'printf "no newline"; exit 7'
	[ "$answer" = '{"exit_code": 7}' ]
	[ "$(logged stdout sync.log)" = "no newline" ]
	exec_sync no-such-command
	[ "$(jq .exit_code <<<"$answer")" = -1 ]
	[[ "$(jq -r .message <<<"$answer")" == 'exec: "no-such-command": executable file not found in $PATH'* ]]
	# The command leads a process group, which conmon kills.
	exec_sync -T 1 sh -c 'sleep 1000; true'
	[ "$(jq -r .message <<<"$answer")" = "command timed out" ]
	alone() { [ "$(direct ps --format json "$ID" | jq length)" -eq 1 ]; }
	wait_for alone
	has_status "$ID" running
}

@test "crio: kubectl exec, and limits that change" {
	args sleep 1000
	crio_conmon
	direct start "$ID"
	jq '.process | .args = ["sh", "-c", "cat; exit 9"]' <config.json >process.json
	status=0
	output=$(echo word | direct exec --process process.json "$ID") || status=$?
	[ "$status" -eq 9 ]
	[ "$output" = word ]
	echo '{"memory": {"limit": 50331648}, "cpu": {"shares": 512}, "pids": {"limit": 77}}' | direct update --resources - "$ID"
	cgroup_dirs "$ID" | sed 's,$,/pids.max,' | xargs grep -sqxF 77
	direct state "$ID" | jq -e '.status == "running" and (.created | test("^[0-9-]+T[0-9:.]+Z$"))'
}

@test "crio: a terminal, and its size" {
	args sh -c 'trap "stty size; exit 4" WINCH; tty; echo ready; while :; do sleep 0.1; done'
	config '.process.terminal = true'
	crio_conmon -t
	[ "$(jq .pid <<<"$answer")" = "$(cat pidfile)" ]
	direct start "$ID"
	wait_for grep -q ready "$LOG"
	echo "31 97" >winsz
	wait_for test -s "exits/$ID"
	[ "$(cat "exits/$ID")" = 4 ]
	[[ "$(logged stdout)" == *"/dev/"*"ready"*"31 97"* ]]
}

@test "crio: attached to a container's streams" {
	args sh -c 'read -r word; echo "$word, too" >&2; cat; exit 5'
	crio_conmon -i
	direct start "$ID"
	python3 - "$BUNDLE/$ID/attach" <<-'END' | sort >attached
		import socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(sys.argv[1])
		s.send(b"one\ntwo\n")
		s.shutdown(socket.SHUT_WR)
		while packet := s.recv(8192):
		    print(packet[0], packet[1:])
	END
	[ "$(cat attached)" = $'2 b\'two\\n\'\n3 b\'one, too\\n\'' ]
	wait_for test -s "exits/$ID"
	[ "$(cat "exits/$ID")" = 5 ]
}

@test "crio: a container that lacks memory" {
	args tail /dev/zero
	config '.linux.resources.memory = {limit: 8000000}'
	crio_conmon
	direct start "$ID"
	wait_for test -s "exits/$ID"
	[ "$(cat "exits/$ID")" = 137 ]
	# From the cgroup that conmon found when create returned.
	wait_for test -e persist/oom
}

@test "crio: the containers of a pod are in namespaces that are kept by files" {
	touch net ipc uts
	unshare --net="$BUNDLE/net" --ipc="$BUNDLE/ipc" --uts="$BUNDLE/uts" hostname of-the-pod
	PINNED=("$BUNDLE/net" "$BUNDLE/ipc" "$BUNDLE/uts")
	join network "$BUNDLE/net"
	join ipc "$BUNDLE/ipc"
	join uts "$BUNDLE/uts"
	args sh -c 'hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; exec sleep 1000'
	local first=$ID
	crio_conmon
	direct start "$ID"
	wait_for grep -q ipc: "$LOG"
	one=$(logged stdout)
	[ "$(head -n 1 <<<"$one")" = of-the-pod ]
	[[ "$one" == *"net:[$(stat -c %i net)]"*"ipc:[$(stat -c %i ipc)]"* ]]
	# The first container ends and the next one starts: a pod without an infra container.
	direct kill "$first" KILL
	wait_for has_status "$first" stopped
	direct delete --force "$first"
	ID=$first-again LOG=$BUNDLE/log2
	crio_conmon
	direct start "$ID"
	wait_for grep -q ipc: "$LOG"
	[ "$(logged stdout)" = "$one" ]
	ID=$first
}

# bats test_tags=system
@test "crio: a cgroup that systemd makes" {
	[ -d /run/systemd/system ] || skip "systemd is not running"
	args sleep 1000
	config --arg id "$ID" '.linux.cgroupsPath = "system.slice:crio:" + $id | .linux.resources.memory = {limit: 50331648}'
	crio_conmon -s
	direct --systemd-cgroup start "$ID"
	unit=crio-$ID.scope
	show() { systemctl show --property "$1" --value "$unit"; }
	[ "$(show ActiveState)" = active ]
	[ "$(show MemoryMax)" = 50331648 ]
	# Later calls do not name the driver.
	exec_sync cat /proc/self/cgroup
	[ "$answer" = '{"exit_code": 0}' ]
	logged stdout sync.log | grep -E "(::|name=systemd:)/$|/$unit$"
	echo '{"memory": {"limit": 67108864}}' | direct update --resources - "$ID"
	[ "$(show MemoryMax)" = 67108864 ]
	direct --systemd-cgroup kill "$ID" KILL
	wait_for test -s "exits/$ID"
	direct --systemd-cgroup delete --force "$ID"
	gone() { [[ "$(show ActiveState)" =~ ^(inactive|failed)$ ]] && [ -z "$(find /sys/fs/cgroup -name "$unit")" ]; }
	wait_for gone
}
