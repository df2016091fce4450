#!/usr/bin/env bats
# bats file_tags=vm
# update.

load helpers

setup() {
	setup_busybox
}

# sleeping starts a container with limits that sleeps.
sleeping() {
	config '.linux.resources.memory = {limit: 67108864, reservation: 33554432, swap: 134217728} | .linux.resources.cpu = {shares: 512, quota: 50000, period: 100000} | .linux.resources.pids = {limit: 20}'
	detached 'exec sleep 1000'
	PID=$(pid_of "$ID")
}

# limit V1-CONTROLLER V1-FILE V2-FILE prints a file of the container's cgroup.
limit() {
	if unified; then
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$PID/cgroup")/$3"
	else
		cat "/sys/fs/cgroup/$1$(sed -n "s/^[0-9]*:\(.*,\)\?$1\(,.*\)\?://p" "/proc/$PID/cgroup")/$2"
	fi
}

# limits prints all limits that sleeping sets.
limits() {
	if unified; then
		for f in memory.max memory.low memory.swap.max cpu.weight cpu.max pids.max cpuset.cpus.effective cpuset.mems.effective; do
			echo "$f: $(limit - - "$f")"
		done
	else
		for f in memory.limit_in_bytes memory.soft_limit_in_bytes memory.memsw.limit_in_bytes cpu.shares cpu.cfs_quota_us cpu.cfs_period_us pids.max cpuset.cpus; do
			echo "$f: $(limit "${f%%.*}" "$f" -)"
		done
	fi
}

update() {
	run coracle update "$@" "$ID"
}

# updated runs an update and asserts success without output.
updated() {
	update "$@"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "memory, by flags with units" {
	sleeping
	updated --memory 96m --memory-reservation 48MiB --memory-swap 0.25g
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 100663296 ]
	[ "$(limit memory memory.soft_limit_in_bytes memory.low)" = 50331648 ]
	if unified; then
		[ "$(limit - - memory.swap.max)" = 167772160 ]
	else
		[ "$(limit memory memory.memsw.limit_in_bytes -)" = 268435456 ]
	fi
}

@test "memory: both limits upwards beyond the old, downwards below, and to none" {
	sleeping
	updated --memory 300m --memory-swap 400m
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 314572800 ]
	updated --memory 20m --memory-swap 30m
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 20971520 ]
	updated --memory -1
	if unified; then
		[ "$(limit - - memory.max)" = max ]
		[ "$(limit - - memory.swap.max)" = max ]
	else
		[ "$(limit memory memory.limit_in_bytes -)" = 9223372036854771712 ]
		[ "$(limit memory memory.memsw.limit_in_bytes -)" = 9223372036854771712 ]
	fi
}

@test "memory: the limit of swap alone fits the memory that there is" {
	sleeping
	updated --memory-swap 100m
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
	if unified; then
		[ "$(limit - - memory.swap.max)" = 37748736 ]
	else
		[ "$(limit memory memory.memsw.limit_in_bytes -)" = 104857600 ]
	fi
}

@test "cpu: each value alone leaves the others" {
	sleeping
	updated --cpu-share 1024
	updated --cpu-period 200000
	updated --cpu-quota 60000
	updated --cpu-burst 5000
	if unified; then
		[ "$(limit - - cpu.weight)" = 100 ]
		[ "$(limit - - cpu.max)" = "60000 200000" ]
		[ "$(limit - - cpu.max.burst)" = 5000 ]
	else
		[ "$(limit cpu cpu.shares -)" = 1024 ]
		[ "$(limit cpu cpu.cfs_quota_us -)" = 60000 ]
		[ "$(limit cpu cpu.cfs_period_us -)" = 200000 ]
		[ "$(limit cpu cpu.cfs_burst_us -)" = 5000 ]
	fi
	updated --cpu-burst 0 --cpu-quota -1
	[ "$(limit cpu cpu.cfs_quota_us cpu.max)" = "$(unified && echo max 200000 || echo -1)" ]
}

@test "cpu: idle, on and off again with shares" {
	sleeping
	updated --cpu-idle 1
	[ "$(limit cpu cpu.idle cpu.idle)" = 1 ]
	updated --cpu-idle 0 --cpu-shares 2048
	[ "$(limit cpu cpu.idle cpu.idle)" = 0 ]
	[ "$(limit cpu cpu.shares cpu.weight)" = "$(unified && echo 174 || echo 2048)" ]
	run coracle --log "$BATS_TEST_TMPDIR/log" update --cpu-idle 1 --cpu-shares 1024 "$ID"
	[ "$status" -eq 0 ]
	grep -q "linux.resources.cpu.shares has no effect" "$BATS_TEST_TMPDIR/log"
	[ "$(limit cpu cpu.idle cpu.idle)" = 1 ]
	update --cpu-shares 1024
	failed linux.resources.cpu.shares "an idle container"
}

@test "cpuset and pids" {
	sleeping
	updated --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 30
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	[ "$(proc_status Cpus_allowed_list "$PID")" = 0 ]
	[ "$(limit pids pids.max pids.max)" = 30 ]
	updated --pids-limit -1
	[ "$(limit pids pids.max pids.max)" = max ]
}

@test "from a file, and from standard input as engines do" {
	sleeping
	echo '{"memory": {"limit": 100663296}, "pids": {"limit": 40}}' >limits.json
	updated --resources limits.json
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 100663296 ]
	[ "$(limit pids pids.max pids.max)" = 40 ]
	run bash -c 'echo "{\"pids\": {\"limit\": 41}}" | "$0" --root "$1" update --resources - "$2"' "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(limit pids pids.max pids.max)" = 41 ]
	run bash -c 'echo "{\"pids\": {\"limit\": 42}}" | "$0" --root "$1" update -r - "$2"' "$CORACLE" "$ROOT" "$ID"
	[ "$(limit pids pids.max pids.max)" = 42 ]
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 100663296 ]
}

@test "nothing, null and 0 leave everything as it is" {
	sleeping
	before=$(limits)
	for json in '{}' '{"memory": null, "cpu": {}}' '{"memory": {"limit": 0, "swap": 0, "reservation": 0, "kernel": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "realtimeRuntime": 0, "realtimePeriod": 0}, "blockIO": {"weight": 0}}'; do
		echo "$json" >limits.json
		updated --resources limits.json
		[ "$(limits)" = "$before" ]
	done
}

@test "when a part fails, nothing has changed" {
	sleeping
	before=$(limits)
	for json in '{"memory": {"limit": 100663296, "swap": 167772160, "reservation": 1000}, "cpu": {"shares": 2048, "quota": 70000, "period": 300000, "cpus": "0"}, "pids": {"limit": 7}, "hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}' \
		'{"pids": {"limit": 7}, "cpu": {"shares": 2048, "mems": "63"}}' \
		'{"pids": {"limit": 7}, "cpu": {"idle": 1, "mems": "63"}}' \
		'{"pids": {"limit": 7}, "cpu": {"shares": 2048, "idle": 1, "mems": "63"}}' \
		'{"memory": {"limit": 100663296, "swap": 167772160}, "pids": {"limit": 7}, "blockIO": {"throttleReadBpsDevice": [{"major": 4000, "minor": 0, "rate": 5}]}}'; do
		echo "$json" >limits.json
		update --resources limits.json
		failed "update container" linux.resources
		[ "${#lines[@]}" -eq 1 ]
		[ "$(limits)" = "$before" ]
	done
}

@test "devices stay as they are, unless they are asked for" {
	mknod -m 666 rootfs/loop b 7 0
	sleeping
	opens() { coracle exec "$ID" sh -c '( exec 3</loop ) 2>/dev/null; echo x >/dev/null'; }
	can_read() { coracle exec "$ID" sh -c '( exec 3</loop ) 2>/dev/null'; }
	run can_read
	[ "$status" -ne 0 ]
	echo '{"devices": [{"allow": false, "access": "rwm"}, {"allow": true, "type": "b", "major": 7, "access": "rwm"}], "pids": {"limit": 50}}' >limits.json
	updated --resources limits.json
	[ "$(limit pids pids.max pids.max)" = 50 ]
	run can_read
	[ "$status" -ne 0 ]
	opens
	updated --devices --resources limits.json
	can_read
	opens
	echo '{"devices": []}' >limits.json
	updated --devices --resources limits.json
	run can_read
	[ "$status" -ne 0 ]
	opens
}

@test "a device that is open, or allowed all the time, is not lost by an update of devices" {
	sleeping
	coracle exec "$ID" sh -c 'touch /tmp/x 2>/dev/null; while :; do echo x >/dev/null || exit 9; done' >/dev/null 2>&1 </dev/null 3>&- &
	writer=$!
	for i in 1 2 3 4 5; do
		echo "{\"devices\": [{\"allow\": true, \"type\": \"b\", \"major\": 7, \"minor\": $i, \"access\": \"r\"}]}" >limits.json
		updated --devices --resources limits.json
	done
	kill -0 "$writer"
	coracle kill "$ID" KILL
	status=0
	wait "$writer" || status=$?
	[ "$status" -eq 137 ]
}

@test "created and paused containers can be updated, stopped ones not" {
	config '.linux.resources.pids = {limit: 20}'
	args sleep 1000
	created
	PID=$(pid_of "$ID")
	updated --pids-limit 21
	[ "$(limit pids pids.max pids.max)" = 21 ]
	coracle start "$ID"
	coracle pause "$ID"
	updated --pids-limit 22
	[ "$(limit pids pids.max pids.max)" = 22 ]
	[ "$(status_of "$ID")" = paused ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	update --pids-limit 23
	failed "cannot update" "not running"
	run coracle update --pids-limit 23 "no-$ID"
	failed "does not exist"
}

@test "memory: a limit below what is in use is refused by cgroup v1, or when it is to be checked" {
	config '.linux.resources.memory = {limit: 67108864, checkBeforeUpdate: true}'
	detached 'x=$(head -c 20000000 /dev/zero | tr "\0" x); echo ready; sleep 1000; :'
	PID=$(pid_of "$ID")
	wait_for has_printed ready
	update --memory 4m
	failed linux.resources.memory.limit "uses"
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(status_of "$ID")" = running ]
}

@test "bad input is refused with the reason" {
	sleeping
	before=$(limits)
	update
	failed "no limits given"
	update --memory 64q
	failed '--memory "64q"' "not a size"
	update --cpu-quota many
	failed '--cpu-quota "many"' "not a valid integer"
	update --blkio-weight 70000
	failed '--blkio-weight "70000"'
	coracle update --cpu-quota 50000 --cpu-burst 40000 "$ID"
	update --cpu-quota 30000
	failed linux.resources.cpu.quota "the burst is 40000, and cannot be more than the quota"
	coracle update --cpu-burst 0 "$ID"
	update --cpu-period 5
	failed linux.resources.cpu.period "1000 to 1000000"
	update --cpuset-cpus 0-
	failed linux.resources.cpu.cpus
	update --pids-limit=-2
	failed linux.resources.pids.limit
	update --resources no-such-file
	failed no-such-file "no such file"
	echo '{"memory": {"limit": "64m"}}' >limits.json
	update --resources limits.json
	failed memory.limit "line 1, column"
	update --resources limits.json --memory 64m
	failed "--resources and --memory exclude each other"
	update --devices --memory 64m
	failed "--devices needs --resources"
	local device
	for device in '"type": "x"' '"access": "rx"' '"major": 4294967297'; do
		echo "{\"devices\": [{\"allow\": true, $device}]}" >limits.json
		update --devices --resources limits.json
		failed "linux.resources.devices[0]."
	done
	update --l3-cache-schema "L3:0=f"
	failed "Intel RDT"
	[ "$(limits)" = "$before" ]
}

@test "unknown properties and limits without effect are warnings" {
	sleeping
	echo '{"nonsense": 1, "pids": {"limit": 9}}' >limits.json
	run coracle --log "$BATS_TEST_TMPDIR/log" update --resources limits.json "$ID"
	[ "$status" -eq 0 ]
	grep -q nonsense "$BATS_TEST_TMPDIR/log"
	run coracle --log "$BATS_TEST_TMPDIR/log" update --kernel-memory 5m "$ID"
	[ "$status" -eq 0 ]
	grep -q "memory.kernel has no effect" "$BATS_TEST_TMPDIR/log"
}

@test "unified resources of cgroup v2" {
	sleeping
	echo '{"unified": {"memory.high": "50331648", "pids.max": "77"}}' >limits.json
	update --resources limits.json
	if ! unified; then
		failed linux.resources.unified "cgroup v1"
		return
	fi
	[ "$status" -eq 0 ]
	[ "$(limit - - memory.high)" = 50331648 ]
	[ "$(limit - - pids.max)" = 77 ]
	echo '{"unified": {"pids.max": "78", "memory.nonsense": "1"}}' >limits.json
	update --resources limits.json
	failed "unified[memory.nonsense]"
	[ "$(limit - - pids.max)" = 77 ]
}

@test "a cgroup that somebody has removed is named" {
	unified && skip "a cgroup with a process cannot be removed, and has all controllers"
	sleeping
	dir=/sys/fs/cgroup/pids$(sed -n 's/^[0-9]*:pids://p' "/proc/$PID/cgroup")
	echo "$PID" >/sys/fs/cgroup/pids/cgroup.procs
	rmdir "$dir"
	update --pids-limit 5
	failed linux.resources.pids.limit "$dir" "removed by somebody else"
}
