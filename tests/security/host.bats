#!/usr/bin/env bats
# R-10, R-15, R-21, R-22, R-23: sizes, the runtime's writes to /proc, the host's mounts, the
# programs that the runtime executes, and read-only mounts.

load ../helpers
load canary

# --- R-10. Protections: the checks of sizes in Buffer and Data (program/builder.go), and that no
# length is stored in fewer bits than it has.

# long N prints a string of N bytes.
long() { head -c "$1" /dev/zero | tr '\0' x; }

@test "sizes: arguments and variables of 64 KiB and more arrive in full" {
	for size in 65535 65536 65537 100000; do
		long "$size" >"$BATS_TEST_TMPDIR/long"
		config --rawfile long "$BATS_TEST_TMPDIR/long" '.process.env = ["PATH=/bin", "LONG=" + $long] | .process.args = ["sh", "-c", "echo ${#LONG} ${#1}", "sh", $long]'
		run coracle run "$ID"
		[ "$output" = "$size $size" ]
	done
	# The kernel accepts 128 KiB for a string.
	long 131072 >"$BATS_TEST_TMPDIR/long"
	config --rawfile long "$BATS_TEST_TMPDIR/long" '.process.args = ["true", $long]'
	run coracle run "$ID"
	failed "too large"
	nothing_left
}

@test "sizes: strings that are too long for the kernel are an error, and not cut" {
	# Unbounded growth must not take the machine down.
	ulimit -v 6000000 -t 60
	for size in 4200 65536 65540 1048576; do
		# As a path it has short components, so that a truncated path would be valid.
		long "$size" | sed 's,xx,x/,g' >"$BATS_TEST_TMPDIR/long"
		for change in '.process.cwd = "/" + $long' '.process.args = ["/" + $long]' '.mounts += [{destination: ("/" + $long), type: "tmpfs"}]' \
			'.mounts += [{destination: "/mnt", type: "bind", source: ("/" + $long), options: ["bind"]}]' \
			'.linux.maskedPaths = ["/" + $long]' '.linux.readonlyPaths = ["/" + $long]' '.linux.devices = [{path: ("/" + $long), type: "p"}]' \
			'.hostname = $long' '.linux.cgroupsPath = "/" + $long'; do
			cp config.json good.json
			config --rawfile long "$BATS_TEST_TMPDIR/long" "$change"
			background create "$ID"
			failed
			[ "$(wc -l <<<"$output")" -eq 1 ]
			mv good.json config.json
		done
	done
	# Each directory in PATH is looked up, and the image chooses their number.
	head -c 2000000 /dev/zero | tr '\0' : >"$BATS_TEST_TMPDIR/long"
	config --rawfile long "$BATS_TEST_TMPDIR/long" '.process.env = ["PATH=/bin" + $long]'
	background create "$ID"
	failed "PATH has 2000004 bytes"
	nothing_left
	untouched
}

@test "sizes: many of everything, more than 64 KiB together" {
	mkdir rootfs/many
	long 200 >"$BATS_TEST_TMPDIR/long"
	config --rawfile long "$BATS_TEST_TMPDIR/long" '.linux.maskedPaths += [range(1000) | "/many/\($long)\(.)"] | .linux.readonlyPaths += [range(1000) | "/many/\($long)\(.)"] |
		.process.env += [range(1000) | "V\(.)=\($long)"] | .process.user.additionalGids = [range(1000; 2000)] | .annotations = ([range(1000) | {key: "a\(.)", value: $long}] | from_entries)'
	touch "rootfs/many/$(long 200)999"
	# The last elements are used as well as the first.
	shell "stat -c %t:%T /many/$(long 200)999; "'echo ${#V999}; grep -c . /proc/self/status >/dev/null; id -G | wc -w'
	[ "$output" = $'1:3\n200\n1001' ]
}

@test "sizes: mappings of more than 64 KiB are an error, and not cut" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [range(5000) | {containerID: ., hostID: (100000 + 2 * .), size: 1}] |
		.linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1}]'
	background create "$ID"
	failed "uidMappings"
	nothing_left
}

# --- R-15. Protection: the procfs for sysctls in compile/sysctl.go is mounted nowhere.

@test "procfs: a kernel parameter is set in the kernel, whatever is mounted over /proc/sys" {
	mkdir -p "$BATS_TEST_TMPDIR/fake/kernel"
	echo canary >"$BATS_TEST_TMPDIR/fake/kernel/msgmax"
	cp -a "$BATS_TEST_TMPDIR/fake" "$OUTSIDE/fake"
	listing >"$BATS_TEST_TMPDIR/before"
	# The hook stands for a fast attacker; it runs before the parameters are set.
	cat >"$BATS_TEST_TMPDIR/hook" <<END
#!/bin/sh
exec mount --bind "$OUTSIDE/fake" "$BUNDLE/rootfs/proc/sys"
END
	chmod +x "$BATS_TEST_TMPDIR/hook"
	config --arg hook "$BATS_TEST_TMPDIR/hook" '.hooks.createContainer = [{path: $hook}] | .linux.sysctl = {"kernel.msgmax": "12345"} | .linux.readonlyPaths = []'
	args sh -c 'cat /proc/sys/kernel/msgmax; while :; do sleep 100; done'
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	# The fake exists,
	wait_for has_printed canary
	# and the namespace has the value.
	[ "$(nsenter --target "$(pid_of "$ID")" --ipc cat /proc/sys/kernel/msgmax)" = 12345 ]
	untouched
}

# --- R-21. Protection: ownMounts in attachRoot and propagateRoot (compile/rootfs.go).

@test "host: the mounts of the host, and their propagation, stay as they are without a mount namespace" {
	share mount
	config 'del(.mounts, .linux.maskedPaths, .linux.readonlyPaths, .linux.rootfsPropagation) | .root.readonly = false'
	args true
	for propagation in shared private slave; do
		run unshare --mount --propagation "$propagation" bash -c '
			before=$(cat /proc/self/mountinfo)
			"$1" --root "$2" run "$3"; echo "$?"
			[ "$before" = "$(cat /proc/self/mountinfo)" ] || diff <(echo "$before") /proc/self/mountinfo' - "$CORACLE" "$ROOT" "$ID"
		[ "$output" = 0 ]
	done
}

# --- R-22. Protections: the rule exec of tests/lint; findHelper (idmap/write.go).

@test "host: no program is looked for in PATH" {
	command -v strace >/dev/null || skip "strace is not installed"
	mkdir "$OUTSIDE/evil"
	for program in sh mount umount newuidmap newgidmap modprobe systemctl iptables ip criu ps; do
		printf '#!/bin/sh\necho %s >>%q\n' "$program" "$BATS_TEST_TMPDIR/called" >"$OUTSIDE/evil/$program"
		chmod +x "$OUTSIDE/evil/$program"
	done
	args true
	# create is left out, because strace would wait for the init.
	for command in "run $ID" "list" "delete --force $ID"; do
		# shellcheck disable=SC2086 # a command and its arguments
		PATH=$OUTSIDE/evil:$PATH strace -f -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=execve,execveat "$CORACLE" --root "$ROOT" $command </dev/null >/dev/null 2>&1
		cat "$BATS_TEST_TMPDIR/trace" >>"$BATS_TEST_TMPDIR/traces"
	done
	[ ! -e "$BATS_TEST_TMPDIR/called" ]
	# Only coracle, its image, and the command from the container's PATH are executed.
	grep -o 'execve("[^"]*"' "$BATS_TEST_TMPDIR/traces" | sort -u >"$BATS_TEST_TMPDIR/executed"
	grep -q '/proc/self/fd/' "$BATS_TEST_TMPDIR/executed"
	others=$(grep -v -e "\"$CORACLE\"" -e '"/proc/self/fd/[0-9]*"' -e '"/bin/true"' -e '"/usr/bin/true"' "$BATS_TEST_TMPDIR/executed") || true
	echo "$others"
	[ -z "$others" ]
}

# --- R-23. Protections: makeReadonly (compile/remount.go, compile/rootfs.go), and the attributes
# that a tree gets before it is attached (source/source.go).

@test "read-only: the root and each such mount are, also beside a procfs of somebody else" {
	mkdir "$OUTSIDE/proc"
	config '.root.readonly = true | del(.mounts[] | select(.destination == "/proc")) | .linux.maskedPaths = [] | .linux.readonlyPaths = []'
	mount_also '{destination: "/proc", type: "bind", source: "/proc", options: ["rbind"]}, {destination: "/data", type: "bind", source: $OUTSIDE, options: ["bind", "ro"]},
		{destination: "/scratch", type: "tmpfs", options: ["ro"]}, {destination: "/data/dir", type: "bind", source: ($OUTSIDE + "/dir"), options: ["rbind", "rro"]}'
	config 'del(.linux.namespaces[] | select(.type == "pid"))'
	listing >"$BATS_TEST_TMPDIR/before"
	mkdir -p rootfs/data rootfs/scratch
	for flag in "" --no-pivot; do
		args sh -c 'for f in / /data /data/dir /scratch; do touch $f/new 2>&1 || echo refused; done; cat /proc/self/mountinfo'
		# shellcheck disable=SC2086 # may be empty
		run coracle run $flag "$ID"
		[ "$(grep -c 'Read-only file system' <<<"$output")" -eq 4 ]
		for d in / /data /data/dir /scratch; do
			[ "$(awk -v d="$d" '$5 == d { split($6, f, ","); print f[1] }' <<<"$output" | tail -n 1)" = ro ]
		done
		untouched
	done
}
