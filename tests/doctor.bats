#!/usr/bin/env bats
# coracle doctor: examines by trying what the host can do.

load helpers

setup() {
	setup_busybox
}

# examine runs doctor and stores its JSON in doctor.json.
examine() {
	"$CORACLE" --root "$ROOT" doctor --json >doctor.json || true
}

# finding NAME prints the status of a finding.
finding() {
	jq -r --arg name "$1" '.findings[] | select(.name == $name) | .status' doctor.json
}

# about NAME prints all texts of a finding.
about() {
	jq -r --arg name "$1" '.findings[] | select(.name == $name) | [.found, .cost, .mend, (.commands // [])[]] | join("\n")' doctor.json
}

@test "doctor says of everything whether it is there, and its exit status is the worst of that" {
	run "$CORACLE" doctor --json
	[ "$(jq .exit <<<"$output")" = "$status" ]
	jq -e '.findings | length > 20 and all(.name and .found and (.status | IN("ok", "degraded", "missing")) and ((.status == "ok") == (.cost == null)))' <<<"$output"
	jq -e 'if any(.findings[]; .required and .status == "missing") then .exit == 2 elif all(.findings[]; .status == "ok") then .exit == 0 else .exit == 1 end' <<<"$output"
	names=$(jq -r '.findings[].name' <<<"$output")
	run "$CORACLE" doctor
	for name in $names; do
		grep -Eq "^(ok|degraded|missing) +$name " <<<"$output"
	done
}

@test "on a host on which containers run nothing that they need is missing" {
	args true
	coracle run "$ID"
	examine
	[ "$(jq .exit doctor.json)" -lt 2 ]
	for name in kernel memfd namespaces.user namespaces.mount namespaces.pid namespaces.network namespaces.time mounts.api cgroups seccomp keyrings; do
		[ "$(finding "$name")" = ok ]
	done
}

@test "doctor changes nothing, and leaves nothing" {
	look() {
		cat /proc/self/mountinfo
		find /sys/fs/cgroup -type d -name '*doctor*'
		find "$ROOT" 2>/dev/null
		cat /proc/sys/user/max_user_namespaces /proc/sys/kernel/keys/maxkeys
	}
	look | grep -v cortest >before
	examine
	look | grep -v cortest >after
	# Other tests, whose cgroups have their own names, may run at the same time.
	diff before after
	[ "$(processes doctor)" = "" ]
}

@test "a limit of 0 user namespaces is found, with the command that raises it" {
	run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$1" --root "$2" doctor --json' sh "$CORACLE" "$ROOT"
	printf '%s\n' "$output" >doctor.json
	[ "$(finding namespaces.user)" = missing ]
	about namespaces.user | grep -F "sysctl -w user.max_user_namespaces="
	run unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$1" --root "$2" doctor --fix-hints' sh "$CORACLE" "$ROOT"
	grep -Fx "sysctl -w user.max_user_namespaces=15000" <<<"$output"
}

@test "what the host does with mounts is found" {
	run unshare -m --propagation private "$CORACLE" --root "$ROOT" doctor --json
	printf '%s\n' "$output" >doctor.json
	[ "$(finding propagation)" = degraded ]
	about propagation | grep -Fx "mount --make-rshared /"
	run unshare -m --propagation private sh -c 'mount --make-rshared / && exec "$1" --root "$2" doctor --json' sh "$CORACLE" "$ROOT"
	printf '%s\n' "$output" >doctor.json
	[ "$(finding propagation)" = ok ]
	run unshare -m --propagation private sh -c 'umount -R -l /sys/fs/cgroup && exec "$1" --root "$2" doctor --json' sh "$CORACLE" "$ROOT"
	printf '%s\n' "$output" >doctor.json
	[ "$(finding cgroups)" = missing ]
}

@test "limits of the caller are found" {
	run sh -c 'ulimit -n 100; exec "$1" --root "$2" doctor --json' sh "$CORACLE" "$ROOT"
	printf '%s\n' "$output" >doctor.json
	[ "$(finding limits.files)" = degraded ]
	about limits.files | grep -F "100 files"
}

@test "in a sandbox that hides system calls and forbids namespaces no container can be made, and doctor says so" {
	cp "$CORACLE" rootfs/bin/coracle
	args coracle --root /tmp doctor
	config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], syscalls: [
		{names: ["mount_setattr"], action: "SCMP_ACT_ERRNO", errnoRet: 38}, {names: ["unshare"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
	run "$CORACLE" --root "$ROOT" run "$ID" </dev/null
	[ "$status" -eq 2 ]
	grep -E "^missing +kernel .*mount_setattr" <<<"$output"
	grep -E "^missing +namespaces.user .*operation not permitted" <<<"$output"
}

@test "without privileges the host is examined for that user" {
	OPEN=$(mktemp -d "/tmp/cortest-$RUN-doctor.XXXXXX")
	chmod 1777 "$OPEN"
	cp "$CORACLE" "$OPEN"
	mkdir -m 1777 "$OPEN/run"
	run env -i XDG_RUNTIME_DIR="$OPEN/run" setpriv --reuid 65534 --regid 65534 --clear-groups "$OPEN/coracle" doctor --json
	rm -r "$OPEN"
	printf '%s\n' "$output" >doctor.json
	[ "$(jq .uid doctor.json)" = 65534 ]
	[ "$(finding mounts.idmapped)" = missing ]
	[ -n "$(finding subordinate-ids)" ]
	[ "$(finding namespaces.mount)" = "$(finding namespaces.user)" ]
}

@test "--cleanup lists what has ended or was cut off, and removes it with --force" {
	args sleep 100
	create_and_start "$ID-alive"
	create_and_start "$ID-dead"
	coracle kill "$ID-dead" KILL
	wait_for has_status "$ID-dead" stopped
	mkdir -m 700 "$ROOT/$ID-cut"
	run "$CORACLE" --root "$ROOT" doctor --cleanup
	[ "$status" -eq 0 ]
	[ "$(cut -d' ' -f1 <<<"$output")" = "$(printf '%s\n' "$ID-cut" "$ID-dead")" ]
	[ -e "$ROOT/$ID-dead" ]
	examine
	[ "$(jq '.leftovers | length' doctor.json)" = 2 ]
	run "$CORACLE" --root "$ROOT" doctor --force
	failed "--force needs --cleanup"
	run "$CORACLE" --root "$ROOT" doctor --cleanup --force
	[ "$status" -eq 0 ]
	[ "$(ls "$ROOT")" = "$ID-alive" ]
	[ "$(status_of "$ID-alive")" = running ]
	coracle delete --force "$ID-alive"
	nothing_left
}

@test "--cleanup says of a record that cannot be read that it stays" {
	mkdir -m 700 "$ROOT" "$ROOT/$ID"
	echo '{' >"$ROOT/$ID/state.json"
	run "$CORACLE" --root "$ROOT" doctor --cleanup --force
	[ "$status" -eq 1 ]
	says "stays: "
	says "1 record of 1 could not be removed"
	rm -r "${ROOT:?}/$ID"
}

@test "--engine says whether an engine on this host uses this program" {
	# In a new mount namespace the test has its own configuration files of engines.
	mkdir -p etc/docker etc/containerd
	echo '{"runtimes": {"coracle": {"path": "'"$CORACLE"'"}}, "exec-opts": ["native.cgroupdriver=cgroupfs"]}' >etc/docker/daemon.json
	in_place() {
		unshare -m --propagation private sh -c 'mkdir -p /etc/docker /etc/containerd && mount --bind "$1/docker" /etc/docker && mount --bind "$1/containerd" /etc/containerd && shift && exec "$@"' sh "$PWD/etc" "$CORACLE" doctor "$@"
	}
	run in_place --engine docker --engine containerd
	says 'the runtime "coracle" is '"$CORACLE, with the cgroup driver cgroupfs"
	grep -E "^missing +containerd.runtime " <<<"$output"
	says "BinaryName = '"
	run "$CORACLE" doctor --engine rkt
	failed 'invalid --engine "rkt"' containerd docker podman crio buildkit
}
