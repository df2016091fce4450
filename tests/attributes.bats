#!/usr/bin/env bats
# Attributes of a process or its namespaces: scheduler, I/O priority, CPU affinity, memory policy,
# personality, kernel parameters.

load helpers

setup() {
	setup_busybox
}

# pid_running starts the container and sets $pid to its pid.
pid_running() {
	detached 'exec sleep 1000'
	pid=$(pid_of "$ID")
}

# refused PROGRAM TEXT... changes a fresh configuration with jq, and expects an error.
refused() {
	local program=$1
	shift
	cp config.json good
	config "$program"
	background create "$ID"
	failed "$@"
	nothing_left
	mv good config.json
}

# attributes prints policy, flags, nice, priority, runtime, deadline and period of a process.
attributes() {
	python3 - "$1" <<-'END'
		import ctypes, platform, struct, sys
		number = {"x86_64": 315, "aarch64": 275}[platform.machine()]
		buffer = ctypes.create_string_buffer(56)
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.syscall(number, int(sys.argv[1]), buffer, 56, 0) != 0:
		    sys.exit("sched_getattr: errno %d" % ctypes.get_errno())
		_, policy, flags, nice, priority, runtime, deadline, period = struct.unpack_from("IIQiIQQQ", buffer)
		print(policy, flags, nice, priority, runtime, deadline, period)
	END
}

# realtime_possible reports whether a process in its own cgroup may have a realtime scheduler:
# with group scheduling the cgroup would need realtime time.
realtime_possible() {
	[ ! -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] && chrt -f 1 true 2>/dev/null
}

@test "the scheduler is that of the configuration" {
	config '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1-4)" = "3 0 7 0" ]
	coracle delete --force "$ID"
	config '.process.scheduler = {policy: "SCHED_OTHER", nice: 3, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1-4)" = "0 1 3 0" ]
	coracle delete --force "$ID"
	config '.process.scheduler = {policy: "SCHED_IDLE"}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1)" = 5 ]
}

# bats test_tags=vm
@test "a realtime scheduler has its priority" {
	realtime_possible || skip "a realtime scheduler is not possible in a cgroup here"
	config '.process.scheduler = {policy: "SCHED_FIFO", priority: 10}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1-4)" = "1 0 0 10" ]
	coracle delete --force "$ID"
	config '.process.scheduler = {policy: "SCHED_RR", priority: 20}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1-4)" = "2 0 0 20" ]
}

@test "a deadline scheduler has its three times" {
	chrt -d -T 1000000 -D 5000000 -P 10000000 0 true 2>/dev/null || skip "a deadline scheduler is not possible here"
	config '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 5000000, period: 10000000}'
	pid_running
	[ "$(attributes "$pid" | cut -d' ' -f1,5-7)" = "6 1000000 5000000 10000000" ]
}

@test "without a scheduler the process has that of the caller" {
	args sh -c 'exec sleep 1000'
	chrt -b 0 nice -n 5 "$CORACLE" --root "$ROOT" run --detach "$ID" </dev/null >/dev/null 2>&1
	[ "$(attributes "$(pid_of "$ID")" | cut -d' ' -f1-4)" = "3 0 $(($(nice) + 5)) 0" ]
}

@test "wrong schedulers are refused" {
	refused '.process.scheduler = {policy: "SCHED_LUCK"}' process.scheduler.policy SCHED_LUCK SCHED_FIFO
	refused '.process.scheduler = {}' process.scheduler.policy
	refused '.process.scheduler = {policy: "SCHED_OTHER", nice: 20}' process.scheduler.nice "-20 to 19"
	refused '.process.scheduler = {policy: "SCHED_OTHER", priority: 1}' process.scheduler.priority
	refused '.process.scheduler = {policy: "SCHED_FIFO", priority: 100}' process.scheduler.priority "1 to 99"
	refused '.process.scheduler = {policy: "SCHED_OTHER", flags: ["SCHED_FLAG_X"]}' "process.scheduler.flags[0]" SCHED_FLAG_X
	refused '.process.scheduler = {policy: "SCHED_OTHER", runtime: 5}' process.scheduler SCHED_DEADLINE
}

@test "what the kernel refuses as scheduler is an error that names it" {
	refused '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 9, deadline: 5, period: 1}' process.scheduler "invalid argument"
}

@test "the I/O priority is that of the configuration" {
	config '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
	pid_running
	[ "$(ionice -p "$pid")" = "best-effort: prio 6" ]
	coracle delete --force "$ID"
	config '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}'
	pid_running
	[ "$(ionice -p "$pid")" = idle ]
	coracle delete --force "$ID"
	refused '.process.ioPriority = {class: "IOPRIO_CLASS_X", priority: 0}' process.ioPriority.class IOPRIO_CLASS_X
	refused '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}' process.ioPriority.priority "0 to 7"
}

# last_cpu prints the highest CPU that the caller may use.
last_cpu() {
	proc_status Cpus_allowed_list self | grep -o '[0-9]*$'
}

# bats test_tags=vm
@test "exec has the CPU affinity of the configuration" {
	local cpu
	cpu=$(last_cpu)
	[ "$cpu" -gt 0 ] || skip "there is one CPU"
	config --arg cpu "$cpu" '.process.execCPUAffinity = {initial: "0", final: $cpu}'
	detached 'grep Cpus_allowed_list /proc/self/status; exec sleep 1000'
	wait_for has_printed "$(grep Cpus_allowed_list /proc/self/status)" # the affinity of the first process stays
	run coracle exec "$ID" grep Cpus_allowed_list /proc/self/status
	[ "$output" = $'Cpus_allowed_list:\t'"$cpu" ]
	coracle delete --force "$ID"
	config '.process.execCPUAffinity = {initial: "0"}'
	detached 'exec sleep 1000'
	run coracle exec "$ID" true
	[ "$status" -eq 0 ]
	coracle delete --force "$ID"
	refused '.process.execCPUAffinity = {initial: "x"}' process.execCPUAffinity.initial '"x"' 0-3,7
	refused '.process.execCPUAffinity = {final: "3-1"}' process.execCPUAffinity.final '"3-1"'
}

@test "the memory policy is that of the configuration" {
	[ -e /proc/self/numa_maps ] || skip "this kernel has no NUMA"
	local policy
	for policy in "MPOL_BIND bind:0" "MPOL_INTERLEAVE interleave:0" "MPOL_PREFERRED prefer:0"; do
		config --arg mode "${policy% *}" '.linux.memoryPolicy = {mode: $mode, nodes: "0"}'
		shell 'grep -m1 stack /proc/self/numa_maps | cut -d" " -f2'
		[ "$output" = "${policy#* }" ]
	done
	config '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}'
	shell 'grep -m1 stack /proc/self/numa_maps | cut -d" " -f2'
	[ "$output" = "bind=static:0" ]
	config '.linux.memoryPolicy = {mode: "MPOL_LOCAL", nodes: ""}'
	shell 'grep -m1 stack /proc/self/numa_maps | cut -d" " -f2'
	[ "$output" = local ]
}

@test "wrong memory policies are refused" {
	refused '.linux.memoryPolicy = {mode: "MPOL_X", nodes: "0"}' linux.memoryPolicy.mode MPOL_X
	refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: ""}' linux.memoryPolicy.nodes "at least one"
	refused '.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0"}' linux.memoryPolicy.nodes
	refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "a"}' linux.memoryPolicy.nodes '"a"'
	refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_X"]}' "linux.memoryPolicy.flags[0]" MPOL_F_X
	[ ! -e /proc/self/numa_maps ] || refused '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "900"}' linux.memoryPolicy
}

@test "the personality is that of the configuration" {
	[ "$(uname -m)" = x86_64 ] || skip "only x86_64 has another name for 32 bits"
	config '.linux.personality = {domain: "LINUX32"}'
	shell 'uname -m; cat /proc/self/personality'
	[ "$output" = $'i686\n00000008' ]
	config '.linux.personality = {domain: "LINUX"}'
	shell 'uname -m'
	[ "$output" = x86_64 ]
	refused '.linux.personality = {domain: "MINIX"}' linux.personality.domain MINIX
	refused '.linux.personality = {domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"]}' linux.personality.flags
}

@test "kernel parameters of the namespaces are set, in both spellings" {
	local before
	before=$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/forwarding)
	config '.linux.sysctl = {"kernel.msgmax": "12345", "net/ipv4/ip_forward": "1", "fs.mqueue.msg_max": "17",
		"net.ipv4.ping_group_range": "0 \t 100", "net/ipv4/conf/lo/forwarding": "1"}'
	shell 'cd /proc/sys; cat kernel/msgmax net/ipv4/ip_forward fs/mqueue/msg_max net/ipv4/ping_group_range net/ipv4/conf/lo/forwarding'
	[ "$output" = $'12345\n1\n17\n0\t100\n1' ]
	[ "$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/lo/forwarding)" = "$before" ]
}

@test "kernel parameters of the host are refused" {
	refused '.linux.sysctl = {"kernel.pid_max": "1000"}' 'linux.sysctl["kernel.pid_max"]' "whole system"
	refused '.linux.sysctl = {"vm/swappiness": "1"}' 'linux.sysctl["vm/swappiness"]'
	refused '.linux.sysctl = {"kernel.hostname": "x"}' 'linux.sysctl["kernel.hostname"]' "property hostname"
	refused '.domainname = "a" | .linux.sysctl = {"kernel.domainname": "b"}' 'linux.sysctl["kernel.domainname"]' "contradicts the property domainname"
	refused '.domainname = "a" | .linux.sysctl = {"kernel/domainname": "a"}' 'linux.sysctl["kernel/domainname"]' "contradicts the property domainname"
	refused '.linux.sysctl = {"net/../kernel/pid_max": "1"}' linux.sysctl "not the name of a kernel parameter"
	refused '.linux.sysctl = {"net.ipv4.no_such": "1"}' net.ipv4.no_such "no such file"
	refused '.linux.sysctl = {"net.ipv4.ip_forward": "x"}' net.ipv4.ip_forward "invalid argument"
	refused '.linux.sysctl = {"kernel.msgmax": "1", "kernel/msgmax": "2"}' "same parameter"
	share network
	refused '.linux.sysctl = {"net.ipv4.ip_forward": "1"}' 'linux.sysctl["net.ipv4.ip_forward"]' "needs a network namespace"
	config '.linux.namespaces += [{type: "network", path: "/proc/self/ns/net"}]'
	refused '.linux.sysctl = {"net.ipv4.ip_forward": "1"}' net.ipv4.ip_forward
}
