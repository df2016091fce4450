#!/usr/bin/env bats
# Containers of a real user without privileges, with only /etc/subuid and /etc/subgid set up.

load helpers

# The user, who exists only in a mount namespace of the test.
USER_ID=54321 GROUP_ID=54322

setup() {
	common_setup
	cp -a "$CORACLE_CACHE/busybox" "$BUNDLE/rootfs"
	mkdir -p "$BATS_TEST_TMPDIR/run" "$BATS_TEST_TMPDIR/etc"
	cp "$CORACLE" "$BATS_TEST_TMPDIR/coracle"
	{ cat /etc/passwd && echo "cortest:x:$USER_ID:$GROUP_ID::/nonexistent:/bin/sh"; } >"$BATS_TEST_TMPDIR/etc/passwd"
	subordinate 300000 65536
	chown -R "$USER_ID:$GROUP_ID" "$BUNDLE" "$BATS_TEST_TMPDIR/run"
	# shellcheck disable=SC2034 # for the helpers
	ROOT=$BATS_TEST_TMPDIR/run/coracle
	coracle spec --rootless
	config '.process.terminal = false'
}

# subordinate gives the user subordinate ids.
subordinate() {
	echo "cortest:$1:$2" >"$BATS_TEST_TMPDIR/etc/subuid"
	echo "cortest:$1:$2" >"$BATS_TEST_TMPDIR/etc/subgid"
}

# as_user runs a command as the user, in the bundle. The directories of bats are closed to the
# user, so they are mounted at another place. The mounts of the script `before` are made first.
as_user() {
	# shellcheck disable=SC2016 # expanded by the shell inside
	unshare --mount sh -c '
		set -e
		mount --bind "$1" /mnt
		for f in passwd subuid subgid; do mount --bind "$1/etc/$f" "/etc/$f"; done
		cd /mnt/bundle
		[ ! -e "$1/before" ] || . "$1/before"
		user=$2 group=$3
		shift 3
		exec setpriv --reuid "$user" --regid "$group" --groups "$group,777" env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR=/mnt/run "$@"' \
		sh "$BATS_TEST_TMPDIR" "$USER_ID" "$GROUP_ID" "$@"
}

# coracle runs coracle as the user.
coracle() {
	as_user /mnt/coracle "$@"
}

# background is the helper of that name, as the user.
background() {
	status=0
	coracle "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	output=$(cat "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/err")
}

@test "spec --rootless maps the ids that the user may hand out" {
	[ "$(jq -c .linux.uidMappings config.json)" = '[{"containerID":0,"hostID":54321,"size":1},{"containerID":1,"hostID":300000,"size":65536}]' ]
	[ "$(jq -c .linux.gidMappings config.json)" = '[{"containerID":0,"hostID":54322,"size":1},{"containerID":1,"hostID":300000,"size":65536}]' ]
	: >"$BATS_TEST_TMPDIR/etc/subuid"
	rm config.json
	coracle spec --rootless
	[ "$(jq -c .linux.uidMappings config.json)" = '[{"containerID":0,"hostID":54321,"size":1}]' ]
	# Group 5, the terminals' group, is then not mapped.
	[ "$(jq '[.mounts[] | select(.destination == "/dev/pts").options[] | select(. == "gid=5")] | length' config.json)" = 0 ]
}

# bats test_tags=vm
@test "run: the user is root inside and themselves outside" {
	writable
	shell 'id -u; id -g; hostname; touch /file; cat /proc/self/uid_map | wc -l; grep ^Cap /proc/self/status; echo x >/dev/null; ls /proc | grep -cE "^[0-9]+$"'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "0 0 coracle" ]
	[ "${lines[3]}" = 2 ]
	[ "$(stat -c '%u %g' rootfs/file)" = "54321 54322" ]
	nothing_left
}

@test "another user of the container has subordinate ids" {
	writable
	mkdir -m 777 rootfs/shared
	config '.process.user = {uid: 1, gid: 2, additionalGids: [3, 4]}'
	shell 'id -u; id -g; id -G; touch /shared/file'
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "1 2 2 3 4" ]
	[ "$(stat -c '%u %g' rootfs/shared/file)" = "300000 300001" ]
}

# bats test_tags=vm
@test "with one id only, without newuidmap" {
	config '.linux.uidMappings |= .[:1] | .linux.gidMappings |= .[:1] | (.mounts[] | select(.type == "devpts").options) -= ["gid=5"]'
	shell 'id -u; cat /proc/self/setgroups; wc -l </proc/self/uid_map'
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "0 deny 1" ]
	# setgroups is denied there, and running without groups would be wrong as well.
	config '.process.user.additionalGids = [0]'
	shell true
	failed "process.user.additionalGids" "user namespace does not allow it"
	nothing_left
}

@test "newuidmap and newgidmap are not looked for in PATH" {
	local helper
	mkdir -m 777 "$BATS_TEST_TMPDIR/evil"
	for helper in newuidmap newgidmap; do
		printf '#!/bin/sh\n: >/mnt/evil/called\nexec %s "$@"\n' "$(command -v "$helper")" >"$BATS_TEST_TMPDIR/evil/$helper"
		chmod +x "$BATS_TEST_TMPDIR/evil/$helper"
	done
	args sh -c 'wc -l </proc/self/uid_map'
	run as_user env PATH=/mnt/evil:/usr/bin:/bin /mnt/coracle run "$ID"
	[ "$output" = 2 ]
	[ ! -e "$BATS_TEST_TMPDIR/evil/called" ]
}

@test "ids that are not the user's to give" {
	config '.linux.uidMappings[1].hostID = 700000'
	run coracle run "$ID"
	failed "linux.uidMappings" "newuidmap" "/etc/subuid"
	config '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
	run coracle run "$ID"
	failed "linux.uidMappings"
	nothing_left
}

# bats test_tags=vm
@test "create, start, state, list, exec, kill and delete" {
	writable
	args sleep 100
	background create "$ID"
	[ "$status" -eq 0 ]
	[ "$(status_of "$ID")" = created ]
	run coracle exec "$ID" id -u
	[ "$output" = 0 ]
	run coracle start "$ID"
	[ "$status" -eq 0 ]
	[ "$(coracle state "$ID" | jq -r .owner)" = cortest ]
	run coracle list -q
	[ "$output" = "$ID" ]
	run coracle exec "$ID" sh -c 'id -u; touch /made; ps | grep -c "sleep 100"; grep ^Cap /proc/self/status | head -2'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 0 ]
	[ "$(stat -c %u rootfs/made)" = 54321 ]
	run coracle exec --user 1:1 --additional-gids 7 "$ID" id
	[ "$status" -eq 0 ]
	says uid=1 gid=1 groups=7
	run coracle kill "$ID" KILL
	[ "$status" -eq 0 ]
	wait_for has_status "$ID" stopped
	run coracle delete "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "the state is in the runtime directory of the user, for them alone, and sticky" {
	args sleep 100
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	[ "$(stat -c '%a %u' "$BATS_TEST_TMPDIR/run/coracle")" = "1700 54321" ]
	[ -d "$BATS_TEST_TMPDIR/run/coracle/$ID" ]
}

@test "delete --force ends everything" {
	args sh -c 'sleep 1000 & sleep 1000'
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	run coracle delete --force "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "kill of a container that shares the pid namespace reaches its first process" {
	config '.linux.namespaces |= map(select(.type != "pid")) | .mounts |= map(if .destination == "/proc" then {destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]} else . end) | del(.linux.maskedPaths, .linux.readonlyPaths)'
	args sleep 100
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	run coracle kill "$ID" KILL
	[ "$status" -eq 0 ]
	wait_for has_status "$ID" stopped
	run coracle delete "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "without a user namespace the way out is named" {
	config '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
	run coracle create "$ID"
	failed "without privileges" "user namespace" "spec --rootless"
	nothing_left
}

@test "bind mounts, read-only and not, of what the user may see" {
	mkdir -p data/sub closed
	echo content >data/file
	chown -R "$USER_ID:$GROUP_ID" data
	chmod 700 closed
	chown 0:0 closed
	config '.mounts += [{destination: "/data", source: "data", options: ["rbind", "ro"]}, {destination: "/rw", source: "data", options: ["bind"]}]'
	writable
	shell 'cat /data/file; ! touch /data/new 2>/dev/null; echo more >/rw/new; cat /data/new'
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "content more" ]
	config '.mounts[-1].source = "closed/x"'
	run coracle run "$ID"
	failed "/rw" "permission denied"
	nothing_left
}

@test "the options for symbolic links" {
	mkdir links
	ln -s /bin/true links/link
	echo content >links/file
	ln -s nowhere rootfs/covered
	chown -hR "$USER_ID:$GROUP_ID" links rootfs/covered
	config '.mounts += [{destination: "/new/copy", source: "links/link", options: ["bind", "copy-symlink"]}, {destination: "/true", source: "links/link", options: ["bind", "src-nofollow"]},
		{destination: "/covered", source: "links/file", options: ["bind", "dest-nofollow"]}]'
	writable
	shell 'readlink /new/copy; readlink /true; cat /covered; /true && echo runs; stat -c %u:%g /new/copy'
	[ "$output" = $'/bin/true\n/bin/true\ncontent\nruns\n0:0' ]
}

# locked makes a directory with mount restrictions that the user cannot remove, and mounts of it
# in the container that ask for the opposite.
locked() {
	mkdir -m 777 locked
	echo content >locked/file
	cat >"$BATS_TEST_TMPDIR/before" <<-'END'
		mount --bind locked locked && mount -o remount,bind,ro,nosuid,nodev,noexec,noatime locked
	END
	config '.mounts += [{destination: "/rw", source: "locked", options: ["rbind", "rprivate", "rw"]},
		{destination: "/all", source: "locked", options: ["rbind", "rw", "suid", "dev", "exec", "relatime", "nosymfollow"]},
		{destination: "/tree", source: "locked", options: ["rbind", "rrw", "rexec"]}, {destination: "/times", source: "locked", options: ["rbind", "norelatime", "nostrictatime", "ro"]},
		{destination: "/later", source: "locked", options: ["rbind"]}, {destination: "/later", options: ["remount", "bind", "rw", "nodev", "strictatime"]}]'
	writable
	args sh -c 'cat /rw/file; touch /rw/new 2>/dev/null || echo read-only; cat /proc/self/mountinfo'
}

# still_locked asserts that the container ran with all restrictions, and with a warning for each
# restriction that an option would remove.
still_locked() {
	[ "$status" -eq 0 ]
	[ "${lines[0]} ${lines[1]}" = "content read-only" ]
	local d
	for d in /rw /tree /times /later; do
		[[ $(mounted $d) == "ro,nosuid,nodev,noexec,noatime "* ]]
	done
	[[ $(mounted /all) == "ro,nosuid,nodev,noexec,noatime,nosymfollow "* ]]
	run jq -r 'select(.level == "warning").msg | capture("at \"(?<at>[^\"]*)\" .*: it (?<keeps>.*): the host has that locked") | .at + " " + .keeps' "$BATS_TEST_TMPDIR/run/log"
	[ "$output" = "/rw stays ro
/all stays ro
/all stays nosuid
/all stays nodev
/all stays noexec
/all keeps its access times
/tree stays ro
/tree stays noexec
/later stays ro
/later keeps its access times" ]
}

# Engines always pass "rw" (podman).
@test "a source that the host has read-only and the like is mounted as it is, with warnings, whatever the options ask for" {
	locked
	run coracle --log /mnt/run/log --log-format json run "$ID"
	still_locked
}

@test "the same for root of a user namespace with mounts of its own" {
	locked
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	run as_user unshare --user --map-root-user --mount /mnt/coracle --log /mnt/run/log --log-format json run "$ID"
	still_locked
}

@test "the root of the host, and the bundle, as sources: without the container in them" {
	# shellcheck disable=SC2016 # for the container
	look='for d in home/mnt home; do d=/$d/bundle/rootfs; [ -d $d ] && ls $d/dev $d/proc; done; true'
	writable
	config '.mounts += [{destination: "/home", source: "/", options: ["rbind"]}]'
	shell "ls -d /home/mnt/bundle /home/etc/subuid 2>&1; $look"
	[ "$status" -eq 0 ]
	says "/home/mnt/bundle" "/home/etc/subuid"
	[[ $output != *null* ]]
	config '.mounts[-1].source = "."'
	args sh -c "ls -d /home/rootfs/bin /home/rootfs/dev/null"
	for engine in "" "unshare --user --map-root-user"; do
		# shellcheck disable=SC2086 # a command or none
		run as_user $engine /mnt/coracle run "$ID"
		[ "${lines[*]}" = "/home/rootfs/bin ls: /home/rootfs/dev/null: No such file or directory" ] ||
			[ "${lines[*]}" = "ls: /home/rootfs/dev/null: No such file or directory /home/rootfs/bin" ]
		config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	done
	nothing_left
}

@test "a source in the rootfs is what earlier entries have mounted there, without privileges" {
	mkdir -p data rootfs/a
	echo image >rootfs/a/file
	echo content >data/file
	config '.mounts += [{destination: "/a", source: "data", options: ["rbind"]}, {destination: "/root", source: "rootfs/a", options: ["rbind", "ro"]}]'
	chown -R "$USER_ID:$GROUP_ID" "$BUNDLE"
	shell 'cat /root/file'
	[ "$output" = content ]
}

@test "what the host forbids for a mount stays forbidden" {
	# Without the mounts below it, the bind mount would reveal what they hide.
	config '.mounts += [{destination: "/hostsys", source: "/sys", options: ["bind"]}]'
	writable
	run coracle run "$ID"
	failed "/hostsys" "rbind"
	nothing_left
}

# bats test_tags=vm
@test "the cgroups in /sys cannot be changed" {
	shell 'for f in $(grep " /sys/fs/cgroup" /proc/self/mountinfo | cut -d " " -f 5); do mkdir "$f/x" 2>&1; done | grep -vc "Read-only file system"; true'
	[ "$status" -eq 0 ]
	[ "$output" = 0 ]
}

# bats test_tags=vm
@test "limits that cannot be applied are an error, and so is a cgroup that cannot be made" {
	config '.linux.resources = {pids: {limit: 10}, devices: [{allow: false, access: "rwm"}]}'
	run coracle run "$ID"
	failed "linux.resources.pids.limit" "may not make cgroups"
	config '.linux.resources += {pids: {limit: -1}, cpu: {shares: 0}, blockIO: {}} | .process.args = ["true"]'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	config --arg p "/$ID" '.linux.cgroupsPath = $p'
	run coracle run "$ID"
	failed "linux.cgroupsPath" "permission denied"
	config 'del(.linux.cgroupsPath)'
	run coracle --rootless=false run "$ID"
	failed "linux.cgroupsPath" "permission denied"
	run coracle --rootless=true run "$ID"
	[ "$status" -eq 0 ]
	nothing_left
}

@test "limits, the OOM score and the streams" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}] | .process.oomScoreAdj = 500 | .process.user = {uid: 1, gid: 1}'
	shell 'ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj; echo out >/dev/null'
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "100 200 500" ]
}

@test "a terminal" {
	config '.process.terminal = true'
	args sh -c 'tty; test -c "$(tty)" && echo fine'
	cp "$BATS_TEST_DIRNAME/pty.py" "$BATS_TEST_TMPDIR/pty.py"
	run as_user python3 /mnt/pty.py run -- /mnt/coracle run "$ID"
	[ "$status" -eq 0 ]
	says fine
}

@test "hooks" {
	printf '#!/bin/sh\necho "$1 $(id -u)" >>/mnt/bundle/hooks\n' >hook
	printf '#!/bin/sh\necho "$1 $(id -u)" >>/tmp/hooks\n' >rootfs/hook
	chmod 755 hook rootfs/hook
	chown "$USER_ID" rootfs/hook
	writable
	config '[ "createRuntime", "createContainer", "poststart", "poststop" ] as $h | .hooks = ($h | map({(.): [{path: "/mnt/bundle/hook", args: ["hook", .], env: ["PATH=/usr/bin:/bin"]}]}) | add)
		| .hooks.startContainer = [{path: "/hook", args: ["hook", "startContainer"], env: ["PATH=/bin"]}]'
	args cat /tmp/hooks
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "startContainer 0" ]
	run coracle delete "$ID"
	[ "$(cat hooks)" = "createRuntime 54321
createContainer 0
poststart 54321
poststop 54321" ]
}

# mounting_hook KIND SCRIPT adds a hook that runs a script.
mounting_hook() {
	printf '#!/bin/sh -e\n%s\n' "$2" >"$1"
	chmod 755 "$1"
	config --arg k "$1" '.hooks[$k] = [{path: ("/mnt/bundle/" + $k), env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"]}]'
}

@test "a CDI hook makes links and updates the linker's cache" {
	local library
	library=$(ldconfig -p | awk '/^\tlibm\.so\.6 / { print $NF; exit }')
	mkdir -p rootfs/usr/lib/gpu
	echo /usr/lib/gpu >rootfs/etc/ld.so.conf
	chown -R "$USER_ID:$GROUP_ID" rootfs
	writable
	config --arg s "$library" '.mounts += [{destination: "/usr/lib/gpu/libgpu.so.1.2", type: "bind", source: $s, options: ["rbind"]}]'
	mounting_hook createContainer 'root=$(sed "s/.*\"bundle\":\"\([^\"]*\)\".*/\1/")/$(gojq -r .root.path /mnt/bundle/config.json)
		ln -s libgpu.so.1.2 "$root/usr/lib/gpu/libgpu.so.1"
		ldconfig -r "$root"'
	shell 'readlink /usr/lib/gpu/libgpu.so.1; readlink /usr/lib/gpu/libm.so.6; grep -c /usr/lib/gpu/libm.so.6 /etc/ld.so.cache'
	[ "$status" -eq 0 ]
	[ "$output" = $'libgpu.so.1.2\nlibgpu.so.1.2\n1' ]
}

@test "a hook of the runtime enters the mount namespace and mounts a file and a device" {
	writable
	echo library >library
	mounting_hook prestart 'pid=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/")
		enter() { nsenter -t "$pid" --user --preserve-credentials --mount "$@"; }
		enter touch /mnt/bundle/rootfs/gpu.lib /mnt/bundle/rootfs/dev/gpu0
		enter mount --bind /mnt/bundle/library /mnt/bundle/rootfs/gpu.lib
		enter mount --bind /dev/zero /mnt/bundle/rootfs/dev/gpu0'
	shell 'cat /gpu.lib; head -c 3 /dev/gpu0 | wc -c'
	[ "$status" -eq 0 ]
	[ "$output" = $'library\n3' ]
	[ ! -s rootfs/gpu.lib ]
}

@test "a rootfs behind a directory that is closed to root of the container" {
	# Root is a subordinate id, as with podman --userns=keep-id.
	config '.linux.uidMappings = [{containerID: 0, hostID: 300000, size: 1000}, {containerID: 1000, hostID: 54321, size: 1}] |
		.linux.gidMappings = [{containerID: 0, hostID: 300000, size: 1000}, {containerID: 1000, hostID: 54322, size: 1}]'
	chmod 700 "$BUNDLE"
	chown -R 300000:300000 rootfs
	writable
	printf '#!/bin/sh\ncat proc/sys/kernel/ostype >made\n' >"$BATS_TEST_TMPDIR/hook"
	chmod 755 "$BATS_TEST_TMPDIR/hook"
	config '.hooks.createContainer = [{path: "/mnt/hook", env: ["PATH=/usr/bin:/bin"]}]'
	shell 'id -u; cat /made; grep -c . /proc/self/mountinfo >/dev/null'
	[ "$status" -eq 0 ]
	[ "$output" = $'0\nLinux' ]
}

@test "hooks of an engine in a user namespace, whose containers have one of their own" {
	# As podman --userns=auto without root: the files are the user's, closed to others.
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] |
		.linux.uidMappings = [{containerID: 0, hostID: 100, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
	writable
	chmod 700 "$BUNDLE"
	chown -R 300099:300099 rootfs
	printf '#!/bin/sh\ncat proc/sys/kernel/ostype >made\n' >"$BATS_TEST_TMPDIR/hook"
	chmod 755 "$BATS_TEST_TMPDIR/hook"
	config '.hooks.createContainer = [{path: "/mnt/hook", env: ["PATH=/usr/bin:/bin"]}] | .process.args = ["cat", "/made"]'
	run as_user unshare --user --map-root-user --map-auto --mount /mnt/coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = Linux ]
}

@test "a network namespace of its own, with its sysfs and sysctls" {
	config '.linux.namespaces += [{type: "network"}] | .linux.sysctl = {"net.ipv4.ip_forward": "1"} |
		.mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]} else . end)'
	shell 'cat /proc/sys/net/ipv4/ip_forward; ls /sys/class/net; ip link show lo | grep -c UP'
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "1 lo 1" ]
}

# bats test_tags=vm
@test "a second container in the namespaces of the first" {
	args sleep 100
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	local pid
	pid=$(pid_of "$ID")
	config --arg p "/proc/$pid/ns" '(.linux.namespaces[] | select(.type == "user" or .type == "ipc" or .type == "uts")) |= (.path = $p + "/" + .type) | del(.hostname)'
	args sh -c 'readlink /proc/self/ns/user; readlink /proc/self/ns/ipc; id -u'
	run coracle run "$ID-b"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "$(readlink "/proc/$pid/ns/user")" ]
	[ "${lines[1]}" = "$(readlink "/proc/$pid/ns/ipc")" ]
	[ "${lines[2]}" = 0 ]
}

# bats test_tags=vm
@test "root of a user namespace, as engines without root are" {
	# Such an engine has already made its namespaces; the container gets no user namespace.
	config '(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] | del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	args sh -c 'id -u; echo x >/dev/null; stat -c %t:%T /dev/null; hostname'
	run as_user unshare --user --map-root-user --mount /mnt/coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "0 1:3 coracle" ]
	# An engine that has not made a mount namespace works, too.
	run as_user unshare --user --map-root-user /mnt/coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "0 1:3 coracle" ]
	nothing_left
}

@test "plan shows what would be done without privileges" {
	run coracle plan
	[ "$status" -eq 0 ]
	says "unshare(CLONE_NEWUSER)" "wait for the mappings of ids" "linux.uidMappings"
}

# bats test_tags=vm
@test "a container without cgroups whose first thread has ended is running, and ends with kill and with delete --force" {
	leaderless
	for end in "kill $ID KILL" "delete --force $ID"; do
		background --cgroup-manager disabled run --detach "$ID"
		[ "$status" -eq 0 ]
		PID=$(pid_of "$ID")
		wait_for first_thread_gone "$PID"
		[ "$(status_of "$ID")" = running ]
		# shellcheck disable=SC2086 # words
		coracle $end
		wait_for has_ended "$PID"
		coracle delete --force "$ID"
		nothing_left
	done
}
