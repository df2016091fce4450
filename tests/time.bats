#!/usr/bin/env bats
# Time namespaces: new ones with offsets, joined ones, and errors.

load helpers

setup() {
	setup_busybox
}

# new_time adds a new time namespace. The offsets have the form of the configuration.
new_time() {
	config --argjson offsets "$1" '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = $offsets'
}

# days prints the uptime in days, as the container sees it or, without an id, as the host does.
days() {
	local uptime
	if [ $# -eq 0 ]; then
		uptime=$(cat /proc/uptime)
	else
		uptime=$(coracle exec "$1" cat /proc/uptime)
	fi
	uptime=${uptime%%.*}
	echo $((uptime / 86400))
}

# bats test_tags=vm
@test "the clocks have their offsets, from the first process on" {
	new_time '{"boottime": {"secs": 86400000, "nanosecs": 5}, "monotonic": {"secs": 172800000}}'
	host=$(days)
	shell 'cat /proc/uptime; cat /proc/self/timens_offsets'
	uptime=${lines[0]%%.*}
	[ "$((uptime / 86400 - host))" -ge 1000 ]
	[ "$((uptime / 86400 - host))" -le 1001 ]
	[ "$(tr -s ' ' <<<"${lines[1]}")" = "monotonic 172800000 0" ]
	[ "$(tr -s ' ' <<<"${lines[2]}")" = "boottime 86400000 5" ]
	nothing_left
}

@test "an offset may be negative" {
	new_time '{"boottime": {"secs": -1}, "monotonic": {"secs": -1, "nanosecs": 1}}'
	shell 'cat /proc/self/timens_offsets'
	[ "$(tr -s ' ' <<<"$output")" = $'monotonic -1 1\nboottime -1 0' ]
}

@test "without offsets the clocks of a new namespace are those of the host" {
	config '.linux.namespaces += [{type: "time"}]'
	shell 'readlink /proc/self/ns/time; cat /proc/self/timens_offsets'
	[ "${lines[0]}" != "$(readlink /proc/self/ns/time)" ]
	[ "$(tr -s ' ' <<<"${lines[1]}")" = "monotonic 0 0" ]
	[ "$(tr -s ' ' <<<"${lines[2]}")" = "boottime 0 0" ]
}

@test "exec, state, kill and hooks work in a time namespace" {
	printf '#!/bin/sh\nreadlink /proc/self/ns/time >%q\n' "$BATS_TEST_TMPDIR/hook" >"$BATS_TEST_TMPDIR/hook.sh"
	chmod 755 "$BATS_TEST_TMPDIR/hook.sh"
	new_time '{"boottime": {"secs": 864000000}}'
	config --arg hook "$BATS_TEST_TMPDIR/hook.sh" '.hooks.createContainer = [{path: $hook}]'
	detached 'trap "exit 0" TERM; while :; do sleep 0.1; done'
	pid=$(pid_of "$ID")
	ns=$(readlink "/proc/$pid/ns/time")
	[ "$ns" = "$(readlink "/proc/$pid/ns/time_for_children")" ]
	[ "$(coracle exec "$ID" readlink /proc/self/ns/time)" = "$ns" ]
	[ "$(cat "$BATS_TEST_TMPDIR/hook")" = "$ns" ]
	[ "$(days "$ID")" -ge 10000 ]
	[ "$(status_of "$ID")" = running ]
	coracle kill "$ID" TERM
	wait_for has_status "$ID" stopped
	coracle delete "$ID"
	nothing_left
}

@test "a container joins the time namespace of another one" {
	new_time '{"boottime": {"secs": 864000000}}'
	detached 'exec sleep 1000'
	first=$ID
	pid=$(pid_of "$first")
	config --arg path "/proc/$pid/ns/time" '.linux.namespaces[-1].path = $path | del(.linux.timeOffsets)'
	ID=$first-2
	shell 'readlink /proc/self/ns/time; cat /proc/uptime'
	[ "${lines[0]}" = "$(readlink "/proc/$pid/ns/time")" ]
	uptime=${lines[1]%%.*}
	[ "$((uptime / 86400))" -ge 10000 ]
	ID=$first
}

@test "new time and joined pid namespaces go together" {
	detached 'exec sleep 1000'
	first=$ID
	pid=$(pid_of "$first")
	new_time '{"boottime": {"secs": 864000000}}'
	join pid "/proc/$pid/ns/pid"
	ID=$first-2
	detached 'exec sleep 1000'
	[ "$(days "$ID")" -ge 10000 ]
	[ "$(days "$first")" -lt 10000 ]
	coracle delete --force "$ID"
	ID=$first
}

@test "what is wrong with offsets is said" {
	config '.linux.timeOffsets = {boottime: {secs: 1}}'
	background create "$ID"
	failed 'config.json: linux.timeOffsets' 'needs a time namespace'
	config '.linux.namespaces += [{type: "time", path: "/proc/1/ns/time"}]'
	background create "$ID"
	failed 'config.json: linux.timeOffsets' 'needs a new time namespace' /proc/1/ns/time
	config 'del(.linux.namespaces[-1].path) | .linux.timeOffsets = {realtime: {secs: 1}}'
	background create "$ID"
	failed 'linux.timeOffsets.realtime' '"realtime" is not one of boottime, monotonic'
	config '.linux.timeOffsets = {monotonic: {nanosecs: 1000000000}}'
	background create "$ID"
	failed 'linux.timeOffsets.monotonic.nanosecs' '1000000000 is not below a second'
	for secs in -999999999999 999999999999; do
		config --argjson secs "$secs" '.linux.timeOffsets = {monotonic: {secs: $secs}}'
		background create "$ID"
		failed 'set the offsets of the clocks (linux.timeOffsets)' 'out of range'
	done
	nothing_left
}

@test "plan shows the offsets" {
	new_time '{"boottime": {"secs": 7}}'
	run "$CORACLE" plan
	says 'boottime 7 0' linux.timeOffsets
}
