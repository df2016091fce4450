#!/usr/bin/env bats
# containerd with coracle as its runtime: either a private containerd, which leaves the system's
# alone, or the system's, see engines/engines.bash.

load helpers
load engines/engines

setup_file() {
	local dir=$BATS_FILE_TMPDIR
	command -v containerd ctr umoci >/dev/null || return 0
	if of_system; then
		systemctl start containerd.service
	else
		private_containerd
	fi
	umoci init --layout "$dir/image"
	umoci new --image "$dir/image:busybox"
	umoci insert --image "$dir/image:busybox" "$CORACLE_CACHE/busybox" /
	printf '#!/no/such/interpreter\n' >"$dir/script"
	chmod 755 "$dir/script"
	umoci insert --image "$dir/image:busybox" "$dir/script" /script
	umoci config --image "$dir/image:busybox" --config.env PATH=/bin --config.cmd sh
	tar -C "$dir/image" -cf "$dir/image.tar" .
	wait_for ctr --address "$ADDRESS" version >/dev/null
	ctr_ image import --base-name test/image "$dir/image.tar"
}

# private_containerd starts a containerd that is independent of the system's.
private_containerd() {
	local dir=$BATS_FILE_TMPDIR
	cat >"$dir/config.toml" <<-END
		version = 2
		root = "$dir/root"
		state = "$dir/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
		[grpc]
		  address = "$dir/sock"
	END
	containerd --config "$dir/config.toml" >"$dir/log" 2>&1 </dev/null 3>&- &
	echo $! >"$dir/pid"
}

ADDRESS=${BATS_FILE_TMPDIR:-}/sock
! of_system || ADDRESS=/run/containerd/containerd.sock

# namespace prints containerd's namespace; it is also the parent of the containers' cgroups.
namespace() {
	echo "cortest-$RUN-containerd"
}

ctr_() {
	ctr --address "$ADDRESS" --namespace "$(namespace)" "$@"
}

stopped() {
	! kill -0 "$1" 2>/dev/null
}

teardown_file() {
	local pid dir=$BATS_FILE_TMPDIR
	[ -e "$dir/image.tar" ] || return 0
	ctr_ task ls -q | while read -r id; do ctr_ task rm -f "$id"; done
	ctr_ container ls -q | while read -r id; do ctr_ container rm "$id"; done
	if of_system; then
		systemctl stop cortest.slice
		return
	fi
	pid=$(cat "$dir/pid")
	kill "$pid"
	wait_for stopped "$pid"
	sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* \($dir/[^ ]*\).*|\1|p" /proc/self/mountinfo | sort -r | xargs -r umount
	find /sys/fs/cgroup -depth -type d -path "*/$(namespace)*" -exec rmdir {} +
}

setup() {
	command -v containerd ctr umoci >/dev/null || skip "containerd, ctr or umoci is not there"
	common_setup
	CGROUP=/$(namespace)/$ID
	! of_system || CGROUP=/cortest.slice/cortest-$RUN.slice/ctr-$ID.scope
}

# place ID prints the flags of run for a cgroup by systemd, where the engines are the system's.
place() {
	! of_system || echo "--runc-systemd-cgroup --cgroup cortest-$RUN.slice:ctr:$1"
}

teardown() {
	[ -z "${ID:-}" ] || ! ctr_ task ls -q | grep -qx "$ID" || ctr_ task rm -f "$ID" || true
}

# ctr_run ID ARG... runs a container; $options has its options.
options=()
ctr_run() {
	# shellcheck disable=SC2046 # several words
	ctr_ run "${options[@]}" $(place "$1") --runc-binary "$CORACLE" --runc-root "$BATS_FILE_TMPDIR/runc" test/image:busybox "$@"
}

has_task() {
	ctr_ task ls | grep -qE "^$ID +[0-9]+ +$1"
}

@test "run gives the output and the exit status" {
	options=(--rm)
	run ctr_run "$ID" sh -c 'echo out; id -u; exit 7'
	echo "$output"
	[ "$status" -eq 7 ]
	[ "$output" = $'out\n0' ]
	[ -z "$(cgroup_dirs "$ID")" ]
}

@test "standard input reaches the container" {
	options=(--rm)
	run bash -c "echo word | ctr --address '$ADDRESS' -n '$(namespace)' run --rm $(place "$ID") --runc-binary '$CORACLE' --runc-root '$BATS_FILE_TMPDIR/runc' test/image:busybox '$ID' head -n 1"
	[ "$status" -eq 0 ]
	[ "$output" = word ]
}

@test "a container with a terminal" {
	run script -qec "ctr --address '$ADDRESS' -n '$(namespace)' run --rm -t $(place "$ID") --runc-binary '$CORACLE' --runc-root '$BATS_FILE_TMPDIR/runc' test/image:busybox '$ID' sh -c 'tty; exit 4'" /dev/null </dev/null
	[ "$status" -eq 4 ]
	[[ "$output" == */dev/pts/0* ]]
}

@test "a warning is in the log of the shim, and not in the output of the container" {
	options=(-d --cap-add CAP_FOO --log-uri "file://$BATS_TEST_TMPDIR/out")
	ctr_run "$ID" sh -c 'echo out; echo err >&2; exec sleep 1000'
	wait_for has_task RUNNING
	ctr_ task exec --exec-id x "$ID" true
	ctr_ task ps "$ID"
	grep -q '"level":"warning".*CAP_FOO' "$BATS_FILE_TMPDIR"/state/*.task/"$(namespace)/$ID/log.json" || of_system
	ctr_ task kill -s KILL "$ID"
	wait_for has_task STOPPED
	ctr_ task rm "$ID"
	ctr_ container rm "$ID"
	[ "$(sort "$BATS_TEST_TMPDIR/out")" = $'err\nout' ]
}

@test "a missing command is an error that engines understand, and nothing is left" {
	options=(--rm)
	run ctr_run "$ID" no-such-command
	[ "$status" -ne 0 ]
	[[ "$output" == *"executable file not found"* ]]
	run ctr_run "$ID" /no/such/command
	[ "$status" -ne 0 ]
	[[ "$output" == *"no such file or directory"* ]]
	[ -z "$(cgroup_dirs "$ID")" ]
	[ ! -e "$BATS_FILE_TMPDIR/runc/$(namespace)/$ID" ]
}

@test "a script whose interpreter is missing is an error" {
	options=(--rm)
	run ctr_run "$ID" /script
	[ "$status" -eq 1 ]
	[[ "$output" == *'exec: "/script": no such file or directory'* ]]
	# ctr does not delete a task when containerd has not noticed its end yet.
	teardown
	[ -z "$(cgroup_dirs "$ID")" ]
}

# bats test_tags=vm,system
@test "a detached container runs in its cgroup, is killed and deleted" {
	options=(-d)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	has_task RUNNING
	pid=$(ctr_ task ls | awk -v id="$ID" '$1 == id { print $2 }')
	grep -q "$CGROUP" "/proc/$pid/cgroup"
	"$CORACLE" --root "$BATS_FILE_TMPDIR/runc/$(namespace)" list -q | grep -qx "$ID"
	ctr_ task kill -s KILL "$ID"
	wait_for has_task STOPPED
	run ctr_ task rm "$ID"
	[[ "$output" == *137* ]]
	ctr_ container rm "$ID"
	[ -z "$(cgroup_dirs "$ID")" ]
	[ ! -e "$BATS_FILE_TMPDIR/runc/$(namespace)/$ID" ]
}

@test "a signal with a handler gives the status of the handler" {
	options=(-d)
	ctr_run "$ID" sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done' >/dev/null 2>&1 </dev/null 3>&-
	ended() {
		ctr_ task kill -s TERM "$ID"
		has_task STOPPED
	}
	wait_for ended
	run ctr_ task rm "$ID"
	[[ "$output" == *3* ]]
	ctr_ container rm "$ID"
}

@test "a task is removed by force" {
	options=(-d)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	ctr_ task rm -f "$ID"
	ctr_ container rm "$ID"
	[ -z "$(cgroup_dirs "$ID")" ]
	[ ! -e "$BATS_FILE_TMPDIR/runc/$(namespace)/$ID" ]
}

@test "a process is executed in a running container" {
	options=(-d)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	run ctr_ task exec --exec-id one "$ID" sh -c 'echo in; exit 5'
	[ "$status" -eq 5 ]
	[ "$output" = in ]
	ctr_ task rm -f "$ID"
	ctr_ container rm "$ID"
}

# bats test_tags=vm,system
@test "a limit of memory is applied" {
	options=(-d --memory-limit 67108864)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	if [ -d /sys/fs/cgroup/memory ]; then
		[ "$(cat "/sys/fs/cgroup/memory$CGROUP/memory.limit_in_bytes")" = 67108864 ]
	else
		[ "$(cat "/sys/fs/cgroup$CGROUP/memory.max")" = 67108864 ]
	fi
	! of_system || [ "$(unit MemoryMax "ctr-$ID.scope")" = 67108864 ]
	ctr_ task rm -f "$ID"
	ctr_ container rm "$ID"
}

# bats test_tags=system
@test "task pause and resume" {
	options=(--detach)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	ctr_ task pause "$ID"
	wait_for has_task PAUSED
	ctr_ task resume "$ID"
	wait_for has_task RUNNING
}

@test "task ps lists the processes" {
	options=(--detach)
	ctr_run "$ID" sh -c 'sleep 1000 & wait' >/dev/null 2>&1 </dev/null 3>&-
	two() { [ "$(ctr_ task ps "$ID" | tail -n +2 | wc -l)" -eq 2 ]; }
	wait_for two
}

# bats test_tags=vm,system
@test "task metrics, after an update as containerd does it" {
	ctr_ tasks --help | grep -q -w metrics || skip "this ctr has no metrics"
	# This is so while another namespace has it mounted as cgroup v1, or shortly after.
	! grep -q ':hugetlb:' /proc/self/cgroup || grep -q ' - cgroup .*hugetlb' /proc/self/mountinfo ||
		skip "the shim finds no metrics: hugetlb is in a hierarchy that is mounted nowhere"
	options=(--detach --memory-limit 67108864)
	ctr_run "$ID" sleep 1000 >/dev/null 2>&1 </dev/null 3>&-
	echo '{"memory": {"limit": 33554432}}' | "$CORACLE" --root "$BATS_FILE_TMPDIR/runc/$(namespace)" update --resources - "$ID"
	run ctr_ task metrics "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *33554432* ]]
}

@test "twenty containers at once" {
	options=(--rm)
	at_once 20 ctr_run
	wait_for no_cgroups
	[ -z "$(ls "$BATS_FILE_TMPDIR/runc/$(namespace)")" ]
}

# bats test_tags=vm,system
@test "a container whose shim was killed is cleaned up" {
	options=(--detach)
	ctr_run "$ID" sh -c 'sleep 1000 & exec sleep 1000' >/dev/null 2>&1 </dev/null 3>&-
	pid=$(ctr_ task ls | awk -v id="$ID" '$1 == id { print $2 }')
	shim=$(ps -o ppid= -p "$pid" | tr -d ' ')
	grep -q containerd-shim "/proc/$shim/comm"
	kill -9 "$shim"
	wait_for no_cgroups
	[ ! -e "$BATS_FILE_TMPDIR/runc/$(namespace)/$ID" ]
	no_task() { ! ctr_ task ls -q | grep -qx "$ID"; }
	wait_for no_task
	ctr_ container rm "$ID"
}
