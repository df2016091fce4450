#!/usr/bin/env bats
# bats file_tags=vm
# The systemd driver: --systemd-cgroup. Tests that need systemd are skipped where it does not run;
# it runs in the virtual machine.

load helpers

setup() {
	setup_busybox
	UNIT=coracle-$ID.scope
}

teardown() {
	[ ! -d "$ROOT/$ID" ] || coracle delete --force "$ID"
	[ -z "${ASIDE[*]}" ] || kill -9 "${ASIDE[@]}" 2>/dev/null || true
	[ ! -d /run/systemd/system ] || systemctl stop "$UNIT" "$ID.slice" 2>/dev/null || true
	wait_for no_cgroups
}

need_systemd() {
	[ -d /run/systemd/system ] || skip "systemd is not running"
}

# show PROPERTY prints a property of the unit.
show() {
	systemctl show --property "$1" --value "$UNIT"
}

# managed SCRIPT starts a script in a container whose cgroup systemd makes.
managed() {
	args sh -c "$1"
	background --systemd-cgroup run --detach "$ID"
	[ "$status" -eq 0 ] || {
		echo "$output" >&2
		return 1
	}
	PID=$(pid_of "$ID")
}

# own_cgroup prints the cgroup in which systemd has the container.
own_cgroup() {
	sed -n -e 's/^0:://p' -e 's/^[0-9]*:name=systemd://p' "/proc/$PID/cgroup" | tail -n 1
}

# file NAME prints a file of the container's cgroup (v2).
file() {
	cat "/sys/fs/cgroup$(own_cgroup)/$1"
}

gone() {
	[ "$(show LoadState)" = not-found ] || [ "$(show ActiveState)" = inactive ]
}

@test "systemd: by default a scope coracle-ID in system.slice" {
	need_systemd
	managed 'exec sleep 1000'
	[ "$(own_cgroup)" = "/system.slice/$UNIT" ]
	[ "$(show ActiveState)" = active ]
	[ "$(show Slice)" = system.slice ]
	[ "$(show Delegate)" = yes ]
	[ "$(show Description)" = "coracle container $ID" ]
	[ "$(show ControlGroup)" = "/system.slice/$UNIT" ]
	coracle delete --force "$ID"
	gone
	nothing_left
}

@test "systemd: --cgroup-manager systemd is the same" {
	need_systemd
	args sleep 1000
	background --cgroup-manager systemd run --detach "$ID"
	[ "$status" -eq 0 ]
	[ "$(show ActiveState)" = active ]
}

@test "systemd: slice:prefix:name" {
	need_systemd
	config --arg path "cortest-a.slice:pre:$ID" '.linux.cgroupsPath = $path'
	UNIT=pre-$ID.scope
	managed 'exec sleep 1000'
	[ "$(own_cgroup)" = "/cortest.slice/cortest-a.slice/$UNIT" ]
	coracle delete --force "$ID"
	gone
	systemctl stop cortest.slice
}

@test "systemd: characters that units cannot have are escaped" {
	need_systemd
	local id=$ID+x
	args sleep 1000
	background --systemd-cgroup run --detach "$id"
	[ "$status" -eq 0 ]
	systemctl is-active "coracle-$ID\\x2bx.scope"
	coracle delete --force "$id"
}

@test "systemd: later commands need no flag" {
	need_systemd
	managed 'exec sleep 1000'
	[ "$(jq -r .cgroup.driver "$ROOT/$ID/state.json")" = systemd ]
	[ "$(status_of "$ID")" = running ]
	coracle pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	coracle resume "$ID"
	run coracle exec "$ID" cat /proc/self/cgroup
	[ "$status" -eq 0 ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	wait_for gone
}

@test "systemd: the process of exec is in the scope" {
	need_systemd
	managed 'exec sleep 1000'
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" sleep 1000
	[ "$status" -eq 0 ]
	diff "/proc/$PID/cgroup" "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/cgroup"
}

@test "systemd: the cgroup namespace begins at the scope" {
	need_systemd
	unified || skip "cgroup v1"
	args cat /proc/self/cgroup
	run coracle --systemd-cgroup run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "0::/" ]
	wait_for gone
}

@test "systemd: a container in the foreground leaves no unit" {
	need_systemd
	args sh -c 'exit 3'
	run coracle --systemd-cgroup run "$ID"
	[ "$status" -eq 3 ]
	wait_for gone
	nothing_left
}

@test "systemd: only create, update and delete talk to it" {
	need_systemd
	managed 'exec sleep 1000'
	config() { jq "$@" <"$ROOT/$ID/state.json" >"$BATS_TEST_TMPDIR/new" && cp "$BATS_TEST_TMPDIR/new" "$ROOT/$ID/state.json"; }
	config '.cgroup.systemd.instance.addresses |= map("unix:path=/no/such/socket")'
	coracle state "$ID"
	coracle list
	coracle exec "$ID" true
	coracle ps "$ID"
	coracle pause "$ID"
	coracle resume "$ID"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	# The scope ends with its process, so there is nothing to stop.
	wait_for gone
	coracle delete "$ID"
}

@test "systemd: limits are in the properties and in the files" {
	need_systemd
	unified || skip "cgroup v1"
	config '.linux.resources |= {memory: {limit: 67108864, reservation: 33554432, swap: 134217728},
		cpu: {shares: 512, quota: 33333, period: 100000, cpus: "0", mems: "0"}, pids: {limit: 77}}'
	managed 'exec sleep 1000'
	[ "$(show MemoryMax)" = 67108864 ]
	[ "$(show MemoryLow)" = 33554432 ]
	[ "$(show TasksMax)" = 77 ]
	[ "$(show AllowedCPUs)" = 0 ]
	[ "$(show AllowedMemoryNodes)" = 0 ]
	[ "$(show CPUQuotaPerSecUSec)" = 340ms ]
	[ "$(show CPUWeight)" = "$(file cpu.weight)" ]
	[ "$(file memory.max)" = 67108864 ]
	[ "$(file memory.low)" = 33554432 ]
	[ "$(file pids.max)" = 77 ]
	[ "$(file cpuset.cpus)" = 0 ]
	# The exact value, although systemd only has hundredths.
	[ "$(file cpu.max)" = "33333 100000" ]
}

@test "systemd: a limit of one process holds, also with a user namespace, and exec works at it" {
	need_systemd
	unified || skip "cgroup v1"
	writable
	config '.linux.namespaces += [{type: "user"}] | .linux.resources.pids = {limit: 1}
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
	managed 'exec sleep 1000'
	[ "$(show TasksMax)" = 1 ]
	[ "$(file pids.max)" = 1 ]
	run coracle exec "$ID" id -u
	[ "$status" -eq 0 ]
	[ "$output" = 0 ]
}

@test "systemd: linux.resources.unified" {
	need_systemd
	unified || skip "cgroup v1"
	config '.linux.resources.unified = {"memory.high": "50M", "pids.max": "max", "memory.oom.group": "1"}'
	managed 'exec sleep 1000'
	[ "$(show MemoryHigh)" = 52428800 ]
	[ "$(show TasksMax)" = infinity ]
	[ "$(file memory.oom.group)" = 1 ]
}

@test "systemd: a reload changes neither limits nor devices" {
	need_systemd
	unified || skip "cgroup v1"
	mknod -m 666 rootfs/loop b 7 0
	config '.linux.resources.pids = {limit: 55} | .linux.resources.cpu = {quota: 33333} | .linux.resources.memory = {limit: 67108864}'
	managed 'exec sleep 1000'
	systemctl daemon-reload
	[ "$(file pids.max)" = 55 ]
	[ "$(file memory.max)" = 67108864 ]
	run coracle exec "$ID" sh -c 'exec 3</loop'
	[ "$status" -ne 0 ]
	[[ "$output" == *"Operation not permitted"* ]]
	run coracle exec "$ID" sh -c 'echo x >/dev/null && echo fine'
	[ "$output" = fine ]
}

@test "systemd: update changes properties and files" {
	need_systemd
	unified || skip "cgroup v1"
	config '.linux.resources.pids = {limit: 55}'
	managed 'exec sleep 1000'
	coracle update --pids-limit 66 --cpu-period 100000 --cpu-quota 33333 "$ID"
	[ "$(show TasksMax)" = 66 ]
	[ "$(show CPUQuotaPerSecUSec)" = 340ms ]
	[ "$(file pids.max)" = 66 ]
	[ "$(file cpu.max)" = "33333 100000" ]
	systemctl daemon-reload
	[ "$(file pids.max)" = 66 ]
	systemctl stop "$UNIT"
	wait_for has_status "$ID" stopped
	background update --pids-limit 77 "$ID"
	[ "$status" -ne 0 ]
}

@test "systemd: an update of one limit of the cpu leaves the others" {
	need_systemd
	unified || skip "cgroup v1"
	config '.linux.resources.cpu = {quota: 50000, period: 50000, shares: 512, idle: 1}'
	managed 'exec sleep 1000'
	[ "$(file cpu.idle)" = 1 ]
	[ "$(file cpu.max)" = "50000 50000" ]
	coracle update --cpu-quota 12345 "$ID"
	[ "$(show CPUQuotaPerSecUSec)" = 250ms ]
	[ "$(file cpu.idle)" = 1 ]
	coracle update --cpu-idle 0 "$ID"
	[ "$(show CPUWeight)" = 100 ]
	coracle update --cpu-shares 2048 "$ID"
	[ "$(file cpu.max)" = "12345 50000" ]
	coracle update --cpu-quota 25000 "$ID"
	[ "$(file cpu.idle)" = 0 ]
	[ "$(file cpu.weight)" = 174 ]
	[ "$(file cpu.max)" = "25000 50000" ]
	[ "$(show CPUQuotaPerSecUSec)" = 500ms ]
}

@test "systemd: when it cannot be told of an update, nothing has changed" {
	need_systemd
	unified || skip "cgroup v1"
	mknod -m 666 rootfs/loop b 7 0
	config '.linux.resources.pids = {limit: 55}'
	managed 'exec sleep 1000'
	echo '{"pids": {"limit": 66}, "devices": [{"allow": true, "access": "rwm"}]}' >limits.json
	# shellcheck disable=SC2016 # it is for the other shell
	run unshare --mount --propagation private sh -c '
		mount -t tmpfs none /run/dbus && mount -t tmpfs none /run/systemd && mkdir /run/systemd/system && exec "$@"' sh \
		"$CORACLE" --root "$ROOT" update --devices --resources limits.json "$ID"
	failed "change the systemd unit \"$UNIT\""
	[ "$(file pids.max)" = 55 ]
	run coracle exec "$ID" sh -c 'exec 3</loop'
	[ "$status" -ne 0 ]
	[[ "$output" == *"Operation not permitted"* ]]
}

@test "systemd: it is told that an update was taken back" {
	need_systemd
	unified || skip "cgroup v1"
	config '.linux.resources.pids = {limit: 55} | .linux.resources.cpu = {quota: 50000, cpus: "0"}'
	managed 'exec sleep 1000'
	echo '{"pids": {"limit": 66}, "cpu": {"quota": 20000, "cpus": "1"}, "devices": [{"allow": true, "access": "rwm"}]}' >limits.json
	# Attaching a device filter needs these capabilities.
	run setpriv --bounding-set -sys_admin,-bpf --inh-caps -sys_admin,-bpf "$CORACLE" --root "$ROOT" update --devices --resources limits.json "$ID"
	failed linux.resources.devices "not permitted"
	[ "$(file pids.max)" = 55 ]
	[ "$(file cpu.max)" = "50000 100000" ]
	[ "$(show TasksMax)" = 55 ]
	[ "$(show CPUQuotaPerSecUSec)" = 500ms ]
	[ "$(show AllowedCPUs)" = 0 ]
}

@test "systemd: the container may have cgroups of its own" {
	need_systemd
	unified || skip "cgroup v1"
	managed 'exec sleep 1000'
	mkdir -p "/sys/fs/cgroup$(own_cgroup)/nested/deep"
	echo "$PID" >"/sys/fs/cgroup$(own_cgroup)/nested/cgroup.procs"
	systemctl daemon-reload
	[ -d "/sys/fs/cgroup/system.slice/$UNIT/nested/deep" ]
	coracle delete --force "$ID"
	wait_for gone
	nothing_left
}

@test "systemd: annotations set properties" {
	need_systemd
	config '.annotations = {"org.systemd.property.TimeoutStopUSec": "uint64 7000000", "org.systemd.property.After": "[\"dbus.service\"]",
		"org.systemd.property.CollectMode": "'"'inactive'"'", "other": "x"}'
	managed 'exec sleep 1000'
	[ "$(show TimeoutStopUSec)" = 7s ]
	[[ " $(show After) " == *" dbus.service "* ]]
	[ "$(show CollectMode)" = inactive ]
}

@test "systemd: annotations cannot set what is not on the list" {
	need_systemd
	for property in Slice Delegate Wants Conflicts MemoryMax DeviceAllow ExecStart x; do
		config --arg name "org.systemd.property.$property" '.annotations = {($name): "'"['x']"'"}'
		background --systemd-cgroup create "$ID"
		failed "annotations[\"org.systemd.property.$property\"]" "cannot be set"
		[ ! -e "$ROOT/$ID" ]
	done
	config '.annotations = {"org.systemd.property.TimeoutStopSec": "soon"}'
	background --systemd-cgroup create "$ID"
	failed 'annotations["org.systemd.property.TimeoutStopSec"]' "no number of seconds"
}

@test "systemd: a unit that exists is refused and left alone" {
	need_systemd
	aside systemd-run --quiet --scope --unit "$UNIT" sleep 1000
	wait_for systemctl --quiet is-active "$UNIT"
	args true
	background --systemd-cgroup create "$ID"
	failed "$UNIT"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	systemctl --quiet is-active "$UNIT"
	[ -z "$(ls -A "$ROOT")" ]
}

@test "systemd: a failed unit of the same name is replaced" {
	need_systemd
	systemd-run --quiet --wait --unit "$UNIT" false 2>/dev/null || true
	systemd-run --quiet --unit "${UNIT%.scope}" --property Type=oneshot false 2>/dev/null || true
	# A scope fails when it exceeds its time limit.
	aside systemd-run --quiet --scope --property RuntimeMaxSec=1 --unit "$UNIT" sleep 1000
	failed_() { [ "$(show ActiveState)" = failed ]; }
	wait_for failed_
	managed 'exec sleep 1000'
	[ "$(show ActiveState)" = active ]
	systemctl reset-failed "${UNIT%.scope}.service" || true
}

@test "systemd: a unit that fails is not left over" {
	need_systemd
	config '.annotations = {"org.systemd.property.RuntimeMaxUSec": "uint64 500000"}'
	managed 'trap "" TERM; while :; do sleep 1; done'
	coracle delete --force "$ID"
	wait_for gone
	[ -z "$(systemctl list-units --all --plain --no-legend "$UNIT")" ]
}

@test "systemd: a creation that fails leaves no unit" {
	need_systemd
	args /no/such/command
	background --systemd-cgroup create "$ID"
	failed "no such file"
	wait_for gone
	nothing_left
	config '.linux.resources.cpu = {cpus: "4000"}'
	background --systemd-cgroup create "$ID"
	failed linux.resources.cpu
	wait_for gone
	nothing_left
}

@test "systemd: delete --force after a create that was killed" {
	need_systemd
	args sleep 1000
	created_() { background --systemd-cgroup create "$ID"; }
	created_
	[ "$status" -eq 0 ]
	PID=$(pid_of "$ID")
	kill -9 "$PID"
	coracle delete --force "$ID"
	coracle delete --force "$ID"
	wait_for gone
	nothing_left
}

@test "systemd: processes that outlive the first one end with the container" {
	need_systemd
	share pid
	managed 'sleep 1000 & wait'
	children() { pgrep -P "$PID" >/dev/null; }
	wait_for children
	child=$(pgrep -P "$PID")
	kill -9 "$PID"
	wait_for has_status "$ID" stopped
	[ "$(show ActiveState)" = active ]
	coracle delete "$ID"
	wait_for gone
	[ ! -e "/proc/$child" ] || [[ "$(proc_status State "$child")" == Z* ]]
}

@test "systemd: a path of another form is refused" {
	need_systemd
	for path in /a/b a:b a:b:c x:y:z:w .slice:p:n a--b.slice:p:n ../a.slice:p:n ":p:a/b" :p:n.slice; do
		config --arg path "$path" '.linux.cgroupsPath = $path'
		background --systemd-cgroup create "$ID"
		failed linux.cgroupsPath
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "systemd: where it is not running, an error says so" {
	[ ! -d /run/systemd/system ] || skip "systemd is running"
	background --systemd-cgroup create "$ID"
	failed "systemd is not running"
	nothing_left
}

@test "systemd: no connection is an error with the name of the unit" {
	args true
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=/no/such/bus background --systemd-cgroup create "$ID"
	failed "start the systemd unit \"$UNIT\"" "/no/such/bus"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
}

@test "systemd: one that never answers is an error after a while" {
	args true
	aside python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
time.sleep(1000)' "$BATS_TEST_TMPDIR/bus"
	wait_for test -S "$BATS_TEST_TMPDIR/bus"
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$BATS_TEST_TMPDIR/bus background --systemd-cgroup create "$ID"
	failed "start the systemd unit \"$UNIT\"" "no answer from systemd"
	nothing_left
}

@test "systemd: an init that has failed meanwhile says why" {
	# A bus that closes the connection when the init has ended.
	aside python3 -c 'import glob, socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c, _ = s.accept()
pid = struct.unpack("3i", c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
def ended():
    for children in glob.glob("/proc/%d/task/*/children" % pid):
        for child in open(children).read().split():
            if open("/proc/%s/stat" % child).read().rpartition(")")[2].split()[0] == "Z":
                return True
while not ended():
    time.sleep(0.05)' "$BATS_TEST_TMPDIR/bus"
	wait_for test -S "$BATS_TEST_TMPDIR/bus"
	args true
	config '.mounts |= [{destination: "/bin/busybox", type: "bind", source: "/etc", options: ["bind"]}] + .'
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$BATS_TEST_TMPDIR/bus background --systemd-cgroup create "$ID"
	failed /bin/busybox "not a directory"
	[[ "$output" != *systemd* ]]
	nothing_left
}

@test "disabled: the container stays in the cgroup of its creator" {
	args sleep 1000
	background --cgroup-manager disabled run --detach "$ID"
	[ "$status" -eq 0 ]
	diff "/proc/$(pid_of "$ID")/cgroup" /proc/self/cgroup
	[ -z "$(cgroup_dirs "$ID")" ]
	run coracle exec "$ID" echo in
	[ "$output" = in ]
	run coracle ps "$ID"
	[[ "$output" == *sleep* ]]
	background pause "$ID"
	failed "without a cgroup"
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "disabled: SIGKILL ends a container in the pid namespace of the host" {
	share pid
	args sleep 1000
	background --cgroup-manager disabled run --detach "$ID"
	[ "$status" -eq 0 ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
}

@test "disabled: limits are refused" {
	config '.linux.resources.memory = {limit: 67108864}'
	background --cgroup-manager disabled create "$ID"
	failed linux.resources.memory.limit "without a cgroup"
	nothing_left
	# These values mean no limit.
	config '.linux.resources |= {memory: {limit: 0, swap: -1}, cpu: {shares: 0, quota: 0, cpus: ""}, blockIO: {weight: 0}, pids: {limit: -1}}'
	args sleep 1000
	background --cgroup-manager disabled run --detach "$ID"
	[ "$status" -eq 0 ]
	run coracle update --pids-limit 5 "$ID"
	failed "without a cgroup"
	echo '{"memory": {"limit": 0}}' >limits.json
	coracle update --resources limits.json "$ID"
}
