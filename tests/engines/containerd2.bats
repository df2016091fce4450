#!/usr/bin/env bats
# containerd 2 with coracle as its runtime, called by ctr. tests/containerd.bats has the tests
# that also apply to containerd 1.6.

load ../helpers
load engines
load containerd

setup_file() {
	containerd_start containerd2 2 <<-'END'
		version = 3
		disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.cri.v1.images', 'io.containerd.cri.v1.runtime']
	END
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	printf '#!/no/such/interpreter\n' >"$BATS_FILE_TMPDIR/script"
	chmod 755 "$BATS_FILE_TMPDIR/script"
	ctr_ image import --base-name localhost/busybox /mnt/image.tar
}

teardown_file() {
	containerd_end
}

setup() {
	engines_setup
}

teardown() {
	[ -z "${ID:-}" ] || ! ctr_ task ls -q | grep -qx "$ID" || ctr_ task rm -f "$ID" || true
}

# The only line that names the runtime.
RUNTIME=(--runc-binary /mnt/coracle)

# split [OPTION...] -- COMMAND... sets the arrays options and words.
split() {
	options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	words=("${@:2}")
}

# run_ [OPTION...] -- COMMAND... runs a container named $ID.
run_() {
	local options words
	split "$@"
	ctr_ run "${options[@]}" "${RUNTIME[@]}" localhost/busybox:latest "${name:-$ID}" "${words[@]}"
}

# tells [OPTION...] -- COMMAND... runs a container whose output matters. It does not end at once:
# ctr drops output that it has not begun to read by then, with any runtime.
tells() {
	local options words
	split "$@"
	# shellcheck disable=SC2016 # expanded in the container
	run_ --rm "${options[@]}" -- sh -c '"$@"; status=$?; sleep 0.5; exit "$status"' sh "${words[@]}"
}

# start [OPTION...] -- COMMAND... starts a container and leaves it running.
start() {
	run_ --detach "$@" >/dev/null 2>&1 </dev/null 3>&-
}

task_is() {
	ctr_ task ls | grep -qE "^$ID +[0-9]+ +$1"
}

task_pid() {
	ctr_ task ls | awk -v id="$ID" '$1 == id { print $2 }'
}

# gone asserts that neither containerd nor coracle has anything left of a container.
gone() {
	[ -z "$(inside sh -c "ls -d /run/containerd/runc/$CGROUP/$ID* 2>/dev/null")" ]
	[ -z "$(find /sys/fs/cgroup -type d -path "*/$CGROUP/$ID*")" ]
	! ctr_ task ls -q | grep -q "^$ID"
}

@test "containerd 2: run gives the output and the exit status, and leaves nothing" {
	try tells -- sh -c 'echo out; id -u; exit 7'
	is 7
	[ "$output" = $'out\n0' ]
	gone
}

@test "containerd 2: standard input, and exact bytes" {
	output=$(printf 'a\0b\r\n' | tells -- head -c 5 | od -An -c)
	[ "$output" = "   a  \\0   b  \\r  \\n" ]
	output=$(tells -- head -c 300000 /dev/zero | wc -c)
	[ "$output" = 300000 ]
	gone
}

@test "containerd 2: a container and a process with a terminal" {
	try containerd_inside python3 "$BATS_TEST_DIRNAME/../pty.py" run size=31x97 -- \
		ctr --namespace "$CGROUP" run --rm --tty "${RUNTIME[@]}" localhost/busybox:latest "$ID" sh -c 'tty; exit 4'
	is 4 /dev/pts/0
	start -- sleep 1000
	try containerd_inside python3 "$BATS_TEST_DIRNAME/../pty.py" run size=31x97 -- \
		ctr --namespace "$CGROUP" task exec --tty --exec-id one "$ID" sh -c 'tty; exit 5'
	is 5 /dev/pts/
}

@test "containerd 2: what cannot be executed is told with the reason, and nothing is left" {
	try run_ --rm -- no-such-command
	is 1 'exec: "no-such-command": executable file not found in $PATH'
	try run_ --rm -- /no/such/command
	is 1 'no such file or directory'
	try run_ --rm -- /etc
	is 1 'permission denied'
	try run_ --rm --mount type=bind,src=/mnt/script,dst=/script,options=bind -- /script
	is 1 'exec: "/script": no such file or directory'
	teardown
	try run_ --rm --cwd /etc/passwd -- true
	is 1 'chdir to cwd ("/etc/passwd") set in config.json failed: not a directory'
	wait_for gone
}

@test "containerd 2: a detached container runs in its cgroup, is killed and deleted" {
	start -- sleep 1000
	task_is RUNNING
	grep -q "/$CGROUP/$ID" "/proc/$(task_pid)/cgroup"
	[ "$(inside /mnt/coracle --root "/run/containerd/runc/$CGROUP" state "$ID" | jq -r .status)" = running ]
	ctr_ task kill --signal KILL "$ID"
	wait_for task_is STOPPED
	try ctr_ task rm "$ID"
	says 137
	ctr_ container rm "$ID"
	gone
}

@test "containerd 2: a signal with a handler gives the status of the handler" {
	start -- sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	ended() {
		ctr_ task kill --signal TERM "$ID"
		task_is STOPPED
	}
	wait_for ended
	try ctr_ task rm "$ID"
	says 3
}

@test "containerd 2: a task is removed by force" {
	start -- sh -c 'sleep 1000 & exec sleep 1000'
	ctr_ task rm --force "$ID"
	ctr_ container rm "$ID"
	gone
}

@test "containerd 2: exec gives the output and the exit status, also of what cannot be executed" {
	start -- sleep 1000
	try ctr_ task exec --exec-id one "$ID" sh -c 'echo in; sleep 0.5; exit 5'
	is 5
	[ "$output" = in ]
	output=$(echo word | ctr_ task exec --exec-id two "$ID" sh -c 'head -n 1; sleep 0.5')
	[ "$output" = word ]
	try ctr_ task exec --exec-id three "$ID" no-such-command
	is 1 'exec: "no-such-command": executable file not found in $PATH'
	try ctr_ task exec --exec-id four --user 1000:2000 --cwd /tmp "$ID" sh -c 'id -u; id -g; pwd; sleep 0.5'
	is 0 $'1000\n2000\n/tmp'
}

@test "containerd 2: pause and resume" {
	start -- sleep 1000
	ctr_ task pause "$ID"
	wait_for task_is PAUSED
	try ctr_ task exec --exec-id one "$ID" true
	is 1 paused
	ctr_ task resume "$ID"
	wait_for task_is RUNNING
	# A paused container is removed as well.
	ctr_ task pause "$ID"
	ctr_ task rm --force "$ID"
	ctr_ container rm "$ID"
	gone
}

@test "containerd 2: ps and metrics" {
	start --memory-limit 67108864 --cpu-shares 512 -- sh -c 'sleep 1000 & wait'
	two() { [ "$(ctr_ task ps "$ID" | tail -n +2 | wc -l)" -eq 2 ]; }
	wait_for two
	try ctr_ task metrics --format json "$ID"
	is 0 67108864
	try limit memory.limit_in_bytes memory.max "$ID"
	is 0 67108864
}

@test "containerd 2: twenty containers at once" {
	one() { name=$1 tells -- "${@:2}"; }
	at_once 20 one
	wait_for gone
}

@test "containerd 2: a container whose shim was killed is cleaned up" {
	start -- sh -c 'sleep 1000 & exec sleep 1000'
	shim=$(ps -o ppid= -p "$(task_pid)" | tr -d ' ')
	grep -q containerd-shim "/proc/$shim/comm"
	kill -9 "$shim"
	wait_for gone
	ctr_ container rm "$ID"
}

@test "containerd 2: a container that was deleted behind containerd's back" {
	start -- sleep 1000
	inside /mnt/coracle --root "/run/containerd/runc/$CGROUP" delete --force "$ID"
	wait_for task_is STOPPED
	try ctr_ task kill --signal KILL "$ID"
	is 1 "not found"
	ctr_ task rm "$ID" || [ $? -eq 137 ]
	ctr_ container rm "$ID"
	gone
}

@test "containerd 2: a restart leaves tasks running" {
	start -- sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	pid=$(task_pid)
	containerd_inside /mnt/start
	task_is RUNNING
	[ "$(task_pid)" = "$pid" ]
	try ctr_ task exec --exec-id one "$ID" sh -c 'echo in; sleep 0.5'
	is 0 in
	ended() {
		ctr_ task kill --signal TERM "$ID"
		task_is STOPPED
	}
	wait_for ended
	try ctr_ task rm "$ID"
	says 3
}

@test "containerd 2: the shim shows the features of the runtime" {
	output=$(ctr_ plugins inspect-runtime "${RUNTIME[@]}")
	# containerd reads what the runtime prints, and nothing is lost.
	diff <(jq .Features <<<"$output") <(inside /mnt/coracle features | jq .)
	[[ $(jq -r .Version.Version <<<"$output") == "$(containerd2_version)" ]]
	[ "$(jq '.Features | .linux.mountExtensions.idmap.enabled and (.mountOptions | index("rro") != null) and (.linux.namespaces | index("user") != null)' <<<"$output")" = true ]
}

@test "containerd 2: a user namespace, by copied and by mapped files" {
	for labels in "" --remap-labels; do
		try tells $labels --uidmap 0:300000:65536 --gidmap 0:400000:65536 -- \
			sh -c 'tr -s " " <proc/self/uid_map; tr -s " " </proc/self/gid_map; stat -c "%u:%g" /bin /home/user; touch /file && stat -c %u /file; echo out >/dev/stdout'
		is 0 $' 0 300000 65536\n 0 400000 65536\n0:0\n1000:1000\n0\nout'
		gone
	done
}

@test "containerd 2: mounts that are read-only with all below them" {
	mkdir -p "$BATS_FILE_TMPDIR/volume/below"
	inside mount -t tmpfs tmpfs /mnt/volume/below
	try tells --mount type=bind,src=/mnt/volume,dst=/v,options=rbind:ro -- touch /v/below/file
	is 0
	try tells --mount type=bind,src=/mnt/volume,dst=/v,options=rbind:rro -- sh -c 'exec 2>&1; touch /v/below/new; touch /v/new; ls /v/below'
	is 0 $'touch: /v/below/new: Read-only file system\ntouch: /v/new: Read-only file system\nfile'
	inside umount /mnt/volume/below
	gone
}

@test "containerd 2: a mount with the ids of the user namespace" {
	mkdir "$BATS_FILE_TMPDIR/mapped"
	try tells --uidmap 0:300000:65536 --gidmap 0:300000:65536 --mount type=bind,src=/mnt/mapped,dst=/v,options=rbind:idmap -- \
		sh -c 'stat -c %u:%g /v; touch /v/file; stat -c %u:%g /v/file'
	is 0 $'0:0\n0:0'
	[ "$(stat -c %u:%g "$BATS_FILE_TMPDIR/mapped/file")" = 0:0 ]
}

@test "containerd 2: the process that ctr describes" {
	try tells --hostname box --user 1000 --env A=b --rlimit-nofile 100:200 --read-only --allow-new-privs \
		--cap-drop CAP_CHOWN --cap-add CAP_SYS_TIME -- \
		sh -c 'hostname; id -u; echo "$A"; ulimit -n; ulimit -Hn; grep NoNewPrivs /proc/self/status; touch /tmp/file 2>&1; grep CapBnd /proc/self/status'
	is 0 $'box\n1000\nb\n100\n200\nNoNewPrivs:\t0\ntouch: /tmp/file: Read-only file system\nCapBnd:\t00000000aa0425fa'
}

@test "containerd 2: containerd's seccomp profile, and a privileged container" {
	try tells --seccomp -- sh -c 'grep Seccomp: /proc/self/status; unshare -n true'
	is 1 $'Seccomp:\t2' 'Operation not permitted'
	try tells --privileged -- sh -c 'grep Seccomp: /proc/self/status; mount -t tmpfs tmpfs /tmp && echo mounted; ls -l /dev | grep -q "^b" && echo disk'
	is 0 $'Seccomp:\t0\nmounted\ndisk'
}

@test "containerd 2: one container in the process namespace of another takes its processes along" {
	start -- sleep 1000
	name=$ID-b
	first=$(task_pid)
	ctr_ run --detach --with-ns "pid:/proc/$first/ns/pid" "${RUNTIME[@]}" localhost/busybox:latest "$name" \
		sh -c 'sleep 1234 & sleep 1234 & wait' >/dev/null 2>&1 </dev/null 3>&-
	count() { ctr_ task exec --exec-id "ps-$RANDOM" "$ID" ps | grep -c 'sleep 1234$'; }
	two() { [ "$(count)" -eq 2 ]; }
	wait_for two
	ctr_ task kill --signal KILL "$name"
	none() { ! count >/dev/null; }
	wait_for none
	ctr_ task rm --force "$name" || true
	ctr_ container rm "$name"
}

@test "containerd 2: a checkpoint is refused with the reason" {
	start -- sleep 1000
	try ctr_ task checkpoint "$ID"
	is 1 'the command "checkpoint" is not supported'
	task_is RUNNING
}
