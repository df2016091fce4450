#!/usr/bin/env bats
# process.terminal: in the foreground, and detached with --console-socket.

load helpers

setup() {
	setup_busybox
	config '.process.terminal = true'
	SOCKET=$BATS_TEST_TMPDIR/console.sock
}

# on_terminal STEP... runs the container in the foreground of a new terminal.
on_terminal() {
	run python3 "$BATS_TEST_DIRNAME/pty.py" run "$@" -- "$CORACLE" --root "$ROOT" run "$ID"
	output=${output//$'\r'/}
	echo "$output" # shown when the test fails
}

# shell_on_terminal STEP... does the same with bash between the terminal and coracle.
shell_on_terminal() {
	run python3 "$BATS_TEST_DIRNAME/pty.py" run "$@" -- bash --norc --noprofile -i
	output=${output//$'\r'/}
	echo "$output" # shown when the test fails
}

# receiver MODE STEP... waits for the master of the terminal at $SOCKET.
receiver() {
	local mode=$1
	shift
	python3 "$BATS_TEST_DIRNAME/pty.py" "$mode" "$SOCKET" "$@" >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- </dev/null &
	RECEIVER=$!
	RECEIVES=$mode
	wait_for test -S "$SOCKET"
}

# received waits for the receiver.
received() {
	status=0
	[ "$RECEIVES" != fd-receiver ] || kill "$RECEIVER"
	wait "$RECEIVER" || status=$?
	output=$(tr -d '\r' <"$BATS_TEST_TMPDIR/received")
}

# forever SIGNAL ACTION runs a command that handles a signal with an action.
forever() {
	args sh -c "trap '$2' $1; echo ready; while :; do sleep 0.05; done"
}

@test "run works inside script" {
	args sh -c 'tty; exit 4'
	run script -qec "'$CORACLE' --root '$ROOT' run '$ID'" /dev/null </dev/null
	[ "$status" -eq 4 ]
	[[ "$output" == */dev/pts/0* ]]
}

@test "the streams, the controlling terminal and /dev/console are the terminal" {
	args sh -c 'for f in 0 1 2; do readlink /proc/self/fd/$f; done; echo by-tty >/dev/tty; echo by-console >/dev/console'
	on_terminal
	[ "$status" -eq 0 ]
	[ "$output" = $'/dev/pts/0\n/dev/pts/0\n/dev/pts/0\nby-tty\nby-console\nterminal restored' ]
}

@test "the terminal has the size of the caller's one from the start" {
	args stty size
	on_terminal size=33x77
	[ "$status" -eq 0 ]
	[[ "$output" == "33 77"* ]]
}

@test "a new size of the caller's terminal reaches the container" {
	forever WINCH 'stty size; exit 6'
	on_terminal size=33x77 expect=ready size=40x100 'expect=40 100'
	[ "$status" -eq 6 ]
}

@test "what is typed reaches the container, with raw mode meanwhile" {
	args sh -c 'echo ready; read -r line; echo "got <$line>"'
	on_terminal cooked expect=ready raw 'send=a b\n' 'expect=got <a b>'
	[ "$status" -eq 0 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "Ctrl-C goes to the container and not to coracle" {
	forever INT 'echo interrupted; exit 5'
	on_terminal expect=ready 'send=\x03' expect=interrupted
	[ "$status" -eq 5 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "Ctrl-C ends a child of the container's shell" {
	args sh -i
	# The child itself prints "go": by then it has the terminal.
	on_terminal 'expect=# ' 'send=sh -c "echo go; exec sleep 1000"\n' 'expect=\ngo' 'send=\x03' 'expect=# ' 'send=exit 9\n'
	[ "$status" -eq 9 ]
}

@test "a container killed by a signal gives 128 + signal and a restored terminal" {
	forever TERM 'exit 1'
	on_terminal expect=ready raw "do='$CORACLE' --root '$ROOT' kill '$ID' KILL"
	[ "$status" -eq 137 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "a signal to coracle is forwarded, and the terminal restored" {
	forever TERM 'exit 7'
	on_terminal expect=ready raw signal=TERM
	[ "$status" -eq 7 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "the terminal is restored when create fails" {
	args /no/such/command
	on_terminal
	[ "$status" -eq 1 ]
	[[ "$output" == *"no such file or directory"*"terminal restored" ]]
}

@test "the terminal is restored when start fails" {
	printf '#!/no/such/interpreter\n' >rootfs/bin/script
	chmod +x rootfs/bin/script
	args /bin/script
	on_terminal
	[ "$status" -eq 1 ]
	[[ "$output" == *"exec: \"/bin/script\": no such file or directory"*"terminal restored" ]]
}

@test "the terminal is restored when the container is stopped and continued on the way" {
	forever TERM 'exit 7'
	on_terminal expect=ready raw signal=STOP signal=CONT signal=TERM
	[ "$status" -eq 7 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "a SIGHUP right after the start is forwarded" {
	if ignores self 1; then
		skip "SIGHUP is ignored by the caller"
	fi
	args sh -c 'trap "echo hangup >/hup; exit 3" HUP; echo ready; while :; do sleep 0.05; done'
	config '.root.readonly = false'
	on_terminal expect=ready signal=HUP
	[ "$status" -eq 3 ]
	[ "$(cat rootfs/hup)" = hangup ]
}

@test "all output arrives, also the last of a process that ends at once" {
	args seq 1 20000
	coracle run "$ID" </dev/null >"$BATS_TEST_TMPDIR/seq"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/seq")" -eq 20000 ]
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/seq")" = 20000 ]
}

@test "standard input may be a pipe" {
	args sh
	run bash -c 'echo "echo in; exit 3" | "$0" "$@"' "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 3 ]
	[[ "$output" == *in* ]]
}

@test "the end of standard input is the end of file for the container" {
	args cat
	run coracle run "$ID" </dev/null
	[ "$status" -eq 0 ]
	args sh -c 'cat; echo end'
	run bash -c 'printf "word\n" | "$0" "$@"' "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[[ "$output" == *word*end* ]]
}

@test "standard input, output and error may be closed" {
	args sh -c 'exit 6'
	status=0
	coracle run "$ID" <&- >&- 2>&- || status=$?
	[ "$status" -eq 6 ]
}

@test "a reader of the output that goes away does not hang the container" {
	args seq 1 200000
	run bash -c '"$0" "$@" </dev/null | head -n 1' "$CORACLE" --root "$ROOT" run "$ID"
	[ "$status" -eq 0 ]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "coracle in a background process group is neither stopped nor busy" {
	forever TERM 'exit 8'
	shell_on_terminal 'expect=# ' "send='$CORACLE' --root '$ROOT' run '$ID' & echo pid=\$! >'$BATS_TEST_TMPDIR/pid'\n" \
		expect=ready 'do=sleep 1' "do=cp /proc/\$(sed s/pid=// '$BATS_TEST_TMPDIR/pid')/stat '$BATS_TEST_TMPDIR/stat'" \
		"send=kill -TERM \$!; wait \$!; echo status=\$?\n" expect=status=8 'send=exit\n'
	[ "$status" -eq 0 ]
	# shellcheck disable=SC2046
	set -- $(sed 's/.*) //' "$BATS_TEST_TMPDIR/stat")
	[ "$1" = S ] || [ "$1" = R ]
	[ $((${12} + ${13})) -lt 20 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "coracle that comes to the foreground takes the terminal, and gives it back" {
	args sh -c 'echo ready; read -r line; echo "got <$line>"'
	shell_on_terminal 'expect=# ' "send='$CORACLE' --root '$ROOT' run '$ID' &\n" expect=ready \
		'send=echo cooked-again\n' 'expect=\rcooked-again' 'send=fg\n' 'do=sleep 0.5' raw 'send=x y\n' 'expect=got <x y>' \
		'expect=# ' 'send=exit 2\n'
	[ "$status" -eq 2 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "process.consoleSize is the size when the caller has no terminal" {
	args stty size
	config '.process.consoleSize = {height: 31, width: 91}'
	run coracle run "$ID" </dev/null
	[ "$status" -eq 0 ]
	[ "${output//$'\r'/}" = "31 91" ]
}

@test "--console-socket gets one message with one descriptor, from create" {
	args true
	receiver fd-receiver
	background create --console-socket "$SOCKET" "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	received
	[ "$output" = "bytes 1, control messages 1, descriptors 1, truncated 0, more 0, terminal 1" ]
}

@test "--console-socket may be at a path that is longer than the address of a socket" {
	far
	args true
	wanted="console socket $FAR/none: connect: no such file or directory"
	refused create --console-socket "$FAR/none" "$ID"
	long=$(printf 'n%.0s' {1..108})
	wanted="console socket /tmp/$long: the last component of the path has 108 bytes, and"
	refused create --console-socket "/tmp/$long" "$ID"
	SOCKET=$NEAR/s
	receiver fd-receiver
	background create --console-socket "$FAR/s" "$ID"
	[ "$status" -eq 0 ]
	received
	[[ "$output" == "bytes 1, "*" terminal 1" ]]
}

@test "--console-socket: the caller and the container talk on the terminal" {
	args sh -c 'stty size; read -r line; echo "got <$line>"; exit 3'
	config '.process.consoleSize = {height: 31, width: 91}'
	receiver console winsize=31x91 'expect=31 91' 'send=a b\n' 'expect=got <a b>'
	background run --detach --console-socket "$SOCKET" "$ID"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	received
	[ "$status" -eq 0 ]
	wait_for has_status "$ID" stopped
}

@test "a container with a terminal keeps none of the caller's streams open" {
	args sleep 1000
	receiver console
	background create --console-socket "$SOCKET" --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
	[ "$status" -eq 0 ]
	run ls -l "/proc/$(cat "$BATS_TEST_TMPDIR/pid")/fd/"
	[[ "$output" != *"$BATS_TEST_TMPDIR/"* ]]
	[[ "$output" != */dev/null* ]]
	[ "$(grep -c /pts/0 <<<"$output")" -eq 3 ]
	coracle delete --force "$ID"
	received
	[ "$status" -eq 0 ]
}

@test "a terminal without a devpts in mounts is an error that says so" {
	config 'del(.mounts[] | select(.type == "devpts"))'
	run coracle run "$ID" </dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *process.terminal*devpts* ]]
	[ -z "$(ls -A "$ROOT")" ]
}

# refused COMMAND... expects an error that contains $wanted, and that nothing is left.
refused() {
	background "$@"
	failed "$wanted"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	[ -z "$(ls -A "$ROOT" 2>/dev/null)" ]
}

@test "create and detached run with a terminal need --console-socket" {
	wanted="cannot allocate tty if coracle will detach without setting console socket"
	refused create "$ID"
	refused run --detach "$ID"
}

@test "--console-socket needs a terminal and a detached container" {
	wanted="cannot use console socket"
	refused run --console-socket "$SOCKET" "$ID"
	config '.process.terminal = false'
	refused create --console-socket "$SOCKET" "$ID"
	refused run --detach --console-socket "$SOCKET" "$ID"
	refused run --console-socket "$SOCKET" "$ID"
}

@test "--console-socket must be a socket that somebody listens at" {
	wanted="console socket $SOCKET: connect: no such file or directory"
	refused create --console-socket "$SOCKET" "$ID"
	touch "$SOCKET"
	wanted="console socket $SOCKET: connect: connection refused"
	refused create --console-socket "$SOCKET" "$ID"
}
