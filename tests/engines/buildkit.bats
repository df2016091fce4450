#!/usr/bin/env bats
# BuildKit with coracle as the program of its OCI worker: a private daemon and its client, both
# built by tests/engines/buildkit/build.

load ../helpers
load engines

setup_file() {
	local dir=$BATS_FILE_TMPDIR version
	version=$(sed -n 's|^\s*github.com/moby/buildkit v||p' "$BATS_TEST_DIRNAME/buildkit/go.mod")
	export PROGRAMS=$CORACLE_CACHE/buildkit-$version GATEWAY=$BATS_TEST_DIRNAME/../../bin/buildkit-gateway
	if [ ! -d "$PROGRAMS" ] || [ ! -x "$GATEWAY" ]; then
		tail -n 1 "$PROGRAMS.log" >"$dir/missing" 2>/dev/null ||
			echo "BuildKit is not there: tests/engines/buildkit/build has not been run" >"$dir/missing"
		return
	fi
	engines_start buildkit
	[ ! -e "$dir/missing" ] || return 0
	mkdir -m 1777 "$dir/sockets"
	mkdir "$dir/first"
	mv "$dir/busybox.tar" "$dir/first"
	printf '%s\n' 'FROM scratch' 'ADD busybox.tar /' 'ENV PATH=/bin' >"$dir/first/Dockerfile"
	daemon main
	buildctl_ build --frontend dockerfile.v0 --local context=/mnt/first --local dockerfile=/mnt/first \
		--output type=oci,tar=false,dest=/mnt/image >"$dir/first.log" 2>&1
	jq -r '.manifests[0].digest' "$dir/image/index.json" >"$dir/digest"
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	# Daemons that a failed test has left, possibly in other mount namespaces.
	for pid in "$BATS_FILE_TMPDIR"/*.pid; do
		kill -9 "$(cat "$pid")" 2>/dev/null || true
	done
	find /sys/fs/cgroup -path "*/$(cat "$BATS_FILE_TMPDIR/cgroup")/*" -name cgroup.procs -exec cat {} + | sort -u | xargs -r kill -9
	engines_end
}

setup() {
	engines_setup
}

teardown() {
	[ -z "${CLIENT:-}" ] || end_build
	# The cgroup that the test has named stays, as with every other runtime.
	[ -z "${ID:-}" ] || wait_for no_cgroups_of_it
}

no_cgroups_of_it() {
	find /sys/fs/cgroup -depth -type d -path "*/$CGROUP/$ID*" -exec rmdir {} + 2>/dev/null
	[ -z "$(find /sys/fs/cgroup -type d -path "*/$CGROUP/$ID*")" ]
}

# daemon NAME [RUN...] starts a daemon that listens at /mnt/sockets/NAME, by means of a command
# that runs others. The variable settings configures its OCI worker.
daemon() {
	local dir=$BATS_FILE_TMPDIR name=$1 program=$PROGRAMS/buildkitd
	shift
	cat >"$dir/$name.toml" <<-END
		root = "/mnt/$name"
		insecure-entitlements = [ "network.host", "security.insecure", "device" ]
		[grpc]
		  address = [ "unix:///mnt/sockets/$name" ]
		[otel]
		  socketPath = "/mnt/sockets/$name.otel"
		[cdi]
		  specDirs = [ "/mnt/cdi" ]
		[worker.containerd]
		  enabled = false
		[worker.oci]
		  binary = "/mnt/coracle"
		  defaultCgroupParent = "$(cat "$dir/cgroup")"
		  ${settings:-}
	END
	mkdir -p "$dir/cdi"
	in_place "${AS:-inside}" "$@" "$program" --config "/mnt/$name.toml" >"$dir/$name.log" 2>&1 </dev/null 3>&- &
	echo $! >"$dir/$name.pid"
	daemon=$name wait_for answers || {
		tail "$dir/$name.log" >&2
		return 1
	}
}

answers() {
	buildctl_ debug workers >/dev/null 2>&1
}

# stop_daemon NAME [SIGNAL] ends a daemon, by default in an orderly way.
stop_daemon() {
	local pid
	pid=$(cat "$BATS_FILE_TMPDIR/$1.pid")
	kill "-${2:-TERM}" "$pid"
	ended() { ! kill -0 "$pid" 2>/dev/null; }
	wait_for ended
	rm "$BATS_FILE_TMPDIR/$1.pid"
}

buildctl_() {
	inside "$PROGRAMS/buildctl" --addr "unix:///mnt/sockets/${daemon:-main}" "$@"
}

# dockerfile [NAME] stores standard input as the Dockerfile of a build context: /mnt/$ID, or
# /mnt/$ID-NAME.
dockerfile() {
	CONTEXT=$ID${1:+-$1}
	mkdir -p "$BATS_FILE_TMPDIR/$CONTEXT"
	cat >"$BATS_FILE_TMPDIR/$CONTEXT/Dockerfile"
}

# build [OPTION...] builds that context. The containers of its steps are in a cgroup of the test.
build() {
	buildctl_ build --progress plain --frontend dockerfile.v0 \
		--local "context=/mnt/$CONTEXT" --local "dockerfile=/mnt/$CONTEXT" --opt "cgroup-parent=/$CGROUP/$ID" \
		--oci-layout image=/mnt/image --opt "context:busybox=oci-layout://image@$(cat "$BATS_FILE_TMPDIR/digest")" "$@"
}

# steps runs a build and sets $steps to the output of its steps only; the whole output also has
# the steps' commands.
steps() {
	try build "$@"
	steps=$(printed_by <<<"$output")
}

printed_by() {
	sed -nE 's/^#[0-9]+ [0-9]+\.[0-9]+ //p'
}

# printed_is TEXT asserts the complete output of the steps.
printed_is() {
	[ "$steps" = "$1" ] || diff <(printf '%s\n' "$1") - <<<"$steps" >&2
}

# printed_has LINE... asserts lines in the output of the steps.
printed_has() {
	local line
	for line in "$@"; do
		if ! grep -qxF -- "$line" <<<"$steps"; then
			echo "no '$line' in: $steps" >&2
			return 1
		fi
	done
}

# printed LINE reports whether a step of the build in the background has printed a line.
printed() {
	printed_by <"$BATS_TEST_TMPDIR/build" | grep -qxF "$1"
}

# in_place runs one of these commands in the background without a shell around it, so that $! is
# its own pid.
in_place() {
	nsenter() { exec nsenter "$@"; }
	"$@"
}

# start_build builds in the background. CLIENT is the pid of the client.
start_build() {
	in_place build >"$BATS_TEST_TMPDIR/build" 2>&1 </dev/null 3>&- &
	CLIENT=$!
}

# end_build kills the client, so that the daemon cancels the build.
end_build() {
	kill -9 "$CLIENT" 2>/dev/null || true
	wait "$CLIENT" 2>/dev/null || true
}

# gateway [OPTION...] COMMAND... runs the client that executes processes in containers.
gateway() {
	inside "$GATEWAY" -addr "unix:///mnt/sockets/${daemon:-main}" -image /mnt/image "$@"
}

# Nothing is left of the steps of this test; no other test has steps at the same time. BuildKit
# reports the result of a step before it deletes the container.
nothing_of_it() {
	[ -z "$(inside ls /run/coracle)" ] && [ -z "$(find /sys/fs/cgroup -type d -path "*/$CGROUP/*buildkit/*" 2>/dev/null)" ]
}

# bats test_tags=system
@test "buildkit: steps, their output, and nothing is left" {
	dockerfile <<-'END'
		FROM busybox
		RUN echo out; echo err >&2; id -u; stat -L -c %t:%T /proc/self/fd/0
		RUN ["sh", "-c", "echo $0 $1", "no shell", "of BuildKit"]
		RUN <<EOF
			echo several
			echo lines
		EOF
	END
	steps
	is 0
	# The order between the two streams is undefined.
	steps=$(sort <<<"$steps")
	printed_is $'0\n1:3\nerr\nlines\nno shell of BuildKit\nout\nseveral'
	wait_for nothing_of_it
}

@test "buildkit: a step that fails ends the build with its status" {
	dockerfile <<-'END'
		FROM busybox
		RUN echo before; exit 7
		RUN echo after
	END
	steps
	is 1 "exit code: 7"
	printed_is before
	wait_for nothing_of_it
	dockerfile <<<$'FROM busybox\nRUN sh -c \'kill -SEGV $$\'; exit $?'
	steps
	is 1 "exit code: 139"
	dockerfile <<<$'FROM busybox\nRUN ["no-such-command"]'
	steps
	is 1 'exec: "no-such-command": executable file not found in $PATH'
	dockerfile <<<$'FROM busybox\nRUN ["/etc"]'
	steps
	is 1 'exec: "/etc": '
	wait_for nothing_of_it
}

@test "buildkit: results as a directory, as an archive and as an image that is built on" {
	dockerfile <<-'END'
		FROM busybox AS made
		RUN mkdir /made && head -c 300000 /dev/urandom >/made/data && chown 1000:1000 /made/data && chmod 4750 /made/data
		RUN sha256sum /made/data >/made/sum && ln -s data /made/link
		FROM scratch
		COPY --from=made /made /
	END
	steps --output type=local,dest="/mnt/$ID-local" --output type=tar,dest="/mnt/$ID.tar" --output type=oci,tar=false,dest="/mnt/$ID-image"
	is 0
	cd "$BATS_FILE_TMPDIR/$ID-local"
	[ "$(sha256sum <data | cut -d ' ' -f 1)" = "$(cut -d ' ' -f 1 sum)" ]
	[ "$(readlink link)" = data ]
	tar -tvf "$BATS_FILE_TMPDIR/$ID.tar" | grep -E '^-rwsr-x--- 1000/1000 +300000 .* data$'
	dockerfile built <<-'END'
		FROM busybox
		RUN --mount=type=bind,from=earlier,target=/earlier cd /earlier && awk '{ print $1 "  data" }' sum | sha256sum -c
	END
	steps --oci-layout "earlier=/mnt/$ID-image" \
		--opt "context:earlier=oci-layout://earlier@$(jq -r '.manifests[0].digest' "$BATS_FILE_TMPDIR/$ID-image/index.json")"
	is 0
	printed_is "data: OK"
}

@test "buildkit: a user, a working directory, an environment, a shell" {
	dockerfile <<-'END'
		FROM busybox
		ENV WORD="two words"
		WORKDIR /made/here
		USER user
		RUN id; pwd; echo "$WORD"; touch /proc/self/fd/1 2>/dev/null; echo to-stdout >/dev/stdout
		USER 4321:5432
		RUN id -u; id -g; stat -c '%u %g' .; grep Cap /proc/self/status
		USER root
		SHELL ["/bin/busybox", "sh", "-ec"]
		RUN false; echo not reached
	END
	steps
	is 1 "exit code: 1"
	printed_is $'uid=1000(user) gid=1000(user) groups=1000(user)
/made/here
two words
to-stdout
4321
5432
0 0
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t00000000a80425fb
CapAmb:\t0000000000000000'
}

@test "buildkit: a step is confined" {
	dockerfile <<-'END'
		FROM busybox
		RUN grep -E '^(CapEff|Seccomp):' /proc/self/status; echo "1 is $(cat /proc/1/comm)"
		RUN exec 2>&1; mount -t tmpfs tmpfs /tmp; unshare -U true; echo 1 >/proc/sys/vm/swappiness; head -c 1 /proc/timer_list | wc -c; for f in $(find /sys/fs/cgroup -name cgroup.procs); do mkdir ${f%/*}/x 2>/dev/null && echo writable; done; true
		RUN mknod /null c 1 3 && echo >/null && mknod /disk b 254 0 && cat /disk
	END
	steps
	is 1 "exit code: 1"
	printed_is $'CapEff:\t00000000a80425fb
Seccomp:\t2
1 is sh
mount: permission denied (are you root?)
unshare: unshare(0x10000000): Operation not permitted
/bin/sh: can\'t create /proc/sys/vm/swappiness: Read-only file system
0
cat: can\'t open \'/disk\': Operation not permitted'
}

@test "buildkit: a step that may do everything" {
	dockerfile <<-'END'
		FROM busybox
		RUN --security=insecure grep -E '^(CapEff|CapAmb|Seccomp):' /proc/self/status; mount -t tmpfs tmpfs /tmp && mkdir /tmp/x && ls /tmp; \
			[ -c /dev/fuse ] && [ -b /dev/loop0 ] && echo devices; head -c 1 /proc/timer_list | wc -c; \
			for d in $(find /sys/fs/cgroup -name cgroup.procs); do mkdir ${d%/*}/x && rmdir ${d%/*}/x || exit 1; done; echo cgroups
	END
	steps --allow security.insecure
	is 0
	caps=$(sed -n 's/^CapBnd:\s*//p' /proc/self/status)
	printed_is $'CapEff:\t'"$caps"$'\nCapAmb:\t'"$caps"$'\nSeccomp:\t0\nx\ndevices\n1\ncgroups'
	wait_for nothing_of_it
}

@test "buildkit: networks" {
	dockerfile <<-'END'
		FROM busybox
		RUN --network=none readlink /proc/self/ns/net; ls /sys/class/net; ip -o link | grep -o 'lo:.*UP'
		RUN --network=host readlink /proc/self/ns/net; cat /etc/hosts; hostname
	END
	steps --allow network.host --opt hostname=of-the-build --opt add-hosts=other=192.0.2.7
	is 0
	printed_has "$(readlink /proc/self/ns/net)" lo of-the-build $'192.0.2.7\tother'
	[ "$(grep -E '^net:\[' <<<"$steps" | sort -u | wc -l)" -eq 2 ]
	grep -qE '^lo:.*UP' <<<"$steps"
}

@test "buildkit: networks that CNI plugins make" {
	[ -e /usr/lib/cni/bridge ] || skip "the CNI plugins are not there"
	cat >"$BATS_FILE_TMPDIR/cni.json" <<-'END'
		{"cniVersion": "1.0.0", "name": "build", "type": "bridge", "bridge": "cortest0", "isGateway": true,
		 "ipam": {"type": "host-local", "ranges": [[{"subnet": "192.0.2.0/24"}]]}}
	END
	# The bridge is in the daemon's own network namespace.
	settings=$'networkMode = "cni"\ncniConfigPath = "/mnt/cni.json"\ncniBinaryPath = "/usr/lib/cni"' daemon networked unshare --net
	dockerfile <<-'END'
		FROM busybox AS one
		RUN --mount=type=cache,id=net,target=/c echo of the other stage | timeout 60 nc -l -p 8000 & ip -o -4 addr show eth0 | awk '{ print $4 }' | tee /c/new; mv /c/new /c/address; wait; touch /made
		FROM busybox AS two
		RUN --mount=type=cache,id=net,target=/c for i in $(seq 300); do [ -e /c/address ] && nc $(sed s,/.*,, /c/address) 8000 && break; sleep 0.1; done; touch /made
		FROM scratch
		COPY --from=one /made /one
		COPY --from=two /made /two
	END
	daemon=networked steps
	is 0
	printed_has "of the other stage"
	grep -qE '^192\.0\.2\.[0-9]+/24$' <<<"$steps"
	stop_daemon networked
}

# bats test_tags=system
@test "buildkit: limits of resources and of processes" {
	dockerfile <<-'END'
		FROM busybox
		RUN ulimit -Sn; ulimit -Hn; ulimit -Hc; stat -f -c '%b %S' /dev/shm
		RUN cd /sys/fs/cgroup; for f in memory/memory.limit_in_bytes memory.max cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu.max cpuset/cpuset.cpus cpuset.cpus; do \
			[ ! -e $f ] || echo ${f##*/} $(cat $f); done
		RUN cat /proc/self/cgroup
	END
	steps --opt ulimit=nofile=100:200,core=0:0 --opt shm-size=1048576 --opt memory=50331648 --opt cpushares=512 --opt cpuquota=30000 --opt cpuperiod=60000 --opt cpusetcpus=0
	is 0
	[ "$(head -n 4 <<<"$steps")" = $'100\n200\n0\n256 4096' ]
	if grep -q ^memory.max <<<"$steps"; then
		printed_has "memory.max 50331648" "cpu.max 30000 60000" "cpuset.cpus 0"
	else
		printed_has "memory.limit_in_bytes 50331648" "cpu.shares 512" "cpu.cfs_quota_us 30000" "cpu.cfs_period_us 60000" "cpuset.cpus 0"
	fi
	# With a cgroup namespace, which BuildKit makes on cgroup v2, the path is not visible.
	grep -qE "^([0-9]+:.*:/$CGROUP/$ID/buildkit/[a-z0-9]{25}|0::/)$" <<<"$steps"
	wait_for nothing_of_it
}

# bats test_tags=system
@test "buildkit: a step that needs more memory than it may have" {
	dockerfile <<<$'FROM busybox\nRUN echo begins; exec tail /dev/zero'
	steps --opt memory=25165824
	printed_is begins
	is 1
	[[ $output == *"exit code: 137"* || $output == *"cannot allocate memory"* ]]
	wait_for nothing_of_it
}

@test "buildkit: mounts of a cache, of a tmpfs and of the context" {
	dockerfile <<-'END'
		FROM busybox
		ARG WORD
		RUN --mount=type=cache,id=test,target=/cache,uid=1000,mode=0750 cat /cache/*; stat -c '%u %a' /cache; echo "$WORD" >/cache/$WORD
		RUN --mount=type=tmpfs,target=/t,size=1m stat -f -c '%T %b' /t; dd if=/dev/zero of=/t/f bs=1M count=2 2>&1 | grep -o 'No space.*'
		RUN --mount=type=bind,target=/c cat /c/file; touch /c/new; grep -o ' /c r[ow]' /proc/self/mountinfo
		RUN --mount=type=bind,target=/c,rw touch /c/new && ls /c; grep -o ' /c r[ow]' /proc/self/mountinfo
		RUN for d in /c /t /cache; do [ ! -e $d ] || ls -a $d; done
	END
	echo of the context >"$BATS_FILE_TMPDIR/$CONTEXT/file"
	steps --opt build-arg:WORD=one
	is 0
	steps --opt build-arg:WORD=two
	is 0
	printed_has one "1000 750" "tmpfs 256" "No space left on device" "of the context" "touch: /c/new: Read-only file system" " /c ro" " /c rw" new
	[ ! -e "$BATS_FILE_TMPDIR/$CONTEXT/new" ]
}

@test "buildkit: secrets, which are only there in their step" {
	dockerfile <<-'END'
		FROM busybox
		USER user
		RUN --mount=type=secret,id=word,uid=1000,mode=0600 cat /run/secrets/word; stat -c '%u %a' /run/secrets/word; grep -o ' /run/secrets/word.* - tmpfs' /proc/self/mountinfo
		RUN --mount=type=secret,id=word,env=WORD echo "of the environment: $WORD"
		RUN cat /run/secrets/word; echo "now: $WORD"
	END
	printf 'hidden\n' >"$BATS_FILE_TMPDIR/$ID.secret"
	steps --secret "id=word,src=/mnt/$ID.secret" --output type=tar,dest="/mnt/$ID.tar"
	is 0
	printed_has hidden "1000 600" "of the environment: hidden" "now: "
	grep -qE 'nosuid.*nodev.*- tmpfs' <<<"$steps"
	[ "$(tar -xOf "$BATS_FILE_TMPDIR/$ID.tar" run/secrets/word 2>/dev/null)" != hidden ]
}

@test "buildkit: the sockets of agents" {
	dockerfile <<-'END'
		FROM busybox
		USER user
		RUN --mount=type=ssh,uid=1000,mode=0600 --mount=type=bind,from=tools,target=/tools stat -c '%F %u %a' $SSH_AUTH_SOCK; /tools/buildctl --addr unix://$SSH_AUTH_SOCK debug workers
	END
	mkdir "$BATS_FILE_TMPDIR/tools"
	cp "$PROGRAMS/buildctl" "$BATS_FILE_TMPDIR/tools"
	# Any server serves as the agent; this one can be used with the programs in the image.
	steps --ssh "default=/mnt/sockets/main,raw=true" --local tools=/mnt/tools --opt context:tools=local:tools
	is 0
	[ "$(head -n 1 <<<"$steps")" = "socket 1000 600" ]
	[[ "$steps" == *linux/* ]]
}

@test "buildkit: a device of CDI, with what it brings along" {
	mkdir -p "$BATS_FILE_TMPDIR/cdi"
	cat >"$BATS_FILE_TMPDIR/cdi/test.json" <<-'END'
		{"cdiVersion": "0.6.0", "kind": "coracle.test/device", "devices": [{"name": "one", "containerEdits": {
			"deviceNodes": [{"path": "/dev/mine", "hostPath": "/dev/zero"}], "env": ["WORD=of the device"],
			"mounts": [{"hostPath": "/mnt/cdi", "containerPath": "/cdi", "options": ["ro", "bind"]}],
			"hooks": [{"hookName": "createContainer", "path": "/bin/touch", "args": ["touch", "/mnt/hooked"]}]}}]}
	END
	dockerfile <<-'END'
		FROM busybox
		RUN --device=coracle.test/device=one head -c 3 /dev/mine | od -c | head -n 1; echo "$WORD"; ls /cdi; echo >/cdi/x
	END
	daemon devices
	daemon=devices steps --allow device
	is 1 "exit code: 1"
	printed_has "of the device" test.json "/bin/sh: can't create /cdi/x: Read-only file system"
	grep -qE '^0000000 +.0 +.0 +.0$' <<<"$steps"
	[ -e "$BATS_FILE_TMPDIR/hooked" ]
	stop_daemon devices
}

@test "buildkit: stages at the same time" {
	# Each step waits for the other.
	dockerfile <<-'END'
		FROM busybox AS one
		RUN --mount=type=cache,id=parallel,target=/c touch /c/one; for i in $(seq 300); do [ ! -e /c/two ] || { touch /made; exit; }; sleep 0.1; done; exit 1
		FROM busybox AS two
		RUN --mount=type=cache,id=parallel,target=/c touch /c/two; for i in $(seq 300); do [ ! -e /c/one ] || { touch /made; exit; }; sleep 0.1; done; exit 1
		FROM scratch
		COPY --from=one /made /one
		COPY --from=two /made /two
	END
	steps
	is 0
	wait_for nothing_of_it
}

@test "buildkit: a stage that fails ends the others" {
	dockerfile <<-'END'
		FROM busybox AS one
		RUN --mount=type=cache,id=fails,target=/c touch /c/one; sleep 1000
		FROM busybox AS two
		RUN --mount=type=cache,id=fails,target=/c for i in $(seq 300); do [ ! -e /c/one ] || exit 9; sleep 0.1; done
		FROM scratch
		COPY --from=one / /one
		COPY --from=two / /two
	END
	steps
	is 1 "exit code: 9"
	wait_for nothing_of_it
}

@test "buildkit: processes that a step leaves end with it" {
	dockerfile <<-'END'
		FROM busybox
		RUN (trap '' TERM HUP; setsid sleep 1000000 >/dev/null 2>&1 </dev/null) & echo done
	END
	steps
	is 0
	printed_is "done"
	wait_for nothing_of_it
}

# bats test_tags=system
@test "buildkit: a client that goes away takes its build along" {
	dockerfile <<<$'FROM busybox\nRUN trap "" TERM INT; sleep 1000 & echo ready; wait'
	start_build
	wait_for printed ready
	[ "$(inside ls /run/coracle | wc -l)" -eq 1 ]
	end_build
	wait_for nothing_of_it
	# At other times, mostly before the step has begun.
	for i in {1..15}; do
		start_build
		sleep "0.$((i % 4))$i"
		end_build
	done
	wait_for nothing_of_it
}

@test "buildkit: ten builds at once" {
	dockerfile <<-'END'
		FROM busybox
		ARG WORD
		RUN echo "$WORD" >/made; for i in 1 2 3; do sha256sum /bin/busybox; done >/dev/null
		RUN cat /made; [ "$(cat /made)" = "$WORD" ]
	END
	local clients=() i
	for i in {1..10}; do
		build --opt "build-arg:WORD=build$i" --output "type=local,dest=/mnt/$ID-$i" >"$BATS_TEST_TMPDIR/build$i" 2>&1 </dev/null 3>&- &
		clients+=($!)
	done
	for i in {1..10}; do
		wait "${clients[i - 1]}" || { cat "$BATS_TEST_TMPDIR/build$i" >&2; return 1; }
		[ "$(printed_by <"$BATS_TEST_TMPDIR/build$i")" = "build$i" ]
		[ "$(cat "$BATS_FILE_TMPDIR/$ID-$i/made")" = "build$i" ]
	done
	wait_for nothing_of_it
}

@test "buildkit: what a killed daemon leaves is ended by delete --force" {
	daemon killed
	dockerfile <<<$'FROM busybox\nRUN echo ready; sleep 1000'
	daemon=killed start_build
	wait_for printed ready
	stop_daemon killed KILL
	local id
	id=$(inside ls /run/coracle)
	inside /mnt/coracle delete --force "$id"
	nothing_of_it
}

@test "buildkit: processes are executed in a container" {
	try gateway sh -c 'echo first; exit 7'
	is 7 first
	output=$(echo word | gateway sh -c 'echo first; sleep 1000' -- sh -c 'cat; pwd; id -u; exit 9') || status=$?
	is 9
	[ "$output" = $'first\nword\n/\n0' ]
	try gateway -user 1000 -cwd /tmp -env WORD=other sh -c 'echo first; sleep 1000' -- sh -c 'pwd; id -u; echo $WORD; grep -E "CapEff|Seccomp:" /proc/self/status'
	is 0 $'\n/tmp\n1000\nother\nCapEff:\t0000000000000000\nSeccomp:\t2'
	[ "$(head -c 300000 /dev/urandom | tee "$BATS_FILE_TMPDIR/data" | gateway sh -c 'echo; sleep 1000' -- sha256sum | tail -n 1)" = "$(sha256sum - <"$BATS_FILE_TMPDIR/data")" ]
	wait_for nothing_of_it
}

@test "buildkit: what cannot be executed in a container" {
	try gateway sh -c 'echo first; sleep 1000' -- no-such-command
	is 255 'exec: "no-such-command": executable file not found in $PATH'
	try gateway sh -c 'echo first; sleep 1000' -- /etc
	is 255 'exec: "/etc": '
	try gateway -cwd /none sh -c 'echo first; sleep 1000' -- true
	is 255 "/none"
	wait_for nothing_of_it
}

@test "buildkit: a terminal for the container, another for a process in it, and their sizes" {
	script='trap "stty size; exit 4" WINCH; tty; stty size; echo ready; while :; do sleep 0.1; done'
	try gateway -tty -rows 33 -cols 99 -until ready sh -c "$script"
	is 4 /dev/ "33 99"
	try gateway -tty -rows 33 -cols 99 -until ready sh -c 'echo first; sleep 1000' -- sh -c "$script"
	is 4 /dev/pts/ "33 99"
	wait_for nothing_of_it
}

@test "buildkit: signals for a process in a container, which goes on" {
	script='trap "echo term; exit 5" TERM; echo ready; while :; do sleep 0.1; done'
	try gateway -until ready -signal TERM sh -c "$script"
	is 5 term
	try gateway -until ready -signal TERM sh -c 'echo first; sleep 1000' -- sh -c "$script"
	is 5 term
	try gateway -until ready -signal KILL sh -c 'echo first; sleep 1000' -- sh -c "$script"
	is 137
	try gateway -until ready -cancel sh -c 'echo first; sleep 1000' -- sh -c "$script"
	is 125 canceled
	wait_for nothing_of_it
}

@test "buildkit: steps in a user namespace" {
	settings='userRemapUnsupported = "cortest"' daemon remapped
	# BuildKit unpacks images with their own ids, and creates / with the host's ids.
	dockerfile <<-'END'
		FROM scratch
		ADD busybox.tar /
		ENV PATH=/bin
		WORKDIR /made
		RUN --network=none exec 2>&1; awk '{ print $1, $2, $3 }' /proc/self/uid_map; id -u; touch file; chown 1000 file; stat -c '%u' . file; mount -t tmpfs none /tmp; hostname x || true
		RUN --network=none --mount=type=cache,target=/made/c,uid=1000 --mount=type=secret,id=word,mode=0444,target=/made/s --mount=type=bind,target=/made/b echo >c/x; stat -c '%n %u' c/x b/Dockerfile; cat s
	END
	ln "$BATS_FILE_TMPDIR/first/busybox.tar" "$BATS_FILE_TMPDIR/$CONTEXT"
	printf 'hidden\n' >"$BATS_FILE_TMPDIR/$ID.secret"
	daemon=remapped steps --secret "id=word,src=/mnt/$ID.secret" --output type=tar,dest="/mnt/$ID.tar"
	is 0
	printed_is $'0 300000 65536
0
0
1000
mount: permission denied (are you root?)
hostname: sethostname: Operation not permitted
c/x 0
b/Dockerfile 0
hidden'
	# The image has the ids of the container.
	tar -tvf "$BATS_FILE_TMPDIR/$ID.tar" made/file | grep ' 1000/0 '
	wait_for nothing_of_it
	stop_daemon remapped
}

# bats test_tags=system
@test "buildkit: without root, in a user namespace of its own" {
	mkdir "$BATS_FILE_TMPDIR/rootless"
	chown "$USER_ID" "$BATS_FILE_TMPDIR/rootless"
	AS=as_user daemon rootless unshare --user --map-root-user --map-auto --mount env USER=cortest
	dockerfile <<-'END'
		FROM busybox
		RUN exec 2>&1; awk '{ print $1, $2, $3 }' /proc/self/uid_map; id -u; touch /file; chown 1000 /file; stat -c '%u' /file; mount -t tmpfs none /tmp || true
		USER user
		RUN --mount=type=cache,target=/c,uid=1000 touch /c/x && stat -c '%n %u' /c/x; exit 6
	END
	daemon=rootless steps
	is 1 "exit code: 6"
	printed_is $'0 54321 1
1 300000 65535
0
1000
mount: permission denied (are you root?)
/c/x 1000'
	[ -z "$(inside ls /mnt/xdg/coracle)" ]
	stop_daemon rootless
}
