#!/usr/bin/env bats
# bats file_tags=vm
# linux.cgroupsPath and linux.resources.

load helpers

setup() {
	setup_busybox
}

teardown() {
	[ -z "${ASIDE[*]}" ] || kill -9 "${ASIDE[@]}" 2>/dev/null || true
	[ -z "${SLEEP:-}" ] || kill "$SLEEP" 2>/dev/null || true
	[ ! -e "${FREEZER:-}" ] || echo "$THAWED" >"$FREEZER"
	[ -d "$ROOT/$ID" ] && coracle delete --force "$ID"
	wait_for remove_cgroups
}

# remove_cgroups removes the cgroups that a test made itself, deepest first.
remove_cgroups() {
	local d
	cgroup_dirs "$ID" | while read -r d; do
		find "$d" -depth -type d -exec rmdir {} + 2>/dev/null
	done
	[ -z "$(cgroup_dirs "$ID")" ]
}

# hierarchies prints, for each mounted hierarchy, its directory and the cgroup in it of the
# process whose /proc/PID/cgroup is given.
hierarchies() {
	local names path dir
	while IFS=: read -r _ names path; do
		dir=${names#name=}
		[ -n "$dir" ] || dir=unified
		dir=/sys/fs/cgroup/${dir%%,*}
		! unified || dir=/sys/fs/cgroup
		[ ! -d "$dir" ] || ! mountpoint -q "$(realpath "$dir")" || echo "$dir $path"
	done <"$1"
}

# sleeping starts a container that sleeps; PID is its process.
sleeping() {
	detached 'exec sleep 1000'
	PID=$(pid_of "$ID")
}

# limit V1-CONTROLLER V1-FILE V2-FILE prints a file of the container's cgroup.
limit() {
	local path
	if unified; then
		path=$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
		cat "/sys/fs/cgroup$path/$3"
	else
		path=$(sed -n "s/^[0-9]*:\(.*,\)\?$1\(,.*\)\?://p" "/proc/$PID/cgroup")
		cat "/sys/fs/cgroup/$1$path/$2"
	fi
}

# at_caller PATH prints the hierarchies that have a cgroup at PATH below the caller's cgroup. On
# cgroup v2 it is a sibling of the caller's: a cgroup with processes cannot have children with
# controllers.
at_caller() {
	if unified; then
		hierarchies /proc/self/cgroup | sed "s|/[^/ ]*$|/$1|"
	else
		hierarchies /proc/self/cgroup | sed "s|/\?$|/$1|"
	fi
}

@test "the default path is coracle-ID, at the cgroup of the caller, in each hierarchy" {
	sleeping
	diff <(at_caller "coracle-$ID") <(hierarchies "/proc/$PID/cgroup")
}

@test "a relative cgroupsPath is below the cgroup of the caller" {
	config --arg path "$ID-rel" '.linux.cgroupsPath = $path'
	sleeping
	diff <(at_caller "$ID-rel") <(hierarchies "/proc/$PID/cgroup")
}

@test "an absolute cgroupsPath is below the root of each hierarchy" {
	config --arg path "/$ID-abs/deep/er" '.linux.cgroupsPath = $path'
	sleeping
	run hierarchies "/proc/$PID/cgroup"
	[ "${#lines[@]}" -ge 1 ]
	for line in "${lines[@]}"; do
		[ "${line#* }" = "/$ID-abs/deep/er" ]
	done
}

@test "children are in the same cgroups, and the cgroup namespace hides where" {
	detached 'sleep 1000 & wait'
	PID=$(pid_of "$ID")
	children() { pgrep -P "$PID" >/dev/null; }
	wait_for children
	diff "/proc/$PID/cgroup" "/proc/$(pgrep -P "$PID")/cgroup"
	coracle delete --force "$ID"
	args cat /proc/self/cgroup
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" != *"$ID"* ]]
}

@test "a process is in its cgroups when create returns" {
	args true
	created --pid-file "$BATS_TEST_TMPDIR/pid"
	run hierarchies "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cgroup"
	for line in "${lines[@]}"; do
		[[ "$line" == *"coracle-$ID" ]]
	done
}

@test "memory limits are set" {
	config '.linux.resources.memory = {limit: 67108864, reservation: 33554432}'
	sleeping
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(limit memory memory.soft_limit_in_bytes memory.low)" = 33554432 ]
}

@test "a process that needs more than the memory limit is killed" {
	config '.linux.resources.memory = {limit: 8388608}'
	args sh -c 'head -c 100M /dev/zero | tail -c 50M | wc -c'
	[ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || [ "$(wc -l </proc/swaps)" -eq 1 ] || skip "swap without its accounting"
	run coracle run "$ID"
	[[ "$output" != *52428800* ]]
}

@test "cpu limits are set" {
	config '.linux.resources.cpu = {shares: 512, quota: 50000, period: 100000}'
	sleeping
	if unified; then
		[ "$(limit - - cpu.max)" = "50000 100000" ]
	else
		[ "$(limit cpu cpu.shares -)" = 512 ]
		[ "$(limit cpu cpu.cfs_quota_us -)" = 50000 ]
		[ "$(limit cpu cpu.cfs_period_us -)" = 100000 ]
	fi
}

@test "the process runs on the cpus of the cpuset only" {
	config '.linux.resources.cpu = {cpus: "0", mems: "0"}'
	sleeping
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	[ "$(limit cpuset cpuset.mems cpuset.mems)" = 0 ]
	[ "$(proc_status Cpus_allowed_list "$PID")" = 0 ]
}

@test "the limit of processes is set and works" {
	config '.linux.resources.pids = {limit: 5}'
	sleeping
	[ "$(limit pids pids.max pids.max)" = 5 ]
	coracle delete --force "$ID"
	shell 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo never'
	[ "$status" -ne 0 ]
	[[ "$output" == *"can't fork"* ]]
}

@test "a limit of -1 processes is none" {
	config '.linux.resources.pids = {limit: -1}'
	sleeping
	[ "$(limit pids pids.max pids.max)" = max ]
}

@test "a limit that the kernel refuses is an error, and nothing is left" {
	config '.linux.resources.cpu = {cpus: "4000"}'
	background create "$ID"
	failed linux.resources cpuset
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
}

# node NAME TYPE MAJOR MINOR puts a device node into the image.
node() {
	mknod -m 666 "rootfs/$1" "$2" "$3" "$4"
}

@test "devices: nodes in the image cannot be opened by default" {
	node kmsg c 1 11
	node loop b 7 0
	node disk b 254 0
	config 'del(.linux.resources)'
	shell 'for n in kmsg loop disk; do ( exec 3</$n ) 2>/dev/null && echo "read $n"; ( exec 3>/$n ) 2>/dev/null && echo "write $n"; done; ( exec 3</kmsg ) 2>&1; exit 0'
	[ "$status" -eq 0 ]
	[[ "$output" == *kmsg*"Operation not permitted" ]]
	[[ "$output" != *read* ]]
	[[ "$output" != *write* ]]
}

@test "devices: the default ones can be used" {
	shell 'set -e; echo x >/dev/null; for n in zero urandom random full; do head -c 1 /dev/$n | wc -c; done; ! echo x >/dev/full; exec 3<>/dev/ptmx; echo ok'
	[ "$status" -eq 0 ]
	[[ "$output" == $'1\n1\n1\n1\n'*$'\nok' ]]
}

@test "devices: a rule allows the device and the access that it names, and no other" {
	node loop b 7 0
	node other b 7 1
	config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "b", major: 7, minor: 0, access: "r"}]'
	shell '( exec 3</loop ) && echo read; ( exec 3>>/loop ) || echo no write; ( exec 3</other ) || echo no other; exit 0'
	[ "$status" -eq 0 ]
	[[ "$output" == *read* ]]
	[[ "$output" == *"no write"* ]]
	[[ "$output" == *"no other"* ]]
}

@test "devices: a rule for all allows all, and a later one denies again" {
	node loop b 7 0
	config '.linux.resources.devices = [{allow: true, access: "rwm"}]'
	shell '( exec 3</loop ) && echo read'
	[ "$output" = read ]
	config '.linux.resources.devices = [{allow: true, access: "rwm"}, {allow: false, type: "b", major: 7, minor: 0, access: "r"}]'
	shell '( exec 3</loop )'
	[ "$status" -ne 0 ]
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "devices: nodes can be made with CAP_MKNOD, but not opened" {
	writable
	config '.process.capabilities[] += ["CAP_MKNOD"]'
	shell 'mknod /made c 1 11 && echo made; ( exec 3</made ) 2>/dev/null || echo denied'
	[ "$status" -eq 0 ]
	[ "$output" = $'made\ndenied' ]
}

# nest makes cgroups below the container's.
nest() {
	local dir path
	hierarchies "/proc/$PID/cgroup" | while read -r dir path; do
		mkdir -p "$dir$path/nested/deep"
	done
}

@test "delete removes the cgroup with those below it" {
	sleeping
	nest
	[ "$(cgroup_dirs "$ID" | wc -l)" -ge 1 ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "exec goes where the first process is when the container has cgroups of its own" {
	unified || skip "cgroup v1 has processes everywhere"
	sleeping
	local top
	top=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$PID/cgroup")
	mkdir -p "$top/payload/init"
	echo "$PID" >"$top/payload/init/cgroup.procs"
	echo +pids +memory >"$top/cgroup.subtree_control"
	run coracle exec "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	[ "$output" = 0::/payload/init ]
	run coracle ps "$ID"
	[[ "$output" == *sleep* ]]
	coracle delete --force "$ID"
	nothing_left
}

@test "run removes the cgroup with those below it" {
	args sh -c 'echo ready; sleep 1000'
	coracle run "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	wait_for has_printed ready
	PID=$(pid_of "$ID")
	nest
	coracle kill "$ID" KILL
	status=0
	wait $! || status=$?
	[ "$status" -eq 137 ]
	nothing_left
}

@test "delete --force ends processes in nested cgroups of a shared pid namespace" {
	share pid
	detached 'sleep 1000 & wait'
	PID=$(pid_of "$ID")
	children() { pgrep -P "$PID" >/dev/null; }
	wait_for children
	nest
	child=$(pgrep -P "$PID")
	hierarchies "/proc/$PID/cgroup" | while read -r dir path; do
		[[ $dir == */cpuset ]] || echo "$child" >"$dir$path/nested/deep/cgroup.procs"
	done
	coracle delete --force "$ID"
	nothing_left
	[ ! -e "/proc/$child" ] || [[ "$(proc_status State "$child")" == Z* ]]
}

@test "delete --force wins against a payload that forks all the time" {
	share pid
	config '.linux.resources.pids = {limit: 100}'
	detached 'fork() { while :; do (sleep 0.01 &) 2>/dev/null; done; }; fork & fork & fork & wait'
	coracle delete --force "$ID"
	nothing_left
}

# busy makes a cgroup with a process in it.
busy() {
	sleep 1000 3>&- >/dev/null 2>&1 &
	SLEEP=$!
	hierarchies /proc/self/cgroup | while read -r dir _; do
		mkdir "$dir/$ID-busy"
		[[ $dir == */cpuset ]] || echo "$SLEEP" >"$dir/$ID-busy/cgroup.procs"
	done
	config --arg path "/$ID-busy" '.linux.cgroupsPath = $path'
}

@test "a cgroup with processes is refused and left alone" {
	busy
	args true
	background create "$ID"
	failed "$ID-busy" linux.cgroupsPath
	kill -0 "$SLEEP"
	hierarchies "/proc/$SLEEP/cgroup" | grep -q "$ID-busy"
	[ -z "$(ls -A "$ROOT")" ]
	# delete does not touch the process, either.
	coracle delete --force "$ID"
	kill -0 "$SLEEP"
}

@test "a cgroup with processes below it is refused and left alone" {
	busy
	config --arg path "/$ID" '.linux.cgroupsPath = $path'
	hierarchies /proc/self/cgroup | while read -r dir _; do
		mkdir -p "$dir/$ID/below"
		[[ $dir == */cpuset ]] || echo "$SLEEP" >"$dir/$ID/below/cgroup.procs"
	done
	background create "$ID"
	failed linux.cgroupsPath
	kill -0 "$SLEEP"
}

# foreign makes the cgroup for the container, in all hierarchies, before the container.
foreign() {
	config --arg path "/$ID-above/foreign" '.linux.cgroupsPath = $path'
	hierarchies /proc/self/cgroup | while read -r dir _; do
		mkdir -p "$dir/$ID-above/foreign"
	done
}

# directories prints the cgroups of the test.
directories() {
	find /sys/fs/cgroup -type d -path "*$ID*" 2>/dev/null | sort
}

@test "an empty cgroup that is there already is used, and stays" {
	foreign
	local before
	before=$(directories)
	args true
	for _ in 1 2; do
		run coracle run "$ID"
		[ "$status" -eq 0 ]
		[ "$(directories)" = "$before" ]
	done
	detached 'exec sleep 1000'
	[ "$(jq -c '.cgroup.foreign | length' "$ROOT/$ID/state.json")" -eq "$(grep -c foreign <<<"$before")" ]
	coracle delete --force "$ID"
	[ "$(directories)" = "$before" ]
}

@test "of a cgroup that was there delete removes what the container made below, and kills what is in it" {
	foreign
	share pid
	local before dir
	before=$(directories)
	detached 'sleep 1000 & exec sleep 1000'
	grep foreign <<<"$before" | while read -r dir; do
		mkdir -p "$dir/made/deep"
	done
	kill -9 "$(pid_of "$ID")"
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	[ -z "$(processes)" ]
	[ "$(directories)" = "$before" ]
}

@test "the state of an older version has nothing of what was there, and delete removes the cgroup" {
	foreign
	detached 'exec sleep 1000'
	jq 'del(.cgroup.foreign)' <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/new"
	cp "$BATS_TEST_TMPDIR/new" "$ROOT/$ID/state.json"
	coracle delete --force "$ID"
	[ "$(directories | grep -c foreign)" -eq 0 ]
}

# failing prints changes of config.json that make create fail, each at a later stage.
failing() {
	cat <<-'END'
		.linux.resources.memory = {limit: 100000000} | .linux.resources.cpu = {cpus: "4000"}
		.linux.resources.memory = {limit: 100000000} | .hooks.createRuntime = [{path: "/bin/false"}]
		.linux.resources.memory = {limit: 100000000} | .process.args = ["/no/such/command"]
	END
}

@test "a create that fails leaves the cgroups that were there as they were, and no others" {
	local change before file
	# The last two directories of the path are missing only in some hierarchies.
	config --arg path "/$ID-above/b/c" '.linux.cgroupsPath = $path | .linux.resources.devices = []'
	hierarchies /proc/self/cgroup | while read -r dir _; do
		case $dir in
		*/memory | /sys/fs/cgroup) mkdir -p "$dir/$ID-above/b/c" ;;
		*/pids | */devices) mkdir "$dir/$ID-above" ;;
		esac
	done
	before=$(directories)
	file=$(grep "b/c\$" <<<"$before")/$(unified && echo memory.max || echo memory.limit_in_bytes)
	if unified; then # as create leaves them
		echo +memory +cpuset >"/sys/fs/cgroup/$ID-above/cgroup.subtree_control"
		echo +memory +cpuset >"/sys/fs/cgroup/$ID-above/b/cgroup.subtree_control"
	fi
	echo 200003584 >"$file"
	cp config.json original.json
	while read -r change; do
		cp original.json config.json
		config "$change"
		background create "$ID"
		[ "$status" -eq 1 ]
		[ "$(directories)" = "$before" ]
		[ "$(cat "$file")" = 200003584 ]
	done < <(failing)
	cp original.json config.json
	args true
	run coracle run "$ID"
	[ "$status" -eq 0 ]
}

@test "what is left of a create that was killed is removed, but not the cgroups that were there" {
	local before dir
	config --arg path "/$ID-above/b/c" '.linux.cgroupsPath = $path'
	dir=/sys/fs/cgroup/$(unified && echo . || echo memory)
	mkdir -p "$dir/$ID-above/b/c"
	before=$(directories)
	for _ in $(seq 20); do
		"$CORACLE" --root "$ROOT" create "$ID" >/dev/null 2>&1 </dev/null 3>&- &
		sleep "$(printf '0.%05d' $((RANDOM % 1500)))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		# A create that had finished leaves the cgroups above its own, as always.
		done=$([ -e "$ROOT/$ID/creating" ] || [ ! -e "$ROOT/$ID" ] || echo yes)
		coracle delete --force "$ID"
		if [ -n "$done" ]; then
			! comm -13 <(echo "$before") <(directories) | grep -q -e "/c\$" || false
			directories | grep -vxF "$before" | sort -r | xargs -r rmdir
		fi
		[ "$(directories)" = "$before" ]
	done
}

@test "a frozen cgroup is refused" {
	if unified; then
		mkdir "/sys/fs/cgroup/$ID-frozen"
		FREEZER=/sys/fs/cgroup/$ID-frozen/cgroup.freeze THAWED=0
		echo 1 >"$FREEZER"
	else
		[ -d /sys/fs/cgroup/freezer ] || skip "no freezer of cgroup v1"
		mkdir "/sys/fs/cgroup/freezer/$ID-frozen"
		FREEZER=/sys/fs/cgroup/freezer/$ID-frozen/freezer.state THAWED=THAWED
		echo FROZEN >"$FREEZER"
	fi
	local before
	before=$(directories)
	for path in "/$ID-frozen/below/container" "/$ID-frozen"; do
		config --arg path "$path" '.linux.cgroupsPath = $path'
		status=0
		timeout --foreground 20 "$CORACLE" --root "$ROOT" create "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null || status=$?
		output=$(printed)
		failed frozen linux.cgroupsPath
		[ -z "$(ls -A "$ROOT")" ]
		# Only the cgroups that existed before stay.
		[ "$(directories)" = "$before" ]
	done
}

# threaded makes a cgroup with a process, so that a container below it is in a threaded cgroup
# (v2).
threaded() {
	unified || skip "cgroup v1"
	sleep 1000 3>&- >/dev/null 2>&1 &
	SLEEP=$!
	mkdir "/sys/fs/cgroup/$ID-above"
	echo "$SLEEP" >"/sys/fs/cgroup/$ID-above/cgroup.procs"
	config --arg path "/$ID-above/container" '.linux.cgroupsPath = $path | .linux.resources.pids = {limit: 20}'
}

@test "in a threaded cgroup a container is seen, watched and ended as in any other" {
	threaded
	share pid
	args sh -c 'sleep 1000 & exec sleep 1000'
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	[ "$(cat "/sys/fs/cgroup/$ID-above/container/cgroup.type")" = threaded ]
	two() { [ "$(coracle ps --format json "$ID" | jq length)" -eq 2 ]; }
	wait_for two
	coracle ps --format json "$ID" | jq -e --argjson pid "$(pid_of "$ID")" 'any(. == $pid)'
	# Memory is not accounted there.
	timeout --foreground 20 "$CORACLE" --root "$ROOT" events --interval 100ms "$ID" >"$BATS_TEST_TMPDIR/events" 2>&1 &
	events=$!
	ASIDE+=("$events")
	wait_for grep -q '"type":"stats"' "$BATS_TEST_TMPDIR/events"
	coracle delete --force "$ID"
	wait "$events"
	[ ! -d "/sys/fs/cgroup/$ID-above/container" ]
	kill -0 "$SLEEP"
	[ -z "$(ls -A "$ROOT")" ]
}

@test "in a threaded cgroup limits of memory are refused" {
	threaded
	config '.linux.resources.memory = {limit: 67108864}'
	background create "$ID"
	failed "$ID-above/container" "the controller memory does not work"
	[ -z "$(ls -A "$ROOT")" ]
}

# read_only runs coracle with all cgroups mounted read-only.
read_only() {
	status=0
	# shellcheck disable=SC2016 # it is for the other shell
	unshare --mount --propagation private sh -c '
		for d in /sys/fs/cgroup /sys/fs/cgroup/*; do
			! mountpoint -q "$d" || mount -o remount,bind,ro "$d" || exit 99
		done
		exec "$@"' sh "$CORACLE" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
}

@test "read-only cgroups are an error that says so, and nothing is left" {
	args true
	read_only create "$ID"
	failed "read-only" cgroup
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
}

@test "a container whose cgroups became read-only can be deleted when they are not" {
	sleeping
	read_only update --pids-limit 5 "$ID"
	failed linux.resources.pids.limit "mounted read-only"
	read_only pause "$ID"
	failed "cannot pause" "read-only"
	[ "$(status_of "$ID")" = running ]
	read_only delete --force "$ID"
	failed "read-only"
	[ "$(status_of "$ID")" = stopped ]
	coracle delete "$ID"
	nothing_left
}

@test "a cgroup that was removed behind our back does not matter to delete" {
	sleeping
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	remove_cgroups
	[ "$(status_of "$ID")" = stopped ]
	coracle delete "$ID"
	nothing_left
}

@test "two containers in one cgroup are refused" {
	config --arg path "/$ID-shared" '.linux.cgroupsPath = $path'
	sleeping
	background create "$ID-2"
	failed "has processes already" "share limits, pause and kill"
	[ ! -e "$ROOT/$ID-2" ]
	[ "$(status_of "$ID")" = running ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "a user who locks the directory of a cgroup keeps nobody from creating a container in it" {
	foreign
	# Whatever of the cgroups can be opened by this user.
	aside bash -c 'exec >"$0"; exec python3 -c "$1" $2' "$BATS_TEST_TMPDIR/locked" '
import fcntl, os, signal, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for directory in sys.argv[1:]:
    for name in [".", *os.listdir(directory)]:
        try:
            fcntl.flock(os.open(directory + "/" + name, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pass
print("locked", flush=True)
signal.pause()' "$(directories | grep foreign)"
	wait_for grep -qs locked "$BATS_TEST_TMPDIR/locked"
	args true
	background run "$ID"
	[ "$status" -eq 0 ]
}

@test "a cgroup with many siblings costs no more than another" {
	command -v strace >/dev/null || skip "no strace"
	args true
	# listed prints how many bytes of names a run reads from directories. The number of calls
	# would not do: a signal of the Go runtime makes the kernel return what it has so far. The
	# threads in /proc/self/task are a matter of time.
	listed() {
		rm -f "$BATS_TEST_TMPDIR"/strace.*
		strace -ff -y -e trace=getdents64,getdents -e signal=none -o "$BATS_TEST_TMPDIR/strace" "$CORACLE" --root "$ROOT" run "$ID" </dev/null >/dev/null 2>&1
		awk '/^getdents/ && !/<\/proc\// { n += $NF } END { print n + 0 }' "$BATS_TEST_TMPDIR"/strace.*
	}
	config --arg path "/$ID/one" '.linux.cgroupsPath = $path'
	few=$(listed)
	[ "$few" -gt 0 ] # those of the state directory
	hierarchies /proc/self/cgroup | while read -r dir _; do
		seq -f "$dir/$ID/s%g" 300 | xargs mkdir -p
	done
	many=$(listed)
	echo "$few bytes of names, with 300 siblings $many"
	[ "$few" = "$many" ]
}

@test "unified resources are refused on a host with cgroup v1" {
	! unified || skip "this host has cgroup v2"
	config '.linux.resources.unified = {"memory.max": "1000000"}'
	background create "$ID"
	failed "linux.resources.unified" "cgroup v1"
	nothing_left
}

@test "a cgroupsPath that leaves the hierarchy, or is its root, is refused" {
	for path in ../up /a/../../b a/.. .. / ///; do
		config --arg path "$path" '.linux.cgroupsPath = $path'
		background create "$ID"
		failed linux.cgroupsPath
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "a path for the systemd driver is refused with the reason" {
	config '.linux.cgroupsPath = "system.slice:coracle:x"'
	background create "$ID"
	failed linux.cgroupsPath systemd
}
