#!/usr/bin/env bats
# Podman with coracle as its runtime, as root and as a user.

load ../helpers
load engines

setup_file() {
	local dir=$BATS_FILE_TMPDIR
	engines_start podman podman conmon
	[ ! -e "$dir/missing" ] || return 0
	if of_system; then
		mkdir -p /etc/containers/containers.conf.d
		cp "$BATS_TEST_DIRNAME/../../packaging/engines/podman-containers.conf" /etc/containers/containers.conf.d/coracle.conf
		install --directory --owner "$USER_ID" --group "$GROUP_ID" /home/cortest
		systemctl start "user@$USER_ID.service"
	else
		cat >"$dir/containers.conf" <<-END
			[engine]
			runtime = "coracle"
			runtime_supports_json = ["coracle"]
			runtime_supports_nocgroup = ["coracle"]
			cgroup_manager = "cgroupfs"
			events_logger = "file"
			[engine.runtimes]
			coracle = ["$PROGRAM"]
			[containers]
			default_ulimits = []
		END
		printf '[storage]\ndriver = "%s"\nrunroot = "/run/storage"\ngraphroot = "%s/storage"\n' "$(driver)" "$DIR" >"$dir/storage.conf"
	fi
	podman_ import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' "$DIR/busybox.tar" busybox
	podman_user import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' "$DIR/busybox.tar" busybox
}

# driver prints the storage driver: overlayfs does not work on itself.
driver() {
	case $(stat -f -c %T "$BATS_FILE_TMPDIR") in
	overlayfs) echo vfs ;;
	*) echo overlay ;;
	esac
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	podman_ pod rm --all --force --time 0
	podman_ rm --all --force --time 0
	podman_user rm --all --force --time 0
	! of_system || systemctl stop "user@$USER_ID.service"
	engines_end
}

setup() {
	engines_setup
	# Private engines have the limits of this process: containers could not start if these may not
	# be raised.
	run_flags=(--network none) user_flags=(--network none)
	of_system || {
		run_flags+=(--cgroup-parent "/$CGROUP" --ulimit host)
		user_flags+=(--ulimit host)
	}
}

teardown() {
	# The state of containers is in the namespace.
	[ -z "${ID:-}" ] || podman_ rm --force --time 0 --ignore "$ID" >/dev/null
}

# engine is the command for podman with its configuration.
engine=(podman)
of_system || engine=(env "CONTAINERS_CONF=$DIR/containers.conf" "CONTAINERS_STORAGE_CONF=$DIR/storage.conf" podman)

podman_() {
	inside "${engine[@]}" --log-level error "$@"
}

podman_user() {
	local flags=(--log-level error)
	of_system || flags+=(--runtime "$PROGRAM" --cgroup-manager cgroupfs)
	as_user podman "${flags[@]}" "$@"
}

# podman_run ARG... runs a container named $ID.
podman_run() {
	podman_ run --name "${name:-$ID}" "${run_flags[@]}" "$@"
}

# user_run ARG... runs a container of the user.
user_run() {
	podman_user run "${user_flags[@]}" "$@"
}

start() {
	podman_run --detach "$@" >/dev/null
}

inspect() {
	podman_ inspect --format "$1" "$ID"
}

# state_dirs prints the state directories of the runtime.
state_dirs() {
	inside sh -c 'ls /run/coracle 2>/dev/null' | grep -E '^[0-9a-f]{64}$'
}

# no_scopes reports whether no container has a cgroup.
no_scopes() {
	[ -z "$(find /sys/fs/cgroup -name 'libpod-[0-9a-f]*' -not -name '*conmon*' \( -path "*/$CGROUP/*" -o -name '*.scope' \))" ]
}

is_now() {
	[ "$(inspect '{{.State.Status}} {{.State.ExitCode}}')" = "$1" ]
}

@test "podman: run gives the output and the exit status, and leaves nothing" {
	try podman_run --rm busybox sh -c 'echo out; id -u; exit 7'
	is 7
	[ "$output" = $'out\n0' ]
	[ -z "$(state_dirs)" ]
	wait_for no_scopes
}

@test "podman: info shows the runtime and its version" {
	try podman_ info --format '{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Version}}'
	is 0 "coracle coracle version" "commit: "
}

@test "podman: standard input, and exact bytes" {
	output=$(echo word | podman_run --rm --interactive busybox cat | od -An -c)
	[ "$output" = "   w   o   r   d  \\n" ]
	output=$(podman_run --rm busybox head -c 300000 /dev/zero | wc -c)
	[ "$output" = 300000 ]
}

@test "podman: 125, 126 and 127 are the exit codes of run, with the reason" {
	try podman_run --rm no-such-image true
	is 125
	try podman_run --rm busybox /no/such/command
	is 127 'no such file or directory'
	try podman_run --rm busybox no-such-command
	is 127 'exec: "no-such-command": executable file not found in $PATH'
	try podman_run --rm busybox /etc
	is 126 'exec: "/etc": is a directory: permission denied'
	try podman_run --rm busybox /etc/passwd
	is 126 'permission denied'
	try podman_run --rm --tty busybox /no/such/command
	is 127 'no such file or directory'
	podman_run --rm --volume "$ID:/v" busybox cp /bin/busybox /v/true
	try podman_run --rm --volume "$ID:/v:noexec" busybox /v/true
	is 126 'permission denied'
	podman_ volume rm "$ID"
	try podman_run --rm --workdir /etc/passwd busybox true
	is 126 '/etc/passwd'
	try podman_run --rm --volume "$DIR/etc:/bin/busybox" busybox true
	is 126 /bin/busybox
	[ -z "$(state_dirs)" ]
}

@test "podman: exec" {
	start busybox sleep 1000
	try podman_ exec "$ID" sh -c 'echo in; exit 5'
	is 5
	[ "$output" = in ]
	try podman_ exec --user 1000 --env A=b --workdir /tmp "$ID" sh -c 'id -u; echo $A; pwd'
	[ "$output" = $'1000\nb\n/tmp' ]
	try podman_ exec --privileged "$ID" sh -c 'grep CapEff /proc/self/status'
	[[ "$output" != *0000000000000000 ]]
	try podman_ exec --detach "$ID" sh -c 'echo done >/tmp/done; sleep 1000'
	is 0
	wait_for podman_ exec "$ID" test -s /tmp/done
	try podman_ exec --preserve-fds 1 "$ID" cat /proc/self/fd/3
	# Descriptor 3, if there is one, belongs to the test runner and is closed.
	[ "$status" -ne 0 ]
}

@test "podman: 126 and 127 are the exit codes of exec, with and without a terminal" {
	start busybox sleep 1000
	for t in "" --tty; do
		try podman_ exec $t "$ID" no-such-command
		is 127 'exec: "no-such-command": executable file not found in $PATH'
		try podman_ exec $t "$ID" /no/such/command
		is 127 'no such file or directory'
		try podman_ exec $t "$ID" /etc
		is 126 'is a directory'
		try podman_ exec $t "$ID" /etc/passwd
		is 126 'permission denied'
		try podman_ exec $t --workdir /missing "$ID" true
		is 127 'chdir to cwd ("/missing") set in config.json failed: no such file or directory'
	done
}

@test "podman: a terminal of the right size, in run and exec" {
	try on_terminal "${engine[@]}" run --name "$ID" "${run_flags[@]}" --interactive --tty busybox sh -c 'tty; stty size; exit 4'
	is 4 /dev/pts/0 "31 97"
	podman_ rm "$ID"
	start busybox sleep 1000
	try on_terminal "${engine[@]}" exec --interactive --tty "$ID" sh -c 'tty; stty size; exit 4'
	is 4 /dev/pts/0 "31 97"
	output=$(podman_ exec --tty "$ID" echo hello </dev/null | od -An -c)
	[ "$output" = "   h   e   l   l   o  \\r  \\n" ]
}

@test "podman: stop, start, restart, kill and wait" {
	start busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	wait_for is_now "running 0"
	podman_ stop --time 10 "$ID"
	is_now "exited 3"
	podman_ start "$ID"
	is_now "running 0"
	podman_ restart --time 10 "$ID"
	is_now "running 0"
	podman_ kill --signal KILL "$ID"
	try podman_ wait "$ID"
	is 0 137
	# A process 1 that ignores TERM is killed nevertheless.
	podman_ rm "$ID"
	start busybox sleep 1000
	podman_ stop --time 1 "$ID"
	is_now "exited 137"
}

@test "podman: pause and unpause" {
	start busybox sleep 1000
	podman_ pause "$ID"
	is_now "paused 0"
	try podman_ exec "$ID" true
	[ "$status" -ne 0 ]
	podman_ unpause "$ID"
	is_now "running 0"
	podman_ exec "$ID" true
	podman_ pause "$ID"
	podman_ rm --force --time 0 "$ID"
}

@test "podman: top and stats" {
	start --memory 64m busybox sh -c 'sleep 1000 & wait'
	two() { [ "$(podman_ top "$ID" pid args | grep -c sleep)" -ge 1 ]; }
	wait_for two
	try podman_ stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' "$ID"
	is 0 "2 " "67.11MB"
}

@test "podman: a health check is a process of the container" {
	start --health-cmd 'test -e /tmp/ok' --health-interval disable busybox sleep 1000
	try podman_ healthcheck run "$ID"
	is 1 unhealthy
	podman_ exec "$ID" touch /tmp/ok
	try podman_ healthcheck run "$ID"
	is 0
}

# health STATUS reports whether a container has this health.
health() {
	[ "$(inspect '{{.State.Health.Status}}')" = "$1" ]
}

# bats test_tags=system
@test "podman: timers of systemd call the health check" {
	need_system
	start --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 1 busybox sleep 1000
	wait_for health unhealthy
	podman_ exec "$ID" touch /tmp/ok
	wait_for health healthy
}

# bats test_tags=system
@test "podman: limits are those of the cgroup, also after an update" {
	start --memory 64m --pids-limit 33 --cpus 0.5 busybox sleep 1000
	id=$(inspect '{{.Id}}')
	[ "$(limit memory.limit_in_bytes memory.max "$id")" = 67108864 ]
	[ "$(limit pids.max pids.max "$id")" = 33 ]
	if of_system; then
		[ "$(inspect '{{.State.CgroupPath}}')" = "/machine.slice/libpod-$id.scope" ]
		[ "$(unit MemoryMax "libpod-$id.scope") $(unit TasksMax "libpod-$id.scope")" = "67108864 33" ]
		[ "$(unit CPUQuotaPerSecUSec "libpod-$id.scope")" = 500ms ]
	else
		[ "$(inspect '{{.State.CgroupPath}}')" = "/$CGROUP/libpod-$id" ]
	fi
	podman_ update --memory 32m "$ID"
	[ "$(limit memory.limit_in_bytes memory.max "$id")" = 33554432 ]
	if of_system; then
		[ "$(unit MemoryMax "libpod-$id.scope")" = 33554432 ]
		systemctl daemon-reload
		[ "$(limit - memory.max "$id") $(limit - pids.max "$id")" = "33554432 33" ]
	fi
}

# bats test_tags=system
@test "podman: the cgroup namespace begins at the container" {
	need_unified
	need_system
	try podman_run --rm busybox sh -c 'cat /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs; mkdir /sys/fs/cgroup/x'
	is 1 0::/ "Read-only file system"
	try podman_run --rm --cgroupns host busybox cat /proc/self/cgroup
	is 0 0::/machine.slice/libpod-
	# Cgroups that a privileged container makes are removed with it.
	try podman_run --rm --privileged busybox mkdir -p /sys/fs/cgroup/x/y
	is 0
	wait_for no_scopes
}

# bats test_tags=system
@test "podman: a container within the cgroup of a service" {
	need_system
	unit=cortest-$RUN-split.service
	try systemd-run --quiet --wait --pipe --collect --unit "$unit" --property Delegate=yes \
		podman run --rm --network none --cgroups split --cgroupns host --memory 64m busybox cat /proc/self/cgroup
	is 0 "0::/system.slice/$unit/libpod-payload-"
}

@test "podman: a container without a cgroup of its own" {
	try podman_ run --rm --name "$ID" "${user_flags[@]}" --cgroups disabled --cgroupns host busybox cat /proc/self/cgroup
	is 0
	[[ "$output" != *"/libpod-"[0-9a-f]* ]]
	[[ "$output" == *"::/"* ]]
}

# bats test_tags=system
@test "podman: the containers of a pod share its namespaces" {
	local pod=(--infra-image busybox --infra-command 'sleep 1000' --share "ipc,uts,net,pid" --network none) flags=()
	of_system || {
		pod+=(--cgroup-parent "/$CGROUP" --share-parent=false)
		flags+=(--cgroup-parent "/$CGROUP" --ulimit host)
	}
	podman_ pod create --name "pod$ID" "${pod[@]}"
	podman_ run --detach --name "$ID" --pod "pod$ID" "${flags[@]}" busybox sleep 999
	try podman_ run --rm --name "$ID-2" --pod "pod$ID" "${flags[@]}" busybox sh -c 'hostname; ps'
	is 0 "pod$ID" "1 root     sleep 1000" "sleep 999"
	try podman_ pod top "pod$ID"
	is 0 "sleep 999"
	if of_system; then
		[[ "$(inspect '{{.State.CgroupPath}}')" == /machine.slice/machine-libpod_pod_*.slice/libpod-*.scope ]]
	fi
	podman_ pod stop --time 0 "pod$ID"
	podman_ pod rm --force --time 0 "pod$ID"
	[ -z "$(state_dirs)" ]
	wait_for no_scopes
	[ -z "$(find /sys/fs/cgroup -name 'machine-libpod_pod*')" ]
}

# bats test_tags=system
@test "podman: user namespaces, with given ids and those that podman finds" {
	try podman_run --rm --uidmap 0:500000:1000 --gidmap 0:600000:1000 --user 7:8 busybox sh -c 'cat /proc/self/uid_map /proc/self/gid_map | tr -s " "; id -u; stat -c %u:%g /bin/busybox'
	is 0
	[ "$output" = $' 0 500000 1000\n 0 600000 1000\n7\n0:0' ]
	try podman_run --rm --userns auto:size=2000 busybox sh -c 'tr -s " " </proc/self/uid_map; touch /file; stat -c %u /file'
	is 0
	[ "$output" = $' 0 400000 2000\n0' ]
	start --userns auto busybox sleep 1000
	try podman_ exec --user 1000 "$ID" id -u
	[ "$output" = 1000 ]
}

@test "podman: standard streams belong to the user" {
	# Podman copies the two streams separately, so their order is undefined.
	try podman_run --rm --user 1000 busybox sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
	is 0
	[ "$(sort <<<"$output")" = $'err\nout' ]
}

@test "podman: --privileged, --init, --read-only, --tmpfs, --device, --sysctl" {
	try podman_run --rm --privileged busybox sh -c 'test -w /sys/kernel && test -c /dev/fuse && echo all'
	is 0 all
	if command -v catatonit >/dev/null; then
		try podman_run --rm --init busybox ps
		is 0 "/run/podman-init -- ps"
	fi
	try podman_run --rm --read-only --read-only-tmpfs=false --tmpfs /tmp busybox sh -c 'touch /tmp/file && echo tmp; touch /file'
	is 1 tmp "Read-only file system"
	try podman_run --rm --device /dev/fuse:/dev/other:r --sysctl net.ipv4.ip_forward=1 --hostname name --shm-size 1m busybox \
		sh -c 'stat -c "%F %t:%T" /dev/other; cat /proc/sys/net/ipv4/ip_forward; hostname; df /dev/shm | tail -n 1'
	is 0 "character special file a:e5" "name" " 1024 "
}

# bats test_tags=system
@test "podman: the profile of AppArmor confines run and exec" {
	need_apparmor
	need_system
	start busybox sleep 1000
	try podman_ exec "$ID" cat /proc/1/attr/current /proc/self/attr/current
	is 0
	[[ "${output//[^(]/}" == "((" && "$output" == "containers-default-"*"(enforce)"*"(enforce)" ]]
	podman_ rm --force --time 0 "$ID"
	# The profile denies what the capability allows.
	local mount=(--rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox mount -t tmpfs none /tmp)
	try podman_run "${mount[@]}"
	is 255 "Permission denied"
	try podman_run --security-opt apparmor=unconfined "${mount[@]}"
	is 0
	try podman_run --rm --security-opt apparmor=no-such-profile busybox true
	[ "$status" -ne 0 ]
	says no-such-profile
}

@test "podman: an unprivileged process has nothing, and a filter" {
	try podman_run --rm --user 1000:1000 --cap-drop all --security-opt no-new-privileges busybox grep -E 'CapEff|NoNew|Seccomp:' /proc/self/status
	is 0
	[ "$output" = $'CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2' ]
}

@test "podman: namespaces of the host" {
	run_flags=("${run_flags[@]:2}")
	try podman_run --rm --net host --pid host --ipc host --uts host --cgroupns host busybox sh -c 'hostname; test -d /proc/$1 && echo seen' sh "$$"
	is 0 "$(uname -n)" seen
	try podman_run --rm --privileged --pid host --volume "$DIR/etc:/v:rslave" busybox cat /v/subuid
	is 0 cortest
}

@test "podman: descriptors reach the container" {
	echo text >"$BATS_FILE_TMPDIR/text"
	# shellcheck disable=SC2016 # expanded by the shells inside
	try inside bash -c 'exec 3<text; exec "$@"' bash "${engine[@]}" run --rm --name "$ID" "${run_flags[@]}" --preserve-fds 1 busybox cat /proc/self/fd/3
	is 0 text
	# Socket activation: the container is meant to receive the sockets.
	# shellcheck disable=SC2016 # expanded by the shells inside
	try inside bash -c 'exec 3<text; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' bash "${engine[@]}" run --rm --name "$ID" "${run_flags[@]}" \
		busybox sh -c 'cat <&3; echo $LISTEN_FDS $LISTEN_PID'
	is 0 text "1 1"
}

@test "podman: a rootfs of Debian, with systemd's mounts" {
	try podman_run --rm --systemd always --rootfs "$CORACLE_CACHE/debian:O" perl -e 'print 3 * 14, "\n"; open F, "/proc/self/mounts"; print grep { / \/run tmpfs / } <F>'
	is 0 42 " /run tmpfs "
}

@test "podman: a container whose monitor was killed is removed" {
	start busybox sleep 1000
	id=$(inspect '{{.Id}}')
	pid=$(inspect '{{.State.Pid}}')
	kill -9 "$(inspect '{{.State.ConmonPid}}')"
	podman_ rm --force --time 0 "$ID"
	[[ ! -d /proc/$pid ]] || [[ "$(proc_status State "$pid")" == Z* ]]
	# In this case this version of podman does not call delete, with any runtime.
	inside "$PROGRAM" delete --force "$id"
	[ -z "$(state_dirs)" ]
	gone() { [ -z "$(cgroup_dirs "libpod-$id")" ]; }
	wait_for gone
}

@test "podman: a checkpoint is refused, and the container goes on" {
	start busybox sleep 1000
	try podman_ container checkpoint "$ID"
	is 125
	is_now "running 0"
}

@test "podman: ten containers at once" {
	one() { name=$1 podman_run --rm busybox "${@:2}"; }
	at_once 10 one
	[ -z "$(state_dirs)" ]
}

@test "podman: without root" {
	try user_run --rm busybox sh -c 'id -u; tr -s " " </proc/self/uid_map; exit 3'
	is 3
	[ "$output" = $'0\n 0 54321 1\n 1 300000 65536' ]
	user_run --detach --name "$ID" busybox sleep 1000 >/dev/null
	try podman_user exec --user 1000 "$ID" id -u
	is 0
	[ "$output" = 1000 ]
	try podman_user exec --tty "$ID" tty
	is 0 /dev/pts/0
	try podman_user exec "$ID" no-such-command
	is 127 "executable file not found"
	try podman_user top "$ID" args
	is 0 "sleep 1000"
	[ -n "$(as_user sh -c 'ls "$XDG_RUNTIME_DIR/coracle"')" ]
	podman_user stop --time 0 "$ID"
	try podman_user inspect --format '{{.State.ExitCode}}' "$ID"
	[ "$output" = 137 ]
	podman_user rm "$ID"
	[ -z "$(as_user sh -c 'ls "$XDG_RUNTIME_DIR/coracle"')" ]
}

# bats test_tags=system
@test "podman: without root, with the cgroups of the session" {
	need_system
	try user_run --rm busybox cat /proc/self/cgroup
	is 0
	[ "$output" = 0::/ ]
	user_run --detach --name "$ID" --memory 64m --pids-limit 33 --health-cmd true --health-interval 1s busybox sleep 1000 >/dev/null
	local id cgroup
	id=$(podman_user inspect --format '{{.Id}}' "$ID")
	cgroup=/sys/fs/cgroup/user.slice/user-$USER_ID.slice/user@$USER_ID.service/user.slice/libpod-$id.scope
	[ "$(cat "$cgroup/memory.max" "$cgroup/pids.max")" = $'67108864\n33' ]
	[ "$(as_user systemctl --user show --property MemoryMax "libpod-$id.scope")" = MemoryMax=67108864 ]
	try podman_user stats --no-stream --format '{{.MemUsage}}' "$ID"
	is 0 "67.11MB"
	podman_user update --memory 32m "$ID"
	[ "$(as_user systemctl --user show --property MemoryMax "libpod-$id.scope")" = MemoryMax=33554432 ]
	[ "$(cat "$cgroup/memory.max")" = 33554432 ]
	podman_user pause "$ID"
	grep -qx "frozen 1" "$cgroup/cgroup.events"
	podman_user unpause "$ID"
	healthy() { [ "$(podman_user inspect --format '{{.State.Health.Status}}' "$ID")" = healthy ]; }
	wait_for healthy
	podman_user rm --force --time 0 "$ID"
	gone() { [ ! -d "$cgroup" ]; }
	wait_for gone
	try as_user systemctl --user list-units --all --plain --no-legend "libpod-$id.scope"
	is 0
	[ -z "$output" ]
}
