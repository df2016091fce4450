#!/usr/bin/env bats
# coracle features: what the program supports. `validate`, which has the checks of create, tests
# every claim: what is claimed must be accepted, and what is not must be refused.

load helpers

setup() {
	common_setup
	make_config
	mkdir rootfs
	cp config.json good
	"$CORACLE" features >features.json
}

# feature FILTER prints a part of the features, a line for each element.
feature() {
	jq -r "$1 // empty" features.json
}

# accepted PROGRAM changes a fresh configuration with jq and expects it to be valid,
# without a warning.
accepted() {
	cp good config.json
	config "$@"
	run "$CORACLE" validate
	if [ "$output" != "config.json is valid" ]; then
		echo "$*: $output" >&2
		return 1
	fi
}

# agrees CLAIM PROGRAM expects the configuration to be valid when the claim is true, and otherwise
# to be refused as unsupported.
agrees() {
	case $(jq -r "$1" features.json) in
	true) accepted "$2" ;;
	false)
		cp good config.json
		config "$2"
		run "$CORACLE" validate
		[ "$status" -eq 1 ]
		says "is not supported by this version"
		;;
	*)
		echo "$1 is not said" >&2
		return 1
		;;
	esac
}

@test "features prints JSON and nothing else, without privileges" {
	run "$CORACLE" features 2>&1
	[ "$status" -eq 0 ]
	jq -e 'type == "object"' <<<"$output"
	OPEN=$(mktemp -d "/tmp/cortest-$RUN-features.XXXXXX")
	chmod 755 "$OPEN"
	cp "$CORACLE" "$OPEN"
	run env -i setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all "$OPEN/coracle" features
	rm -r "$OPEN"
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat features.json)" ]
	run "$CORACLE" features x
	failed "wrong number of arguments"
}

@test "every property of the specification is there, and what engines look at" {
	jq -e '(.linux | [.namespaces, .capabilities, .cgroup.v1, .cgroup.v2, .cgroup.systemd, .cgroup.systemdUser, .cgroup.rdma,
			.seccomp.enabled, .apparmor.enabled, .selinux.enabled, .intelRdt.enabled, .intelRdt.schemata, .intelRdt.monitoring,
			.memoryPolicy.modes, .memoryPolicy.flags, .mountExtensions.idmap.enabled, .netDevices.enabled]
			| all(. != null)) and (.mountOptions | index("rro")) and .ociVersionMin == "1.0.0"' features.json
	if [ "$(feature .linux.seccomp.enabled)" = true ]; then
		jq -e '.linux.seccomp | [.actions, .operators, .archs, .knownFlags, .supportedFlags] | all(length > 0)' features.json
	fi
}

@test "ociVersionMin and ociVersionMax are accepted" {
	for version in $(feature .ociVersionMin) $(feature .ociVersionMax); do
		accepted --arg v "$version" '.ociVersion = $v'
	done
}

@test "hooks are known, and all that the specification has" {
	[ "$(feature '.hooks | sort | join(" ")')" = "createContainer createRuntime poststart poststop prestart startContainer" ]
	for hook in $(feature '.hooks[]'); do
		accepted --arg h "$hook" '.hooks = {($h): [{path: "/bin/true"}]}'
	done
}

@test "mount options are known, and all that the specification demands" {
	# config.md#linux-mount-options: MUST and SHOULD, except options of the tmpfs itself.
	for option in async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec \
		noiversion nolazytime norelatime nostrictatime nosuid nosymfollow private rbind rdev rdiratime relatime rexec rnoatime rnodiratime \
		rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid \
		rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync unbindable; do
		feature '.mountOptions[]' | grep -qx "$option"
	done
	# An unknown option of a bind mount is refused.
	for option in $(feature '.mountOptions[]'); do
		case $option in
		tmpcopyup | async | sync | dirsync | lazytime | nolazytime | mand | nomand) accepted --arg o "$option" '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: [$o]}]' ;;
		idmap | ridmap) accepted --arg o "$option" '.mounts += [{destination: "/x", source: "/x", options: ["bind", $o],
			uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]' ;;
		*) accepted --arg o "$option" '.mounts += [{destination: "/x", source: "/x", options: ["bind", $o]}]' ;;
		esac
	done
	cp good config.json
	config '.mounts += [{destination: "/x", source: "/x", options: ["bind", "nosuchoption"]}]'
	run "$CORACLE" validate
	failed nosuchoption
}

@test "namespaces are known, and others are refused" {
	local type maps='(.linux.uidMappings, .linux.gidMappings) = [{containerID: 0, hostID: 100000, size: 1000}]'
	for type in pid network mount ipc uts user cgroup time; do
		case $type in
		user) agrees '.linux.namespaces | index("user") != null' ".linux.namespaces += [{type: \"user\"}] | $maps" ;;
		time) agrees '.linux.namespaces | index("time") != null' '.linux.namespaces += [{type: "time"}]' ;;
		*) feature '.linux.namespaces[]' | grep -qx "$type" ;;
		esac
	done
	[ "$(jq -r '.linux.namespaces - ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] | length' features.json)" = 0 ]
}

@test "capabilities are known, and all that the kernel has" {
	accepted --slurpfile f features.json '.process.capabilities |= map_values($f[0].linux.capabilities)'
	# shellcheck disable=SC2016 # jq
	[ "$(feature '.linux.capabilities | length')" -ge $(($(cat /proc/sys/kernel/cap_last_cap) + 1)) ]
}

@test "memory policies are known" {
	for mode in $(feature '.linux.memoryPolicy.modes[]'); do
		local nodes=0
		case $mode in MPOL_DEFAULT | MPOL_LOCAL) nodes= ;; esac
		accepted --arg m "$mode" --arg n "$nodes" '.linux.memoryPolicy = {mode: $m, nodes: $n}'
	done
	for flag in $(feature '.linux.memoryPolicy.flags[]'); do
		accepted --arg f "$flag" '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: [$f]}'
	done
	[ "$(feature '.linux.memoryPolicy.modes | length')" = 7 ]
	[ "$(feature '.linux.memoryPolicy.flags | length')" = 3 ]
}

@test "seccomp: actions, operators, architectures and flags are known" {
	agrees .linux.seccomp.enabled '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
	[ "$(feature .linux.seccomp.enabled)" = true ] || return 0
	for action in $(feature '.linux.seccomp.actions[]'); do
		accepted --arg a "$action" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/l", syscalls: [{names: ["chmod"], action: $a}]}'
	done
	for op in $(feature '.linux.seccomp.operators[]'); do
		accepted --arg o "$op" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chmod"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: 1, op: $o}]}]}'
	done
	accepted --slurpfile f features.json '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: $f[0].linux.seccomp.archs}'
	for flag in $(feature '.linux.seccomp.knownFlags[]'); do
		accepted --arg f "$flag" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/l", flags: [$f], syscalls: [{names: ["chmod"], action: "SCMP_ACT_NOTIFY"}]}'
	done
	jq -e '.linux.seccomp | .supportedFlags - .knownFlags == []' features.json
}

@test "what is claimed of labels, RDT, id-mapped mounts and network devices is so" {
	agrees .linux.apparmor.enabled '.process.apparmorProfile = "unconfined"'
	agrees .linux.selinux.enabled '.process.selinuxLabel = "system_u:system_r:container_t:s0"'
	agrees .linux.selinux.enabled '.linux.mountLabel = "system_u:object_r:container_file_t:s0"'
	agrees .linux.intelRdt.enabled '.linux.intelRdt = {closID: "x"}'
	agrees .linux.intelRdt.schemata '.linux.intelRdt = {closID: "x", schemata: ["L3:0=f"]}'
	agrees .linux.intelRdt.monitoring '.linux.intelRdt = {closID: "x", enableMonitoring: true}'
	agrees .linux.netDevices.enabled '.linux.netDevices = {eth9: {name: "eth0"}}'
	agrees .linux.mountExtensions.idmap.enabled '.mounts += [{destination: "/x", source: "/x", options: ["bind", "idmap"],
		uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]'
}

# bats test_tags=vm
@test "annotations that change the container are listed, and what this is" {
	[ "$(feature '.potentiallyUnsafeConfigAnnotations | join(" ")')" = "org.systemd.property. run.oci.keep_original_groups run.oci.mount_context_type" ]
	[ "coracle version $(feature '.annotations["coracle.version"]')" = "$("$CORACLE" --version | head -1)" ]
	jq -e '.annotations["coracle.version"] | test("[[:space:]]") | not' features.json
	[ "commit: $(feature '.annotations["coracle.commit"]')" = "$("$CORACLE" --version | sed -n 2p)" ]
	jq -e '.annotations["org.opencontainers.runc.checkpoint.enabled"] == "false"' features.json
	accepted '.annotations = {"run.oci.keep_original_groups": "1", "run.oci.mount_context_type": "context", "org.systemd.property.KillSignal": "15"}'
	# An annotation without effect for this driver is checked by the other one.
	cp good config.json
	config '.annotations = {"org.systemd.property.ExecStart": "x"}'
	run "$CORACLE" --systemd-cgroup validate
	[ "$status" -eq 1 ]
	says 'error: annotations["org.systemd.property.ExecStart"]: this property of a unit cannot be set by an annotation'
}

@test "the systemd driver is claimed when it is there" {
	mkdir "$ROOT"
	run "$CORACLE" --root "$ROOT" --systemd-cgroup list
	case $(jq .linux.cgroup.systemd features.json) in
	true) [ "$status" -eq 0 ] ;;
	false) failed "not supported by this version" ;;
	esac
}
