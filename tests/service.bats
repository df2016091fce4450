#!/usr/bin/env bats
# What a service manager and its services exchange: sockets (LISTEN_FDS), readiness
# (NOTIFY_SOCKET), and pidfds.

# shellcheck disable=SC2016,SC2030,SC2031 # scripts for others in quotes; each test is a subshell

load helpers

# manager [ADDRESS] runs a service manager, which writes what it receives to the file "heard".
manager() {
	NOTIFY=${1:-$BATS_TEST_TMPDIR/manager.sock}
	HEARD=$BATS_TEST_TMPDIR/heard
	python3 "$BATS_TEST_DIRNAME/notify.py" "$NOTIFY" >"$HEARD" 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
	wait_for grep -q "ready to listen" "$HEARD"
}

# heard LINE... asserts what the manager has received, and nothing else.
heard() {
	diff <(printf '%s\n' "ready to listen" "$@") "$HEARD"
}

has_heard() {
	grep -qxF "$1" "$HEARD"
}

# setup_service makes a Debian bundle with a program "notify", which sends its argument.
setup_service() {
	setup_debian
	mkdir bin
	cat >bin/notify <<-'END'
		#!/usr/bin/perl
		use Socket;
		socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
		send($s, $ARGV[0], 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die "send: $!\n";
	END
	chmod 755 bin/notify
	config --arg bin "$BUNDLE/bin" '.mounts += [{destination: "/run", type: "tmpfs", source: "tmpfs"},
		{destination: "/opt", source: $bin, options: ["bind", "ro"]}]'
}

# --- LISTEN_FDS

# listening N ARG... runs coracle with N sockets from a service manager, which are files here, and
# one more descriptor.
listening() {
	bash -c 'n=$1; shift; exec 3<<<one 4<<<two 5<<<three; LISTEN_FDS=$n LISTEN_PID=$$ exec "$@"' - "$1" "$CORACLE" --root "$ROOT" "${@:2}"
}

@test "LISTEN_FDS: the process gets the descriptors, and is told so" {
	setup_busybox
	args sh -c 'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; ls /proc/self/fd | wc -l'
	export LISTEN_FDNAMES=a:b
	run listening 2 run "$ID"
	[ "$output" = $'2 1 a:b\none\ntwo\n6' ] # 6 is ls's own
}

@test "LISTEN_FDS: --preserve-fds come behind them" {
	setup_busybox
	args sh -c 'echo $LISTEN_FDS; cat <&4; cat <&5'
	run listening 2 run --preserve-fds 1 "$ID"
	[ "$output" = $'2\ntwo\nthree' ]
}

@test "LISTEN_FDS: a variable of the configuration is replaced, and exec does not inherit it" {
	setup_busybox
	config '.process.env += ["LISTEN_FDS=7", "LISTEN_PID=7"]'
	args sh -c 'env | grep ^LISTEN | sort; exec sleep 1000'
	listening 1 run --detach "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null
	wait_for has_printed LISTEN_PID=1
	has_printed LISTEN_FDS=1
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 2 ]
	[ "$(coracle exec "$ID" sh -c 'echo $LISTEN_FDS')" = 7 ]
}

@test "LISTEN_FDS: for another process it means nothing, nor does nonsense" {
	setup_busybox
	args sh -c 'echo "<$LISTEN_FDS>"; ls /proc/self/fd | wc -l'
	for env in "LISTEN_FDS=2 LISTEN_PID=1" "LISTEN_FDS=2" "LISTEN_FDS=2 LISTEN_PID=x"; do
		# shellcheck disable=SC2086
		run env $env "$CORACLE" --root "$ROOT" run "$ID"
		[ "$output" = $'<>\n4' ]
	done
	for n in -1 x '' 1.5; do
		run listening "$n" run "$ID"
		[ "$output" = $'<>\n4' ]
	done
}

# --- NOTIFY_SOCKET

# bats test_tags=vm
@test "in the foreground READY=1 is passed on, and nothing else" {
	setup_service
	manager
	args sh -c '/opt/notify STATUS=begin; /opt/notify MAINPID=1; /opt/notify "$(printf "STATUS=x\nREADY=1\nFDSTORE=1")"; /opt/notify READY=0; exit 5'
	NOTIFY_SOCKET=$NOTIFY background run "$ID"
	[ "$status" -eq 5 ]
	[ -z "$output" ]
	wait_for has_heard "READY=1 0"
	heard "READY=1 0"
	nothing_left
}

@test "a detached run waits until the container is ready, and hands over its first process" {
	setup_service
	manager
	args sh -c 'while [ ! -e /opt/go ]; do sleep 0.05; done; /opt/notify READY=1; exec sleep 1000'
	NOTIFY_SOCKET=$NOTIFY "$CORACLE" --root "$ROOT" run --detach "$ID" >"$BATS_TEST_TMPDIR/out" 2>&1 </dev/null 3>&- &
	run=$!
	wait_for has_status "$ID" running
	sleep 0.3
	kill -0 "$run"
	heard
	touch bin/go
	wait "$run"
	heard "MAINPID=$(pid_of "$ID")|READY=1 0" "BARRIER=1 1"
	[ -z "$(printed)" ]
	coracle delete --force "$ID"
	nothing_left
}

@test "the service manager's socket and the state root may be at paths that are longer than the address of a socket" {
	setup_service
	far
	ROOT=$FAR/root
	manager "$NEAR/s"
	args sh -c '/opt/notify READY=1; exec sleep 1000'
	NOTIFY_SOCKET=$FAR/s background create "$ID"
	[ "$status" -eq 0 ]
	NOTIFY_SOCKET=$FAR/s coracle start "$ID"
	heard "MAINPID=$(pid_of "$ID")|READY=1 0" "BARRIER=1 1"
	coracle exec "$ID" true
	coracle delete --force "$ID"
}

# bats test_tags=vm
@test "start does so, too, as any user of the container, and other commands need not wait" {
	setup_service
	manager "@cortest-$RUN-$$"
	config '.process.user = {uid: 1000, gid: 1000}'
	args sh -c 'echo $NOTIFY_SOCKET; while [ ! -e /opt/go ]; do sleep 0.05; done; /opt/notify READY=1; exec sleep 1000'
	export NOTIFY_SOCKET=$NOTIFY
	created
	"$CORACLE" --root "$ROOT" start "$ID" &
	start=$!
	wait_for has_printed /run/notify/notify.sock
	coracle exec "$ID" true
	touch bin/go
	wait "$start"
	heard "MAINPID=$(pid_of "$ID")|READY=1 0" "BARRIER=1 1"
	# exec does not get it.
	[ -z "$(coracle exec "$ID" sh -c 'echo $NOTIFY_SOCKET')" ]
}

@test "a container that ends without having been ready is no longer waited for" {
	setup_service
	manager
	args sh -c 'sleep 0.2'
	NOTIFY_SOCKET=$NOTIFY background run --detach "$ID"
	[ "$status" -eq 0 ]
	heard
	args sleep 1000
	NOTIFY_SOCKET=$NOTIFY "$CORACLE" --root "$ROOT" run --detach "$ID-2" >/dev/null 2>&1 </dev/null 3>&- &
	run=$!
	wait_for has_status "$ID-2" running
	coracle delete --force "$ID-2"
	wait "$run"
	heard
}

@test "the container can change nothing in the place of the socket" {
	setup_service
	manager
	args sh -c 'cd /run/notify; touch x 2>&1; rm notify.sock 2>&1; chmod 0 notify.sock 2>&1; ls -a'
	NOTIFY_SOCKET=$NOTIFY background run "$ID"
	[ "$(grep -c 'Read-only file system' <<<"$output")" -eq 3 ]
	[ "$(tail -3 <<<"$output" | xargs)" = ". .. notify.sock" ]
}

@test "a container that has a NOTIFY_SOCKET of its own keeps it, and nobody waits" {
	setup_service
	manager
	config '.process.env += ["NOTIFY_SOCKET=/mine"]'
	args sh -c 'echo $NOTIFY_SOCKET; ls -d /run/notify 2>/dev/null; exec sleep 1000'
	NOTIFY_SOCKET=$NOTIFY background run --detach "$ID"
	[ "$status" -eq 0 ]
	wait_for has_printed /mine
	[ "$(printed)" = /mine ]
}

@test "a service manager that is not there is a warning" {
	setup_service
	args sh -c '/opt/notify READY=1; exec sleep 1000'
	for address in "$BATS_TEST_TMPDIR/none" vsock:1:2; do
		NOTIFY_SOCKET=$address background --log "$BATS_TEST_TMPDIR/log" run --detach "$ID"
		[ "$status" -eq 0 ]
		[ -z "$output" ]
		grep -q 'level=warning.*tell the service manager (NOTIFY_SOCKET)' "$BATS_TEST_TMPDIR/log"
		coracle delete --force "$ID"
	done
	nothing_left
}

@test "a failed creation leaves no place of a socket" {
	setup_service
	manager
	args /no/such
	NOTIFY_SOCKET=$NOTIFY background create "$ID"
	failed /no/such
	nothing_left
}

# --- pidfd

# pidfd_receiver waits for a pidfd at $SOCKET.
pidfd_receiver() {
	SOCKET=${1:-$BATS_TEST_TMPDIR/pidfd.sock}
	rm -f "$SOCKET"
	python3 "$BATS_TEST_DIRNAME/pidfd.py" "$SOCKET" >"$BATS_TEST_TMPDIR/received" 2>&1 3>&- </dev/null &
	RECEIVER=$!
	wait_for test -S "$SOCKET"
}

@test "--pidfd-socket: create and run send a pidfd of the process" {
	setup_busybox
	args sleep 1000
	pidfd_receiver
	created --pidfd-socket "$SOCKET"
	wait "$RECEIVER"
	[ "$(cat "$BATS_TEST_TMPDIR/received")" = "standard 1 $(pid_of "$ID") end" ]
	pidfd_receiver
	background run --detach --pidfd-socket "$SOCKET" "$ID-2"
	wait "$RECEIVER"
	[ "$(cat "$BATS_TEST_TMPDIR/received")" = "standard 1 $(pid_of "$ID-2") end" ]
}

@test "--pidfd-socket may be at a path that is longer than the address of a socket" {
	setup_busybox
	far
	args sleep 1000
	pidfd_receiver "$NEAR/s"
	created --pidfd-socket "$FAR/s"
	wait "$RECEIVER"
	[ "$(cat "$BATS_TEST_TMPDIR/received")" = "standard 1 $(pid_of "$ID") end" ]
}

@test "--pidfd-socket: the pidfd is that of the process in a joined pid namespace" {
	setup_busybox
	args sleep 1000
	created
	join pid "/proc/$(pid_of "$ID")/ns/pid"
	pidfd_receiver
	background create --pidfd-socket "$SOCKET" "$ID-2"
	wait "$RECEIVER"
	[ "$(cat "$BATS_TEST_TMPDIR/received")" = "standard 1 $(pid_of "$ID-2") end" ]
}

@test "--pidfd-socket: without a socket there is no container" {
	setup_busybox
	background create --pidfd-socket /no/such "$ID"
	failed 'pidfd socket /no/such: connect: no such file or directory'
	nothing_left
}
