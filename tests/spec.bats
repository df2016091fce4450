#!/usr/bin/env bats
# coracle spec: a configuration to start from.

load helpers

setup() {
	common_setup
}

@test "spec writes a config.json into the current directory and prints nothing" {
	run coracle spec
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ $(jq -r .ociVersion config.json) =~ ^1\. ]]
	[ "$(jq -c .process.args config.json)" = '["sh"]' ]
	[ "$(jq .process.terminal config.json)" = true ]
	[ "$(jq -r .root.path config.json)" = rootfs ]
}

@test "--bundle writes it into another directory" {
	mkdir other
	coracle spec --bundle other
	[ -e other/config.json ]
	[ ! -e config.json ]
}

@test "a config.json that exists is not overwritten" {
	echo mine >config.json
	run coracle spec
	failed "config.json exists already"
	[ "$(cat config.json)" = mine ]
}

@test "a link is not followed" {
	ln -s "$BATS_TEST_TMPDIR/target" config.json
	run coracle spec
	failed "exists already"
	[ ! -e "$BATS_TEST_TMPDIR/target" ]
}

@test "a directory that does not exist is an error" {
	run coracle spec --bundle missing
	failed "no such file or directory"
}

@test "the default confines: namespaces, few capabilities, masks, no new privileges" {
	coracle spec
	[ "$(jq -c '[.linux.namespaces[].type] | sort' config.json)" = '["cgroup","ipc","mount","network","pid","uts"]' ]
	[ "$(jq -c '.process.capabilities | keys' config.json)" = '["bounding","effective","permitted"]' ]
	[ "$(jq -c .process.capabilities.bounding config.json)" = '["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]' ]
	[ "$(jq .process.noNewPrivileges config.json)" = true ]
	[ "$(jq '.linux.maskedPaths | index("/proc/kcore") != null' config.json)" = true ]
	[ "$(jq '.linux.readonlyPaths | index("/proc/sys") != null' config.json)" = true ]
	[ "$(jq .root.readonly config.json)" = true ]
}

@test "a container runs with the default" {
	setup_busybox
	rm config.json
	coracle spec
	config '.process.terminal = false | .process.args = ["echo", "hello"]'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = hello ]
}

@test "--rootless maps the user and takes nothing that needs privileges" {
	coracle spec --rootless
	[ "$(jq -c '[.linux.namespaces[].type] | (index("user") != null, index("network") == null)' config.json)" = $'true\ntrue' ]
	[ "$(jq -c .linux.uidMappings config.json)" = '[{"containerID":0,"hostID":'"$(id -u)"',"size":1}]' ]
	[ "$(jq -c .linux.gidMappings config.json)" = '[{"containerID":0,"hostID":'"$(id -g)"',"size":1}]' ]
	[ "$(jq '.linux | has("resources")' config.json)" = false ]
	[ "$(jq '[.mounts[] | select(.type == "cgroup")] | length' config.json)" = 0 ]
	[ "$(jq -c '.mounts[] | select(.destination == "/sys") | .options | index("rbind") != null' config.json)" = true ]
}
