# Helpers for the tests with containerd, in the namespaces of engines.bash.

# containerd_programs VERSION prints the directory of containerd's programs: Debian's, which are
# 1.6, or those of tests/engines/containerd/build.
containerd_programs() {
	local built
	if [ "$1" = 1 ]; then
		built=$(command -v containerd) && dirname "$built"
		return
	fi
	built=$CORACLE_CACHE/containerd-$(containerd2_version)
	[ -d "$built" ] && echo "$built"
}

containerd2_version() {
	sed -n 's|^\s*github.com/containerd/containerd/v2 v\([^ ]*\).*|\1|p' "$BATS_TEST_DIRNAME/containerd/go.mod"
}

# containerd_start NAME VERSION [COMMAND...] starts containerd 1 or 2, as engines_start does, with
# the configuration from standard input. It has an image localhost/busybox, which sleeps by
# default.
containerd_start() {
	local dir=$BATS_FILE_TMPDIR programs
	programs=$(containerd_programs "$2") || {
		echo "containerd $2 is not there: $(containerd_reason "$2")" >"$dir/missing"
		return
	}
	engines_start "$1" containerd ctr umoci "${@:3}"
	[ ! -e "$dir/missing" ] || return 0
	echo "$programs:$PATH" >"$dir/path"
	cat - >"$dir/config.toml"
	cat >"$dir/start" <<-'END'
		#!/bin/sh
		# Starts containerd, and stops it before if it is running.
		ended() {
			! kill -0 "$pid" 2>/dev/null || grep -q '^State:.*[ZX]' "/proc/$pid/status"
		}
		if [ -e /mnt/pid ]; then
			pid=$(cat /mnt/pid)
			kill "$pid"
			until ended; do sleep 0.05; done
		fi
		containerd --config /mnt/config.toml >>/mnt/containerd.log 2>&1 </dev/null &
		pid=$!
		echo "$pid" >/mnt/pid
		until ctr version >/dev/null 2>&1; do
			! ended || { tail -n 3 /mnt/containerd.log >&2; exit 1; }
			sleep 0.05
		done
	END
	cat >"$dir/group" <<-END
		root:x:0:
		user:x:1000:
		more:x:2000:user
	END
	chmod 755 "$dir/start"
	umoci init --layout "$dir/image"
	umoci new --image "$dir/image:latest"
	umoci insert --image "$dir/image:latest" "$CORACLE_CACHE/busybox" /
	umoci insert --image "$dir/image:latest" "$dir/group" /etc/group
	umoci config --image "$dir/image:latest" --config.env PATH=/bin --config.cmd sleep --config.cmd 1000000
	tar -C "$dir/image" -cf "$dir/image.tar" .
	# The shim finds no metrics when a controller belongs to a hierarchy that is not mounted in
	# the namespace. hugetlb is in that state while another namespace has it mounted as cgroup v1
	# for crun.
	if grep -q ':hugetlb:' /proc/self/cgroup && ! grep -q ' - cgroup .*hugetlb' /proc/self/mountinfo; then
		inside mkdir /run/hugetlb
		inside mount -t cgroup -o hugetlb cgroup /run/hugetlb
	fi
	if by_systemd; then
		# The namespace has its own /run. The first process's /run is reachable through its root.
		inside ln -s /proc/1/root/run/systemd /proc/1/root/run/dbus /run/
	fi
	[ ! -e "$dir/with-network" ] || containerd_network
	containerd_inside /mnt/start
}

# containerd_network makes a network for containerd and its pods, with an address range that is
# reserved for examples.
containerd_network() {
	local dir=$BATS_FILE_TMPDIR
	mkdir "$dir/cni"
	cat >"$dir/cni/10-cortest.conflist" <<-'END'
		{"cniVersion": "0.4.0", "name": "cortest", "plugins": [{"type": "ptp", "ipam":
			{"type": "host-local", "dataDir": "/run/cortest-ipam", "ranges": [[{"subnet": "192.0.2.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
	END
	inside ip netns add cortest
	inside ip -netns cortest link set lo up
	touch "$dir/net"
}

containerd_reason() {
	if [ "$1" = 1 ]; then
		echo "the package is not installed"
	else
		tail -n 1 "$CORACLE_CACHE/containerd-$(containerd2_version).log" 2>/dev/null || echo "tests/engines/containerd/build has not been run"
	fi
}

# containerd_inside runs a command in the namespace, and in the network namespace if there is one,
# with the programs of the tested containerd. (ctr always warns that cgroup v1 is deprecated.)
containerd_inside() {
	local net=()
	[ ! -e "$BATS_FILE_TMPDIR/net" ] || net=(nsenter --net=/run/netns/cortest --)
	inside "${net[@]}" env "PATH=$(cat "$BATS_FILE_TMPDIR/path")" CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1 "$@"
}

ctr_() {
	containerd_inside ctr --namespace "${CGROUP:-$(cat "$BATS_FILE_TMPDIR/cgroup")}" "$@"
}

# containerd_end ends containerd and what a failed test has left.
containerd_end() {
	local dir=$BATS_FILE_TMPDIR
	[ -e "$dir/ready" ] || return 0
	find /sys/fs/cgroup \( -path "*/$(cat "$dir/cgroup")/*" -o -path "*/$(slice "$(cat "$dir/cgroup")")/*" \) \
		-name cgroup.procs -exec cat {} + 2>/dev/null | sort -u | xargs -r kill -9 2>/dev/null || true
	engines_end
}

# by_systemd reports whether systemd manages the cgroups of pods, as it should where it runs.
by_systemd() {
	[ -d /run/systemd/system ]
}

# slice CGROUP prints the name of the slice for a cgroup. Dashes would mean nested slices.
slice() {
	echo "${1//-/_}.slice"
}

# runtime_table [EDIT...] prints the package's configuration for containerd, with the tested
# program. Edits are sed commands.
runtime_table() {
	local systemd=()
	! by_systemd || systemd=(-e '$a\  SystemdCgroup = true')
	sed -e 's|/usr/bin/coracle|/mnt/coracle|' "${systemd[@]}" "$@" "$BATS_TEST_DIRNAME/../../packaging/engines/containerd.toml"
}

# cri_start VERSION starts containerd with the CRI plugin, configured by standard input.
cri_start() {
	touch "$BATS_FILE_TMPDIR/with-network"
	[ -x "$CRI_TEST" ] || {
		echo "$CRI_TEST has not been built: $(containerd_reason 2)" >"$BATS_FILE_TMPDIR/missing"
		return
	}
	containerd_start "cri$1" "$1" ip /usr/lib/cni/ptp /usr/lib/cni/loopback /usr/lib/cni/host-local
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	cp "$CRI_TEST" "$BATS_FILE_TMPDIR/cri.test"
	# A configuration that the plugin refuses stops only the plugin.
	containerd_inside ctr plugins ls | grep -qE '^io.containerd.grpc.v1 +cri .* ok *$' || {
		grep -i 'failed to load' "$BATS_FILE_TMPDIR/containerd.log" >&2
		return 1
	}
	CGROUP=k8s.io ctr_ image import --base-name localhost/busybox /mnt/image.tar
}

# The tests of the CRI, built by tests/engines/containerd/build.
CRI_TEST=${CRI_TEST:-$BATS_TEST_DIRNAME/../../bin/cri.test}

# cri TEST runs one of them; $restart is the command that restarts containerd.
cri() {
	local parent=$CGROUP
	! by_systemd || parent=$(slice "$CGROUP")
	mkdir -p "$BATS_FILE_TMPDIR/$ID"
	try containerd_inside env "TMPDIR=/mnt/$ID" /mnt/cri.test -test.v -test.run "^$1\$" \
		-coracle /mnt/coracle -restart "${restart:-/mnt/start}" -cgroup "/$parent"
	# shellcheck disable=SC2154 # set by try
	if grep -q -- "^--- SKIP: $1 " <<<"$output"; then
		skip "$(sed -n 's/^ *[a-z_]*\.go:[0-9]*: //p' <<<"$output" | head -n 1)"
	fi
	# A test that does not exist does not fail.
	# shellcheck disable=SC2154
	if [ "$status" -ne 0 ] || ! grep -q -- "^--- PASS: $1 " <<<"$output"; then
		echo "$output" >&2
		tail -n 5 "$BATS_FILE_TMPDIR/containerd.log" >&2
		return 1
	fi
}
