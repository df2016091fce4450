#!/usr/bin/env bats
# An error is one line, on standard error and in the log.

load helpers

setup() {
	setup_busybox
	args true
}

# refused TEXT... expects create to fail with all the texts in one line on standard error, with
# the same line in the log, and to leave nothing behind.
refused() {
	local log=$BATS_TEST_TMPDIR/refused.log
	rm -f "$log"
	background --log "$log" --log-format json create "$ID"
	failed "$@"
	one_line
	one_entry "$log"
	nothing_left
}

# one_line asserts that the last command wrote one line, to standard error.
one_line() {
	if [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -ne 1 ] || [ -s "$BATS_TEST_TMPDIR/out" ]; then
		echo "not one line: $output" >&2
		return 1
	fi
}

# one_entry FILE asserts that a log has one entry, equal to the line on standard error.
one_entry() {
	jq -es --rawfile err "$BATS_TEST_TMPDIR/err" 'length == 1 and .[0].level == "error" and (.[0].msg + "\n") == $err
		and (.[0].time | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(Z|[+-][0-9:]{5})$"))' "$1" >/dev/null || {
		cat "$1" >&2
		return 1
	}
}

# with PROGRAM TEXT... changes a fresh config.json with jq, and expects an error.
with() {
	local program=$1
	shift
	cp "$BUNDLE/config.json" "$BUNDLE/good"
	config "$program"
	refused "$@"
	mv "$BUNDLE/good" "$BUNDLE/config.json"
}

@test "no config.json" {
	rm config.json
	refused "config.json" "no such file or directory" "coracle spec"
}

@test "a config.json that is no regular file" {
	rm config.json
	mkfifo config.json
	refused config.json "not a regular file"
	rm config.json
	mkdir config.json
	refused config.json "not a regular file"
}

@test "no bundle" {
	background create --bundle /no/such/bundle "$ID"
	failed /no/such/bundle/config.json "no such file or directory" "no such directory"
	[[ $output != *"coracle spec"* ]]
	one_line
}

@test "invalid JSON: line and column" {
	printf '{\n  "ociVersion": "1.0.2",\n  "root": {"path": "rootfs"},,\n}\n' >config.json
	refused "config.json" "line 3, column 30"
	printf '' >config.json
	refused "config.json" "line 1, column 1"
	printf '{"ociVersion": "1.0.2"' >config.json
	refused "config.json" "line 1, column 23"
	printf '{"ociVersion": "1.0.2"} {}' >config.json
	refused "config.json" "line 1, column 25"
	printf '[]' >config.json
	refused "config.json" "line 1, column 1"
}

@test "wrong types: the property, line and column" {
	with '.hostname = 5' "config.json: hostname: line " ", column "
	with '.process.args = "sh"' "config.json: process.args: line "
	with '.process.terminal = "no"' "config.json: process.terminal: line "
	with '.process.env = [1]' "config.json: process.env[0]: line "
	with '.mounts[0].options = {}' "config.json: mounts[0].options: line "
	with '.linux = []' "config.json: linux: line "
	with '.process.rlimits[0].hard = -1' "config.json: process.rlimits[0].hard: line "
	with '.linux.resources.memory.limit = 1.5' "config.json: linux.resources.memory.limit: line "
	with '.annotations = {a: 1}' "config.json: annotations.a: line "
}

@test "root: missing, without a path, no directory" {
	with 'del(.root)' "config.json: root is missing"
	with 'del(.root.path)' "config.json: root.path is missing"
	with '.root.path = "no-such"' root.path "$BUNDLE/no-such" "no such file or directory"
	with '.root.path = "config.json"' root.path "$BUNDLE/config.json is not a directory"
	with '.root.path = "/"' root.path "root of the host"
}

@test "ociVersion: missing, unknown, and any of 1.x" {
	with 'del(.ociVersion)' "config.json: ociVersion is missing"
	with '.ociVersion = "2.0.0"' ociVersion '"2.0.0"'
	with '.ociVersion = "0.9.0"' ociVersion '"0.9.0"'
	with '.ociVersion = "one"' ociVersion '"one"'
	for version in 1.0.0 1.0.2-dev 1.1.0-rc.2 1.99.0; do
		config --arg v "$version" '.ociVersion = $v'
		run coracle run "$ID"
		[ "$status" -eq 0 ]
	done
}

@test "process.args: missing, empty, with an empty command" {
	with 'del(.process.args)' "process.args is missing or empty"
	with '.process.args = []' "process.args is missing or empty"
	with '.process.args = [""]' "process.args[0]"
}

@test "a NUL in a string cannot reach the kernel as its end" {
	with '.process.args[0] = "true\u0000x"' "process.args[0]" NUL
	with '.process.env[0] = "A=\u0000"' "process.env[0]" NUL
	with '.process.cwd = "/\u0000"' "process.cwd" NUL
	with '.hostname = "a\u0000b"' hostname NUL
	with '.mounts[0].destination = "/proc\u0000"' "mounts[0]" NUL
}

@test "a command that is not there" {
	with '.process.args = ["no-such"]' 'exec: "no-such": executable file not found in $PATH'
	with '.process.args = ["/no/such"]' 'exec: "/no/such": stat /no/such: no such file or directory'
	with '.process.args = ["/bin/true/x"]' 'exec: "/bin/true/x"' 'not a directory'
	with '.process.args = ["true"] | .process.env = []' 'exec: "true": executable file not found in $PATH'
}

@test "a command with a line break in its name is told in one line" {
	args $'/bin/a\nlevel=fatal'
	refused 'exec: "/bin/a\nlevel=fatal": stat /bin/a\nlevel=fatal: no such file or directory'
}

@test "a command that is a directory" {
	with '.process.args = ["/etc"]' 'exec: "/etc": is a directory' 'permission denied'
	mkdir rootfs/bin/dir
	with '.process.args = ["dir"]' 'exec: "dir": executable file not found in $PATH'
}

@test "a command that may not be executed" {
	cp rootfs/bin/busybox rootfs/bin/plain
	chmod 644 rootfs/bin/plain
	with '.process.args = ["/bin/plain"]' 'exec: "/bin/plain": permission denied'
	chmod 700 rootfs/bin/plain
	with '.process.args = ["/bin/plain"] | .process.user = {uid: 1000, gid: 1000}' 'exec: "/bin/plain": permission denied'
	mkfifo rootfs/bin/fifo
	with '.process.args = ["/bin/fifo"]' 'exec: "/bin/fifo": permission denied'
}

@test "a command on a noexec mount" {
	mkdir rootfs/noexec
	with '.process.args = ["/noexec/busybox"] | .mounts += [{destination: "/noexec", source: "rootfs/bin", options: ["bind", "noexec"]}]' \
		'exec: "/noexec/busybox": permission denied'
}

@test "a command whose interpreter is missing is an error of start" {
	printf '#!/no/such/interpreter\n' >rootfs/bin/script
	chmod +x rootfs/bin/script
	args script
	created
	background --log "$BATS_TEST_TMPDIR/log" --log-format json start "$ID"
	failed 'exec: "script": no such file or directory' interpreter
	one_line
	one_entry "$BATS_TEST_TMPDIR/log"
	[ "$(status_of "$ID")" = stopped ]
}

@test "process.cwd: missing, relative, or not to be made" {
	with 'del(.process.cwd)' "process.cwd is missing"
	with '.process.cwd = "tmp"' "process.cwd" "not absolute"
	touch rootfs/file
	with '.process.cwd = "/file"' 'chdir to cwd ("/file") set in config.json failed: not a directory'
	with '.process.cwd = "/file/below"' 'chdir to cwd ("/file/below") set in config.json failed: not a directory'
}

@test "ids that are negative or above 2^32-2" {
	for field in uid gid 'additionalGids[0]'; do
		with ".process.user.$field = -1" "config.json: process.user.$field: line "
		with ".process.user.$field = 4294967296" "config.json: process.user.$field: line "
		with ".process.user.$field = 4294967295" "config.json: process.user.$field: 4294967295 is out of range (0 to 4294967294)"
	done
	config '.process.user = {uid: 4294967294, gid: 4294967294}'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
}

@test "namespaces: duplicate, unknown, with a path of the wrong type or none" {
	with '.linux.namespaces += [{type: "pid"}]' 'linux.namespaces[6]' '"pid"'
	with '.linux.namespaces[0].type = "disk"' 'linux.namespaces[0].type' '"disk"'
	with '.linux.namespaces[0].path = "proc/self/ns/pid"' 'linux.namespaces[0].path' 'not absolute'
	with '.linux.namespaces = [{type: "network", path: "/proc/self/ns/uts"}, {type: "mount"}, {type: "pid"}, {type: "uts"}]' linux.namespaces /proc/self/ns/uts
	with '.linux.namespaces = [{type: "pid", path: "/proc/self/ns/net"}, {type: "mount"}, {type: "network"}, {type: "uts"}]' linux.namespaces /proc/self/ns/net
	with '.linux.namespaces = [{type: "network", path: "/no/such"}, {type: "mount"}, {type: "pid"}, {type: "uts"}]' linux.namespaces '/no/such: no such file or directory'
	with '.linux.namespaces = [{type: "network", path: "/etc/passwd"}, {type: "mount"}, {type: "pid"}, {type: "uts"}]' linux.namespaces /etc/passwd
}

@test "rlimits: duplicate, unknown, soft above hard" {
	with '.process.rlimits += [.process.rlimits[0]]' 'process.rlimits[1].type' RLIMIT_NOFILE
	with '.process.rlimits[0].type = "RLIMIT_LUCK"' 'process.rlimits[0].type' RLIMIT_LUCK
	with '.process.rlimits[0].soft = 2048' 'process.rlimits[0]' 2048 1024
}

@test "mounts: unknown type, missing source, missing destination, unknown data" {
	with '.mounts += [{destination: "/tmp", type: "nosuchfs", source: "x"}]' 'mounts[7]' nosuchfs /tmp
	with '.mounts += [{destination: "/tmp", source: "/no/such", options: ["bind"]}]' 'mounts[7]' '/no/such' 'no such file or directory'
	with '.mounts += [{destination: "/tmp", options: ["bind"]}]' 'mounts[7].source'
	with '.mounts += [{type: "tmpfs", source: "x"}]' 'mounts[7].destination'
	with '.mounts += [{destination: "/tmp", type: "tmpfs", source: "x", options: ["size=lots"]}]' 'mounts[7]' /tmp size
	with '.mounts += [{destination: "/tmp", type: "tmpfs", source: "x", options: ["nosuchoption"]}]' 'mounts[7]' nosuchoption
}

@test "an id that is invalid" {
	for id in "" . .. a/b "a b" ä 'x;y'; do
		background create "$id"
		failed "id"
		one_line
		[ -z "$(ls -A "$ROOT" 2>/dev/null)" ]
	done
}

@test "an id that is in use" {
	created
	background --log "$BATS_TEST_TMPDIR/log" --log-format json create "$ID"
	failed "$ID" "exist"
	one_line
	one_entry "$BATS_TEST_TMPDIR/log"
	[ "$(status_of "$ID")" = created ]
}

@test "an id that nobody has" {
	for command in start state kill delete; do
		background "$command" "$ID"
		failed "$ID" "does not exist"
		one_line
	done
}

@test "a state root that cannot be made" {
	touch "$BATS_TEST_TMPDIR/file"
	ROOT=$BATS_TEST_TMPDIR/file/root
	background create "$ID"
	failed "state root" "$BATS_TEST_TMPDIR/file: not a directory"
	one_line
	[ -z "$(cgroup_dirs "$ID")" ]
}

@test "a state root that is full" {
	mkdir "$ROOT"
	# In a new mount namespace, so that the mount ends with it.
	run unshare -m bash -c '
		mount -t tmpfs -o size=16k full "$1"
		head -c 16k /dev/zero >"$1/.filler" 2>/dev/null
		"$0" --root "$1" create "$2" </dev/null >/dev/null 2>"$3"
		status=$?
		ls -d "$1/$2" 2>/dev/null
		exit $status' "$CORACLE" "$ROOT" "$ID" "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	[[ "$(cat "$BATS_TEST_TMPDIR/err")" == *"no space left on device"* ]]
	nothing_left
}

@test "--log-format text: one line with the level and the text" {
	rm config.json
	background --log "$BATS_TEST_TMPDIR/log" create "$ID"
	failed config.json
	[ "$(wc -l <"$BATS_TEST_TMPDIR/log")" -eq 1 ]
	grep -q 'level=error msg=".*config.json' "$BATS_TEST_TMPDIR/log"
}

@test "the log is appended to" {
	echo '{"level":"info","msg":"first","time":"2000-01-01T00:00:00Z"}' >"$BATS_TEST_TMPDIR/log"
	background --log "$BATS_TEST_TMPDIR/log" --log-format json state "$ID"
	failed "does not exist"
	[ "$(jq -r .level "$BATS_TEST_TMPDIR/log")" = $'info\nerror' ]
}

@test "a command that succeeds logs nothing and prints nothing on standard error" {
	args sleep 1000
	for command in "create" "state" "list" "list -q" "list --format json" "start" "kill" "delete --force" "run"; do
		case $command in list*) id= ;; *) id=$ID ;; esac
		# shellcheck disable=SC2086
		background --log "$BATS_TEST_TMPDIR/log" --log-format json $command $id
		[ "$status" -eq 0 ]
		[ -z "$(cat "$BATS_TEST_TMPDIR/err")" ]
		[ ! -s "$BATS_TEST_TMPDIR/log" ]
		case $command in state | list*) [ -s "$BATS_TEST_TMPDIR/out" ] ;; *) [ ! -s "$BATS_TEST_TMPDIR/out" ] ;; esac
		if [ "$command" = "delete --force" ]; then args true; fi
	done
}

@test "--debug logs more, and the error last" {
	background --debug --log "$BATS_TEST_TMPDIR/log" --log-format json run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	jq -es 'length > 2 and all(.level == "debug")' "$BATS_TEST_TMPDIR/log"
	args /no/such
	background --debug --log "$BATS_TEST_TMPDIR/log" --log-format json run "$ID"
	failed /no/such
	one_line
	jq -es '.[-1].level == "error"' "$BATS_TEST_TMPDIR/log"
}

@test "--debug without --log writes to standard error" {
	background --debug run "$ID"
	[ "$status" -eq 0 ]
	grep -q level=debug "$BATS_TEST_TMPDIR/err"
}

@test "a log that cannot be opened" {
	background --log /no/such/dir/log create "$ID"
	failed "log: open /no/such/dir/log: no such file or directory"
	one_line
	nothing_left
}

@test "an unknown --log-format, --rootless or --cgroup-manager" {
	background --log-format xml list
	failed --log-format '"xml"'
	one_line
	for flag in --rootless=maybe --cgroup-manager=magic --cgroup-manager=cgroupfs; do
		rm -f "$BATS_TEST_TMPDIR/log"
		background --log "$BATS_TEST_TMPDIR/log" --log-format json --systemd-cgroup "$flag" list
		failed ""
		one_line
		one_entry "$BATS_TEST_TMPDIR/log"
	done
}

@test "the value of a flag is missing" {
	for command in "create --bundle" "run --pid-file" "--log" "--root"; do
		# shellcheck disable=SC2086
		run "$CORACLE" $command
		failed "flag needs an argument"
		[ "${#lines[@]}" -eq 1 ]
	done
}

@test "an unknown command, an unknown flag, a wrong number of arguments" {
	for command in "bogus" "bogus x y" "create" "create a b" "start" "state" "kill" "delete" "run a b" "list x" "create --bogus a" "--bogus list" "kill $ID NOSUCHSIGNAL"; do
		# shellcheck disable=SC2086
		background $command
		failed ""
		one_line
	done
}

@test "an error in the flags of a command is in the log too" {
	background --log "$BATS_TEST_TMPDIR/log" --log-format json create --bogus "$ID"
	failed bogus
	one_entry "$BATS_TEST_TMPDIR/log"
	rm "$BATS_TEST_TMPDIR/log"
	background --log "$BATS_TEST_TMPDIR/log" --log-format json bogus
	failed bogus
	one_entry "$BATS_TEST_TMPDIR/log"
}

@test "--version names the program, commit and specification" {
	run "$CORACLE" --version
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" =~ ^coracle\ version\ [0-9]+\.[0-9]+\.[0-9]+ ]]
	[[ "${lines[1]}" =~ ^commit:\ [^\ ]+ ]]
	[[ "${lines[2]}" =~ ^spec:\ 1\.[0-9]+\.[0-9]+ ]]
	[ "$(grep -c version <<<"$output")" -eq 1 ]
}

@test "a command that is still missing is named as such" {
	run coracle checkpoint "$ID"
	[ "$status" -eq 1 ]
	[ "$output" = 'the command "checkpoint" is not supported by this version of coracle' ]
}

@test "help is a command too" {
	run coracle help
	[ "$status" -eq 0 ]
	[[ "$output" == *COMMANDS* ]]
	run coracle help create
	[ "$status" -eq 0 ]
	[[ "$output" == *"coracle create"* ]]
}

@test "a negative number of descriptors is an error" {
	run coracle create --preserve-fds -3 "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *preserve-fds* ]]
	[ ! -e "$ROOT/$ID" ]
}

# in_pipe COMMAND... runs a command whose standard error is a pipe that is not read before the
# command ends; with CLOSED set it is never read. $output is what was written to it.
in_pipe() {
	run python3 -c '
import os, subprocess, sys
r, w = os.pipe()
closed = os.environ.get("CLOSED")
if closed:
    os.close(r)
status = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=w).returncode
os.close(w)
if not closed:
    sys.stdout.write(os.read(r, 1 << 20).decode())
sys.exit(status % 256)' "$@"
}

# lacking makes a configuration that causes a warning: a capability that cannot be granted.
lacking() {
	config '.process.capabilities |= (.permitted -= ["CAP_KILL"] | .effective += ["CAP_KILL"])'
}

@test "a warning goes to standard error, be it a terminal or a pipe, or to the log alone" {
	lacking
	args sh -c 'echo out >&2'
	run script -qec "'$CORACLE' --root '$ROOT' run '$ID'" /dev/null
	[ "$status" -eq 0 ]
	[[ "$output" == out*$'\n''warning: process.capabilities.effective: CAP_KILL cannot be granted'* ]]
	in_pipe "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == $'out\nwarning: process.capabilities.effective: CAP_KILL'* ]]
	[ "${#lines[@]}" -eq 2 ]
	run coracle --log log run "$ID"
	[ "$output" = out ]
	[ "$(grep -c 'level=warning.*CAP_KILL' log)" -eq 1 ]
}

@test "remarks about a configuration are for a terminal, the log and validate, not for the output of a container" {
	config '.colour = "red"'
	args true
	run script -qec "'$CORACLE' --root '$ROOT' run '$ID'" /dev/null
	[[ "$output" == 'warning: config.json: colour'* ]]
	in_pipe "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	coracle --log log run "$ID"
	grep -q 'level=warning.*colour' log
	run coracle plan --brief
	[[ "$output" == *'warning: config.json: colour'* ]]
	run coracle validate
	says 'warning: colour'
}

@test "a command that fails says why, and no warning" {
	lacking
	args no-such-command
	in_pipe "$CORACLE" --root "$ROOT" run "$ID"
	failed "executable file not found"
	[ "${#lines[@]}" -eq 1 ]
}

@test "a mistyped capability of exec is a warning" {
	detached 'exec sleep 1000'
	in_pipe "$CORACLE" --root "$ROOT" exec --cap CAP_FOO "$ID" true
	[ "$status" -eq 0 ]
	[[ "$output" == *'warning: '*'"CAP_FOO" is not a capability'* ]]
}

@test "warnings neither fill a pipe that nobody reads, nor mind one that is closed" {
	mkdir -p "$ROOT"
	for i in {1..1000}; do
		mkdir "$ROOT/broken-$i"
		echo '{' >"$ROOT/broken-$i/state.json"
	done
	in_pipe "$CORACLE" --root "$ROOT" list -q
	[ "$status" -eq 0 ]
	[ "${#output}" -lt 8192 ]
	[[ "${lines[-1]}" =~ ^warning:\ [0-9]+\ more,\ which\ --log ]]
	[ "$(("${#lines[@]}" - 1 + $(tr -dc 0-9 <<<"${lines[-1]}")))" -eq 1000 ]
	CLOSED=yes in_pipe "$CORACLE" --root "$ROOT" list -q
	[ "$status" -eq 0 ]
	run bash -c 'exec "$@" 2<&-' - "$CORACLE" --root "$ROOT" list -q
	[ "$status" -eq 0 ]
	rm -r "$ROOT"
}

@test "an unreadable state in list, and a failing poststop hook of delete, are warnings on standard error" {
	config '.hooks.poststop = [{path: "/bin/false"}]'
	args sleep 1000
	created
	mkdir "$ROOT/broken"
	echo '{"id": ' >"$ROOT/broken/state.json"
	in_pipe "$CORACLE" --root "$ROOT" list --quiet
	[ "$status" -eq 0 ]
	[[ "$output" == *"warning: container \"broken\": unreadable state"* ]]
	in_pipe "$CORACLE" --root "$ROOT" delete --force "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == "warning: hook \"/bin/false\" (hooks.poststop[0])"* ]]
	rm -r "$ROOT/broken"
}

# system_log SOCKET ARG... runs coracle with only a socket in /dev and /run. What is sent to it is
# in the file "heard", and standard error is in "shown".
system_log() {
	local socket=$1
	shift
	: >heard
	unshare --mount --propagation private python3 -c '
import os, socket, subprocess, sys
path = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "none", "/" + path.split("/")[1]], check=True)
os.makedirs(os.path.dirname(path), exist_ok=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
s.settimeout(5)
subprocess.run(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
with open("heard", "wb") as f:
    f.write(s.recv(1 << 16))' "$socket" "$CORACLE" "$@" 2>shown
}

@test "--log writes to syslog and to the journal, and says when there is none" {
	mkdir "$ROOT" journal
	system_log /dev/log --root "$ROOT" --log syslog:mine state "$ID"
	[[ "$(cat heard)" =~ ^\<27\>[A-Z][a-z]{2}\ [\ 0-9][0-9]\ [0-9:]{8}\ mine\[[0-9]+\]:\ container\ \"$ID\":\ container\ does\ not\ exist$ ]]
	grep -q "does not exist" shown
	system_log /dev/log --root "$ROOT" --log syslog: --log-format json state "$ID"
	grep -q ' coracle\[' heard
	system_log /run/systemd/journal/socket --root "$ROOT" --log journald:mine state "$ID"
	diff heard - <<-END
		MESSAGE=container "$ID": container does not exist
		PRIORITY=3
		SYSLOG_FACILITY=3
		SYSLOG_IDENTIFIER=mine
	END
	run unshare --mount --propagation private sh -ec 'mount -t tmpfs none /run; exec "$@"' - "$CORACLE" --root "$ROOT" --log journald: list
	failed "log: connect /run/systemd/journal/socket: no such file or directory"
	coracle --log "file:$BUNDLE/log" state "$ID" || [ -s log ]
	[ ! -e journald: ]
}

@test "an error is one line without anything that a terminal obeys, whatever names the image has" {
	python3 -c 'import os; os.symlink("/proc/\x1b[31mred\n\u202ename/x", "rootfs/link")'
	mkdir "$BATS_TEST_TMPDIR/source"
	config --arg s "$BATS_TEST_TMPDIR/source" '.mounts += [{destination: "/link", source: $s, options: ["bind"]}]'
	run coracle --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -ne 0 ]
	[ "$output" = 'mount at "/link" (mounts[7]): make /proc/\x1b[31mred\n\u202ename: a symbolic link leads into another mount (mounts[0] at "/proc"), where nothing is made or changed for it' ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/log")" -eq 1 ]
	nothing_left
}

@test "a log of objects has what is known of an error in fields of its own, beside those that engines read" {
	config '.mounts += [{destination: "/mnt", source: "/no/such", options: ["bind"]}]'
	background --log "$BATS_TEST_TMPDIR/log" --log-format json create "$ID"
	failed "no such file or directory (the source of a bind mount has to exist)"
	one_entry "$BATS_TEST_TMPDIR/log"
	jq -e --arg id "$ID" '.code == "CORACLE_MOUNT_SOURCE_MISSING" and .phase == "compile" and .op == "stat" and .errno == "ENOENT" and
		.property == "mounts[7]" and .pointer == "/mounts/7" and .hostPath == "/no/such" and .containerPath == "/mnt" and
		.hint == "the source of a bind mount has to exist" and .id == $id' "$BATS_TEST_TMPDIR/log"
	# One for people has the text alone, and so have errors about flags.
	background --log "$BATS_TEST_TMPDIR/text" create "$ID"
	[[ "$(cat "$BATS_TEST_TMPDIR/text")" != *CORACLE* ]]
	background --log "$BATS_TEST_TMPDIR/usage" --log-format json create
	jq -e 'keys == ["level", "msg", "time"]' "$BATS_TEST_TMPDIR/usage"
	nothing_left
}

@test "a command names the flag that helps" {
	detached "exec sleep 1000"
	background delete "$ID"
	failed "(--force kills it first)"
	config '.linux.cgroupsPath = "a.slice:b:c"'
	background create "$ID-2"
	failed "systemd driver (--systemd-cgroup)"
	coracle pause "$ID"
	background exec "$ID" true
	[ "$status" -eq 255 ]
	says "cannot exec in a paused container (use --ignore-paused to override)"
}

@test "--error-format json puts the code and the facts of an error on standard error" {
	args true
	mount_missing='.mounts += [{destination: "/x", type: "bind", source: "/nowhere/at/all", options: ["bind"]}]'
	config "$mount_missing"
	index=$(($(jq '.mounts | length' config.json) - 1))
	run "$CORACLE" --root "$ROOT" --error-format json run "$ID"
	[ "$status" -eq 1 ]
	[ "$(wc -l <<<"$output")" = 1 ]
	[ "$(jq -r '.level, .code, .property, .pointer, .hostPath, .errno, .id' <<<"$output")" = "$(printf '%s\n' error CORACLE_MOUNT_SOURCE_MISSING \
		"mounts[$index]" "/mounts/$index" /nowhere/at/all ENOENT "$ID")" ]
	[ "$(jq -r .msg <<<"$output")" = "$("$CORACLE" --root "$ROOT" run "$ID" 2>&1)" ]
	run "$CORACLE" --root "$ROOT" --error-format json state "$ID"
	[ "$(jq -r .code <<<"$output")" = CORACLE_CONTAINER_NOT_FOUND ]
	# Also for what is wrong with the command line.
	run "$CORACLE" --error-format json --nonsense list
	[ "$(jq -r .level <<<"$output")" = error ]
	run "$CORACLE" --error-format xml list
	failed 'invalid --error-format "xml"'
	nothing_left
}
