#!/usr/bin/env bats
# bats file_tags=vm
# Errors and events of a container that runs out of memory.

load helpers

setup() {
	setup_busybox
}

# limited BYTES sets the memory limit, without swap.
limited() {
	config --argjson limit "$1" '.linux.resources.memory = {limit: $limit}'
}

@test "create says that the limit of memory was too small for the set-up, and leaves nothing" {
	limited 8192
	args true
	background create "$ID"
	failed "out of memory while the container was set up" "limit 8192 bytes" linux.resources.memory.limit "peak"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
}

@test "run says so, too" {
	limited 8192
	args true
	run coracle --log "$BATS_TEST_TMPDIR/log" run "$ID"
	failed "out of memory while the container was set up"
	grep -q "out of memory while the container was set up" "$BATS_TEST_TMPDIR/log"
	nothing_left
}

@test "start says that the command needed more memory than the limit to be executed" {
	# The kernel copies the arguments before the old program is gone.
	config '.process.args = ["true"] + [range(16) | "x" * 100000]'
	limited 800000
	run create_and_start "$ID"
	failed "out of memory while the container was started" "limit 798720 bytes" linux.resources.memory.limit
	wait_for has_status "$ID" stopped
}

@test "exec warns when its process was killed for lack of memory" {
	limited 16777216
	config '.linux.resources.memory.swap = 16777216'
	detached 'exec sleep 1000'
	run coracle --log "$BATS_TEST_TMPDIR/log" exec "$ID" tail -c 50m /dev/zero
	[ "$status" -eq 137 ]
	grep -q "killed for lack of memory: limit 16777216 bytes" "$BATS_TEST_TMPDIR/log"
	[ "$(status_of "$ID")" = running ]
}

@test "run warns when the process was killed for lack of memory" {
	limited 16777216
	config '.linux.resources.memory.swap = 16777216'
	args tail -c 50m /dev/zero
	run coracle --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$status" -eq 137 ]
	grep -q "killed for lack of memory: limit 16777216 bytes" "$BATS_TEST_TMPDIR/log"
	nothing_left
}

@test "another death is not told as a lack of memory" {
	limited 67108864
	args sh -c 'kill -9 $$'
	run coracle --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ ! -s "$BATS_TEST_TMPDIR/log" ]
	args /no/such/command
	run coracle run "$ID"
	failed "no such file"
	[[ "$output" != *"out of memory"* ]]
}

@test "an error of exec is not told as a lack of memory that was before" {
	limited 16777216
	detached 'tail -c 50m /dev/zero; echo killed; exec sleep 1000'
	wait_for has_printed killed
	run coracle exec "$ID" /no/such/command
	[ "$status" -eq 255 ]
	[[ "$output" != *memory* ]]
}
