#!/usr/bin/env bats
# hooks: all six kinds of runtime.md#lifecycle and config.md#posix-platform-hooks.

# shellcheck disable=SC2016,SC2030,SC2031 # scripts for others in quotes; each test is a subshell

load helpers

setup() {
	setup_busybox
	writable
	# The output of hooks; in the container it is /log.
	LOG=$BUNDLE/rootfs/log
	KINDS="prestart createRuntime createContainer startContainer poststart poststop"
}

# hook KIND SCRIPT [PROPERTIES] adds a hook that runs a script. PROPERTIES is a jq object.
hook() {
	config --arg kind "$1" --arg script "$2" ".hooks[\$kind] += [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \$script]} + ${3:-{\}}]"
}

# hook_file KIND PATH adds a hook that has only a path.
hook_file() {
	config --arg kind "$1" --arg path "$2" '.hooks[$kind] += [{path: $path}]'
}

# log_of KIND prints the path of the log for a hook of this kind.
log_of() {
	if [ -n "$command" ]; then
		set -- "$command" "$ID"
	elif [ "$1" = startContainer ]; then echo /log; else echo "$LOG"; fi
}

# log_hooks [KIND...] adds hooks that write their kind to the log.
log_hooks() {
	local kind
	for kind in "$@"; do
		hook "$kind" "echo $kind >>'$(log_of "$kind")'"
	done
}

# each_hook SCRIPT adds a hook of each kind; its output goes to a file per kind, see said.
each_hook() {
	local kind
	for kind in $KINDS; do
		hook "$kind" "{ $1; } >'$(log_of "$kind").$kind'"
	done
}

said() {
	cat "$LOG.$1"
}

# logged WORD... asserts the content of the log.
logged() {
	local got
	got=$([ ! -e "$LOG" ] || xargs <"$LOG")
	if [ "$got" != "$*" ]; then
		echo "the log has '$got'" >&2
		return 1
	fi
}

# alive PID reports whether a process exists and is not a zombie.
alive() {
	grep -qs '^State:[[:space:]]*[^Z[:space:]]' "/proc/$1/status"
}

gone() {
	! alive "$1"
}

# no_process COMMAND reports whether no process has this command line.
no_process() {
	! pgrep -fx "$1" >/dev/null
}

# life creates, starts and deletes a container.
life() {
	args sleep 1000
	created
	pid=$(pid_of "$ID")
	background start "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	background delete "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# --- order

@test "create, start and delete run their hooks in order" {
	log_hooks poststop poststart startContainer createContainer createRuntime prestart
	args sleep 1000
	created
	[ -z "$output" ]
	logged prestart createRuntime createContainer
	background start "$ID"
	[ "$status" -eq 0 ]
	logged prestart createRuntime createContainer startContainer poststart
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	logged prestart createRuntime createContainer startContainer poststart
	coracle delete "$ID"
	logged prestart createRuntime createContainer startContainer poststart poststop
	nothing_left
}

@test "run has all hooks, and the process comes after startContainer" {
	log_hooks prestart createRuntime createContainer startContainer poststop
	shell 'echo process >>/log; exit 3'
	[ "$status" -eq 3 ]
	[ -z "$output" ]
	logged prestart createRuntime createContainer startContainer process poststop
	nothing_left
}

@test "a detached run has its hooks" {
	log_hooks prestart createRuntime createContainer startContainer poststart poststop
	detached 'exec sleep 1000'
	[ -z "$output" ]
	logged prestart createRuntime createContainer startContainer poststart
	coracle delete --force "$ID"
	logged prestart createRuntime createContainer startContainer poststart poststop
}

@test "hooks of one kind run in the order of the list" {
	for i in 1 2 3; do
		for kind in $KINDS; do
			hook "$kind" "echo $kind$i >>'$(log_of "$kind")'"
		done
	done
	life
	logged {prestart,createRuntime,createContainer,startContainer,poststart,poststop}{1,2,3}
}

@test "the next hook waits for the end of the one before" {
	hook createRuntime "sleep 0.3; echo slow >>'$LOG'"
	hook createRuntime "echo fast >>'$LOG'"
	shell true
	logged slow fast
}

@test "poststart comes when the process has been executed" {
	hook poststart "tr '\\0' ' ' </proc/\$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/cmdline >'$LOG'"
	detached 'exec sleep 1000'
	logged sh -c exec sleep 1000 || logged sleep 1000
}

@test "startContainer comes before the process is executed" {
	hook startContainer 'readlink /proc/1/exe >/log'
	detached 'exec sleep 1000'
	grep -q memfd:coracle-init "$LOG"
}

@test "poststop comes when the state and the cgroups are gone" {
	hook poststop "ls -A '$ROOT' >'$LOG'; find /sys/fs/cgroup -name '*$ID*' >>'$LOG'; echo finished >>'$LOG'"
	shell true
	logged finished
	rm "$LOG"
	detached 'exec sleep 1000'
	coracle delete --force "$ID"
	logged finished
}

@test "poststop runs once, and delete works after the bundle is gone" {
	log_hooks poststop
	detached 'exec sleep 1000'
	rm config.json
	coracle delete --force "$ID"
	coracle delete --force "$ID"
	run coracle delete "$ID"
	failed "does not exist"
	logged poststop
}

@test "the hooks are those of config.json at the time of create" {
	log_hooks poststart poststop
	args sleep 1000
	created
	config 'del(.hooks)'
	coracle start "$ID"
	coracle delete --force "$ID"
	logged poststart poststop
}

# --- the state on standard input

@test "the state has the right status" {
	each_hook cat
	life
	for kind in prestart createRuntime createContainer; do
		[ "$(said "$kind" | jq -r .status)" = creating ]
	done
	[ "$(said startContainer | jq -r .status)" = created ]
	[ "$(said poststart | jq -r .status)" = running ]
	[ "$(said poststop | jq -r .status)" = stopped ]
}

@test "the state has the pid as the hook's namespaces see it" {
	each_hook cat
	life
	for kind in prestart createRuntime poststart; do
		[ "$(said "$kind" | jq .pid)" = "$pid" ]
	done
	for kind in createContainer startContainer; do
		[ "$(said "$kind" | jq .pid)" = 1 ]
	done
	[ "$(said poststop | jq '.pid // 0')" = 0 ]
}

@test "the pid is that of the host where the pid namespace is" {
	share pid
	each_hook cat
	life
	for kind in prestart createRuntime createContainer startContainer poststart; do
		[ "$(said "$kind" | jq .pid)" = "$pid" ]
	done
}

@test "the state has version, id, bundle and annotations" {
	config '.annotations = {"org.example.key": "a \"value\" \u00e9"}'
	each_hook cat
	life
	for kind in $KINDS; do
		said "$kind" | jq -e --arg id "$ID" --arg bundle "$BUNDLE" '.id == $id and .bundle == $bundle
			and (.ociVersion | startswith("1.")) and .annotations == {"org.example.key": "a \"value\" \u00e9"}'
		[ "$(said "$kind" | jq -c 'keys - ["annotations", "bundle", "id", "ociVersion", "pid", "status"]')" = '[]' ]
	done
}

@test "a state that is larger than a pipe arrives in full" {
	config '.annotations = {"big": ("x" * 300000)}'
	each_hook cat
	life
	for kind in $KINDS; do
		[ "$(said "$kind" | jq '.annotations.big | length')" -eq 300000 ]
	done
}

@test "a hook need not read its standard input" {
	config '.annotations = {"big": ("x" * 300000)}'
	each_hook 'exec </dev/null; echo closed'
	life
	each_hook true
	life
	[ "$(said poststart)" = "" ]
}

# --- where and how a hook runs

@test "hooks run in the namespaces that the specification says" {
	each_hook 'for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done'
	args sleep 1000
	created
	first=$(pid_of "$ID")
	inner=$(for n in cgroup ipc mnt net pid uts; do readlink "/proc/$first/ns/$n"; done)
	outer=$(for n in cgroup ipc mnt net pid uts; do readlink "/proc/self/ns/$n"; done)
	coracle start "$ID"
	coracle delete --force "$ID"
	for kind in prestart createRuntime poststart poststop; do
		[ "$(said "$kind")" = "$outer" ]
	done
	for kind in createContainer startContainer; do
		[ "$(said "$kind")" = "$inner" ]
	done
}

@test "hooks before the start see the mounts, and the root is not yet entered" {
	for kind in prestart createRuntime; do
		hook "$kind" "cat /proc/\$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/mountinfo >'$LOG.$kind'"
	done
	hook createContainer "cat /proc/self/mountinfo >'$LOG.createContainer'; ls '$BUNDLE/rootfs/dev/null' '$BUNDLE/rootfs/proc/self' >>'$LOG.createContainer'"
	shell true
	[ "$status" -eq 0 ]
	for kind in prestart createRuntime createContainer; do
		for m in "" /proc /dev /dev/pts /sys; do
			grep -qF " $BUNDLE/rootfs$m " "$LOG.$kind"
		done
	done
	grep -qxF "$BUNDLE/rootfs/dev/null" "$LOG.createContainer"
}

@test "what a createContainer hook mounts is in the container, and not on the host" {
	mkdir rootfs/mnt
	hook createContainer "mount -t tmpfs none '$BUNDLE/rootfs/mnt' && echo hello >'$BUNDLE/rootfs/mnt/file'"
	shell 'cat /mnt/file'
	[ "$status" -eq 0 ]
	[ "$output" = hello ]
	[ ! -e rootfs/mnt/file ]
}

@test "what a hook does to the network namespace is there" {
	hook createContainer 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	hook createRuntime "nsenter --net=/proc/\$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/')/ns/net sh -c 'echo 77 >/proc/sys/net/ipv4/ip_default_ttl'"
	shell 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_default_ttl'
	[ "$output" = $'1\n77' ]
}

@test "a startContainer hook sees the container's files and hostname" {
	hook startContainer '{ hostname; ls -d /bin/busybox; mount | grep -c "on / "; } >/log'
	shell true
	logged coracle /bin/busybox 1
}

@test "a startContainer hook has no more rights than the process: its program is the image's" {
	config '.process.user = {uid: 1000, gid: 1001, additionalGids: [7]} | .process.cwd = "/home/user"'
	script='{ id -u; id -g; id -G; grep -E "^(Cap|NoNewPrivs)" /proc/self/status; cat /proc/self/cgroup; readlink /proc/self/cwd; }'
	hook startContainer "$script >/tmp/hook"
	shell "$script"
	[ "$status" -eq 0 ]
	[ "$(cat rootfs/tmp/hook)" = "$output" ]
	grep -q $'NoNewPrivs:\t1' rootfs/tmp/hook
}

@test "a startContainer hook of a container with --no-pivot is in its root" {
	hook startContainer 'ls -d /bin/busybox >/log'
	args true
	run coracle run --no-pivot "$ID"
	[ "$status" -eq 0 ]
	logged /bin/busybox
}

@test "the path of a hook is the host's, but for startContainer" {
	local script=$BATS_TEST_TMPDIR/hook
	printf '#!/bin/sh\necho ran >>%s\n' "$LOG" >"$script"
	chmod 755 "$script"
	for kind in prestart createRuntime createContainer poststart poststop; do
		hook_file "$kind" "$script"
	done
	life
	logged ran ran ran ran ran
}

@test "the path of a startContainer hook is in the container" {
	printf '#!/bin/sh\necho inside >/log\n' >rootfs/only-inside
	chmod 755 rootfs/only-inside
	hook_file startContainer /only-inside
	shell true
	[ "$status" -eq 0 ]
	logged inside
	config 'del(.hooks)'
	hook_file createContainer /only-inside
	shell true
	failed 'hook "/only-inside" (hooks.createContainer[0]):' "no such file or directory"
	config 'del(.hooks)'
	hook_file startContainer "$BATS_TEST_TMPDIR/hook"
	shell true
	failed "(hooks.startContainer[0]):" "no such file or directory"
}

@test "a startContainer hook may be a link that stays in the container" {
	# The path must not lead to the host's file of the same name.
	printf '#!/bin/sh\necho inside >/log\n' >rootfs/script
	chmod 755 rootfs/script
	ln -s /script rootfs/link
	hook_file startContainer /../../link
	shell true
	[ "$status" -eq 0 ]
	logged inside
}

@test "args are passed exactly, with the name in args[0]" {
	config --arg log "$LOG" '.hooks.createRuntime = [{path: "/bin/sh", args: ["name", "-c", "tr \"\\0\" \"|\" </proc/$$/cmdline >" + $log + "; :", "zero", "one  two", "", "*"]}]'
	shell true
	[[ "$(cat "$LOG")" == 'name|-c|'*'|zero|one  two||*|' ]]
}

@test "without args, args[0] is the path" {
	# busybox reads its own name.
	ln -s "$(command -v busybox)" "$BATS_TEST_TMPDIR/false"
	hook_file createRuntime "$BATS_TEST_TMPDIR/false"
	shell true
	failed "$BATS_TEST_TMPDIR/false" "(hooks.createRuntime[0])" "exit status 1"
}

@test "the environment is exactly the hook's" {
	# CVE-2025-23266: variables of the image must not reach a hook on the host.
	config '.process.env += ["LD_PRELOAD=/proc/self/cwd/evil.so", "SECRET=1"]'
	for kind in $KINDS; do
		hook "$kind" "tr '\\0' '\\n' </proc/self/environ >'$(log_of "$kind").$kind'; :" '{env: ["A=1", "B=two words"]}'
	done
	export RUNTIME=1
	life
	for kind in $KINDS; do
		[ "$(said "$kind")" = $'A=1\nB=two words' ]
	done
}

@test "an env without elements is an empty environment" {
	for kind in $KINDS; do
		hook "$kind" "tr '\\0' '\\n' </proc/self/environ >'$(log_of "$kind").$kind'; echo end >>'$(log_of "$kind").$kind'" '{env: []}'
	done
	export RUNTIME=1
	life
	for kind in $KINDS; do
		[ "$(said "$kind")" = end ]
	done
}

@test "without env the environment is that of the command, and of the process for startContainer" {
	# Trace contexts are passed like this. No variable of the image reaches a hook on the host,
	# and no variable of the host reaches a hook in the container.
	config '.process.env = ["PATH=/bin", "LD_PRELOAD=/evil.so", "SECRET=1"]'
	echo 'root:x:0:0::/home/user:/bin/sh' >rootfs/etc/passwd
	each_hook 'tr "\0" "\n" </proc/self/environ'
	args true
	run env -i "PATH=$PATH" TRACEPARENT=00-1-2-03 "$CORACLE" --root "$ROOT" run --detach "$ID"
	[ "$status" -eq 0 ]
	run env -i "PATH=$PATH" TRACEPARENT=00-1-2-03 "$CORACLE" --root "$ROOT" delete --force "$ID"
	[ "$status" -eq 0 ]
	for kind in prestart createRuntime createContainer poststart poststop; do
		[ "$(said "$kind")" = "PATH=$PATH"$'\nTRACEPARENT=00-1-2-03' ]
	done
	[ "$(said startContainer)" = $'PATH=/bin\nLD_PRELOAD=/evil.so\nSECRET=1\nHOME=/home/user' ]
}

@test "a createContainer hook finds no program of the image by relative paths of the caller" {
	printf '#!/bin/sh\necho image >>%s\n' "$LOG" >rootfs/helper
	mkdir rootfs/bin2
	chmod 755 rootfs/helper
	cp rootfs/helper rootfs/bin2/helper
	hook createContainer "helper || echo none >>'$LOG'; tr '\\0' '\\n' </proc/self/environ >>'$LOG'"
	args true
	run env -i "PATH=:bin2:$PATH:." LD_LIBRARY_PATH=lib PYTHONPATH=:/python "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	logged none "PATH=$PATH" PYTHONPATH=/python
}

@test "poststop has the environment of the command that deletes, and of a create that fails" {
	hook poststop "echo \$RUNTIME >>'$LOG'"
	detached 'exec sleep 1000'
	RUNTIME=delete coracle delete --force "$ID"
	hook createContainer 'exit 1'
	RUNTIME=create background create "$ID"
	failed "hooks.createContainer[0]"
	logged delete create
}

@test "hooks of the host start in the bundle" {
	for kind in prestart createRuntime poststart poststop; do
		hook "$kind" "pwd >>'$LOG'"
	done
	args sleep 1000
	cd /
	background create --bundle "$BUNDLE" "$ID"
	coracle start "$ID"
	coracle delete --force "$ID"
	logged "$BUNDLE" "$BUNDLE" "$BUNDLE" "$BUNDLE"
}

@test "the bundle may be gone when poststart and poststop hooks run" {
	LOG=$BATS_TEST_TMPDIR/log
	hook poststart "pwd >>'$LOG'"
	hook poststop "pwd >>'$LOG'"
	args sleep 1000
	created
	mv "$BUNDLE" "$BUNDLE.gone"
	coracle start "$ID"
	coracle delete --force "$ID"
	logged / /
}

# bats test_tags=vm
@test "createContainer hooks start in the rootfs as the container will see it" {
	mkdir rootfs/mnt
	config '.mounts += [{destination: "/mnt", type: "tmpfs"}]'
	hook createContainer "[ \"\$(pwd)\" = '$BUNDLE/rootfs' ] && echo tmpfs >mnt/here"
	shell 'cat /mnt/here'
	[ "$status" -eq 0 ]
	[ "$output" = tmpfs ]
	[ ! -e rootfs/mnt/here ]
}

@test "startContainer hooks start in the working directory of the process" {
	config '.process.cwd = "/made/for/it"'
	hook startContainer 'pwd >/log'
	shell true
	logged /made/for/it
}

@test "startContainer hooks have the resource limits of the process" {
	config '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 123, hard: 456}]'
	hook startContainer 'ulimit -Sn >/log; ulimit -Hn >>/log'
	shell true
	logged 123 456
}

@test "hooks have standard streams and no other descriptor" {
	echo secret >"$BATS_TEST_TMPDIR/file"
	for kind in $KINDS; do
		hook "$kind" "x=\$(ls /proc/self/fd); echo \$x >'$(log_of "$kind").$kind'"
	done
	args true
	background run --detach "$ID" 9<"$BATS_TEST_TMPDIR/file"
	[ "$status" -eq 0 ]
	coracle delete --force "$ID" 9<"$BATS_TEST_TMPDIR/file"
	for kind in $KINDS; do
		[ "$(said "$kind")" = "0 1 2 3" ] # 3 is what ls has opened
	done
}

@test "hooks have the caller's umask, and default signals" {
	umask 027
	each_hook 'umask; grep -E "^Sig(Blk|Ign)" /proc/self/status'
	(
		trap '' PIPE HUP
		life
	)
	for kind in $KINDS; do
		[ "$(said "$kind")" = $'0027\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000' ]
	done
}

@test "what a hook prints is not in the output" {
	each_hook 'echo out >&2'
	shell 'echo process'
	[ "$status" -eq 0 ]
	[ "$output" = process ]
}

@test "hooks do not see the terminal of the container, and it works" {
	config '.process.terminal = true'
	each_hook 'tty || :'
	args tty
	run script -qec "'$CORACLE' --root '$ROOT' run '$ID'" /dev/null </dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == *"/dev/pts/0"* ]]
	[ "$(said createRuntime)" = "not a tty" ]
}

# --- errors

@test "the error has the hook, its status and what it said, on one line" {
	for kind in prestart createRuntime createContainer startContainer poststart; do
		config 'del(.hooks)'
		hook "$kind" 'echo out; echo "first line" >&2; echo "second line" >&2; exit 3'
		args sleep 1000
		background run --detach "$ID"
		failed "hook \"/bin/sh\" (hooks.${kind}[0]): exit status 3: out | first line | second line"
		[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
		nothing_left
	done
}

@test "the error says by which signal a hook ended" {
	hook createRuntime 'kill -SEGV $$'
	shell true
	failed "hooks.createRuntime[0]" "signal 11 (SIGSEGV)"
}

@test "the error names the hook that failed, and later ones do not run" {
	hook createRuntime true
	hook createRuntime 'exit 7'
	log_hooks createRuntime createContainer startContainer poststart
	shell 'echo process >>/log'
	failed "hooks.createRuntime[1]" "exit status 7"
	logged
	nothing_left
}

@test "a hook that is missing or cannot be executed is an error" {
	echo text >"$BATS_TEST_TMPDIR/plain"
	printf 'garbage\n' >"$BATS_TEST_TMPDIR/garbage"
	chmod 755 "$BATS_TEST_TMPDIR/garbage"
	for kind in prestart createRuntime createContainer poststart; do
		config 'del(.hooks)'
		hook_file "$kind" /no/such/hook
		args sleep 1000
		background run --detach "$ID"
		failed 'hook "/no/such/hook"' "(hooks.${kind}[0])" "no such file or directory"
	done
	for f in plain:"permission denied" garbage:"exec format error" :"permission denied"; do
		config 'del(.hooks)'
		hook_file createRuntime "$BATS_TEST_TMPDIR/${f%%:*}"
		shell true
		failed "$BATS_TEST_TMPDIR/${f%%:*}" "(hooks.createRuntime[0])" "${f#*:}"
	done
	nothing_left
}

@test "a hook that is the init's own program by a link of /proc says so" {
	config '.hooks.createRuntime = [{path: "/proc/self/exe"}]'
	args true
	run coracle run "$ID"
	failed "hooks.createRuntime[0]" "exit status 127" "there is no command in it"
	nothing_left
}

@test "a hook with a huge output does not hang, and the error has its end only" {
	hook createRuntime 'head -c 3000000 /dev/zero | tr "\0" x; echo; echo the end >&2'
	shell 'echo hello'
	[ "$status" -eq 0 ]
	[ "$output" = hello ]
	hook createRuntime 'head -c 3000000 /dev/zero | tr "\0" x; echo; echo the end >&2; exit 3'
	shell true
	failed "exit status 3" "the end"
	[ "${#output}" -lt 5000 ]
}

@test "the error of a hook is one line in the log" {
	hook createRuntime 'printf "one\r\ntwo\n\n\377\n"; exit 1'
	status=0
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/json" --log-format json create "$ID" >/dev/null 2>&1 </dev/null || status=$?
	[ "$status" -eq 1 ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/json")" -eq 1 ]
	[[ "$(jq -r .msg "$BATS_TEST_TMPDIR/json")" == *"one | two"* ]]
}

@test "a failing hook of create leaves nothing, and poststop runs" {
	for kind in prestart createRuntime createContainer; do
		config 'del(.hooks)'
		rm -f "$LOG" "$BATS_TEST_TMPDIR/pid"
		hook "$kind" 'exit 1'
		log_hooks startContainer poststart poststop
		background create --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
		failed "hooks.${kind}[0]"
		logged poststop
		[ ! -e "$BATS_TEST_TMPDIR/pid" ]
		nothing_left
	done
}

@test "the hooks of a kind that comes later do not run" {
	hook prestart 'exit 1'
	log_hooks prestart createRuntime createContainer poststop
	background create "$ID"
	failed "hooks.prestart[0]"
	logged poststop
}

@test "poststop runs when create fails after the hooks, and not when it fails before" {
	log_hooks createRuntime poststop
	args nope
	background create "$ID"
	failed 'not found in $PATH'
	logged createRuntime poststop
	rm "$LOG"
	config '.mounts += [{destination: "/x", type: "bind", source: "/no/such/source", options: ["bind"]}]'
	background create "$ID"
	failed /no/such/source
	logged
	nothing_left
}

@test "a failing startContainer hook fails start, and the container is destroyed" {
	hook startContainer 'exit 1'
	log_hooks poststart poststop
	args sh -c 'echo process >>/log'
	created
	background start "$ID"
	failed "hooks.startContainer[0]"
	logged poststop
	run coracle state "$ID"
	failed "does not exist"
	nothing_left
}

@test "a failing poststart hook fails start, and the container is destroyed" {
	hook poststart 'exit 1'
	log_hooks poststart poststop
	args sleep 1000
	created
	pid=$(pid_of "$ID")
	background start "$ID"
	failed "hooks.poststart[0]"
	logged poststop
	gone "$pid"
	run coracle state "$ID"
	failed "does not exist"
	nothing_left
}

@test "run fails with its hooks, and poststop runs once" {
	for kind in prestart createRuntime createContainer startContainer poststart; do
		config 'del(.hooks)'
		rm -f "$LOG"
		hook "$kind" 'exit 1'
		log_hooks poststop
		shell 'exec sleep 1000'
		failed "hooks.${kind}[0]"
		logged poststop
		nothing_left
	done
}

@test "a failing poststop hook only warns, and the others run" {
	hook poststop 'echo oops >&2; exit 1'
	hook_file poststop /no/such/hook
	log_hooks poststop
	detached 'exec sleep 1000'
	"$CORACLE" --root "$ROOT" --log "$BATS_TEST_TMPDIR/text" delete --force "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null
	[ -z "$(printed)" ]
	logged poststop
	[ "$(grep -c level=warning "$BATS_TEST_TMPDIR/text")" -eq 2 ]
	grep -q 'hooks.poststop\[0\]): exit status 1: oops' "$BATS_TEST_TMPDIR/text"
	nothing_left
}

@test "a failing poststop hook does not change the status of run" {
	hook poststop 'exit 1'
	shell 'exit 5'
	[ "$status" -eq 5 ]
	[[ "$output" == "warning: hook "*" (hooks.poststop[0]): exit status 1" ]]
}

@test "relative paths and timeouts that are not positive are refused" {
	for kind in $KINDS; do
		for bad in '{path: "bin/sh"}:path' '{path: ""}:path' '{path: "/bin/true", timeout: 0}:timeout' '{path: "/bin/true", timeout: -1}:timeout'; do
			config --arg kind "$kind" ".hooks = {(\$kind): [{path: \"/bin/true\"}, ${bad%:*}]}"
			background create "$ID"
			failed "hooks.${kind}[1].${bad##*:}"
			nothing_left
		done
	done
}

# --- time

@test "a timeout ends the hook and all of its process group" {
	for kind in createRuntime createContainer startContainer poststart; do
		config 'del(.hooks)'
		rm -f "$LOG"
		# In the container the shell sees other pids.
		hook "$kind" "sleep 1$$ & grep -s NSpid /proc/\$!/status >>'$(log_of "$kind")'; echo said; sleep 1$$" '{timeout: 1}'
		log_hooks poststop
		args sleep 1000
		background run --detach "$ID"
		failed "hooks.${kind}[0]" "timeout of 1 s" said
		grep -q NSpid "$LOG"
		grep -q poststop "$LOG"
		wait_for no_process "sleep 1$$"
		nothing_left
	done
}

@test "a hook and what it leaves behind may write without a pause" {
	hook createRuntime "yes & exit 3"
	background create "$ID"
	failed "hooks.createRuntime[0]" "exit status 3"
	config "del(.hooks)"
	hook createRuntime "exec yes" '{timeout: 1}'
	background create "$ID"
	failed "hooks.createRuntime[0]" "timeout of 1 s"
	nothing_left
}

@test "a poststop hook has a timeout too" {
	hook poststop "sleep 1$$" '{timeout: 1}'
	log_hooks poststop
	shell 'exit 3'
	[ "$status" -eq 3 ]
	logged poststop
	wait_for no_process "sleep 1$$"
}

@test "a hook that ends within its timeout is not disturbed" {
	# The second timeout is about 2^32 milliseconds, the third about 2^64 nanoseconds.
	hook createRuntime "sleep 0.2; echo one >>'$LOG'" '{timeout: 60}'
	hook createRuntime "sleep 1; echo two >>'$LOG'" '{timeout: 4294968}'
	hook createRuntime "echo three >>'$LOG'" '{timeout: 18446744074}'
	shell true
	[ "$status" -eq 0 ]
	logged one two three
}

@test "a hook's background process that holds the pipes does not block" {
	hook createRuntime "sleep 1000 & echo \$! >>'$LOG'; echo said"
	hook createRuntime "sleep 1000 & echo \$! >>'$LOG'; echo said; exit 3"
	shell true
	failed "hooks.createRuntime[1]" "exit status 3: said"
	while read -r p; do
		alive "$p"
		kill "$p"
	done <"$LOG"
}

# hanging KIND [COMMAND] adds a hook that does not end by itself, and starts a command in the
# background: create, or start for the kinds that run there, or COMMAND.
hanging() {
	local command=${2:-}
	hook "$1" "echo hangs >>'$(log_of "$1")'; exec sleep 1$$"
	log_hooks poststop
	args sleep 1000
	if [ "$1" = startContainer ] || [ "$1" = poststart ]; then
		created
		set -- start "$ID"
	else
		set -- create "$ID"
	fi
	"$CORACLE" --root "$ROOT" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- &
	COMMAND=$!
	wait_for test -s "$LOG"
}

@test "a hook ends when the command that runs it is killed, and delete cleans up" {
	hanging createRuntime
	kill -KILL "$COMMAND"
	wait "$COMMAND" || true
	wait_for no_process "sleep 1$$"
	wait_for has_status "$ID" stopped
	coracle delete --force "$ID"
	nothing_left
}

# delete_ends_it deletes the container of a hanging command, which makes the command fail.
delete_ends_it() {
	status=0
	timeout --foreground 20 "$CORACLE" --root "$ROOT" delete --force "$ID" </dev/null || status=$?
	[ "$status" -eq 0 ] || kill -KILL "$COMMAND"
	[ "$status" -eq 0 ]
	wait "$COMMAND" || status=$?
	[ "$status" -eq 1 ]
	wait_for no_process "sleep 1$$"
	logged hangs poststop
	nothing_left
}

@test "delete --force ends a create whose hook hangs" {
	for kind in prestart createRuntime createContainer; do
		config 'del(.hooks)'
		rm -f "$LOG"
		hanging "$kind"
		[ "$(status_of "$ID")" = creating ]
		delete_ends_it
	done
}

@test "delete --force ends a start or run whose poststart hook hangs" {
	hanging poststart
	delete_ends_it
	rm -f "$LOG"
	hanging poststart run
	delete_ends_it
}

@test "a poststart hook is not disturbed by the end of the process" {
	hook poststart "while [ ! -e '$BATS_TEST_TMPDIR/go' ]; do sleep 0.05; done; echo poststart >>'$LOG'"
	args true
	created
	aside "$CORACLE" --root "$ROOT" start "$ID"
	wait_for gone "$(pid_of "$ID")"
	touch "$BATS_TEST_TMPDIR/go"
	wait "${ASIDE[-1]}"
	logged poststart
	[ ! -e "$ROOT/$ID/hook" ]
	coracle delete "$ID"
}

@test "delete --force ends a start whose startContainer hook hangs" {
	hanging startContainer
	delete_ends_it
}
