#!/usr/bin/env bats
# User namespaces: new ones with id mappings, and joined ones.

load helpers

# users adds a user namespace in which root is 100000 of the host and owns the whole rootfs.
users() {
	setup_busybox
	writable
	config '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] |
		.linux.gidMappings = [{containerID: 0, hostID: 200000, size: 1000}]'
	chown -R 100000:200000 rootfs
}

# all_caps gives the process every capability.
all_caps() {
	config '[range(41)] as $n | .process.capabilities |= (["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID", "SYS_ADMIN", "NET_ADMIN", "SYS_CHROOT", "MKNOD", "KILL", "SYS_PTRACE", "SETPCAP"]
		| map("CAP_" + .) | {bounding: ., effective: ., permitted: .})'
}

@test "run.oci.keep_original_groups keeps groups that are not mapped, and the access that they give" {
	users
	mkdir shared
	echo readable >shared/file
	chown 0:4242 shared/file
	chmod 640 shared/file
	chmod a+rx . shared
	config --arg s "$PWD/shared" '.annotations = {"run.oci.keep_original_groups": "1"} | .mounts += [{destination: "/shared", type: "bind", source: $s, options: ["bind"]}]'
	args sh -c 'grep ^Groups: /proc/self/status; cat /shared/file'
	run setpriv --groups 4242 "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[ "$(tr -s ' \t' ' ' <<<"${lines[0]}")" = "Groups: 65534 " ]
	[ "${lines[1]}" = readable ]
	config 'del(.annotations)'
	run setpriv --groups 4242 "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -ne 0 ]
	says "Permission denied"
}

# within runs coracle as root of a user namespace with delegated cgroups, as in an unprivileged
# system container.
within() {
	status=0
	unshare --user --map-root-user --mount "$CORACLE" --root "$ROOT" --log log "$@" </dev/null >out 2>&1 || status=$?
	output=$(cat out)
}

# bats test_tags=vm
@test "a new user namespace has the mappings of the configuration" {
	users
	shell 'cat /proc/self/uid_map /proc/self/gid_map; id -u; id -g; readlink /proc/self/ns/user'
	[ "$status" -eq 0 ]
	[ "$(awk '{ print $1, $2, $3 }' <<<"${lines[0]}")" = "0 100000 1000" ]
	[ "$(awk '{ print $1, $2, $3 }' <<<"${lines[1]}")" = "0 200000 1000" ]
	[ "${lines[2]}" = 0 ]
	[ "${lines[3]}" = 0 ]
	[ "${lines[4]}" != "$(readlink /proc/self/ns/user)" ]
}

@test "a used up key quota is said to be one, and whose; --no-new-keyring does without" {
	users
	config '.linux.uidMappings[0].hostID = 987654000'
	chown -R 987654000:200000 rootfs
	aside bash -c 'exec python3 "$0" 987654000 >"$1"' "$BATS_TEST_DIRNAME/keys.py" "$BATS_TEST_TMPDIR/keys"
	wait_for grep -q "quota exceeded" "$BATS_TEST_TMPDIR/keys"
	args true
	run coracle run "$ID"
	failed "make the session keyring: the key quota of user 987654000, 0 in the container, is used up (the limits are in /proc/sys/kernel/keys; a container that is created with --no-new-keyring needs no key)"
	coracle run --no-new-keyring "$ID"
}

@test "root of the container is a user of the host without rights there" {
	users
	detached 'sleep 100'
	local pid
	pid=$(pid_of "$ID")
	[ "$(proc_status Uid "$pid")" = "100000 100000 100000 100000" ]
	[ "$(proc_status Gid "$pid")" = "200000 200000 200000 200000" ]
	[ "$(proc_status Groups "$pid")" = "" ]
}

@test "the other namespaces belong to the user namespace" {
	users
	all_caps
	# Each of these needs a capability over the namespace.
	shell 'hostname other && hostname && ip link set lo down && mount -t tmpfs tmpfs /home && mount | grep -c "on /home "'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = other ]
	[ "${lines[1]}" = 1 ]
}

@test "files of the container belong to mapped ids" {
	users
	shell 'touch /file; ls -ln /file; ls -ldn /dev/shm /proc/1 | cut -c 1-10'
	[ "$status" -eq 0 ]
	[ "$(awk '{ print $3, $4 }' <<<"${lines[0]}")" = "0 0" ]
	[ "$(stat -c '%u %g' rootfs/file)" = "100000 200000" ]
}

@test "a user without a mapping is refused, and so are mappings without a namespace" {
	users
	config '.process.user.uid = 1000'
	run coracle create "$ID"
	failed "process.user.uid" "1000 is not mapped by linux.uidMappings"
	config '.process.user = {uid: 5, gid: 5, additionalGids: [7, 4000]}'
	run coracle create "$ID"
	failed "process.user.additionalGids[1]" "4000 is not mapped by linux.gidMappings"
	config 'del(.process.user.additionalGids) | .linux.uidMappings = []'
	run coracle create "$ID"
	failed "linux.uidMappings" "a new user namespace needs it"
	config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 5, hostID: 300000, size: 10}]'
	run coracle create "$ID"
	failed "linux.uidMappings[1]" "overlap"
	config '.linux.uidMappings |= .[:1] | .linux.namespaces |= map(select(.type != "user"))'
	run coracle create "$ID"
	failed "linux.uidMappings" "needs a user namespace"
	nothing_left
}

@test "another user than root, with groups, umask and capabilities" {
	users
	config '.process.user = {uid: 5, gid: 6, additionalGids: [7, 8], umask: 7} | .process.capabilities.ambient = ["CAP_KILL"] | .process.capabilities.inheritable = ["CAP_KILL"]'
	shell 'id -u; id -g; id -G; umask; grep -E "^Cap(Prm|Amb)" /proc/self/status; touch /tmp/x'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]}" = "5 6" ]
	[ "${lines[2]}" = "6 7 8" ]
	[ "${lines[3]}" = 0007 ]
	[[ ${lines[4]} == *0000000000000020 ]]
	[[ ${lines[5]} == *0000000000000020 ]]
}

@test "the container's root has to have a mapping, as a user and as a group" {
	users
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | .process.user = {uid: 1005, gid: 1006}'
	local list
	for list in uidMappings gidMappings; do
		config --arg l "$list" '.linux[$l][0].containerID = 1000'
		run coracle create "$ID"
		failed "linux.$list" "has no mapping of the container's" "id 0"
		run coracle validate
		failed "linux.$list" "id 0"
		config --arg l "$list" '.linux[$l][0] = {containerID: 0, hostID: 100000, size: 2000}'
	done
	nothing_left
}

# unmapped CHANGE TEXT... asserts that create and validate refuse a changed configuration
# with these texts.
unmapped() {
	cp config.json saved.json
	config "$1"
	shift
	run coracle create "$ID"
	failed "$@"
	run coracle validate
	failed "$@"
	mv saved.json config.json
}

# bats test_tags=vm
@test "every id in the configuration has to have a mapping; the error names its property" {
	users
	config '.linux.gidMappings[0].size = 5 | (.mounts[] | select(.type == "devpts").options) -= ["gid=5"]'
	unmapped '.mounts[2].options += ["gid=5"]' 'mounts[2].options has "gid=5", and 5 is not mapped by linux.gidMappings'
	unmapped '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: ["uid=0x3e8"]}]' 'mounts[7].options' 'uid=0x3e8' '1000 is not mapped by linux.uidMappings'
	unmapped '.linux.sysctl = {"net.ipv4.ping_group_range": "0 2147483647"}' 'ping_group_range' '2147483647 is not mapped by linux.gidMappings'
	unmapped '.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, uid: 1000}]' 'linux.devices[0].uid: 1000 is not mapped by linux.uidMappings'
	unmapped '.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, gid: 6}]' 'linux.devices[0].gid: 6 is not mapped by linux.gidMappings'
	unmapped '.process.user.gid = 5' 'process.user.gid: 5 is not mapped'
	nothing_left
	config '.linux.sysctl = {"net/ipv4/ping_group_range": "0 4"}'
	shell 'cat /proc/sys/net/ipv4/ping_group_range'
	[ "$status" -eq 0 ]
	[ "$(tr '\t' ' ' <<<"$output" | tail -1)" = "0 4" ]
}

# in_other_users PID reports whether a process is in another user namespace.
in_other_users() {
	[ "$(readlink /proc/self/ns/user)" != "$(readlink "/proc/$1/ns/user")" ]
}

# users_of ID starts a process in a new user namespace of 10 ids from that id on, and makes the
# container join it.
users_of() {
	unshare --user sleep 20 &
	other=$!
	wait_for in_other_users "$other"
	echo "$1 100000 10" >/proc/$other/uid_map
	echo "$1 200000 10" >/proc/$other/gid_map
	config --arg p "/proc/$other/ns/user" 'del(.linux.uidMappings, .linux.gidMappings) | (.linux.namespaces[] | select(.type == "user")).path = $p'
}

@test "an id that a joined user namespace does not have is named, also where its mappings are not told" {
	users
	users_of 0
	args true
	local change want
	while IFS=@ read -r change want; do
		cp config.json saved.json
		config "$change"
		run coracle run "$ID"
		failed "$want" "mapped in the user namespace"
		mv saved.json config.json
	done <<-'END'
		.mounts[2].options += ["gid=77"]@mount "devpts" at "/dev/pts" (mounts[2])
		.process.user.uid = 77@set the user id "77" (process.user.uid)
		.process.user.gid = 77@set the group id "77" (process.user.gid)
		.process.user.additionalGids = [77]@process.user.additionalGids
		.linux.sysctl = {"net.ipv4.ping_group_range": "0 77"}@net.ipv4.ping_group_range
	END
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	kill "$other"
	nothing_left
}

@test "a user namespace without root cannot be joined" {
	users
	users_of 5
	config '.process.user = {uid: 6, gid: 6}'
	run coracle run "$ID"
	failed "linux.gidMappings" "group id 0 is not mapped in the user namespace"
	run coracle validate --host
	failed "linux.gidMappings" "container's group id 0" "linux.uidMappings" "container's user id 0" "is not mapped in the user namespace that is joined"
	kill "$other"
	nothing_left
}

@test "a runtime in a user namespace names the ids that this does not have" {
	setup_busybox
	args true
	local change want
	while IFS=@ read -r change want; do
		cp config.json saved.json
		config "$change"
		run unshare --user --map-root-user --mount "$CORACLE" --root "$ROOT" run "$ID"
		failed "$want"
		mv saved.json config.json
	done <<-'END'
		.@mounts[2].options has "gid=5", and 5 is not mapped in the user namespace of the runtime
		.mounts[2].options -= ["gid=5"] | .process.user.uid = 1@process.user.uid: 1 is not mapped in the user namespace of the runtime
		.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}] | .linux.gidMappings = [{containerID: 0, hostID: 0, size: 9}]@linux.gidMappings[0]: host ids 0 to 8 are not mapped in one piece
		.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 5, size: 1}] | .linux.gidMappings = [range(9) | {containerID: ., hostID: ., size: 1}]@linux.uidMappings[0]: host ids 5 to 5 are not mapped
	END
	nothing_left
}

@test "the mappings may have many entries" {
	users
	config '.linux.uidMappings = [range(200) | {containerID: ., hostID: (100000 + 2 * .), size: 1}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
	shell 'wc -l </proc/self/uid_map'
	[ "$status" -eq 0 ]
	[ "$output" -eq 200 ]
}

# bats test_tags=vm
@test "default devices come from the host and work" {
	users
	shell 'for d in null zero full random urandom tty; do stat -c "%n %t:%T" /dev/$d; done; echo x >/dev/null; head -c 3 /dev/zero | wc -c; ! echo x >/dev/full; head -c 1 /dev/urandom | wc -c'
	[ "$status" -eq 0 ]
	says "/dev/null 1:3" "/dev/zero 1:5" "/dev/full 1:7" "/dev/random 1:8" "/dev/urandom 1:9" "/dev/tty 5:0"
}

@test "the host's devices cannot be changed from inside, even when root is the host's" {
	users
	all_caps
	config '.linux.uidMappings[0].hostID = 0 | .linux.gidMappings[0].hostID = 0'
	chown -R 0:0 rootfs
	local before
	before=$(stat -c '%a %u' /dev/null)
	shell 'chmod 600 /dev/null; chown 5 /dev/null; mknod /x c 1 3'
	[ "$status" -ne 0 ]
	[ "$(stat -c '%a %u' /dev/null)" = "$before" ]
}

# bats test_tags=vm
@test "a configured device is made as it is configured, whatever the host has" {
	users
	config '.process.user = {uid: 5, gid: 7} | .linux.devices = [
		{path: "/dev/random8", type: "c", major: 1, minor: 8, fileMode: 432, uid: 5, gid: 7},
		{path: "/dev/urandom", type: "c", major: 1, minor: 5, fileMode: 8576, uid: 5},
		{path: "/opt/dir/null", type: "c", major: 1, minor: 3},
		{path: "/dev/loop", type: "b", major: 7, minor: 0, fileMode: 384},
		{path: "/run/fifo", type: "p", fileMode: 384, uid: 5}]'
	shell 'stat -c "%n %F %t:%T %a %u:%g" /dev/random8 /dev/urandom /opt/dir/null /dev/loop /run/fifo
		head -c 3 /dev/random8 | wc -c; head -c 2 /dev/urandom | wc -c; echo x >/opt/dir/null && echo null; chmod 400 /dev/random8 && stat -c %a /dev/random8; grep -c " /dev/random8 " /proc/mounts'
	[ "$status" -eq 0 ]
	says "/dev/random8 character special file 1:8 660 5:7" "/dev/urandom character special file 1:5 600 5:0" \
		"/opt/dir/null character special file 1:3 666 0:0" "/dev/loop block special file 7:0 600 0:0" "/run/fifo fifo 0:0 600 5:0"
	[ "$(printf '%s ' "${lines[@]:5}")" = "3 2 null 400 1 " ]
	[ "$(stat -c '%a %u' /dev/null /dev/urandom | xargs)" = "666 0 666 0" ]
	# Leftovers of an earlier run in the rootfs do no harm.
	coracle delete --force "$ID"
	shell 'stat -c %u:%a /dev/random8 /opt/dir/null'
	[ "$output" = $'5:660\n0:666' ]
}

@test "a configured device in a joined user namespace, whose mappings are not told" {
	users
	users_of 0
	config '.process.user.uid = 5 | .linux.devices = [{path: "/dev/random8", type: "c", major: 1, minor: 8, fileMode: 384, uid: 5, gid: 7}]'
	shell 'stat -c "%t:%T %a %u:%g" /dev/random8; head -c 3 /dev/random8 | wc -c'
	[ "$status" -eq 0 ]
	[ "$output" = $'1:8 600 5:7\n3' ]
	kill "$other"
}

@test "without privileges on the host a configured device is the host's, wherever that has it" {
	setup_busybox
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | .linux.devices = [
		{path: "/dev/other", type: "c", major: 1, minor: 5, fileMode: 384}, {path: "/dev/urandom", type: "c", major: 1, minor: 9}]'
	args stat -c '%n %t:%T' /dev/other /dev/urandom
	within run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = $'/dev/other 1:5\n/dev/urandom 1:9' ]
	config '.linux.devices[0] = {path: "/dev/other", type: "c", major: 1, minor: 77}'
	within run "$ID"
	failed 'linux.devices[0]: make the device "/dev/other": without privileges on the host' "the host has no character device 1:77, neither at /dev/other nor"
	nothing_left
}

@test "without a tmpfs on /dev the devices can be made a second time" {
	users
	config '.mounts |= map(select(.destination | startswith("/dev") | not))'
	shell 'echo x >/dev/null; stat -c %t:%T /dev/null'
	[ "$status" -eq 0 ]
	[ "$output" = 1:3 ]
	run coracle delete "$ID"
	shell 'stat -c %t:%T /dev/null'
	[ "$status" -eq 0 ]
	[ "$output" = 1:3 ]
}

@test "a bind mount whose source is closed to root of the container" {
	users
	mkdir -p "$BATS_TEST_TMPDIR/closed/data"
	echo content >"$BATS_TEST_TMPDIR/closed/data/file"
	chmod 700 "$BATS_TEST_TMPDIR/closed"
	config --arg s "$BATS_TEST_TMPDIR/closed/data" '.mounts += [{destination: "/data", source: $s, options: ["bind", "ro"]}]'
	shell 'cat /data/file'
	[ "$status" -eq 0 ]
	[ "$output" = content ]
}

# bats test_tags=vm
@test "every kind of mount of the default configuration, and masks and read-only paths" {
	users
	shell 'for d in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup; do cut -d " " -f 5 /proc/self/mountinfo | grep -cx $d; done; cat /proc/keys | wc -c; ! echo 1 >/proc/sys/kernel/domainname'
	[ "$status" -eq 0 ]
	[ "$(printf '%s\n' "${lines[@]:0:7}" | grep -cx 1)" -eq 7 ]
	[ "${lines[7]}" = 0 ]
}

# bats test_tags=vm
@test "sysctls of the network namespace, and of the user namespace" {
	users
	config '.linux.sysctl = {"net.ipv4.ip_forward": "1", "user.max_net_namespaces": "7"}'
	shell 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/user/max_net_namespaces'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" = 7 ]
}

# bats test_tags=vm
@test "a terminal, which belongs to the user of the process" {
	users
	config '.process.terminal = true | .process.user = {uid: 5, gid: 5}'
	args sh -c 'tty; stat -c %u "$(tty)"; id -u; echo done'
	run python3 "$BATS_TEST_DIRNAME/pty.py" run -- "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	says "/dev/pts/0" "done"
	[ "$(tr -d '\r' <<<"${lines[1]}")" = 5 ]
}

@test "the streams can be opened again by the user" {
	users
	config '.process.user = {uid: 5, gid: 5}'
	args sh -c 'echo again >/dev/stdout; echo error >/dev/stderr'
	run bash -c "\"$CORACLE\" --root \"$ROOT\" run \"$ID\" 2>&1 </dev/null | cat"
	[ "$status" -eq 0 ]
	says again error
}

# bats test_tags=vm
@test "exec joins the user namespace" {
	users
	detached 'sleep 100'
	run coracle exec "$ID" sh -c 'id -u; cat /proc/self/uid_map; readlink /proc/self/ns/user; readlink /proc/1/ns/user; touch /made; echo x >/dev/null'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "$(awk '{ print $2 }' <<<"${lines[1]}")" = 100000 ]
	[ "${lines[2]}" = "${lines[3]}" ]
	[ "$(stat -c %u rootfs/made)" = 100000 ]
	run coracle exec --user 5:6 --additional-gids 7 "$ID" id
	[ "$status" -eq 0 ]
	says "uid=5" "gid=6" "groups=7"
	run coracle exec --user 5000 "$ID" id
	[ "$status" -eq 255 ]
	says "process.user.uid: 5000 is not mapped by linux.uidMappings"
}

# bats test_tags=vm
@test "exec with a terminal, and its streams" {
	users
	detached 'sleep 100'
	run python3 "$BATS_TEST_DIRNAME/pty.py" run -- "$CORACLE" --root "$ROOT" exec --tty --user 5 "$ID" sh -c 'stat -c %u "$(tty)"; echo x >/dev/stdout'
	[ "$status" -eq 0 ]
	[ "$(tr -d '\r' <<<"${lines[0]}")" = 5 ]
	run bash -c "\"$CORACLE\" --root \"$ROOT\" exec --user 5 \"$ID\" sh -c 'echo again >/dev/stdout' | cat"
	[ "$output" = again ]
}

# bats test_tags=vm
@test "hooks of all places" {
	users
	cat >"$BATS_TEST_TMPDIR/hook" <<-'END'
		#!/bin/sh
		echo "$1 $(id -u) $(awk '{ print $2 }' /proc/self/uid_map)" >&2
		exit "$2"
	END
	chmod 755 "$BATS_TEST_TMPDIR/hook"
	cp "$BATS_TEST_TMPDIR/hook" rootfs/hook
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR"
	args true
	local kind
	for kind in createRuntime createContainer startContainer; do
		local hook=$BATS_TEST_TMPDIR/hook
		[ "$kind" != startContainer ] || hook=/hook
		config --arg k "$kind" --arg p "$hook" '.hooks = {($k): [{path: $p, args: ["hook", $k, "3"], env: ["PATH=/usr/bin:/bin"]}]}'
		run coracle run "$ID"
		failed "exit status 3" "$kind"
		case $kind in
		createRuntime) says "createRuntime 0 0" ;;
		*) says "$kind 0 100000" ;;
		esac
		nothing_left
	done
}

@test "a user namespace is joined by its path" {
	users
	detached 'sleep 100'
	local pid other=$ID-b
	pid=$(pid_of "$ID")
	config '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
	config --arg p "/proc/$pid/ns/user" '.linux.namespaces += [{type: "user", path: $p}]'
	args sh -c 'id -u; awk "{ print \$2 }" /proc/self/uid_map; readlink /proc/self/ns/user; touch /joined; hostname'
	run coracle run "$other"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 100000 ]
	[ "${lines[2]}" = "$(readlink "/proc/$pid/ns/user")" ]
	[ "${lines[3]}" = coracle ]
	[ "$(stat -c %u rootfs/joined)" = 100000 ]
}

# bats test_tags=vm
@test "the namespaces of another container are joined with its user namespace, as in a pod" {
	users
	detached 'hostname pod 2>/dev/null; sleep 100'
	local pid other=$ID-b
	pid=$(pid_of "$ID")
	# Engines repeat the mappings.
	local type
	for type in user ipc network uts pid; do
		config --arg t "$type" --arg p "/proc/$pid/ns/${type/network/net}" '(.linux.namespaces[] | select(.type == $t)).path = $p'
	done
	config 'del(.hostname)'
	args sh -c 'for n in user ipc net uts pid; do readlink /proc/self/ns/$n; done; echo ready; sleep 100'
	background run --detach "$other"
	[ "$status" -eq 0 ]
	wait_for has_printed ready
	[ "$(printed | head -5)" = "$(for type in user ipc net uts pid; do readlink "/proc/$pid/ns/$type"; done)" ]
	run coracle exec "$other" sh -c 'id -u; readlink /proc/self/ns/user'
	[ "$status" -eq 0 ]
	[ "${lines[1]}" = "$(readlink "/proc/$pid/ns/user")" ]
	run coracle delete --force "$other"
	[ "$status" -eq 0 ]
	run coracle delete --force "$ID"
	nothing_left
}

@test "namespaces of the host can be joined together with a new user namespace" {
	users
	share uts
	config '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end) | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))'
	shell 'readlink /proc/self/ns/net; readlink /proc/self/ns/uts'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(readlink /proc/self/ns/net)" ]
	[ "${lines[1]}" = "$(readlink /proc/self/ns/uts)" ]
}

@test "sysfs in a user namespace on the network of the host is refused with the way out" {
	users
	config '.linux.namespaces |= map(select(.type != "network"))'
	background run "$ID"
	[ "$status" -eq 1 ]
	failed 'mount "sysfs" at "/sys" (mounts[5]): operation not permitted: in a user namespace it takes a new network namespace; "/sys" can be a bind mount of the host'"'"'s'
	nothing_left
}

@test "the user namespace of the runtime itself is no other one" {
	setup_busybox
	config '.linux.namespaces += [{type: "user", path: "/proc/self/ns/user"}]'
	args sleep 100
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	run coracle exec "$ID" sh -c 'readlink /proc/self/ns/user; stat -c %t:%T /dev/null'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(readlink /proc/self/ns/user)" ]
}

@test "a path that is no user namespace" {
	setup_busybox
	config '.linux.namespaces += [{type: "user", path: "/proc/self/ns/net"}]'
	run coracle create "$ID"
	failed "user namespace" "linux.namespaces[6].path" "another type"
	config '.linux.namespaces[6].path = "/no/such/file"'
	run coracle create "$ID"
	failed "user namespace" "no such file"
	nothing_left
}

@test "the process of a joined user namespace cannot be looked into from there" {
	users
	all_caps
	# A neighbour with all capabilities over the namespace tries continuously.
	detached 'while :; do for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in coracle/init) for f in root environ; do { ls $p/$f/ || cat $p/$f; } >/dev/null 2>&1 && [ "$(cat $p/comm)" = coracle/init ] && echo "read $p/$f"; done ;; esac; done; done'
	for _ in 1 2 3 4 5; do
		run coracle exec "$ID" true
		[ "$status" -eq 0 ]
	done
	# Once more with a delay before some of the steps, so that there is time to look.
	failing=${CORACLE_FAILPOINTS:-$BATS_TEST_DIRNAME/../bin/coracle-failpoints}
	if [ -x "$failing" ]; then
		for ((op = 40; op < 180; op += 10)); do
			CORACLE_FAILPOINT="op=$op:delay" "$failing" --root "$ROOT" exec "$ID" true
		done
	fi
	[ -z "$(printed)" ]
}

@test "root without privileges, as in a container without a user namespace, cannot look into the init" {
	users
	# The kernel sees them as the creator of the user namespace, who has all capabilities over it.
	# A hook stands for a container that shares the pid namespace of the host.
	cat >"$BATS_TEST_TMPDIR/hook" <<-'END'
		#!/bin/sh
		exec >"$1"
		pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/')
		exec setpriv --bounding-set=-all --inh-caps=-all sh -c "
			for f in root cwd exe ns/mnt; do
				echo \$f: \$(readlink /proc/$pid/\$f || echo closed)
			done"
	END
	chmod 755 "$BATS_TEST_TMPDIR/hook"
	args true
	local kind
	for kind in prestart createRuntime; do
		config --arg k "$kind" --arg d "$BATS_TEST_TMPDIR" '.hooks = {($k): [{path: ($d + "/hook"), args: ["hook", $d + "/seen"], env: ["PATH=/usr/bin:/bin"]}]}'
		run coracle run "$ID"
		[ "$status" -eq 0 ]
		run cat "$BATS_TEST_TMPDIR/seen"
		[ "${lines[*]}" = "root: closed cwd: closed exe: closed ns/mnt: closed" ]
	done
}

@test "memory and the rest of the limits hold" {
	users
	config '.linux.resources.pids = {limit: 50} | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .process.oomScoreAdj = 77'
	shell 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj'
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "100 200 77" ]
}

@test "--no-pivot with a user namespace" {
	users
	args sh -c 'id -u; ls /'
	run coracle run --no-pivot "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
}

@test "a runtime in a user namespace applies all limits but the rules for devices" {
	[ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "needs cgroup v1"
	setup_busybox
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | .mounts += [{destination: "/cg", type: "bind", source: "/sys/fs/cgroup", options: ["rbind", "ro"]}] |
		.linux.cgroupsPath = $ARGS.positional[0] | .linux.resources = {devices: [{allow: false, access: "rwm"}], pids: {limit: 50},
		memory: {limit: 99999744, reservation: 50003968, swappiness: 10}, cpu: {shares: 100, quota: 50000, period: 100000, cpus: "0", mems: "0"}}' --args "/$ID"
	args sleep 100
	local rootless
	for rootless in auto true false; do
		within --rootless "$rootless" create "$ID"
		[ "$status" -eq 0 ]
		[ "$(cat "/sys/fs/cgroup/pids/$ID/pids.max" "/sys/fs/cgroup/memory/$ID/memory.limit_in_bytes" "/sys/fs/cgroup/cpu/$ID/cpu.shares" "/sys/fs/cgroup/cpuset/$ID/cpuset.cpus" | xargs)" = "50 99999744 100 0" ]
		# As a list of devices it would be "c 1:3 rwm" and more.
		[ "$(cat "/sys/fs/cgroup/devices/$ID/devices.list")" = "a *:* rwm" ]
		echo '{"devices": [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}], "pids": {"limit": 60}}' >resources.json
		within update --devices --resources resources.json "$ID"
		[ "$status" -eq 0 ]
		grep -q "linux.resources.devices: .* not applied" log
		[ "$(cat "/sys/fs/cgroup/pids/$ID/pids.max")" = 60 ]
		within delete --force "$ID"
		[ "$status" -eq 0 ]
	done
	nothing_left
}
