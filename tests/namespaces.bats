#!/usr/bin/env bats
# Namespaces: new, shared with the host, and joined.

load helpers

# namespace TYPE PID prints the identity of a namespace.
namespace() {
	readlink "/proc/$2/ns/$1"
}

@test "the default container has namespaces of its own" {
	setup_busybox
	detached 'exec sleep 1000'
	pid=$(pid_of "$ID")
	for type in pid net ipc uts mnt cgroup; do
		[ "$(namespace "$type" "$pid")" != "$(namespace "$type" self)" ]
	done
	for type in user time; do
		[ "$(namespace "$type" "$pid")" = "$(namespace "$type" self)" ]
	done
}

@test "namespaces that are not in the configuration are those of the host" {
	setup_busybox
	for type in pid network ipc uts cgroup; do
		share "$type"
	done
	detached 'exec sleep 1000'
	pid=$(pid_of "$ID")
	for type in pid net ipc uts cgroup; do
		[ "$(namespace "$type" "$pid")" = "$(namespace "$type" self)" ]
	done
	[ "$(namespace mnt "$pid")" != "$(namespace mnt self)" ]
}

# The basic use: a shell with its own namespaces.
@test "bash in a Debian is process 1 with its own hostname, processes, network, IPC and mounts" {
	setup_debian
	args bash -c '
		echo pid=$$
		echo hostname=$(hostname)
		echo processes=$(ls -d /proc/[0-9]* | wc -l)
		echo net=$(ls /sys/class/net)
		echo routes=$(tail -n +2 /proc/net/route | wc -l)
		echo ipc=$(tail -n +2 /proc/sysvipc/shm | wc -l)
		echo host-mounts=$(grep -c "$BUNDLE" /proc/self/mountinfo)
		hostname changed 2>/dev/null || echo hostname-kept'
	aside sleep 1000
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = pid=1 ]
	[ "${lines[1]}" = hostname=coracle ]
	[[ ${lines[2]} =~ ^processes=[1-4]$ ]]
	[ "${lines[3]}" = net=lo ]
	[ "${lines[4]}" = routes=0 ]
	[ "${lines[5]}" = ipc=0 ]
	[ "${lines[7]}" = hostname-kept ]
}

@test "hostname and domainname are set in the container only" {
	setup_busybox
	before=$(uname -n)
	config '.hostname = "boat" | .domainname = "river.example"'
	shell 'hostname; cat /proc/sys/kernel/domainname'
	[ "$output" = $'boat\nriver.example' ]
	[ "$(uname -n)" = "$before" ]
}

@test "a hostname needs a uts namespace" {
	setup_busybox
	config 'del(.linux.namespaces[] | select(.type == "uts"))'
	run coracle run "$ID"
	failed hostname "uts namespace"
}

# bats test_tags=vm
@test "a namespace of the host that the configuration would change is refused, by whatever path" {
	setup_busybox
	aside unshare --uts sleep 1000
	wait_for differs uts "${ASIDE[-1]}" self
	for path in /proc/self/ns/uts "/proc/$$/ns/uts" /proc/thread-self/ns/uts; do
		altering uts "$path" '.hostname = "elsewhere"' "hostname: the uts namespace $path is that of the host"
		altering uts "$path" '.domainname = "elsewhere"' "domainname: the uts namespace $path is that of the host"
		altering uts "$path" '.linux.sysctl = {"kernel.domainname": "elsewhere"}' 'linux.sysctl["kernel.domainname"]: the uts namespace'
	done
	altering network /proc/self/ns/net '.linux.sysctl = {"net.ipv4.ip_forward": "1"}' 'linux.sysctl["net.ipv4.ip_forward"]: the network namespace /proc/self/ns/net is that of the host'
	altering network /proc/self/ns/net '.linux.netDevices = {"cor-none": {}}' 'linux.netDevices: the network namespace /proc/self/ns/net is that of the host'
	altering ipc /proc/self/ns/ipc '.linux.sysctl = {"kernel.msgmax": "8000"}' 'linux.sysctl["kernel.msgmax"]: the ipc namespace /proc/self/ns/ipc is that of the host'
	altering mount /proc/self/ns/mnt . 'root.path: the mount namespace /proc/self/ns/mnt is that of the host'
	altering user /proc/self/ns/user '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings' 'linux.uidMappings: the user namespace'
	[ "$(cat /proc/sys/kernel/domainname)" != elsewhere ]
	# And with a runtime in its own namespace.
	make_config_again
	join uts "/proc/$$/ns/uts"
	config '.hostname = "elsewhere"'
	if [ "$(stat -Lc %i "/proc/$$/ns/uts")" = 4026531838 ]; then
		run unshare --uts "$CORACLE" --root "$ROOT" create "$ID" </dev/null
		failed "hostname: the uts namespace /proc/$$/ns/uts is that of the host"
	fi
	# The namespace of another process is changed as asked.
	join uts "/proc/${ASIDE[-1]}/ns/uts"
	config '.hostname = "elsewhere"'
	shell hostname
	[ "$output" = elsewhere ]
	# The host's namespace can be joined when nothing changes it.
	join uts "/proc/$$/ns/uts"
	shell hostname
	[ "$output" = "$(hostname)" ]
}

# altering TYPE PATH PROGRAM TEXT changes the configuration, joins a namespace of the host, and
# expects create and validate to refuse it.
altering() {
	make_config_again
	config --arg type "$1" --arg path "$2" '.linux.namespaces |= map(select(.type != $type)) + [{type: $type, path: $path}] | del(.hostname)'
	config "$3"
	background create "$ID"
	failed "$4"
	nothing_left
	run "$CORACLE" validate
	failed "error: $4"
}

@test "the loopback device is up in a new network namespace" {
	setup_busybox
	shell 'ifconfig lo; ls /sys/class/net; ping -c 1 127.0.0.1 >/dev/null 2>&1 && echo answered; nc -l -p 7000 127.0.0.1 >/dev/null & for i in $(seq 50); do echo x | nc 127.0.0.1 7000 2>/dev/null && echo connected && break; sleep 0.1; done'
	[[ $output == *UP*LOOPBACK*RUNNING* ]]
	[[ $output == *127.0.0.1* ]]
	[[ $output == *connected* ]]
}

@test "the network of the host can be shared" {
	setup_busybox
	share network
	config '(.mounts[] | select(.type == "sysfs")) = {destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "ro"]}'
	shell 'ls /sys/class/net'
	[ "$output" = "$(ls /sys/class/net)" ]
}

@test "the processes of the host are visible when the pid namespace is shared, and only then" {
	setup_busybox
	aside sleep 1000
	shell "kill -0 ${ASIDE[-1]} 2>/dev/null && echo seen; ls -d /proc/[0-9]* | wc -l"
	[ "$output" -le 3 ]
	share pid
	config '.process.user.uid = 0'
	shell "[ ! -d /proc/${ASIDE[-1]} ] || echo seen"
	[ "$output" = seen ]
}

# bats test_tags=vm
@test "a container joins the namespaces of another one" {
	setup_busybox
	config '.hostname = "first"'
	detached 'exec sleep 1000'
	pid=$(pid_of "$ID")
	join network "/proc/$pid/ns/net"
	join ipc "/proc/$pid/ns/ipc"
	join uts "/proc/$pid/ns/uts"
	background create "$ID-b"
	[ "$status" -eq 0 ]
	for type in net ipc uts; do
		[ "$(namespace "$type" "$(pid_of "$ID-b")")" = "$(namespace "$type" "$pid")" ]
	done
	for type in pid mnt; do
		[ "$(namespace "$type" "$(pid_of "$ID-b")")" != "$(namespace "$type" "$pid")" ]
	done
	coracle delete --force "$ID-b"
	args hostname
	run coracle run "$ID-b"
	[ "$output" = first ]
}

@test "a container joins the pid namespace of another one" {
	setup_busybox
	detached 'exec sleep 1000'
	join pid "/proc/$(pid_of "$ID")/ns/pid"
	args sh -c 'echo $$; tr "\0" " " </proc/1/cmdline; kill -0 1 && echo reached; exit 6'
	run coracle run "$ID-b"
	[ "$status" -eq 6 ]
	[ "${lines[0]}" -gt 1 ]
	[[ $output == *"sleep 1000"*reached* ]]
	[ "$(status_of "$ID")" = running ]
}

@test "a container in the pid namespace of another one goes through its whole life" {
	setup_busybox
	detached 'exec sleep 1000'
	join pid "/proc/$(pid_of "$ID")/ns/pid"
	args sh -c 'sleep 1000 & echo ready; wait'
	background create --pid-file "$BATS_TEST_TMPDIR/pid" "$ID-b"
	[ "$status" -eq 0 ]
	pid=$(pid_of "$ID-b")
	[ "$(cat "$BATS_TEST_TMPDIR/pid")" = "$pid" ]
	[ "$(namespace pid "$pid")" = "$(namespace pid "$(pid_of "$ID")")" ]
	grep -q "$ID-b" "/proc/$pid/cgroup"
	coracle start "$ID-b"
	wait_for has_printed ready
	coracle kill "$ID-b" KILL
	wait_for has_status "$ID-b" stopped
	coracle delete "$ID-b"
	[ "$(status_of "$ID")" = running ]
	[ -z "$(cgroup_dirs "$ID-b")" ]
}

@test "a container ends with the pid namespace that it joined" {
	setup_busybox
	detached 'exec sleep 1000'
	join pid "/proc/$(pid_of "$ID")/ns/pid"
	background run --detach "$ID-b"
	coracle delete --force "$ID"
	wait_for has_status "$ID-b" stopped
}

# bats test_tags=vm
@test "a container joins the cgroup namespace of another one" {
	setup_busybox
	detached 'exec sleep 1000'
	join cgroup "/proc/$(pid_of "$ID")/ns/cgroup"
	background create "$ID-b"
	[ "$status" -eq 0 ]
	[ "$(namespace cgroup "$(pid_of "$ID-b")")" = "$(namespace cgroup "$(pid_of "$ID")")" ]
}

@test "without a mount namespace what would change the mounts of the host is refused; the rest runs" {
	setup_busybox
	local property before
	cp config.json full.json
	for property in mounts root.readonly linux.maskedPaths linux.readonlyPaths; do
		config --arg p "$property" '.linux.namespaces |= map(select(.type != "mount")) | ($p | split(".")) as $keep |
			reduce (["mounts"], ["root", "readonly"], ["linux", "maskedPaths"], ["linux", "readonlyPaths"]) as $q (.; if $q == $keep then . else delpaths([$q]) end)'
		background create "$ID"
		failed "$property needs a mount namespace in linux.namespaces: without one it would change the mounts of the host"
		cp full.json config.json
	done
	before=$(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo) || true
	config '.linux.namespaces |= map(select(.type != "mount")) | del(.mounts, .root.readonly, .linux.maskedPaths, .linux.readonlyPaths)'
	args sh -c 'cd / && ls -d bin'
	run coracle run "$ID"
	[ "$output" = bin ]
	[ "$(grep -c "$BATS_TEST_TMPDIR" /proc/self/mountinfo)" = "$before" ]
	nothing_left
}

@test "a container joins a mount namespace" {
	setup_busybox
	aside unshare --mount sleep 1000
	wait_for differs mnt "${ASIDE[-1]}" self
	join mount "/proc/${ASIDE[-1]}/ns/mnt"
	config '.mounts = [] | .root.readonly = false | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	args sleep 1000
	background run --detach "$ID"
	[ "$status" -eq 0 ] || echo "$output"
	[ "$status" -eq 0 ]
	[ "$(namespace mnt "$(pid_of "$ID")")" = "$(namespace mnt "${ASIDE[-1]}")" ]
}

differs() {
	[ "$(namespace "$1" "$2")" != "$(namespace "$1" "$3")" ]
}

@test "a namespace of the wrong type is refused" {
	setup_busybox
	for type in pid network ipc uts mount cgroup; do
		make_config_again
		path=/proc/self/ns/user
		join "$type" "$path"
		background create "$ID"
		failed "$type namespace (linux.namespaces[" "another type"
		nothing_left
	done
}

make_config_again() {
	rm config.json
	make_config
}

@test "a path that is no namespace is refused" {
	setup_busybox
	join network /etc/passwd
	background create "$ID"
	failed "network namespace" "is not a namespace"
	join network /dev/null
	background create "$ID"
	failed "network namespace" "is not a namespace"
	nothing_left
}

@test "a path that does not exist is refused" {
	setup_busybox
	join ipc "$BATS_TEST_TMPDIR/missing"
	background create "$ID"
	failed "ipc namespace" "no such file or directory"
	nothing_left
}

@test "a path that is not absolute is refused" {
	setup_busybox
	join ipc ns/ipc
	background create "$ID"
	failed "linux.namespaces[2].path" "not absolute"
}

@test "a fifo in the place of a namespace does not block" {
	setup_busybox
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	join network "$BATS_TEST_TMPDIR/fifo"
	background create "$ID"
	failed "is not a namespace"
}

# bats test_tags=vm
@test "the cgroup namespace hides where the container's cgroup is" {
	setup_busybox
	shell 'cut -d: -f3 /proc/self/cgroup | sort -u'
	[ "$output" = / ]
	share cgroup
	shell 'cut -d: -f3 /proc/self/cgroup'
	[[ $output == *"coracle-$ID"* ]]
}

@test "System V shared memory of the host is not visible" {
	setup_busybox
	command -v ipcmk >/dev/null || skip "no ipcmk on the host"
	shm=$(ipcmk -M 4096 | grep -o '[0-9]*$')
	shell "grep -c ' $shm ' /proc/sysvipc/shm"
	status_own=$output
	share ipc
	config 'del(.mounts[] | select(.type == "mqueue"))'
	shell "grep -c ' $shm ' /proc/sysvipc/shm"
	ipcrm -m "$shm"
	[ "$status_own" = 0 ]
	[ "$output" = 1 ]
}

# Each type is new, or another container's, in all 64 combinations. (The mount namespace has its
# own root, so it has its own test.)
# bats test_tags=vm
@test "namespaces are joined in every combination" {
	setup_busybox
	types=(pid network ipc uts cgroup time)
	list='for n in pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done'
	config '.linux.namespaces += [{type: "time"}] | del(.hostname)'
	args sh -c "$list; exec sleep 1000"
	background run --detach "$ID"
	first=$(pid_of "$ID")
	wait_for test "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 6
	mapfile -t theirs < <(printed)
	ours=()
	for type in "${types[@]}"; do
		ours+=("$(namespace "${type/network/net}" self)")
	done
	args sh -c "$list"
	cp config.json new.json
	for ((set = 0; set < 64; set++)); do
		jq --argjson set "$set" --arg pid "$first" --args '$ARGS.positional as $types | .linux.namespaces |= map(
			.type as $t | ($types | index($t)) as $i | if $i != null and ($set / pow(2; $i) | floor) % 2 == 1
			then .path = "/proc/\($pid)/ns/\(.type | sub("network"; "net"))" else . end)' "${types[@]}" <new.json >config.json
		mapfile -t inside < <(coracle run "$ID-$set")
		[ "${#inside[@]}" -eq 6 ]
		for i in "${!types[@]}"; do
			if ((set >> i & 1)); then
				[ "${inside[i]}" = "${theirs[i]}" ]
			else
				[ "${inside[i]}" != "${theirs[i]}" ]
				[ "${inside[i]}" != "${ours[i]}" ]
			fi
		done
	done
	# The last container, with all of them, accepts further processes.
	args sleep 1000
	background run --detach "$ID-all"
	mapfile -t inside < <(coracle exec "$ID-all" sh -c "$list")
	[ "${inside[*]}" = "${theirs[*]}" ]
}
