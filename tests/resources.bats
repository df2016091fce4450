#!/usr/bin/env bats
# bats file_tags=vm
# linux.resources: the values in the kernel. A test of a feature that this machine lacks is
# skipped; the other kind of machine has it.

load helpers

# On a hybrid host, a container that needs a controller of the unified hierarchy enables it there,
# which would keep others from mounting it.
setup_file() {
	HYBRID=/sys/fs/cgroup/unified/cgroup.subtree_control
	[ ! -e "$HYBRID" ] || cp "$HYBRID" "$BATS_FILE_TMPDIR/enabled"
	export HYBRID
}

teardown_file() {
	local c enabled
	[ -e "$HYBRID" ] || return 0
	read -ra enabled <"$HYBRID" || true
	for c in "${enabled[@]}"; do
		grep -qw "$c" "$BATS_FILE_TMPDIR/enabled" || echo "-$c" >"$HYBRID" || true
	done
}

setup() {
	setup_busybox
}

# has V1-CONTROLLER V2-CONTROLLER skips the test when the host does not have it.
has() {
	if unified; then
		grep -qw "$2" /sys/fs/cgroup/cgroup.controllers || skip "no cgroup controller $2"
	else
		[ -d "/sys/fs/cgroup/$1" ] || grep -qsw "$2" /sys/fs/cgroup/unified/cgroup.controllers || skip "no cgroup controller $1"
	fi
}

v1() {
	! unified || skip "cgroup v2 has nothing like it"
}

v2() {
	unified || skip "this host has cgroup v1"
}

# sleeping starts a container that sleeps.
sleeping() {
	detached 'exec sleep 1000'
	PID=$(pid_of "$ID")
}

# resources CONFIG sets linux.resources and starts the container.
resources() {
	config --argjson r "$1" '.linux.resources += $r'
	sleeping
}

# path_of CONTROLLER prints the directory of the container's cgroup.
path_of() {
	local path
	path=$(sed -n "s/^[0-9]*:\(.*,\)\?$1\(,.*\)\?://p" "/proc/$PID/cgroup")
	if unified; then
		echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$PID/cgroup")"
	elif [ -n "$path" ]; then
		echo "/sys/fs/cgroup/$1$path"
	else
		echo "/sys/fs/cgroup/unified$(sed -n 's/^0:://p' "/proc/$PID/cgroup")"
	fi
}

# is CONTROLLER V1-FILE V2-FILE VALUE compares a file of the container's cgroup. On a hybrid host
# V1-FILE may be in the unified hierarchy under its other name.
is() {
	local dir file
	dir=$(path_of "$1")
	file=$2
	[ -e "$dir/$file" ] || file=$3
	[ "$(cat "$dir/$file")" = "$4" ] || {
		echo "$dir/$file: $(cat "$dir/$file")" >&2
		return 1
	}
}

# has_line CONTROLLER V1-FILE V2-FILE LINE looks for a line.
has_line() {
	local dir file
	dir=$(path_of "$1")
	file=$2
	[ -e "$dir/$file" ] || file=$3
	grep -qxF "$4" "$dir/$file" || {
		cat "$dir/$file" >&2
		return 1
	}
}

# refused CONFIG TEXT... expects create to fail and to leave nothing behind.
refused() {
	config --argjson r "$1" '.linux.resources = $r'
	background create "$ID"
	failed "${@:2}"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
}

# disk prints MAJOR:MINOR of a disk.
disk() {
	local d
	for d in /sys/block/*; do
		case ${d##*/} in loop* | ram* | zram*) ;; *) cat "$d/dev" && return ;; esac
	done
	skip "no disk"
}

# throttle NAME DEVICE RATE prints blockIO with a throttle.
throttle() {
	jq -nc --arg name "$1" --argjson major "${2%:*}" --argjson minor "${2#*:}" --argjson rate "$3" \
		'{blockIO: {($name): [{$major, $minor, $rate}]}}'
}

@test "memory: limit, reservation and swap" {
	has memory memory
	resources '{"memory": {"limit": 67108864, "reservation": 33554432, "swap": 134217728}}'
	is memory memory.limit_in_bytes memory.max 67108864
	is memory memory.soft_limit_in_bytes memory.low 33554432
	if unified; then
		is memory - memory.swap.max 67108864
	else
		is memory memory.memsw.limit_in_bytes - 134217728
	fi
}

@test "memory: no swap, and no limits" {
	has memory memory
	resources '{"memory": {"limit": 67108864, "swap": 67108864}}'
	if unified; then
		is memory - memory.swap.max 0
	else
		is memory memory.memsw.limit_in_bytes - 67108864
	fi
	coracle delete --force "$ID"
	resources '{"memory": {"limit": -1, "swap": -1, "reservation": -1}}'
	if unified; then
		is memory - memory.max max
		is memory - memory.swap.max max
		is memory - memory.low max
	else
		is memory memory.limit_in_bytes - 9223372036854771712
		is memory memory.memsw.limit_in_bytes - 9223372036854771712
	fi
}

@test "memory: swappiness, disableOOMKiller and useHierarchy" {
	v1
	has memory memory
	resources '{"memory": {"swappiness": 7, "disableOOMKiller": true, "useHierarchy": true}}'
	is memory memory.swappiness - 7
	has_line memory memory.oom_control - "oom_kill_disable 1"
	is memory memory.use_hierarchy - 1
}

@test "memory: kernelTCP, where the kernel has the limit" {
	[ -e /sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes ] || skip "this kernel has no such limit"
	resources '{"memory": {"kernelTCP": 1048576}}'
	is memory memory.kmem.tcp.limit_in_bytes - 1048576
	coracle update --kernel-memory-tcp 2M "$ID"
	is memory memory.kmem.tcp.limit_in_bytes - 2097152
	coracle delete --force "$ID"
	refused '{"memory": {"kernelTCP": -5}}' linux.resources.memory.kernelTCP "-5"
}

@test "memory: a limit of less than a page is called by its name" {
	local memory
	for memory in '{limit: 1000, swap: 1000}' '{limit: 1000}'; do
		config ".linux.resources.memory = $memory"
		background create "$ID"
		failed "out of memory" linux.resources.memory.limit
		[[ $output != *host* ]]
		nothing_left
	done
}

@test "memory: what has no effect is a warning" {
	config '.linux.resources.memory = {kernel: 1000000, useHierarchy: false}'
	! unified || config '.linux.resources.memory.kernelTCP = 1000000'
	args true
	background --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	for name in kernel useHierarchy $(unified && echo kernelTCP); do
		grep -q "linux.resources.memory.$name has no effect" "$BATS_TEST_TMPDIR/log"
	done
	unified || return 0
	config '.linux.resources.memory = {swappiness: 5, disableOOMKiller: true}'
	background --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -eq 0 ]
	grep -q "memory.swappiness has no effect" "$BATS_TEST_TMPDIR/log"
	grep -q "memory.disableOOMKiller has no effect" "$BATS_TEST_TMPDIR/log"
}

@test "memory: limits that make no sense are refused" {
	refused '{"memory": {"limit": -2}}' "linux.resources.memory.limit" "-2"
	refused '{"memory": {"limit": 8388608, "swap": 4194304}}' "linux.resources.memory.swap" "sum of memory and swap"
	unified || refused '{"memory": {"swappiness": 101}}' "linux.resources.memory.swappiness" 101
}

@test "cpu: shares, quota, period and burst" {
	has cpu cpu
	resources '{"cpu": {"shares": 512, "quota": 50000, "period": 200000, "burst": 10000}}'
	is cpu cpu.shares cpu.weight "$(unified && echo 59 || echo 512)"
	is cpu cpu.cfs_burst_us cpu.max.burst 10000
	if unified; then
		is cpu - cpu.max "50000 200000"
	else
		is cpu cpu.cfs_quota_us - 50000
		is cpu cpu.cfs_period_us - 200000
	fi
}

@test "cpu: a quota without a period, and a period without a quota" {
	has cpu cpu
	resources '{"cpu": {"quota": 50000}}'
	if unified; then
		is cpu - cpu.max "50000 100000"
	else
		is cpu cpu.cfs_quota_us - 50000
		is cpu cpu.cfs_period_us - 100000
	fi
	coracle delete --force "$ID"
	config 'del(.linux.resources.cpu)'
	resources '{"cpu": {"period": 200000}}'
	if unified; then
		is cpu - cpu.max "max 200000"
	else
		is cpu cpu.cfs_quota_us - -1
		is cpu cpu.cfs_period_us - 200000
	fi
}

@test "cpu: idle" {
	has cpu cpu
	[ -e /sys/fs/cgroup/cpu/cpu.idle ] || unified || skip "no cpu.idle"
	resources '{"cpu": {"idle": 1}}'
	is cpu cpu.idle cpu.idle 1
}

@test "cpu: realtime time" {
	if unified; then
		refused '{"cpu": {"realtimeRuntime": 5000, "realtimePeriod": 1000000}}' linux.resources.cpu.realtime "cgroup v2 has no"
		return
	fi
	[ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] || {
		refused '{"cpu": {"realtimeRuntime": 5000}}' linux.resources.cpu.realtimeRuntime cpu.rt_runtime_us
		return
	}
	# Below the root, because the caller's cgroup may have no realtime time to give.
	config --arg path "/$ID" '.linux.cgroupsPath = $path'
	resources '{"cpu": {"realtimeRuntime": 5000, "realtimePeriod": 500000}}'
	is cpu cpu.rt_runtime_us - 5000
	is cpu cpu.rt_period_us - 500000
}

@test "cpu: values out of range are refused with the range" {
	refused '{"cpu": {"period": 999}}' linux.resources.cpu.period "1000 to 1000000"
	refused '{"cpu": {"quota": 999}}' linux.resources.cpu.quota
	refused '{"cpu": {"quota": 5000, "burst": 5001}}' linux.resources.cpu.burst "more than the quota"
	refused '{"cpu": {"idle": 2}}' linux.resources.cpu.idle
	unified || refused '{"cpu": {"shares": 1}}' linux.resources.cpu.shares "2 to 262144"
}

@test "cpuset: cpus and mems" {
	has cpuset cpuset
	resources '{"cpu": {"cpus": "0", "mems": "0"}}'
	is cpuset cpuset.cpus cpuset.cpus 0
	is cpuset cpuset.mems cpuset.mems 0
	[ "$(proc_status Cpus_allowed_list "$PID")" = 0 ]
}

@test "cpuset: one of the two leaves the other as it is above" {
	has cpuset cpuset
	resources '{"cpu": {"cpus": "0"}}'
	[ "$(proc_status Cpus_allowed_list "$PID")" = 0 ]
	[ "$(proc_status Mems_allowed_list "$PID")" = "$(proc_status Mems_allowed_list self)" ]
}

@test "cpuset: an update that a cgroup below is in the way of names that" {
	v1
	has cpuset cpuset
	[ "$(nproc --all)" -gt 1 ] || skip "one CPU"
	sleeping
	local dir
	dir=$(path_of cpuset)
	mkdir "$dir/wide" "$dir/narrow"
	echo 1 >"$dir/narrow/cpuset.cpus"
	cat "$dir/cpuset.cpus" >"$dir/wide/cpuset.cpus"
	run coracle update --cpuset-cpus 1 "$ID"
	failed linux.resources.cpu.cpus "the cgroup $dir/wide below that of the container has $(cat "$dir/cpuset.cpus")"
	rmdir "$dir/wide"
	coracle update --cpuset-cpus 1 "$ID"
}

@test "cpuset: in a deep cgroup that is new" {
	has cpuset cpuset
	config --arg path "/$ID/a/b" '.linux.cgroupsPath = $path'
	resources '{"cpu": {"cpus": "0"}}'
	is cpuset cpuset.cpus cpuset.cpus 0
	coracle delete --force "$ID"
	rmdir /sys/fs/cgroup/{*/,}"$ID"/a /sys/fs/cgroup/{*/,}"$ID" 2>/dev/null || true
	no_cgroups
}

@test "cpuset: CPUs and nodes that the machine has not got are refused" {
	has cpuset cpuset
	refused '{"cpu": {"cpus": "4000"}}' linux.resources.cpu.cpus 4000
	refused "{\"cpu\": {\"cpus\": \"0,$(nproc --all)\"}}" linux.resources.cpu.cpus "the cgroup above, "
	refused '{"cpu": {"mems": "63"}}' linux.resources.cpu.mems 63
	refused '{"cpu": {"cpus": "0-x"}}' linux.resources.cpu.cpus "not a list"
}

@test "pids: a number, none, and no limit" {
	has pids pids
	resources '{"pids": {"limit": 17}}'
	is pids pids.max pids.max 17
	coracle delete --force "$ID"
	resources '{"pids": {"limit": -1}}'
	is pids pids.max pids.max max
	coracle delete --force "$ID"
	config '.linux.resources.pids.limit = 0'
	shell 'sleep 0 & echo never'
	[ "$status" -ne 0 ]
	[[ "$output" == *"can't fork"* ]]
}

@test "blockIO: throttles" {
	has blkio io
	d=$(disk)
	for t in throttleReadBpsDevice:read_bps:rbps throttleWriteBpsDevice:write_bps:wbps throttleReadIOPSDevice:read_iops:riops throttleWriteIOPSDevice:write_iops:wiops; do
		IFS=: read -r name file key <<<"$t"
		config 'del(.linux.resources.blockIO)'
		resources "$(throttle "$name" "$d" 1048576)"
		if unified; then
			grep -q "^$d .*$key=1048576" "$(path_of blkio)/io.max"
		else
			has_line blkio "blkio.throttle.${file}_device" - "$d 1048576"
		fi
		coracle delete --force "$ID"
	done
}

@test "blockIO: a disk that does not exist is an error" {
	has blkio io
	refused "$(throttle throttleReadBpsDevice 4000:0 1000)" "linux.resources.blockIO.throttleReadBpsDevice[0]" "no such disk"
}

@test "blockIO: weights are set, or refused with the reason" {
	has blkio io
	config '.linux.resources.blockIO = {weight: 500}'
	background create "$ID"
	if [ "$status" -eq 0 ]; then
		PID=$(pid_of "$ID")
		dir=$(path_of blkio)
		if [ -e "$dir/io.bfq.weight" ]; then
			grep -qxE '(default )?500' "$dir/io.bfq.weight"
		elif unified; then
			grep -qx 'default 4950' "$dir/io.weight"
		else
			grep -qx 500 "$dir"/blkio.*weight
		fi
	else
		failed linux.resources.blockIO.weight weight
		nothing_left
	fi
}

@test "blockIO: weights, of all devices and of one that has the scheduler bfq" {
	has blkio io
	local loop dir number prefix=blkio files
	truncate -s 8M "$BATS_TEST_TMPDIR/disk.img"
	loop=$(losetup --find --show "$BATS_TEST_TMPDIR/disk.img") || skip "no loop device"
	# It is removed when it is no longer open, whatever happens to the test.
	exec {held}<"$loop"
	losetup --detach "$loop"
	echo bfq >"/sys/block/${loop##*/}/queue/scheduler" || skip "this kernel has no scheduler bfq"
	number=$(cat "/sys/block/${loop##*/}/dev")
	! unified || prefix=io
	[ -e "/sys/fs/cgroup/$(unified || echo blkio)/$prefix.bfq.io_service_bytes" ] || unified || skip "bfq without cgroups"
	resources "$(jq -nc --arg d "$number" '($d | split(":") | map(tonumber)) as [$a, $b] |
		{blockIO: {weight: 500, weightDevice: [{major: $a, minor: $b, weight: 300}]}}')"
	dir=$(path_of blkio)
	files=$(cat "$dir/$prefix".bfq.weight*)
	grep -qxE '(default )?500' <<<"$files"
	grep -qx "$number 300" <<<"$files"
	jq -nc --arg d "$number" '($d | split(":") | map(tonumber)) as [$a, $b] |
		{blockIO: {weight: 600, weightDevice: [{major: $a, minor: $b, weight: 200}]}}' | coracle update --resources - "$ID"
	files=$(cat "$dir/$prefix".bfq.weight*)
	grep -qxE '(default )?600' <<<"$files"
	grep -qx "$number 200" <<<"$files"
	exec {held}<&-
}

@test "blockIO: weights out of range, and leaf weights where there are none, are refused" {
	refused '{"blockIO": {"weight": 5}}' linux.resources.blockIO.weight "10 to 1000"
	[ -e /sys/fs/cgroup/blkio/blkio.leaf_weight ] || refused '{"blockIO": {"leafWeight": 500}}' linux.resources.blockIO.leafWeight
	refused '{"blockIO": {"weightDevice": [{"major": 8, "minor": 0}]}}' "weightDevice[0]"
}

@test "hugepages: the limit of what is used and of what is reserved" {
	has hugetlb hugetlb
	[ -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || skip "no huge pages of 2 MiB"
	resources '{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}'
	is hugetlb hugetlb.2MB.limit_in_bytes hugetlb.2MB.max 4194304
	is hugetlb hugetlb.2MB.rsvd.limit_in_bytes hugetlb.2MB.rsvd.max 4194304
}

@test "hugepages: a size that does not exist, or is none, is refused" {
	refused '{"hugepageLimits": [{"pageSize": "3MB", "limit": 4194304}]}' "hugepageLimits[0]"
	refused '{"hugepageLimits": [{"pageSize": "2MB/../../x", "limit": 4194304}]}' "hugepageLimits[0].pageSize"
}

# networking runs a function in a mount namespace in which net_cls and net_prio, which few hosts
# mount, are mounted like the other controllers.
networking() {
	local hierarchies=$BATS_TEST_TMPDIR/hierarchies
	mkdir "$hierarchies"
	export -f networking_in "${1?}" coracle
	export CORACLE ROOT ID
	unshare --mount --propagation private bash -c 'networking_in "$@"' - "$hierarchies" "$1"
}

networking_in() {
	local name
	mount -t tmpfs hierarchies "$1"
	for name in /sys/fs/cgroup/*/; do
		name=${name%/}
		mkdir "$1/${name##*/}"
		mount --rbind "$name" "$1/${name##*/}"
	done
	for name in net_cls net_prio; do
		[ -e "$1/$name/tasks" ] && continue
		mkdir -p "$1/$name"
		mount -t cgroup -o "$name" "$name" "$1/$name" || return 77
	done
	mount --rbind "$1" /sys/fs/cgroup
	"$2"
}

# no_networking removes the hierarchies of networking. The kernel does not remove one by itself
# shortly after it had a cgroup.
no_networking() {
	local name
	for name in net_cls net_prio; do
		awk -v name="$name" '$1 == name && $2 != 0 && $3 == 1 { found = 1 } END { exit !found }' /proc/cgroups || continue
		unshare --mount --propagation private sh -c "mount -t cgroup -o $name $name $BATS_TEST_TMPDIR/hierarchies && umount $BATS_TEST_TMPDIR/hierarchies"
	done
	awk '/^net_/ && $2 != 0 { found = 1 } END { exit found }' /proc/cgroups
}

class_and_priorities() {
	set -e
	coracle run --detach "$ID" </dev/null >/dev/null 2>&1
	[ "$(cat "/sys/fs/cgroup/net_cls/coracle-$ID/net_cls.classid")" = 1048577 ]
	grep -qx "lo 5" "/sys/fs/cgroup/net_prio/coracle-$ID/net_prio.ifpriomap"
	echo '{"network": {"classID": 2, "priorities": [{"name": "lo", "priority": 6}]}}' | coracle update --resources - "$ID"
	[ "$(cat "/sys/fs/cgroup/net_cls/coracle-$ID/net_cls.classid")" = 2 ]
	grep -qx "lo 6" "/sys/fs/cgroup/net_prio/coracle-$ID/net_prio.ifpriomap"
	coracle delete --force "$ID"
	[ ! -e "/sys/fs/cgroup/net_cls/coracle-$ID" ]
}

@test "network: class and priorities" {
	v1
	share network
	config '.linux.resources.network = {classID: 1048577, priorities: [{name: "lo", priority: 5}]} | del(.mounts[] | select(.type == "sysfs"))'
	args sleep 1000
	awk '/^net_/ && $2 != 0 { found = 1 } END { exit found }' /proc/cgroups || skip "this host has them already"
	run networking class_and_priorities
	wait_for no_networking
	[ "$status" -ne 77 ] || skip "this kernel has no controllers net_cls and net_prio, or cgroup v2 has them"
	[ "$status" -eq 0 ]
}

@test "network: class and priorities without the controllers are refused" {
	[ ! -d /sys/fs/cgroup/net_cls ] || unified || skip "this host has them"
	refused '{"network": {"classID": 1048577}}' linux.resources.network.classID
	refused '{"network": {"priorities": [{"name": "lo", "priority": 5}]}}' "linux.resources.network.priorities[0]"
}

@test "rdma: a device that does not exist is an error" {
	refused '{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10}}}' "linux.resources.rdma[mlx5_1]"
	refused '{"rdma": {"mlx5_1": {}}}' "linux.resources.rdma[mlx5_1]" neither
}

@test "unified: any file of any controller" {
	v2
	resources '{"unified": {"memory.high": "33554432", "pids.max": "99", "cpu.weight": "42", "memory.oom.group": "1"}}'
	is - - memory.high 33554432
	is - - pids.max 99
	is - - cpu.weight 42
	is - - memory.oom.group 1
}

@test "unified: several lines, and the last word against other properties" {
	v2
	d=$(disk)
	resources "$(jq -nc --arg d "$d" '{pids: {limit: 5}, unified: {"pids.max": "9", "io.max": "\($d) rbps=1000000\n\($d) wbps=2000000\n"}}')"
	is - - pids.max 9
	grep -q "^$d rbps=1000000 wbps=2000000" "$(path_of io)/io.max"
}

@test "unified: unknown keys, missing controllers and what is no resource are refused" {
	if ! unified; then
		refused '{"unified": {"memory.max": "1000000"}}' linux.resources.unified "cgroup v1"
		return
	fi
	refused '{"unified": {"memory.nonsense": "1"}}' "unified[memory.nonsense]" "no parameter nonsense"
	refused '{"unified": {"nonsense.max": "1"}}' "unified[nonsense.max]" "controller nonsense is not available"
	refused '{"unified": {"nonsense": "1"}}' "unified[nonsense]" "CONTROLLER.PARAMETER"
	refused '{"unified": {"../pids.max": "1"}}' "unified" "not the name of a file"
	refused '{"unified": {"cgroup.freeze": "1"}}' "unified[cgroup.freeze]" "not a resource"
	refused '{"unified": {"pids.max": "many"}}' "unified[pids.max]" "many"
}

@test "a controller that the host lacks is named" {
	if unified; then
		refused '{"network": {"classID": 5}}' "cgroup v2 has nothing like it"
	elif [ ! -d /sys/fs/cgroup/rdma ] && ! grep -qsw rdma /sys/fs/cgroup/unified/cgroup.controllers; then
		refused '{"rdma": {"mlx": {"hcaHandles": 1}}}' "this host has no cgroup controller rdma"
	else
		skip "every controller is there"
	fi
}

@test "devices: rules that cgroup v1 cannot express are refused; v2 can do all" {
	mknod -m 666 rootfs/null2 c 1 3
	mknod -m 666 rootfs/port c 1 4
	config '.linux.resources.devices = [{allow: true, type: "c", major: 1, access: "rwm"}, {allow: false, type: "c", major: 1, minor: 4, access: "w"}]'
	if ! unified; then
		background create "$ID"
		failed "linux.resources.devices" "c 1:* w without c 1:4"
		nothing_left
		return
	fi
	shell '( exec 3>/null2 ) && echo null; ( exec 3>/port ) 2>/dev/null || echo no port'
	[ "$output" = $'null\nno port' ]
}

@test "devices: what the kernel has is what the rules say" {
	v1
	config '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "b", major: 7, minor: 0, access: "r"}, {allow: true, type: "c", major: 10, access: "rw"}]'
	sleeping
	diff <(sort "$(path_of devices)/devices.list") <(sort <<-'END'
		b *:* m
		b 7:0 rm
		c *:* m
		c 10:* rwm
		c 1:3 rwm
		c 1:5 rwm
		c 1:7 rwm
		c 1:8 rwm
		c 1:9 rwm
		c 5:0 rwm
		c 5:2 rwm
		c 136:* rwm
	END
	)
}
