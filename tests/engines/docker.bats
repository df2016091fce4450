#!/usr/bin/env bats
# Docker with coracle as its default runtime: a private daemon without a network.

load ../helpers
load engines

setup_file() {
	engines_start docker dockerd docker-init /usr/bin/docker containerd
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	if of_system; then
		mkdir -p /etc/docker
		jq '. + {"default-runtime": "coracle", bridge: "none", iptables: false, ip6tables: false}' \
			"$BATS_TEST_DIRNAME/../../packaging/engines/docker-daemon.json" >/etc/docker/daemon.json
		systemctl start docker.service
	else
		daemon main
	fi
	docker_ import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' "$DIR/busybox.tar" busybox >/dev/null
}

# daemon NAME [JSON] starts a daemon that listens at $DIR/NAME.sock.
daemon() {
	local dir=$BATS_FILE_TMPDIR parent=
	of_system || parent=/$(cat "$dir/cgroup")
	jq -n --arg n "$DIR/$1" --arg program "$PROGRAM" --arg parent "$parent" --argjson more "${2:-{\}}" '{
		bridge: "none", iptables: false, ip6tables: false, "cgroup-parent": $parent,
		"data-root": "\($n)-data", "exec-root": "/run\($n)", pidfile: "/run\($n).pid", hosts: ["unix://\($n).sock"],
		"default-runtime": "coracle", runtimes: {coracle: {path: $program}}} + $more' >"$dir/$1.json"
	inside dockerd --config-file "$DIR/$1.json" >"$dir/$1.log" 2>&1 </dev/null &
	wait_for answers "$1" || {
		tail "$dir/$1.log" >&2
		return 1
	}
}

answers() {
	daemon=$1 docker_ version >/dev/null 2>&1
}

# stop_daemon NAME stops a daemon properly, with all its containers.
stop_daemon() {
	local pid
	daemon=$1 docker_ ps --all --quiet | while read -r id; do daemon=$1 docker_ rm --force "$id" >/dev/null; done
	if of_system && [ "$1" = main ]; then
		systemctl stop docker.socket docker.service
		return
	fi
	pid=$(inside cat "/run$DIR/$1.pid")
	kill "$pid"
	ended() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for ended
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	stop_daemon main
	engines_end
}

setup() {
	engines_setup
}

teardown() {
	[ -z "${ID:-}" ] || docker_ rm --force "$ID" >/dev/null 2>&1 || true
}

# client prints the command of the client of the same version, with the classic builder or, with
# kit=1, with the daemon's BuildKit.
client() {
	local socket=$DIR/${daemon:-main}.sock
	! of_system || [ "${daemon:-main}" != main ] || socket=/run/docker.sock
	printf '%s\n' env "DOCKER_BUILDKIT=${kit:-0}" "HOME=$DIR/home" /usr/bin/docker --host "unix://$socket"
}

# docker_ runs the client.
docker_() {
	local client
	mapfile -t client < <(client)
	inside "${client[@]}" "$@"
}

# docker_run ARG... runs a container named $ID.
docker_run() {
	docker_ run --name "${name:-$ID}" --network none "$@"
}

start() {
	docker_run --detach "$@" >/dev/null
}

inspect() {
	docker_ inspect --format "$1" "$ID"
}

is_now() {
	[ "$(inspect '{{.State.Status}} {{.State.ExitCode}}')" = "$1" ]
}

# state_dirs prints the state directories of the runtime.
state_dirs() {
	local root=/run$DIR/${daemon:-main}
	! of_system || [ "${daemon:-main}" != main ] || root=/run/docker
	# If a daemon maps users, its namespace has their ids in its name.
	inside sh -c "ls -d $root/runtime-*/moby*/* 2>/dev/null | grep -E '/[0-9a-f]{64}'"
}

# no_state reports whether no container has state or a cgroup. BuildKit keeps the parent cgroup of
# its steps.
no_state() {
	[ -z "$(state_dirs)" ] && [ -z "$(find /sys/fs/cgroup -type d \( -path "*/$CGROUP/*" -not -name buildkit -o -name 'docker-*.scope' \) 2>/dev/null)" ]
}

@test "docker: run gives the output and the exit status, and leaves nothing" {
	try docker_run --rm busybox sh -c 'echo out; id -u; exit 7'
	is 7
	[ "$output" = $'out\n0' ]
	wait_for no_state
}

@test "docker: info and version show the runtime" {
	try docker_ info
	is 0 "Default Runtime: coracle"
	grep -q "Runtimes:.* coracle" <<<"$output" # in any order
	try docker_ info --format '{{json .Warnings}} {{json .}}'
	says "coracle"
	try docker_ version
	is 0 "coracle:" "$("$CORACLE" --version | sed -n 's/^commit: //p')"
}

@test "docker: standard input, and exact bytes" {
	output=$(echo word | docker_run --rm --interactive busybox cat | od -An -c)
	[ "$output" = "   w   o   r   d  \\n" ]
	output=$(docker_run --rm busybox head -c 300000 /dev/zero | wc -c)
	[ "$output" = 300000 ]
}

@test "docker: 125, 126 and 127 are the exit codes of run, with the reason" {
	try docker_run --rm --no-such-flag busybox true
	is 125
	try docker_run --rm busybox no-such-command
	is 127 'exec: "no-such-command": executable file not found in $PATH'
	try docker_run --rm busybox /no/such/command
	is 127 'no such file or directory'
	try docker_run --rm busybox /etc
	is 126 'exec: "/etc": is a directory: permission denied'
	try docker_run --rm busybox /etc/passwd
	is 126 'permission denied'
	try docker_run --rm --tty busybox no-such-command
	is 127 'executable file not found'
	try docker_run --rm --volume "$DIR/etc:/bin/busybox" busybox true
	[ "$status" -ne 0 ]
	says /bin/busybox
	try docker_run busybox no-such-command
	[[ "$(inspect '{{.State.Error}}')" == *"executable file not found"* ]]
	docker_ rm "$ID"
	wait_for no_state
}

@test "docker: exec" {
	start busybox sleep 1000
	try docker_ exec "$ID" sh -c 'echo in; exit 5'
	is 5
	[ "$output" = in ]
	try docker_ exec --user 1000 --env A=b --workdir /tmp "$ID" sh -c 'id -u; echo $A; pwd'
	[ "$output" = $'1000\nb\n/tmp' ]
	output=$(echo word | docker_ exec --interactive "$ID" cat)
	[ "$output" = word ]
	try docker_ exec --privileged "$ID" grep CapEff /proc/self/status
	[[ "$output" != *a80425fb ]]
	try docker_ exec --detach "$ID" touch /tmp/done
	wait_for docker_ exec "$ID" test -e /tmp/done
}

@test "docker: what exec cannot execute is told with the reason" {
	start busybox sleep 1000
	# This version of docker reports 126 for all of them.
	for t in "" --tty; do
		try docker_ exec $t "$ID" no-such-command
		is 126 'exec: "no-such-command": executable file not found in $PATH'
		try docker_ exec $t "$ID" /etc
		is 126 'exec: "/etc": is a directory: permission denied'
		try docker_ exec $t --workdir /missing "$ID" true
		is 126 'chdir to cwd ("/missing") set in config.json failed: no such file or directory'
	done
}

@test "docker: a terminal of the right size, in run and exec" {
	mapfile -t client < <(client)
	# The client sends the size after the start.
	try on_terminal "${client[@]}" run --name "$ID" --network none --interactive --tty busybox \
		sh -c 'tty; until stty size | grep "31 97"; do sleep 0.05; done; exit 4'
	is 4 /dev/pts/0 "31 97"
	docker_ rm "$ID"
	start busybox sleep 1000
	try on_terminal "${client[@]}" exec --interactive --tty "$ID" \
		sh -c 'tty; until stty size | grep "31 97"; do sleep 0.05; done; exit 4'
	is 4 /dev/pts/0 "31 97"
	output=$(docker_ exec --tty "$ID" echo hello </dev/null | od -An -c)
	[ "$output" = "   h   e   l   l   o  \\r  \\n" ]
}

@test "docker: stop, start, restart, kill and wait" {
	start busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.05; done'
	docker_ stop --time 10 "$ID"
	is_now "exited 3" || is_now "exited 143"
	docker_ start "$ID"
	is_now "running 0"
	docker_ restart --time 10 "$ID"
	is_now "running 0"
	docker_ kill --signal KILL "$ID"
	try docker_ wait "$ID"
	is 0 137
	docker_ rm "$ID"
	start busybox sleep 1000
	docker_ stop --time 1 "$ID"
	is_now "exited 137"
}

@test "docker: the policy of restarts" {
	start --restart on-failure:2 busybox sh -c 'exit 3'
	restarted() { [ "$(inspect '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}')" = "2 exited 3" ]; }
	wait_for restarted
}

@test "docker: pause and unpause" {
	start busybox sleep 1000
	docker_ pause "$ID"
	is_now "paused 0"
	docker_ unpause "$ID"
	is_now "running 0"
	docker_ exec "$ID" true
	docker_ pause "$ID"
	docker_ rm --force "$ID"
	wait_for no_state
}

@test "docker: top and stats" {
	start --memory 64m busybox sh -c 'sleep 1000 & wait'
	two() { [ "$(docker_ top "$ID" | grep -c 'sleep 1000')" -eq 2 ]; }
	wait_for two
	try docker_ stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' "$ID"
	is 0 "2 " " / 64MiB"
}

# bats test_tags=system
@test "docker: limits and their update" {
	start --memory 64m --pids-limit 33 busybox sleep 1000
	id=$(inspect '{{.Id}}')
	[ "$(limit memory.limit_in_bytes memory.max "$id")" = 67108864 ]
	[ "$(limit pids.max pids.max "$id")" = 33 ]
	docker_ update --memory 32m --memory-swap 32m --pids-limit 44 "$ID"
	[ "$(limit memory.limit_in_bytes memory.max "$id")" = 33554432 ]
	[ "$(limit pids.max pids.max "$id")" = 44 ]
	if of_system; then
		[ "$(unit MemoryMax "docker-$id.scope") $(unit TasksMax "docker-$id.scope")" = "33554432 44" ]
		[ "$(unit Slice "docker-$id.scope")" = system.slice ]
		systemctl daemon-reload
		[ "$(limit - memory.max "$id") $(limit - pids.max "$id")" = "33554432 44" ]
	fi
	try docker_ exec "$ID" dd if=/dev/zero of=/dev/shm/file bs=1M count=60
	is 137
}

# bats test_tags=system
@test "docker: systemd makes the cgroup, whose namespace begins there" {
	need_system
	try docker_ info --format '{{.CgroupDriver}} {{.CgroupVersion}}'
	is 0
	[ "$output" = "systemd 2" ]
	try docker_run --rm busybox sh -c 'cat /proc/self/cgroup; mkdir /sys/fs/cgroup/x'
	is 1 0::/ "Read-only file system"
	try docker_run --rm --cgroupns host --cgroup-parent "cortest-$RUN.slice" busybox cat /proc/self/cgroup
	is 0 "0::/cortest.slice/cortest-$RUN.slice/docker-"
	try docker_run --rm --privileged busybox mkdir -p /sys/fs/cgroup/x/y
	is 0
	wait_for no_state
	systemctl stop cortest.slice
}

# bats test_tags=system
@test "docker: the profile of AppArmor confines run and exec" {
	need_apparmor
	need_system
	start busybox sleep 1000
	try docker_ exec "$ID" cat /proc/1/attr/current /proc/self/attr/current
	is 0
	[ "$output" = $'docker-default (enforce)\ndocker-default (enforce)' ]
	docker_ rm --force "$ID"
	# The profile denies what the capability allows.
	local mount=(--rm --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox mount -t tmpfs none /tmp)
	try docker_run "${mount[@]}"
	is 255 "Permission denied"
}

# bats test_tags=system
@test "docker: containers go on while the service is restarted" {
	need_system
	start busybox sleep 1000
	pid=$(inspect '{{.State.Pid}}')
	jq '."live-restore" = true' /etc/docker/daemon.json >"$BATS_TEST_TMPDIR/new" && cp "$BATS_TEST_TMPDIR/new" /etc/docker/daemon.json
	systemctl reload docker.service
	live() { [ "$(docker_ info --format '{{.LiveRestoreEnabled}}')" = true ]; }
	wait_for live
	systemctl restart docker.service containerd.service
	[ "$(inspect '{{.State.Pid}} {{.State.Status}}')" = "$pid running" ]
	try docker_ exec "$ID" echo in
	is 0 in
	docker_ stop --time 0 "$ID"
	is_now "exited 137"
	docker_ rm "$ID"
	wait_for no_state
}

@test "docker: a lack of memory is noticed" {
	try docker_run --memory 16m busybox sh -c 'tail -c 100000000 /dev/zero'
	is 137
	# On cgroup v2 the shim of containerd 1.6 is often too late, with runc as well: systemd has
	# removed the cgroup already.
	of_system || [ "$(inspect '{{.State.OOMKilled}}')" = true ]
}

@test "docker: a health check is a process of the container" {
	start --health-cmd 'test -e /tmp/ok' --health-interval 0.2s --health-retries 1 busybox sleep 1000
	health() { [ "$(inspect '{{.State.Health.Status}}')" = "$1" ]; }
	wait_for health unhealthy
	docker_ exec "$ID" touch /tmp/ok
	wait_for health healthy
}

@test "docker: --privileged, --init, --read-only, --tmpfs, --device, --sysctl" {
	try docker_run --rm --privileged busybox sh -c 'test -w /sys/kernel && test -c /dev/fuse && echo all'
	is 0 all
	try docker_run --rm --init busybox ps
	is 0 "/sbin/docker-init -- ps"
	try docker_run --rm --read-only --tmpfs /tmp busybox sh -c 'touch /tmp/file && echo tmp; touch /file'
	is 1 tmp "Read-only file system"
	try docker_run --rm --device /dev/fuse:/dev/other:r --sysctl net.ipv4.ip_forward=1 --hostname name --shm-size 1m busybox \
		sh -c 'stat -c "%F %t:%T" /dev/other; cat /proc/sys/net/ipv4/ip_forward; hostname; df /dev/shm | tail -n 1'
	is 0 "character special file a:e5" "name" " 1024 "
}

@test "docker: an unprivileged process has nothing, and a filter" {
	try docker_run --rm --user 1000:1000 --cap-drop all --security-opt no-new-privileges busybox grep -E 'CapEff|NoNew|Seccomp:' /proc/self/status
	is 0
	[ "$output" = $'CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2' ]
	try docker_run --rm --user 1000 busybox sh -c 'echo out >/dev/stdout; echo err >/dev/stderr'
	is 0 out err
}

@test "docker: volumes, also read-only and with propagation" {
	docker_ volume create "$ID"
	docker_run --rm --volume "$ID:/v" busybox sh -c 'echo text >/v/file'
	try docker_run --rm --volume "$ID:/v:ro" --mount "type=bind,source=$DIR/etc,target=/w,readonly,bind-propagation=rslave" busybox \
		sh -c 'cat /v/file; cat /w/subuid; touch /v/other'
	is 1 text cortest "Read-only file system"
	docker_ volume rm "$ID"
}

@test "docker: namespaces of the host and of other containers" {
	try docker_run --rm --pid host --ipc host --uts host --cgroupns host busybox sh -c 'hostname; test -d /proc/$1 && echo seen' sh "$$"
	is 0 "$(uname -n)" seen
	start --ipc shareable busybox sleep 1000
	name=$ID-2
	try docker_ run --rm --name "$ID-2" --pid "container:$ID" --ipc "container:$ID" --network "container:$ID" busybox ps
	is 0 "1 root     sleep 1000"
}

@test "docker: a container whose process 1 has ended leaves none of a shared pid namespace" {
	start --pid host busybox sh -c 'sleep 4321 & sleep 0.2'
	ended() { is_now "exited 0"; }
	wait_for ended
	wait_for no_state
	[ -z "$(pgrep -f "^sleep 4321$")" ]
}

@test "docker: a build, and what it made" {
	mkdir "$BATS_FILE_TMPDIR/$ID"
	cat >"$BATS_FILE_TMPDIR/$ID/Dockerfile" <<-END
		FROM busybox
		RUN echo built >/file
		RUN ["sh", "-c", "id -u >>/file"]
		USER 1000
		RUN whoami >/tmp/name
		CMD ["cat", "/file", "/tmp/name"]
	END
	docker_ build --network none --tag "$ID" "$DIR/$ID"
	try docker_run --rm "$ID"
	is 0
	[ "$output" = $'built\n0\nuser' ]
	printf 'FROM busybox\nRUN exit 42\n' >"$BATS_FILE_TMPDIR/$ID/Dockerfile"
	try docker_ build --network none "$DIR/$ID"
	is 42 "returned a non-zero code: 42"
}

@test "docker: a build by the BuildKit inside the daemon" {
	# The builder does not use the daemon's runtimes, but a runc in PATH.
	mkdir "$BATS_FILE_TMPDIR/bin"
	printf '#!/bin/sh\necho "$@" >>%s/calls\nexec %s "$@"\n' "$DIR" "$PROGRAM" >"$BATS_FILE_TMPDIR/bin/runc"
	chmod 755 "$BATS_FILE_TMPDIR/bin/runc"
	PATH=$DIR/bin:$PATH daemon "$ID"
	daemon=$ID docker_ import --change 'ENV PATH=/bin' "$DIR/busybox.tar" busybox >/dev/null
	mkdir "$BATS_FILE_TMPDIR/$ID-context"
	cat >"$BATS_FILE_TMPDIR/$ID-context/Dockerfile" <<-'END'
		FROM busybox
		RUN --mount=type=cache,target=/c grep Seccomp: /proc/self/status >/made; id -u >>/made
		USER user
		RUN cat /made; exit 6
	END
	daemon=$ID kit=1 try docker_ build --network none --progress plain "$DIR/$ID-context"
	is 1 "exit code: 6"
	grep -qE '^#[0-9]+ [0-9.]+ Seccomp:.2$' <<<"$output"
	grep -qE -- '^--log .* --log-format json run --bundle .*' "$BATS_FILE_TMPDIR/calls"
	# Containers of other tests have names of another form.
	left=$(inside sh -c 'ls /run/coracle 2>/dev/null' | grep -vE '^([0-9a-f]{64}|buildah.*)$' || true)
	[ -z "$left" ]
	stop_daemon "$ID"
}

@test "docker: many containers at once" {
	# In the emulator twenty would take minutes.
	local count=20
	! of_system || count=5
	one() { name=$1 docker_run --rm busybox "${@:2}"; }
	at_once "$count" one
	wait_for no_state
}

# bats test_tags=system
@test "docker: a daemon that maps users" {
	daemon users '{"userns-remap": "cortest"}'
	daemon=users
	docker_ import --change 'CMD ["sh"]' --change 'ENV PATH=/bin' "$DIR/busybox.tar" busybox >/dev/null
	try docker_run --rm busybox sh -c 'tr -s " " </proc/self/uid_map; id -u; touch /file && stat -c %u /file; exit 6'
	is 6
	[ "$output" = $' 0 300000 65536\n0\n0' ]
	start busybox sleep 1000
	try docker_ exec --user 1000 "$ID" id -u
	is 0
	[ "$output" = 1000 ]
	try docker_ exec --tty "$ID" tty
	is 0 /dev/pts/0
	try docker_run --rm --userns host --name "$ID-2" busybox true
	docker_ rm --force "$ID"
	wait_for no_state
	stop_daemon users
}
