#!/usr/bin/env bats
# linux.intelRdt, as far as it can be tested without the hardware. libcontainer/internal/host/rdt
# tests it on a fake resctrl file system.

load helpers

setup() {
	setup_busybox
}

@test "without a resctrl file system, Intel RDT is an error that names it" {
	! grep -qw resctrl /proc/mounts || skip "this machine has Intel RDT"
	for value in '{}' '{closID: "gold"}' '{closID: "/", enableMonitoring: true}' '{schemata: ["L3:0=f"]}'; do
		config ".linux.intelRdt = $value"
		background create "$ID"
		failed 'linux.intelRdt: no resctrl file system is mounted' 'mount -t resctrl'
		nothing_left
	done
}

@test "values that cannot be are refused" {
	while read -r value text; do
		config ".linux.intelRdt = $value"
		background create "$ID"
		failed "config.json: linux.intelRdt." "$text"
	done <<-'END'
		{closID:"a/b"} "a/b" cannot be a class of service: it has a slash
		{closID:".."} ".." cannot be a class of service
		{closID:"info"} resctrl has a directory with this name
		{memBwSchema:"L3:0=1"} does not start with MB:
		{l3CacheSchema:"L3:0=1\nMB:0=1"} linux.intelRdt.l3CacheSchema has a line break
		{schemata:["L3:0=1","x\ny"]} linux.intelRdt.schemata[1] has a line break
	END
	nothing_left
}
