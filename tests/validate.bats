#!/usr/bin/env bats
# coracle validate: everything that is wrong with a bundle.

load helpers

setup() {
	common_setup
	make_config
	mkdir rootfs
}

# finds LINE... expects validate to fail with these lines, in this order, and no others.
finds() {
	background validate
	[ "$status" -eq 1 ]
	diff <(printf '%s\n' "$@") "$BATS_TEST_TMPDIR/out" >&2
}

@test "the default configuration is valid" {
	background validate
	[ "$status" -eq 0 ]
	[ "$output" = "config.json is valid" ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "--bundle names the bundle, and the findings name the file by it" {
	cd /
	run "$CORACLE" validate --bundle "$BUNDLE"
	[ "$status" -eq 0 ]
	[ "$output" = "$BUNDLE/config.json is valid" ]
}

@test "every problem is found, with line and column, in the order of the file" {
	cat >config.json <<-END
		{
		  "ociVersion": "1.3.0",
		  "root": {"path": "missing"},
		  "process": {
		    "user": {"uid": 0, "gid": -1},
		    "args": "sh",
		    "cwd": "tmp"
		  },
		  "mounts": [
		    {"destination": "/proc", "type": "proc"},
		    {"destination": "/x", "type": "bind", "source": "/x", "options": ["size=1"]}
		  ],
		  "hostname": "there",
		  "linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}, {"type": "mount"}], "sysctl": {"kernel.pid_max": "5"}}
		}
	END
	finds "config.json:3:20: error: root.path: rootfs $BUNDLE/missing: no such file or directory" \
		'config.json:5:31: error: process.user.gid: expected a number (uint32), got the number -1' \
		'config.json:6:13: error: process.args: expected an array, got a string' \
		'config.json:7:12: error: process.cwd: "tmp" is not absolute' \
		'config.json:11:70: error: mounts[1].options: "size=1" is not an option of bind mounts' \
		'config.json:13:15: error: hostname needs a uts namespace in linux.namespaces' \
		'config.json:14:45: error: linux.namespaces[1]: a second "pid" namespace; linux.namespaces[0] is one already' \
		'config.json:14:111: error: linux.sysctl["kernel.pid_max"]: cannot be set for a container: it is a parameter of the whole system'
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = "config.json has 8 errors and 0 warnings" ]
}

@test "unknown, repeated and missing properties are warnings" {
	config 'del(.process.user.gid) | .process.nice = 3'
	sed -i '2i "hostname": "first",' config.json
	background validate
	[ "$status" -eq 0 ]
	says "warning: process.user.gid is missing; the specification requires it" \
		"warning: process.nice: unknown property" "warning: hostname: duplicate property"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 3 ]
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
	run "$CORACLE" validate --strict
	failed "config.json has 3 warnings"
}

@test "a property that differs from a known one only by case is an error, for create, exec and update too" {
	local change property
	while read -r property change; do
		make_config
		config "$change"
		background create "$ID"
		failed "config.json: $property: line" 'is meant, but upper and lower case differ'
		[ ! -e "$ROOT/$ID" ]
		run "$CORACLE" validate
		[ "$status" -eq 1 ]
		says "error: $property: unknown property; " 'is meant, but upper and lower case differ'
	done <<-'END'
		Linux .Linux = {maskedPaths: ["/proc/x"]}
		process.NoNewPrivileges .process.NoNewPrivileges = true
		process.capabilities.Bounding .process.capabilities.Bounding = []
		root.ReadOnly .root.ReadOnly = true
		mounts[1].Options .mounts[1].Options = ["ro"]
		linux.MaskedPaths .linux.MaskedPaths = ["/proc/x"]
		linux.namespaces[0].PATH .linux.namespaces[0].PATH = "/proc/1/ns/pid"
		linux.resources.pids.LIMIT .linux.resources.pids.LIMIT = 1
		linux.Seccomp .linux.Seccomp = {defaultAction: "SCMP_ACT_ERRNO"}
		linux.seccomp.syscalls[0].errnoret .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chmod"], action: "SCMP_ACT_ERRNO", errnoret: 1}]}
		hooks.createruntime .hooks.createruntime = [{path: "/bin/false"}]
	END
	# Only names of properties: keys of maps are data, and what is quite unknown is a warning.
	make_config
	cp -a "$CORACLE_CACHE/busybox/." rootfs
	args sleep 1000
	config '.annotations = {"A": "1", "a": "2"} | .process.nice = {OPTIONS: 1}'
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	jq '.process | .args = ["true"] | .NoNewPrivileges = true' config.json >process.json
	run coracle exec --process process.json "$ID"
	[ "$status" -eq 255 ]
	says 'NoNewPrivileges: line' 'is meant, but upper and lower case differ'
	echo '{"pids": {"Limit": 9}}' >limits.json
	run coracle update --resources limits.json "$ID"
	failed 'pids.Limit: line' 'is meant, but upper and lower case differ'
	coracle delete --force "$ID"
}

@test "properties that undo each other are told" {
	config '.process.scheduler = {policy: "SCHED_FIFO", priority: 5, nice: 3}
		| .mounts += [{destination: "/sys/firmware/x", type: "bind", source: "/tmp", options: ["bind"]}, {destination: "/dev", type: "tmpfs", source: "t"}]
		| .linux.readonlyPaths += ["/opt"] | .mounts += [{destination: "/opt", type: "bind", source: "/tmp", options: ["bind", "rw"]}]
		| .linux.devices = [{type: "p", path: "/dev/f"}, {type: "p", path: "/dev/../dev/f"}]'
	background validate
	[ "$status" -eq 0 ]
	says "warning: process.scheduler.nice has no effect with SCHED_FIFO" 'warning: linux.maskedPaths[10]: "/sys/firmware" hides mounts[7] at "/sys/firmware/x"' \
		'warning: linux.readonlyPaths[5]: "/opt" makes mounts[9] read-only' 'warning: linux.devices[1].path: "/dev/f" is the path of linux.devices[0] already' \
		'warning: mounts[1] is hidden by mounts[8] at "/dev", which comes later'
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 8 ]
	config '.linux.devices[1] = {type: "c", major: 1, minor: 3, path: "/dev/f"}'
	background validate
	[ "$status" -eq 1 ]
	says 'error: linux.devices[1].path: "/dev/f" is the path of linux.devices[0], which is another device'
}

@test "annotations of other runtimes that would have changed the container are told, by create too" {
	config '.annotations = {"run.oci.handler": "krun", "run.oci.seccomp_bpf_data": "AA==", "run.oci.seccomp_fail_unknown_syscall": "0", "run.oci.systemd.subgroup": "",
		"org.opencontainers.runc.exec.isolated-cpu-affinity-transition": "temporary", "run.oci.hooks.stdout": "/x", "run.oci.no-such": "1", "org.opencontainers.runc.version": "1.1",
		"run.oci.keep_original_groups": "1", "run.oci.mount_context_type": "rootcontext", "org.systemd.property.After": "[]", "org.example.mine": "x"}'
	background validate
	[ "$status" -eq 0 ]
	says 'warning: annotations["run.oci.handler"] has no effect here: the process is executed by the kernel' 'warning: annotations["run.oci.seccomp_bpf_data"] has no effect here' \
		'warning: annotations["org.opencontainers.runc.exec.isolated-cpu-affinity-transition"] has no effect here' \
		'warning: annotations["run.oci.hooks.stdout"] has no effect here: what a hook prints is told in the error when it fails' \
		'warning: annotations["run.oci.no-such"] is not an annotation that this runtime knows'
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 5 ]
	cp -a "$CORACLE_CACHE/busybox/." rootfs
	args true
	run coracle --log log --debug run "$ID"
	[ "$status" -eq 0 ]
	[ "$(grep -c 'level=warning.*annotations' log)" -eq 5 ]
	config '.annotations["run.oci.mount_context_type"] = "seclabel"'
	background validate
	[ "$status" -eq 1 ]
	says 'error: annotations["run.oci.mount_context_type"]: "seclabel" is not one of context, fscontext'
}

@test "what another platform needs has no effect, and that is said" {
	config '.windows = {layerFolders: []} | .process.commandLine = "x" | .process.user.username = "me"'
	run "$CORACLE" validate
	[ "$status" -eq 0 ]
	says "warning: windows is for Windows" "warning: process.commandLine is for Windows" "warning: process.user.username is for Windows"
	[ "${#lines[@]}" -eq 3 ]
}

@test "--json has the same, and JSON Pointers" {
	config '.linux.sysctl = {"kernel.a/b": "1"} | .process.nice = 3'
	background validate --json
	[ "$status" -eq 1 ]
	jq -e '.config == "config.json" and .valid == false and (.findings | length == 2)
		and (.findings[] | select(.severity == "error") | .pointer == "/linux/sysctl/kernel.a~1b" and .property == "linux.sysctl[\"kernel.a/b\"]")
		and (.findings[] | select(.severity == "warning") | .pointer == "/process/nice" and .line > 1 and .column > 1
			and (.message | test("unknown property")))' "$BATS_TEST_TMPDIR/out"
	[ "$(cat "$BATS_TEST_TMPDIR/err")" = "config.json has 1 error and 1 warning" ]
	make_other
	run "$CORACLE" validate --json --bundle other
	[ "$status" -eq 0 ]
	jq -e '.valid and .findings == []' <<<"$output"
}

make_other() {
	mkdir -p other/rootfs
	coracle spec --bundle other
}

@test "JSON that is none, and no config.json" {
	printf '{\n "a": tru\n}' >config.json
	finds 'config.json:2:7: error: a: invalid JSON value'
	rm config.json
	background validate
	[ "$status" -eq 1 ]
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
	says "bundle has no config.json"
	run "$CORACLE" validate x
	failed "wrong number of arguments"
}

@test "the error is in the log too" {
	config '.process.cwd = "x"'
	run "$CORACLE" --log log --log-format json validate
	[ "$status" -eq 1 ]
	jq -es 'length == 1 and .[0].msg == "config.json has 1 error and 0 warnings"' log
}

@test "validate and create agree" {
	cp -a "$CORACLE_CACHE/busybox/." rootfs
	args true
	local change
	for change in . '.process.cwd = ""' '.ociVersion = "1"' '.process.capabilities.bounding += ["CAP_X"]' '.process.user = {}' \
		'.annotations = {"": "x"}' '.root.path = "/"' '.process.rlimits += [.process.rlimits[0]]' 'del(.process)' '.linux.memoryPolicy = {}' \
		'.linux.devices = [{type: "p", path: "/dev/f"}]' '.mounts[0].options = [""]' '.linux.cgroupsPath = "a/../b"' \
		'.linux.resources.hugepageLimits = [{limit: 1}]' '.linux.resources.cpu = {quota: 5}' '.linux.resources.devices += [{type: "c", allow: true, major: 5, minor: 1, access: "x"}]' \
		'.linux.resources.memory = {limit: -2}' '.linux.resources.memory = {kernel: 5}' '.linux.resources.unified = {"..": "1"}' '.hooks = {poststop: [{path: "x"}]}'; do
		cp config.json good
		config "$change"
		background validate
		local validated=$status
		background create "$ID"
		[ "$status" -eq "$validated" ] || {
			echo "$change: validate $validated, create $status: $output" >&2
			false
		}
		[ "$status" -ne 0 ] || coracle delete --force "$ID"
		mv good config.json
	done
}

@test "limits are checked, each of them" {
	config '.linux.resources = {memory: {limit: -2}, cpu: {period: 1, quota: 5}, blockIO: {weight: 5}, pids: {limit: -2}}'
	background validate
	[ "$status" -eq 1 ]
	says linux.resources.memory.limit linux.resources.cpu.period linux.resources.cpu.quota linux.resources.blockIO.weight linux.resources.pids.limit
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 5 ]
}

@test "it needs no privileges and leaves nothing" {
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR"
	OPEN=$(mktemp -d "/tmp/cortest-$RUN-validate.XXXXXX")
	cp -r "$CORACLE" config.json rootfs "$OPEN"
	chmod -R a+rX "$OPEN"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$OPEN/coracle" validate --bundle "$OPEN"
	[ "$status" -eq 0 ]
	[ "$(ls "$OPEN")" = $'config.json\ncoracle\nrootfs' ]
	rm -r "$OPEN"
	no_leftovers
}

# only_here PROGRAM TEXT expects a change to be valid by itself, and to be refused on this host by
# both validate --host and create.
only_here() {
	cp config.json good
	config "$1"
	run "$CORACLE" validate
	[ "$status" -eq 0 ] || {
		echo "$1 is not valid: $output" >&2
		return 1
	}
	run "$CORACLE" validate --host
	failed "error: " "$2"
	background create "$ID"
	[ "$status" -ne 0 ] || {
		echo "$1 was created, and validate --host says $2" >&2
		return 1
	}
	mv good config.json
}

# bats test_tags=vm
@test "--host finds what cannot work on this host, as create does" {
	cp -a "$CORACLE_CACHE/busybox/." rootfs
	args true
	background validate --host
	[ "$status" -eq 0 ]
	[ "$output" = "config.json is valid" ]
	only_here '.mounts += [{destination: "/x", type: "bind", source: "/no/such", options: ["bind"]}]' 'bind mount "/no/such" at "/x" (mounts[7]): source: stat /no/such: no such file or directory'
	only_here '.mounts += [{destination: "/x", type: "nofs", source: "x"}]' 'mounts[7].type: the kernel has no file system "nofs"'
	only_here '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: ["nonsense=1"]}]' 'mounts[7].options: the file system "tmpfs" does not accept the option "nonsense=1"'
	only_here '.mounts += [{destination: "/x", type: "overlay", source: "o", options: ["lowerdir=/no/such:/tmp"]}]' 'mounts[7].options: stat /no/such: no such file'
	only_here '.mounts += [{destination: "/x", type: "overlay", source: "o", options: ["lowerdir=rootfs", "upperdir=/no/such", "workdir=/tmp"]}]' 'mounts[7].options: stat /no/such: no such file'
	only_here '.linux.namespaces |= map(if .type == "ipc" then .path = "/no/such" else . end)' 'ipc namespace (linux.namespaces[2].path): open /no/such'
	only_here '.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/user" else . end)' 'is a namespace of another type'
	only_here '.linux.sysctl = {"net.ipv4.no_such": "1"}' 'linux.sysctl["net.ipv4.no_such"]: this kernel has no parameter net/ipv4/no_such'
	only_here '.linux.sysctl = {"net.ipv4.ip_forward": "x"}' 'linux.sysctl["net.ipv4.ip_forward"]: the kernel does not take the value "x"'
	only_here '.linux.netDevices = {"cor-none": {}}' 'linux.netDevices["cor-none"]: there is no such device'
	only_here '.linux.resources.cpu = {cpus: "60000"}' 'linux.resources.cpu.cpus: "60000" has more than the cgroup'
	only_here '.linux.resources.memory = {limit: 1000, swap: 1000}' 'linux.resources.memory.limit: 1000 is less than a page of memory'
	unified || [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || only_here '.linux.resources.memory = {swap: 500000}' 'linux.resources.memory.swap: it takes memory.limit'
	only_here '.linux.resources.hugepageLimits = [{pageSize: "64MB", limit: 1}]' 'linux.resources.hugepageLimits[0]'
	only_here '.linux.resources.blockIO = {throttleReadBpsDevice: [{major: 250, minor: 77, rate: 5}]}' 'throttleReadBpsDevice[0]: this host has no disk 250:77'
	only_here '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "900"}' 'linux.memoryPolicy: the kernel does not allow it'
	only_here '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 18446744073709551615, hard: 18446744073709551615}]' 'process.rlimits[0].hard: RLIMIT_NOFILE cannot be raised'
	only_here '.hooks.createRuntime = [{path: "/no/such"}]' 'hooks.createRuntime[0].path: execute "/no/such": no such file'
	only_here '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: -4000000000}}' 'linux.timeOffsets.monotonic: the clock would be at -'
	only_here '.linux.namespaces |= map(select(.type != "network")) + [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings' \
		'a new file system "sysfs" in a user namespace takes a network namespace'
	[ -d /sys/kernel/security/apparmor ] || only_here '.process.apparmorProfile = "x"' 'process.apparmorProfile: AppArmor is not enabled on this host'
	[ -e /sys/fs/selinux/enforce ] || only_here '.process.selinuxLabel = "u:r:t:s0"' 'process.selinuxLabel: SELinux is not enabled on this host'
	[ -e /sys/fs/resctrl/schemata ] || only_here '.linux.intelRdt = {closID: "x"}' 'linux.intelRdt: no resctrl file system is mounted'
	nothing_left
}

@test "--host leaves nothing, and this host as it is" {
	local before after
	before=$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname && find /sys/fs/cgroup -maxdepth 2 -name 'coracle-validate*')
	config '.linux.sysctl = {"kernel.msgmax": "12345", "net.ipv4.ip_forward": "1", "kernel.domainname": "cor-validate"} | .linux.namespaces += [{type: "time"}]
		| .process.scheduler = {policy: "SCHED_BATCH", nice: 3} | .process.oomScoreAdj = 100
		| .linux.resources.memory = {limit: 100000000} | .mounts += [{destination: "/i", type: "bind", source: "rootfs", options: ["bind"]}]'
	background validate --host
	[ "$status" -eq 0 ]
	after=$(cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname && find /sys/fs/cgroup -maxdepth 2 -name 'coracle-validate*')
	[ "$before" = "$after" ]
	nothing_left
}

@test "--host asks what this user may, and the driver that is asked for" {
	run setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- "$CORACLE" validate --host
	failed "without privileges a container needs a user namespace"
	if [ ! -d /run/systemd/system ]; then
		run "$CORACLE" --systemd-cgroup validate --host
		failed "linux.cgroupsPath: cgroup: the systemd driver"
	fi
	run "$CORACLE" --cgroup-manager disabled validate --host
	[ "$status" -eq 0 ]
	config '.linux.resources.pids = {limit: 10} | .linux.cgroupsPath = "a:b:c"'
	run "$CORACLE" validate
	failed 'linux.cgroupsPath: "a:b:c" has the form slice:prefix:name'
	run "$CORACLE" --systemd-cgroup validate
	failed 'linux.cgroupsPath: "a:b:c": the slice "a" does not end with ".slice"'
	run "$CORACLE" --cgroup-manager disabled validate
	failed "linux.resources.pids.limit: there are no limits without a cgroup"
}
