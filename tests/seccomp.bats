#!/usr/bin/env bats
# seccomp: the filters of config-linux.md#seccomp, in the kernel. `make seccomp-diff` compares all
# answers with libseccomp.

# shellcheck disable=SC2016 # scripts for others in quotes

load helpers

setup() {
	setup_busybox
	writable
}

# profile JSON sets the profile.
profile() {
	config --argjson profile "$1" '.linux.seccomp = $profile'
}

# denies ACTION [PROPERTIES] makes a profile that allows everything but mkdir.
denies() {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "'"$1"'"'"${2-}"'}]}'
}

# privileged lets the process gain privileges.
privileged() {
	config '.process.noNewPrivileges = false'
}

# perl_setup is for system calls that no command makes.
perl_setup() {
	rm -rf "$BUNDLE"
	setup_debian
}

# call NUMBER [ARGUMENT...] makes a system call and prints the errno and the result.
call() {
	local list
	list=$(IFS=, && echo "$*")
	args perl -e '$! = 0; $r = syscall('"$list"'); print $! + 0, " $r\n"'
	run coracle run "$ID"
}

# agent runs a seccomp agent, whose output is in $AGENT.
agent() {
	AGENT=$BATS_TEST_TMPDIR/agent
	SOCKET=${1:-$BATS_TEST_TMPDIR/socket}
	mkdir "$AGENT"
	aside python3 "$BATS_TEST_DIRNAME/seccomp-agent.py" "$SOCKET" "$AGENT"
	wait_for test -S "$SOCKET"
}

# notifies makes the agent decide about mkdir.
notifies() {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "'"$SOCKET"'", "listenerMetadata": "any text",
		"syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}'
}

@test "SCMP_ACT_ERRNO: the call fails, with EPERM unless errnoRet says otherwise" {
	denies SCMP_ACT_ERRNO
	shell 'mkdir /x; echo $?'
	says 'Operation not permitted'
	denies SCMP_ACT_ERRNO ', "errnoRet": 5'
	shell 'mkdir /x; echo $?'
	says 'Input/output error'
	[ ! -e rootfs/x ]
}

@test "with and without no_new_privs, as any user, the filter is there and no capability is more" {
	denies SCMP_ACT_ERRNO
	local nnp user seen=''
	for nnp in true false; do
		for user in 0 1000; do
			config --argjson nnp $nnp --argjson user $user '.process.noNewPrivileges = $nnp | .process.user = {uid: $user, gid: $user}'
			config 'del(.linux.seccomp)'
			shell 'grep -E "^Cap|NoNewPrivs" /proc/self/status'
			[ "$status" -eq 0 ]
			seen=$output
			denies SCMP_ACT_ERRNO
			shell 'grep -E "^Cap|NoNewPrivs" /proc/self/status'
			[ "$output" = "$seen" ]
			shell 'grep -E "^Seccomp" /proc/self/status; mkdir /tmp/x'
			says 'Seccomp:	2' 'Seccomp_filters:	1' 'Operation not permitted'
		done
	done
}

@test "SCMP_ACT_KILL, KILL_THREAD, KILL_PROCESS and TRAP end the process with SIGSYS" {
	local action
	for action in SCMP_ACT_KILL SCMP_ACT_KILL_THREAD SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
		denies $action
		args mkdir /x
		run coracle run "$ID"
		[ "$status" -eq 159 ]
		[ ! -e rootfs/x ]
	done
}

@test "SCMP_ACT_LOG lets the call pass, SCMP_ACT_TRACE does without a tracer not" {
	denies SCMP_ACT_LOG
	shell 'mkdir /x'
	[ "$status" -eq 0 ]
	[ -d rootfs/x ]
	denies SCMP_ACT_TRACE
	shell 'mkdir /y'
	says 'Function not implemented'
}

@test "a profile of the size of Docker's: what it allows works, and what it denies does not" {
	perl_setup
	profile "$("$BATS_TEST_DIRNAME/seccomp-profile")"
	shell 'ls -l / >/dev/null && echo "$(expr 1 + 1)" | cat && perl -e "print sort { \$a <=> \$b } 3, 1, 2" && unshare -U true'
	says '2
123' 'unshare failed: Operation not permitted'
	privileged
	shell 'ls / >/dev/null && echo fine'
	[ "$output" = fine ]
}

@test "a call that is newer than the profile fails with ENOSYS, an older one with the default" {
	perl_setup
	profile "$("$BATS_TEST_DIRNAME/seccomp-profile" | jq '.syscalls[0].names -= ["acct", "cachestat", "listns", "rseq_slice_yield"]')"
	call 470 # listns; the profile has one before it
	[ "$output" = '38 -1' ]
	call 163 0 # acct
	[ "$output" = '1 -1' ]
	# A call that nothing knows, by number.
	call 9999
	[ "$output" = '38 -1' ]
	# With an action that passes unknown calls, nothing is added.
	profile '{"defaultAction": "SCMP_ACT_LOG", "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}]}'
	call 9999
	[ "$output" = '38 -1' ] # from the kernel
}

@test "conditions: all operators, both halves of an argument, and, or" {
	perl_setup
	local op value arg want usual
	# getpriority(which, who): 140
	usual="0 $((20 - $(nice)))"
	while read -r op value arg want; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99,
			"args": [{"index": 2, "value": '"$value"', "op": "'"$op"'"}]}]}'
		call 140 0 0 "$arg"
		case $output in
		'99 -1') [ "$want" = holds ] ;;
		"$usual") [ "$want" = fails ] ;;
		*) false ;;
		esac || {
			echo "$op $value $arg: $output, but it $want" >&2
			return 1
		}
	done <<-END
		SCMP_CMP_EQ 4294967297 4294967297 holds
		SCMP_CMP_EQ 4294967297 1 fails
		SCMP_CMP_NE 4294967297 1 holds
		SCMP_CMP_NE 4294967297 4294967297 fails
		SCMP_CMP_LT 4294967296 4294967295 holds
		SCMP_CMP_LT 4294967296 4294967296 fails
		SCMP_CMP_LE 4294967296 4294967296 holds
		SCMP_CMP_LE 4294967296 4294967297 fails
		SCMP_CMP_GE 4294967296 4294967296 holds
		SCMP_CMP_GE 4294967296 4294967295 fails
		SCMP_CMP_GT 4294967296 8589934592 holds
		SCMP_CMP_GT 4294967296 4294967296 fails
	END
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99,
		"args": [{"index": 2, "value": 68719476751, "valueTwo": 68719476737, "op": "SCMP_CMP_MASKED_EQ"}, {"index": 3, "value": 7, "op": "SCMP_CMP_EQ"}]}]}'
	call 140 0 0 $((1 << 36 | 1 << 40 | 0x11)) 7
	[ "$output" = '99 -1' ]
	call 140 0 0 $((1 << 36 | 1)) 8 # not the second condition
	[ "$output" = "$usual" ]
	call 140 0 0 1 7 # not the high half
	[ "$output" = "$usual" ]
	# Two conditions on one argument are two rules.
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99,
		"args": [{"index": 2, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 2, "op": "SCMP_CMP_EQ"}]}]}'
	call 140 0 0 1
	[ "$output" = '99 -1' ]
	call 140 0 0 2
	[ "$output" = '99 -1' ]
	call 140 0 0 3
	[ "$output" = "$usual" ]
}

@test "x32 calls kill unless the profile has the architecture" {
	[ "$(uname -m)" = x86_64 ] || skip "x32 is of x86_64"
	perl_setup
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [{"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}'
	call 39
	[ "$output" = '99 -1' ]
	call $((0x40000000 + 39))
	[ "$status" -eq 159 ]
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"], "syscalls": [{"names": ["getpid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99}]}'
	call $((0x40000000 + 39))
	[ "$output" = '99 -1' ]
}

@test "32-bit programs are killed unless the profile has the architecture" {
	[ "$(uname -m)" = x86_64 ] || skip "for x86_64"
	# The smallest program: mov $1, %eax (exit); mov $7, %ebx; int $0x80
	perl -e 'my $code = "\xb8\x01\0\0\0\xbb\x07\0\0\0\xcd\x80";
		print "\x7fELF\x01\x01\x01", "\0" x 9, pack("vvVVVVVvvvvvv", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0),
			pack("VVVVVVVV", 1, 0, 0x8048000, 0x8048000, 84 + length $code, 84 + length $code, 5, 4096), $code' >rootfs/exit7
	chmod +x rootfs/exit7
	args /exit7
	run coracle run "$ID"
	[ "$status" -eq 7 ] || skip "this kernel does not run 32-bit programs"
	profile '{"defaultAction": "SCMP_ACT_ALLOW"}'
	run coracle run "$ID"
	[ "$status" -eq 159 ]
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]}'
	run coracle run "$ID"
	[ "$status" -eq 7 ]
}

@test "exec is under the filter of the container, however the bundle has changed" {
	denies SCMP_ACT_ERRNO
	detached 'sleep 1000'
	config 'del(.linux.seccomp)'
	run coracle exec "$ID" sh -c 'grep "^Seccomp:" /proc/self/status; mkdir /x'
	says 'Seccomp:	2' 'Operation not permitted'
	run coracle exec --user 1000:1000 "$ID" sh -c 'grep "^Seccomp:" /proc/self/status; mkdir /tmp/x'
	says 'Seccomp:	2' 'Operation not permitted'
}

@test "hooks of the container's image are under the filter, those of the host are not" {
	denies SCMP_ACT_ERRNO
	config --arg host "$BUNDLE/rootfs/runtime" '.hooks = {
		createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "grep ^Seccomp: /proc/self/status >" + $host]}],
		startContainer: [{path: "/bin/sh", args: ["sh", "-c", "grep ^Seccomp: /proc/self/status >/container"]}]}'
	shell true
	[ "$status" -eq 0 ]
	[ "$(cat rootfs/runtime)" = "$(grep ^Seccomp: /proc/self/status)" ]
	[ "$(cat rootfs/container)" = 'Seccomp:	2' ]
}

@test "in a user namespace it takes no privileges on the host, with and without no_new_privs" {
	denies SCMP_ACT_ERRNO
	chown -R 100000:100000 rootfs
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	local nnp user
	for nnp in true false; do
		for user in 0 1000; do
			config --argjson nnp $nnp --argjson user $user '.process.noNewPrivileges = $nnp | .process.user = {uid: $user, gid: $user}'
			shell 'grep ^Seccomp: /proc/self/status; mkdir /tmp/x'
			says 'Seccomp:	2' 'Operation not permitted'
		done
	done
	detached 'sleep 1000'
	run coracle exec "$ID" sh -c 'grep ^Seccomp: /proc/self/status; mkdir /tmp/x'
	says 'Seccomp:	2' 'Operation not permitted'
}

@test "flags reach the kernel" {
	denies SCMP_ACT_ERRNO
	local flags
	for flags in '["SECCOMP_FILTER_FLAG_TSYNC"]' '["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]' '[]'; do
		config --argjson flags "$flags" '.linux.seccomp.flags = $flags'
		shell 'grep ^Seccomp: /proc/self/status'
		[ "$output" = 'Seccomp:	2' ]
	done
	run "$CORACLE" plan
	says 'seccomp(SECCOMP_SET_MODE_FILTER, 0, {'
	config 'del(.linux.seccomp.flags)'
	run "$CORACLE" plan
	says 'seccomp(SECCOMP_SET_MODE_FILTER, SPEC_ALLOW, {'
}

@test "unknown system calls are skipped, and named in the debug log" {
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["no_such_call", "mkdir"], "action": "SCMP_ACT_ERRNO"}]}'
	shell 'mkdir /x'
	[ "$output" = "mkdir: can't create directory '/x': Operation not permitted" ]
	run coracle --debug run "$ID"
	says 'skipped unknown system calls: no_such_call'
}

@test "SCMP_ACT_NOTIFY: the agent gets the listener and the state, and decides" {
	agent
	notifies
	config '.annotations = {"org.example.key": "value"}'
	local nnp
	for nnp in true false; do
		config --argjson nnp $nnp '.process.noNewPrivileges = $nnp'
		shell 'mkdir /x; echo $?'
		says 'No medium found'
	done
	jq -e --arg id "$ID" --arg bundle "$BUNDLE" '.ociVersion and .fds == ["seccompFd"] and .metadata == "any text" and .pid == .state.pid
		and .state.id == $id and .state.status == "created" and .state.bundle == $bundle and .state.annotations == {"org.example.key": "value"}' "$AGENT/state.1"
	[ ! -e rootfs/x ]
}

@test "SCMP_ACT_NOTIFY: pid and state of create with start, and of exec" {
	agent
	notifies
	args sh -c 'mkdir /x; sleep 1000'
	created
	[ ! -e "$AGENT/state.1" ]
	coracle start "$ID"
	[ "$(jq .pid "$AGENT/state.1")" -eq "$(pid_of "$ID")" ]
	wait_for test -s "$AGENT/calls"
	[ "$(cut -d' ' -f1 "$AGENT/calls" | sort -u | wc -l)" -eq 1 ]
	run coracle exec --pid-file pid "$ID" mkdir /y
	[ "$status" -eq 1 ]
	says 'No medium found'
	[ "$(jq .pid "$AGENT/state.2")" -eq "$(cat pid)" ]
	jq -e --argjson pid "$(pid_of "$ID")" '.state.pid == $pid and .pid != $pid and .state.status == "running"' "$AGENT/state.2"
}

@test "SCMP_ACT_NOTIFY for execve: the agent lets the command be executed" {
	agent
	notifies
	config '.linux.seccomp.syscalls[0].names += ["execve"] | .linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_TSYNC"]'
	shell 'echo ran'
	[ "$output" = ran ]
	grep -q ' 59$\| 221$' "$AGENT/calls"
}

@test "SCMP_ACT_NOTIFY: listenerPath may be longer than the address of a socket" {
	far
	agent "$NEAR/s"
	SOCKET=$FAR/s
	notifies
	shell 'mkdir /x; echo ran'
	says ran
	[ -s "$AGENT/calls" ]
}

@test "SCMP_ACT_NOTIFY without an agent fails, and leaves nothing" {
	SOCKET=$BATS_TEST_TMPDIR/no-agent
	notifies
	args true
	background run "$ID"
	failed "start: hand the seccomp listener over to \"$SOCKET\" (linux.seccomp.listenerPath): connect: no such file or directory"
	nothing_left
}

@test "SCMP_ACT_NOTIFY of the calls of the hand-over itself" {
	agent
	notifies
	local names n=0
	for names in '"sendmsg"' '"recvfrom", "read"' '"connect", "socket", "sendmsg", "write", "sendto"' '"connect", "close", "socket", "sendmsg", "write", "sendto", "read", "recvfrom", "recvmsg"'; do
		config ".linux.seccomp.syscalls[0].names = [$names]"
		args sh -c 'exit 7'
		background run "$ID"
		[ "$status" -eq 7 ]
		wait_for test -s "$AGENT/state.$((n += 1))"
		# The agent sees only calls of the process, not those of the hand-over.
		[ ! -e "$AGENT/calls" ]
		args sleep 1000
		created
		coracle start "$ID"
		wait_for test -s "$AGENT/state.$((n += 1))"
		background exec "$ID" sh -c 'exit 8'
		[ "$status" -eq 8 ]
		wait_for test -s "$AGENT/state.$((n += 1))"
		coracle delete --force "$ID"
	done
	# The agent decides about the process's later calls.
	args sh -c 'echo lost'
	background run "$ID"
	[ "$output" = "" ]
	grep -q ' 1$\| 64$' "$AGENT/calls"
}

@test "SCMP_ACT_NOTIFY of the calls of the hand-over, and no agent" {
	SOCKET=$BATS_TEST_TMPDIR/no-agent
	notifies
	local names
	for names in '"sendmsg"' '"sendmsg", "read", "recvfrom", "exit_group"'; do
		config ".linux.seccomp.syscalls[0].names = [$names]"
		args true
		background run "$ID"
		failed "hand the seccomp listener over to \"$SOCKET\" (linux.seccomp.listenerPath): connect: no such file or directory"
		created
		run coracle start "$ID"
		failed "hand the seccomp listener over"
		coracle delete --force "$ID"
	done
	config '.linux.seccomp |= (.defaultAction = "SCMP_ACT_ERRNO" | .syscalls += [{names: ["execve"], action: "SCMP_ACT_ALLOW"}] | .syscalls[0].names = ["mkdir"])'
	background create "$ID"
	failed 'linux.seccomp' 'the listener of SCMP_ACT_NOTIFY cannot be handed over'
	nothing_left
}

@test "a filter that denies execve is refused" {
	local action
	for action in ERRNO KILL KILL_PROCESS TRAP; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execve"], "action": "SCMP_ACT_'$action'"}]}'
		background create "$ID"
		failed "linux.seccomp: the filter answers execve with SCMP_ACT_"
	done
	profile '{"defaultAction": "SCMP_ACT_KILL"}'
	background create "$ID"
	failed 'the filter answers execve with SCMP_ACT_KILL'
	nothing_left
}

@test "a command that cannot be executed is reported, whatever the filter denies" {
	echo 'neither a program nor a script' >rootfs/text
	chmod +x rootfs/text
	args /text
	local denied
	for denied in '"sendto", "sendmsg"' '"sendto", "write", "exit_group"'; do
		profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ['"$denied"'], "action": "SCMP_ACT_ERRNO"}]}'
		run create_and_start "$ID"
		[ "$status" -eq 1 ]
		if [[ $denied == *write* ]]; then
			says 'the command could not be executed; the seccomp filter (linux.seccomp) prevents the init process from reporting why'
		else
			says 'exec: "/text": exec format error'
		fi
		wait_for has_status "$ID" stopped
		coracle delete "$ID"
	done
	# exec too.
	profile '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["sendto", "write", "exit_group"], "action": "SCMP_ACT_KILL"}]}'
	args sleep 1000
	background run --detach "$ID"
	[ "$status" -eq 0 ]
	background exec "$ID" /text
	[ "$status" -ne 0 ]
	says 'the command could not be executed'
	# A command that can be executed is not an error, even if its failure could not be reported.
	background exec "$ID" sleep 0
	[ ! -s "$BATS_TEST_TMPDIR/err" ]
}

@test "wrong profiles are refused, with the property" {
	local change text
	while IFS=';' read -r change text; do
		denies SCMP_ACT_ERRNO
		config ".linux.seccomp |= ($change)"
		background create "$ID"
		failed "config.json: linux.seccomp.$text"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	done <<-END
		.defaultAction = "SCMP_ACT_NO";defaultAction: "SCMP_ACT_NO" is not one of SCMP_ACT_KILL,
		del(.defaultAction);defaultAction is missing
		.defaultErrnoRet = 1;defaultErrnoRet: SCMP_ACT_ALLOW returns no error; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE do
		.architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_VAX"];architectures[1]: "SCMP_ARCH_VAX" is not one of
		.flags = ["SECCOMP_FILTER_FLAG_NO"];flags[0]: "SECCOMP_FILTER_FLAG_NO" is not one of
		.syscalls[0].action = "kill";syscalls[0].action: "kill" is not one of
		.syscalls[0].names = [];syscalls[0].names is missing or empty
		.syscalls[0].names = ["mkdir", ""];syscalls[0].names[1] is empty
		.syscalls[0].errnoRet = 4096;syscalls[0].errnoRet: 4096 is not an error number (0 to 4095)
		.syscalls[0].action = "SCMP_ACT_KILL" | .syscalls[0].errnoRet = 1;syscalls[0].errnoRet: SCMP_ACT_KILL returns no error
		.syscalls[0].args = [{index: 6, value: 0, op: "SCMP_CMP_EQ"}];syscalls[0].args[0].index: 6 is not the index of an argument (0 to 5)
		.syscalls[0].args = [{index: 0, value: 0, op: "=="}];syscalls[0].args[0].op: "==" is not one of SCMP_CMP_NE
		.syscalls[0].action = "SCMP_ACT_NOTIFY";listenerPath is missing; SCMP_ACT_NOTIFY needs the socket of an agent
		.syscalls[0].action = "SCMP_ACT_NOTIFY" | .listenerPath = "sock";listenerPath: "sock" is not an absolute path
		.listenerMetadata = "x";listenerMetadata needs linux.seccomp.listenerPath
	END
	nothing_left
}

@test "a filter that is too large is refused" {
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls:
		[range(1500) | {names: ["ioctl"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: (. * 3), op: "SCMP_CMP_EQ"}]}]}'
	background create "$ID"
	failed 'config.json: linux.seccomp: the filter would have' 'the kernel takes at most 4096'
	nothing_left
}
