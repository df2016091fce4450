#!/usr/bin/env bats
# SELinux: process.selinuxLabel, linux.mountLabel and `exec --process-label`, with a policy
# in the kernel, that of tests/vm/selinux.cil: `make test-selinux`.

# shellcheck disable=SC2016 # scripts for others in quotes

load helpers

enabled() {
	grep -qs selinuxfs /proc/mounts
}

needs_selinux() {
	enabled || skip "SELinux is not enabled on this host"
	[ -n "${POLICY_LOADED-}" ] || skip "the policy of the tests is not there (make test-selinux)"
}

PROCESS=system_u:system_r:cortest_t:s0:c1,c2
FILES=system_u:object_r:cortest_file_t:s0:c1,c2

# It replaces the policy that the machine was booted with.
setup_file() {
	export POLICY_LOADED=
	local policy=$BATS_TEST_DIRNAME/../.selinux-policy
	if enabled && [ -e "$policy" ]; then
		cat "$policy" >/sys/fs/selinux/load
		POLICY_LOADED=1
	fi
}

setup() {
	setup_busybox
	writable
}

teardown() {
	[ -z "${ENFORCING-}" ] || setenforce 0
	common_teardown
}

# enforce enforces the policy until the end of the test.
enforce() {
	ENFORCING=1
	setenforce 1
}

label() {
	config --arg p "$1" --arg f "${2-}" '.process.selinuxLabel = $p | .linux.mountLabel = $f'
}

# label_of PID prints the label of a process.
label_of() {
	tr -d '\0\n' <"/proc/$1/attr/current"
}

# file_label PATH prints the label of a file of the running container.
file_label() {
	stat -L -c %C "/proc/$(pid_of "$ID")/root$1"
}

@test "the label is that of the process, and of its session keyring" {
	needs_selinux
	rm -rf "$BUNDLE"
	setup_debian
	label "$PROCESS"
	# keyctl(2) with KEYCTL_GET_SECURITY and KEY_SPEC_SESSION_KEYRING.
	local look='use POSIX; open F, "/proc/self/attr/current"; $l = <F>; $l =~ tr/\0\n//d; my $n = (POSIX::uname())[4] eq "x86_64" ? 250 : 219;
		$k = "\0" x 100; syscall($n, 17, -3, $k, 100); $k =~ tr/\0//d; print "$l\n$k\n"'
	for nnp in true false; do
		config --argjson n "$nnp" '.process.noNewPrivileges = $n'
		args perl -e "$look"
		run coracle run "$ID"
		[ "$status" -eq 0 ]
		[ "$output" = "$PROCESS"$'\n'"$PROCESS" ]
	done
	args sleep 1000
	created
	[ "$(label_of "$(pid_of "$ID")")" = "$(label_of self)" ]
	coracle start "$ID"
	[ "$(label_of "$(pid_of "$ID")")" = "$PROCESS" ]
	run coracle exec "$ID" perl -e "$look"
	[ "$output" = "$PROCESS"$'\n'"$PROCESS" ]
}

@test "exec has the label of the container, or the one of --process-label" {
	needs_selinux
	label "$PROCESS"
	detached 'sleep 1000'
	run coracle exec "$ID" cat /proc/self/attr/current
	[ "$(tr -d '\0' <<<"$output")" = "$PROCESS" ]
	run coracle exec --process-label "${PROCESS/c2/c3}" "$ID" cat /proc/self/attr/current
	[ "$(tr -d '\0' <<<"$output")" = "${PROCESS/c2/c3}" ]
	# A process that sets no label does not escape the confinement.
	jq '.process | del(.selinuxLabel) | .args = ["cat", "/proc/self/attr/current"]' config.json >process.json
	run coracle exec --process process.json "$ID"
	[ "$(tr -d '\0' <<<"$output")" = "$PROCESS" ]
}

@test "run.oci.mount_context_type says what of a new file system gets the label" {
	needs_selinux
	label "$PROCESS" "$FILES"
	config '.annotations = {"run.oci.mount_context_type": "rootcontext"} | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
	detached 'echo x >/tmp/file; sleep 1000'
	wait_for test -s "/proc/$(pid_of "$ID")/root/tmp/file"
	[ "$(file_label /tmp)" = "$FILES" ]
	grep " /tmp " "/proc/$(pid_of "$ID")/mountinfo" >mount
	grep -q "rootcontext=\"*$FILES" mount
	run grep -c "[,\" ]context=" mount
	[ "$output" = 0 ]
}

@test "mountLabel is the label of new file systems and their files" {
	needs_selinux
	label "$PROCESS" "$FILES"
	config '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"},
		{destination: "/copied", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}] | .linux.maskedPaths += ["/sys/firmware", "/mask"]'
	mkdir -p rootfs/mask rootfs/copied
	touch rootfs/copied/file
	detached 'echo x >/tmp/file; sleep 1000'
	wait_for test -s "/proc/$(pid_of "$ID")/root/tmp/file"
	for path in /tmp /tmp/file /copied /copied/file /dev /dev/null /dev/shm /dev/pts /dev/pts/ptmx /dev/mqueue /mask; do
		echo "$path: $(file_label "$path")"
		[ "$(file_label "$path")" = "$FILES" ]
	done
	# The host has one of each.
	for path in /proc /sys; do
		[ "$(file_label "$path")" = "$(stat -c %C "$path")" ]
	done
	# The image has the label that the engine gave it.
	[ "$(file_label /bin)" = "$(stat -c %C rootfs/bin)" ]
}

@test "a label in the options of a mount comes first" {
	needs_selinux
	label "$PROCESS" "$FILES"
	config '.mounts += [{destination: "/a", type: "tmpfs", source: "t", options: ["context=\"system_u:object_r:cortest_file_t:s0:c5,c6\""]}]'
	detached 'sleep 1000'
	[ "$(file_label /a)" = system_u:object_r:cortest_file_t:s0:c5,c6 ]
}

@test "mountLabel of a file system with options of any length" {
	needs_selinux
	label "$PROCESS" "$FILES"
	local upper=$BATS_TEST_TMPDIR/upper lower
	lower=$BATS_TEST_TMPDIR/$(printf %0200d 1)/$(printf %0100d 2)
	mkdir -p "$upper" "$BATS_TEST_TMPDIR/work" "$lower"
	config --arg l "lowerdir=$lower" --arg u "upperdir=$upper" --arg w "workdir=$BATS_TEST_TMPDIR/work" \
		'.mounts += [{destination: "/o", type: "overlay", source: "overlay", options: [$l, $u, $w]}]'
	detached 'sleep 1000'
	[ "$(file_label /o)" = "$FILES" ]
}

@test "labels in a user namespace" {
	needs_selinux
	label "$PROCESS" "$FILES"
	config '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}]'
	chown -R 100000:100000 rootfs
	detached 'sleep 1000'
	[ "$(label_of "$(pid_of "$ID")")" = "$PROCESS" ]
	[ "$(file_label /dev/shm)" = "$FILES" ]
	run coracle exec "$ID" cat /proc/self/attr/current
	[ "$(tr -d '\0' <<<"$output")" = "$PROCESS" ]
}

@test "the policy is enforced" {
	needs_selinux
	label "${PROCESS%:c1,c2}" "${FILES%:c1,c2}"
	config '.mounts += [{destination: "/open", type: "tmpfs", source: "t"},
		{destination: "/secret", type: "tmpfs", source: "t", options: ["context=system_u:object_r:cortest_secret_t:s0"]}]'
	enforce
	shell 'ls /open && echo open; ls /secret || echo denied'
	setenforce 0
	[ "$status" -eq 0 ]
	[[ $output == open$'\n'*"Permission denied"*denied ]]
}

@test "a label that the policy does not allow is an error of start" {
	needs_selinux
	# A program on these file systems must not be an entry point to that domain.
	label system_u:system_r:syslogd_t:s0
	args true
	enforce
	for nnp in true false; do
		config --argjson n "$nnp" '.process.noNewPrivileges = $n'
		background run "$ID"
		failed 'exec: "true": ' SELinux
		[[ $output == *"operation not permitted"* || $output == *"permission denied"* ]]
		nothing_left
	done
}

@test "a label that the policy does not know is an error of create, which leaves nothing" {
	needs_selinux
	label system_u:system_r:nosuch_t:s0
	background create "$ID"
	failed process.selinuxLabel "does not know the label" nosuch_t
	nothing_left
	label "$PROCESS" system_u:object_r:nosuch_t:s0
	background create "$ID"
	failed linux.mountLabel "does not know the label" nosuch_t
	nothing_left
	label "$PROCESS"
	detached 'sleep 1000'
	run coracle exec --process-label nonsense "$ID" true
	[ "$status" -eq 255 ]
	says process.selinuxLabel nonsense
}

@test "without SELinux labels are errors that name the property" {
	! enabled || skip "SELinux is enabled on this host"
	label "$PROCESS"
	background create "$ID"
	failed "process.selinuxLabel: SELinux is not enabled on this host"
	nothing_left
	label "" "$FILES"
	background create "$ID"
	failed "linux.mountLabel: SELinux is not enabled on this host"
	nothing_left
	label "" ""
	detached 'sleep 1000'
	run coracle exec --process-label "$PROCESS" "$ID" true
	[ "$status" -eq 255 ]
	says "process.selinuxLabel: SELinux is not enabled"
	[ "$(status_of "$ID")" = running ]
}
