#!/usr/bin/env bats
# bats file_tags=vm
# events.

load helpers

setup() {
	setup_busybox
}

# stats prints the result of a jq program on the statistics.
stats() {
	coracle events --stats "$ID" | jq -r "$1"
}

# watch runs events in the background, with its output in a file.
watch() {
	"$CORACLE" --root "$ROOT" events "$@" "$ID" >"$BATS_TEST_TMPDIR/events" 2>"$BATS_TEST_TMPDIR/events.err" 3>&- &
	WATCH=$!
	ASIDE+=("$WATCH")
}

# watched waits for the end of events, and asserts success.
watched() {
	status=0
	wait "$WATCH" || status=$?
	[ "$status" -eq 0 ]
	[ ! -s "$BATS_TEST_TMPDIR/events.err" ]
}

saw() {
	jq -es "any(.[]; $1)" "$BATS_TEST_TMPDIR/events" >/dev/null
}

@test "events --stats prints one object of the form that engines read" {
	config '.linux.resources.memory = {limit: 67108864} | .linux.resources.pids = {limit: 20}'
	detached 'exec sleep 1000'
	run coracle events --stats "$ID"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	echo "$output" | jq -e --arg id "$ID" '
		.type == "stats" and .id == $id and
		(.data.cpu.usage | (.total > 0) and has("kernel") and has("user")) and
		(.data.cpu | has("throttling")) and
		.data.memory.usage.limit == 67108864 and .data.memory.usage.usage > 0 and
		(.data.memory | has("swap") and has("kernel") and has("kernelTCP") and (.raw | length > 5)) and
		.data.pids == {current: 1, limit: 20} and
		(.data.blkio | type) == "object" and (.data.hugetlb | type) == "object" and (.data.cpuset.cpus | length) > 0'
}

@test "a limit of processes that is none is left out" {
	config '.linux.resources.pids = {limit: -1}'
	detached 'exec sleep 1000'
	[ "$(stats '.data.pids | tojson')" = '{"current":1}' ]
}

@test "the CPU time is that of the container, and its throttling is counted" {
	config '.linux.resources.cpu = {quota: 5000, period: 50000}'
	detached 'while :; do :; done'
	throttled() { [ "$(stats '.data.cpu.throttling.throttledPeriods // 0')" -gt 2 ]; }
	wait_for throttled
	[ "$(stats '.data.cpu.throttling.throttledTime')" -gt 1000000 ]
	[ "$(stats '.data.cpu.usage.total')" -gt 10000000 ]
	[ "$(stats '.data.cpu.usage.user + .data.cpu.usage.kernel')" -gt 0 ]
}

@test "network interfaces are those of the container" {
	detached 'ip link set lo up 2>/dev/null || ifconfig lo up; ping -c 3 -i 0.1 127.0.0.1 >/dev/null 2>&1; echo done; exec sleep 1000'
	wait_for has_printed "done"
	run stats '.data.network_interfaces[] | .Name'
	[ "$output" = "$(coracle exec "$ID" sh -c 'sed -n "s/ *\([^ ]*\):.*/\1/p" /proc/net/dev')" ]
	[ "$(stats '.data.network_interfaces[] | select(.Name == "lo") | has("RxBytes") and has("TxDropped")')" = true ]
	[ "$(stats '.data.network_interfaces[] | select(.Name == "lo") | .RxPackets')" = "$(coracle exec "$ID" awk '/lo:/ { print $3 }' /proc/net/dev)" ]
}

@test "pressure is there where the kernel counts it" {
	[ -e /proc/pressure/cpu ] || skip "no pressure stall information"
	unified || [ -d /sys/fs/cgroup/unified ] || skip "no unified hierarchy"
	detached 'exec sleep 1000'
	[ "$(stats '.data.cpu.psi.some | has("avg10") and has("total")')" = true ]
	[ "$(stats '.data.memory.psi.full | has("avg300")')" = true ]
	[ "$(stats '.data.blkio.psi | has("some")')" = true ]
}

@test "huge pages are there where the controller is" {
	unified || [ -d /sys/fs/cgroup/hugetlb ] || skip "no controller hugetlb"
	compgen -G '/sys/kernel/mm/hugepages/hugepages-*' >/dev/null || skip "no huge pages"
	detached 'exec sleep 1000'
	[ "$(stats '.data.hugetlb | length')" -gt 0 ]
	[ "$(stats '.data.hugetlb[] | has("failcnt")' | sort -u)" = true ]
}

@test "statistics of a paused and of a created container" {
	args sleep 1000
	created
	[ "$(stats .data.pids.current)" = 1 ]
	coracle start "$ID"
	coracle pause "$ID"
	[ "$(stats .data.pids.current)" = 1 ]
}

@test "events prints statistics after each interval until the container stops" {
	detached 'exec sleep 1000'
	watch --interval 50ms
	three() { [ "$(wc -l <"$BATS_TEST_TMPDIR/events")" -ge 3 ]; }
	wait_for three
	kill -0 "$WATCH"
	coracle kill "$ID" KILL
	watched
	[ "$(jq -r .type "$BATS_TEST_TMPDIR/events" | sort -u)" = stats ]
}

@test "events tells when a process is killed for lack of memory" {
	config '.linux.resources.memory = {limit: 16777216, swap: 16777216}'
	detached 'while [ ! -e /tmp/go ] && [ ! -e /go ]; do sleep 0.05; done; head -c 100m /dev/zero | tail -c 50m >/dev/null; echo survived; exec sleep 1000'
	watch --interval 1h
	sleep 0.2
	touch rootfs/go
	wait_for has_printed survived
	wait_for saw '.type == "oom"'
	[ "$(stats '.data.memory.event_count.oom_kill')" -ge 1 ]
	coracle kill "$ID" KILL
	watched
	jq -es --arg id "$ID" 'all(.[]; . == {type: "oom", id: $id})' "$BATS_TEST_TMPDIR/events"
}

@test "events tells of the lack of memory that ends the container" {
	config '.linux.resources.memory = {limit: 16777216, swap: 16777216}'
	detached 'while [ ! -e /go ]; do sleep 0.05; done; exec tail -c 50m /dev/zero'
	watch --interval 1h
	sleep 0.2
	touch rootfs/go
	watched
	saw '.type == "oom"'
}

@test "a stopped or missing container, and a bad interval, are errors" {
	run coracle events --stats "$ID"
	failed "does not exist"
	detached 'exec sleep 1000'
	for interval in 0 -5s; do
		run coracle events --interval="$interval" "$ID"
		failed "--interval"
	done
	coracle kill "$ID" KILL
	wait_for has_status "$ID" stopped
	run coracle events --stats "$ID"
	failed "not running"
	run coracle events "$ID"
	failed "not running"
}

@test "--format openmetrics prints the statistics once, with the names of cAdvisor" {
	args sleep 1000
	config '.linux.resources.pids.limit = 50'
	create_and_start "$ID"
	run "$CORACLE" --root "$ROOT" events --format openmetrics "$ID"
	[ "$status" -eq 0 ]
	grep -Fx "container_threads_max{id=\"$ID\"} 50" <<<"$output"
	grep -Fx "container_threads{id=\"$ID\"} 1" <<<"$output"
	grep -E "^container_cpu_usage_seconds_total\{id=\"$ID\"\} [0-9.e-]+$" <<<"$output"
	grep -E "^container_network_receive_bytes_total\{id=\"$ID\",interface=\"lo\"\} 0$" <<<"$output"
	[ "$(tail -n 1 <<<"$output")" = "# EOF" ]
	run "$CORACLE" --root "$ROOT" events --format openmetrics --interval 1s "$ID"
	failed "prints once"
	coracle delete --force "$ID"
	run "$CORACLE" --root "$ROOT" events --format openmetrics "$ID"
	failed "does not exist"
}
