#!/usr/bin/env bats
# Standard streams of a process without a terminal of its own: what the caller has is passed on,
# but for terminals, which stay the caller's.

load helpers

setup() {
	setup_busybox
	writable
	chmod 1777 rootfs/tmp
}

# on_terminal STEP... runs, below a terminal, a script of the shell: $CORACLE, $ROOT and $ID are there.
on_terminal() {
	local script=${!#}
	export CORACLE ROOT ID
	run python3 "$BATS_TEST_DIRNAME/pty.py" run "${@:1:$#-1}" -- sh -c "$script"
	output=${output//$'\r'/}
	echo "$output" # shown when the test fails
}

# waiting starts a container that waits.
waiting() {
	args sleep 1000
	background run --detach "$ID"
	[ "$status" -eq 0 ]
}

@test "run and exec do not hand the caller's terminal to the process, and it keeps its owner" {
	config '.process.user = {uid: 1000, gid: 100}'
	local look='for i in 0 1 2; do readlink /proc/self/fd/$i; test -t $i && echo terminal; done; stat -L -c %u /proc/self/fd/1'
	args sh -c "$look"
	on_terminal '"$CORACLE" --root "$ROOT" run "$ID"; stat -c owner=%u "$(tty)"'
	[ "$status" -eq 0 ]
	[ "$(grep -c '^pipe:' <<<"$output")" -eq 3 ]
	[[ $output != *terminal$'\n'1000* ]]
	says owner=0 "terminal restored"
	waiting
	on_terminal '"$CORACLE" --root "$ROOT" exec "$ID" sh -c "'"${look//\$/\\\$}"'"; stat -c owner=%u "$(tty)"'
	[ "$(grep -c '^pipe:' <<<"$output")" -eq 3 ]
	says owner=0 "terminal restored"
}

@test "a detached process has the caller's terminal, which keeps its owner" {
	config '.process.user = {uid: 1000, gid: 100}'
	args sh -c 'test -t 1 && echo terminal; exec sleep 1000'
	on_terminal expect=terminal '"$CORACLE" --root "$ROOT" run --detach "$ID"; "$CORACLE" --root "$ROOT" exec --detach "$ID" sleep 1000; stat -c owner=%u "$(tty)"; sleep 0.5'
	says owner=0
}

@test "what a process leaves behind does not read what is typed afterwards" {
	waiting
	on_terminal expect=done 'send=secret\n' expect='got <secret>' \
		'"$CORACLE" --root "$ROOT" exec "$ID" sh -c "(exec 3<&0; (head -n 1 <&3 >/tmp/stolen; echo end >>/tmp/stolen) & ); echo done"; sleep 0.5; read -r line; echo "got <$line>"'
	[ "$status" -eq 0 ]
	wait_for grep -q end rootfs/tmp/stolen
	[[ $(cat rootfs/tmp/stolen) != *secret* ]]
}

@test "what is typed arrives, and Ctrl-D is the end of it" {
	args sh -c 'read -r line; echo "first <$line>"; echo "rest <$(cat)>"'
	on_terminal 'send=one\n' 'expect=first <one>' 'send=two\n' 'do=sleep 0.3' 'send=\x04' 'expect=rest <two>' 'expect=status=0' 'send=more\n' 'expect=again <more>' \
		'"$CORACLE" --root "$ROOT" run "$ID"; echo status=$?; read -r line; echo "again <$line>"'
	[ "$status" -eq 0 ]
	says "terminal restored"
}

@test "the order of what goes to standard output and standard error of one terminal stays" {
	args sh -c 'for i in $(seq 300); do echo out-$i; echo err-$i >&2; done'
	on_terminal '"$CORACLE" --root "$ROOT" run "$ID"'
	[ "$status" -eq 0 ]
	diff <(for i in $(seq 300); do echo "out-$i"; echo "err-$i"; done) <(grep '^out-\|^err-' <<<"$output")
}

@test "all output arrives, however much, and the exit status is that of the process" {
	args sh -c 'seq 60000; exit 3'
	on_terminal '"$CORACLE" --root "$ROOT" run "$ID"'
	[ "$status" -eq 3 ]
	diff <(seq 60000) <(grep -x '[0-9]*' <<<"$output")
}

@test "beside a terminal, files and pipes of the caller are passed on as they are" {
	waiting
	on_terminal '"$CORACLE" --root "$ROOT" exec "$ID" sh -c "readlink /proc/self/fd/1; readlink /proc/self/fd/0 >&2" >out; "$CORACLE" --root "$ROOT" exec "$ID" cat <out | cat; stat -L -c "%i %d" out'
	[ "$status" -eq 0 ]
	[[ $(cat out) == */out ]]
	says "pipe:"
	run bash -c 'echo piped | "$CORACLE" --root "$ROOT" exec "$ID" sh -c "cat; readlink /proc/self/fd/0" | cat'
	says piped pipe:
	# The very pipe of the caller, without anybody in between.
	mkfifo fifo
	"$CORACLE" --root "$ROOT" exec "$ID" sh -c 'stat -L -c %i /proc/self/fd/0 >/tmp/inode' <>fifo >/dev/null
	[ "$(cat rootfs/tmp/inode)" = "$(stat -c %i fifo)" ]
}

@test "processes that are left with the streams are not waited for, what is written is there" {
	waiting
	on_terminal expect=status=4 '"$CORACLE" --root "$ROOT" exec "$ID" sh -c "sleep 1000 & (while :; do echo flood; sleep 0.02; done) & sleep 0.2; echo last; exit 4"; echo status=$?'
	[ "$status" -eq 0 ]
	says flood
}

@test "Ctrl-C at the terminal reaches the process as a signal" {
	args sh -c 'trap "echo interrupted; exit 5" INT; echo ready; while :; do sleep 0.05; done'
	on_terminal expect=ready 'send=\x03' expect=interrupted 'trap : INT; "$CORACLE" --root "$ROOT" run "$ID"; echo status=$?'
	says status=5
}

@test "in the background nothing is read, and coracle is not stopped" {
	args sh -c 'echo ready; read -r line; echo "got <$line>"'
	export CORACLE ROOT ID
	run python3 "$BATS_TEST_DIRNAME/pty.py" run 'expect=# ' 'send="$CORACLE" --root "$ROOT" run "$ID" &\n' expect=ready \
		'send=echo for-the-shell\n' 'expect=\rfor-the-shell' 'send=fg\n' 'do=sleep 0.5' 'send=x y\n' 'expect=got <x y>' 'expect=# ' 'send=exit 2\n' -- bash --norc --noprofile -i
	[ "$status" -eq 2 ]
	[[ "$output" == *"terminal restored" ]]
}

@test "a terminal that has gone keeps nothing from ending" {
	args sh -c 'echo ready; sleep 0.3; seq 100000; echo end >/tmp/end'
	on_terminal expect=ready close '"$CORACLE" --root "$ROOT" run "$ID"' || true
	wait_for [ -e rootfs/tmp/end ]
	wait_for [ ! -e "$ROOT/$ID" ]
}

@test "a terminal that is stopped does not keep signals from the process, and a second one ends the wait" {
	waiting
	on_terminal expect=100 'send=\x13' 'do=sleep 0.5' signal=TERM 'do=sleep 0.5' signal=TERM 'exec "$CORACLE" --root "$ROOT" exec "$ID" seq 1000000'
	[ "$status" -eq 143 ]
}

@test "a file of the caller belongs to the user of the process while that runs, and to its owner again" {
	config '.process.user = {uid: 1000, gid: 100}'
	args sh -c 'stat -L -c %u /proc/self/fd/1; echo again >>/dev/stdout'
	: >file
	"$CORACLE" --root "$ROOT" run "$ID" >>file 2>&1 </dev/null
	[ "$(xargs <file) $(stat -c %u file)" = "1000 again 0" ]
	mkfifo fifo
	config '.process.args[2] = "stat -L -c %u /proc/self/fd/1 >/tmp/owner"'
	"$CORACLE" --root "$ROOT" run "$ID" 1<>fifo 2>&1 </dev/null
	[ "$(cat rootfs/tmp/owner) $(stat -c %u fifo)" = "1000 0" ]
	# Also when the process was not executed.
	args /no/such/command
	run "$CORACLE" --root "$ROOT" run "$ID" >>file 2>&1 </dev/null
	[ "$(stat -c %u file)" = 0 ]
	args sleep 1000
	background run --detach "$ID"
	: >file
	"$CORACLE" --root "$ROOT" exec "$ID" sh -c 'stat -L -c %u /proc/self/fd/1; echo again >>/dev/stdout' >>file 2>&1 </dev/null
	[ "$(xargs <file) $(stat -c %u file)" = "1000 again 0" ]
}
