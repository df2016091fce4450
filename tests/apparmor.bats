#!/usr/bin/env bats
# bats file_tags=vm
# AppArmor: process.apparmorProfile and `exec --apparmor`, with profiles in the kernel. `make
# test-vm` runs it with AppArmor.

# shellcheck disable=SC2016 # scripts for others in quotes

load helpers

enabled() {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]
}

needs_apparmor() {
	enabled || skip "AppArmor is not enabled on this host"
	command -v apparmor_parser >/dev/null || skip "apparmor_parser is missing (package apparmor)"
}

# profiles prints the profiles of these tests: two for the container, which deny different files,
# and two for the runtime itself.
profiles() {
	local everything='file, capability, network, mount, remount, umount, pivot_root, ptrace, signal, unix, dbus,'
	cat <<-END
		profile $PROFILE flags=(attach_disconnected,mediate_deleted) {
			$everything
			deny /denied r,
		}
		profile $PROFILE-other flags=(attach_disconnected,mediate_deleted) {
			$everything
			deny /other r,
		}
		profile $PROFILE-confined flags=(attach_disconnected,mediate_deleted) {
			$everything
		}
		profile $PROFILE-changing flags=(attach_disconnected,mediate_deleted) {
			$everything
			change_profile,
		}
	END
}

setup_file() {
	export PROFILE=cortest-${BATS_RUN_TMPDIR##*-}
	if enabled && command -v apparmor_parser >/dev/null; then
		profiles | apparmor_parser --replace --skip-cache --quiet
	fi
}

teardown_file() {
	if enabled && command -v apparmor_parser >/dev/null; then
		profiles | apparmor_parser --remove --quiet
	fi
}

setup() {
	setup_busybox
	writable
	echo secret >rootfs/denied
	echo secret >rootfs/other
}

confine() {
	config --arg p "$1" '.process.apparmorProfile = $p'
}

# look prints the profile and whether the two files can be read.
look='cat /proc/self/attr/apparmor/current; for f in denied other; do cat /$f >/dev/null 2>&1 && echo $f: read || echo $f: denied; done'

# label_of PID prints the profile of a process.
label_of() {
	cat "/proc/$1/attr/apparmor/current"
}

# saw PROFILE FILE... asserts that a process had the profile, and could read all files except
# these.
saw() {
	local f want=$1
	shift
	[[ $want == unconfined ]] || want+=" (enforce)"
	for f in denied other; do
		if [[ " $* " == *" $f "* ]]; then want+=$'\n'"$f: denied"; else want+=$'\n'"$f: read"; fi
	done
	if [ "$status" -ne 0 ] || [ "$output" != "$want" ]; then
		printf 'status %s: %s\nwant: %s\n' "$status" "$output" "$want" >&2
		return 1
	fi
}

@test "the profile confines the process, from its execve on" {
	needs_apparmor
	confine "$PROFILE"
	for nnp in true false; do
		config --argjson n "$nnp" '.process.noNewPrivileges = $n'
		shell "$look"
		saw "$PROFILE" denied
	done
	args sleep 1000
	created
	[ "$(label_of "$(pid_of "$ID")")" = unconfined ]
	coracle start "$ID"
	[ "$(label_of "$(pid_of "$ID")")" = "$PROFILE (enforce)" ]
}

@test "a profile needs no procfs in the container, and no files of it in the way" {
	needs_apparmor
	confine "$PROFILE"
	# The image has files where a careless runtime would write.
	config 'del(.mounts[] | select(.destination | startswith("/proc"))) | del(.linux.maskedPaths, .linux.readonlyPaths)'
	mkdir -p rootfs/proc/self/attr/apparmor rootfs/proc/thread-self/attr/apparmor
	touch rootfs/proc/{self,thread-self}/attr/{exec,apparmor/exec}
	detached 'sleep 1000'
	[ "$(label_of "$(pid_of "$ID")")" = "$PROFILE (enforce)" ]
	background exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" "$ID" sleep 1000
	[ "$status" -eq 0 ]
	[ "$(label_of "$(cat "$BATS_TEST_TMPDIR/pid")")" = "$PROFILE (enforce)" ]
	[ -z "$(find rootfs/proc -type f -size +0)" ]
}

@test "exec has the profile of the container, or the one of --apparmor" {
	needs_apparmor
	confine "$PROFILE"
	detached 'sleep 1000'
	run coracle exec "$ID" sh -c "$look"
	saw "$PROFILE" denied
	run coracle exec --apparmor "$PROFILE-other" "$ID" sh -c "$look"
	saw "$PROFILE-other" other
	run coracle exec --apparmor unconfined "$ID" sh -c "$look"
	saw unconfined
	# A process that sets no profile does not escape the confinement.
	jq --arg look "$look" '.process | del(.apparmorProfile) | .args = ["sh", "-c", $look]' config.json >process.json
	run coracle exec --process process.json "$ID"
	saw "$PROFILE" denied
	jq --arg p "$PROFILE-other" '.apparmorProfile = $p' process.json >other.json
	run coracle exec --process other.json "$ID"
	saw "$PROFILE-other" other
}

@test "profiles in user namespaces, masks included" {
	needs_apparmor
	confine "$PROFILE"
	config '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}]'
	chown -R 100000:100000 rootfs
	shell "$look"
	saw "$PROFILE" denied
	coracle delete --force "$ID"
	detached 'sleep 1000'
	run coracle exec "$ID" sh -c "$look"
	saw "$PROFILE" denied
}

@test "a hook of the image has the profile of the container" {
	needs_apparmor
	confine "$PROFILE"
	args true
	config '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "/bin/cat /proc/self/attr/apparmor/current >/label"]}]'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
	[ "$(cat rootfs/label)" = "$PROFILE (enforce)" ]
}

@test "\"unconfined\" is that word exactly" {
	needs_apparmor
	confine unconfined
	shell "$look"
	saw unconfined
	confine unconfined_foo
	background create "$ID"
	failed '"unconfined_foo"' "not loaded"
	nothing_left
}

@test "a profile that is not loaded is an error of create, which leaves nothing" {
	needs_apparmor
	confine "$PROFILE-missing"
	background create "$ID"
	failed "apply the AppArmor profile \"$PROFILE-missing\" (process.apparmorProfile)" "the profile is not loaded"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	# Engines would read this as a missing command.
	[[ $output != *"no such file"* ]]
	nothing_left

	confine "$PROFILE"
	detached 'sleep 1000'
	run coracle exec --apparmor "$PROFILE-missing" "$ID" true
	[ "$status" -eq 255 ]
	says "$PROFILE-missing" "not loaded"
	[ "$(status_of "$ID")" = running ]
}

@test "a runtime that is confined itself" {
	needs_apparmor
	command -v aa-exec >/dev/null || skip "aa-exec is missing (package apparmor)"
	args sh -c "$look"
	# The runtime's profile does not allow a change of profile.
	confine "$PROFILE"
	run aa-exec -p "$PROFILE-confined" -- "$CORACLE" --root "$ROOT" run "$ID"
	failed "$PROFILE\"" "the profile that the runtime itself runs under does not allow it: permission denied"
	# This one allows it, but with no_new_privs no process can leave its confinement.
	config '.process.noNewPrivileges = false'
	run aa-exec -p "$PROFILE-changing" -- "$CORACLE" --root "$ROOT" run "$ID"
	saw "$PROFILE" denied
	config '.process.noNewPrivileges = true'
	run aa-exec -p "$PROFILE-changing" -- "$CORACLE" --root "$ROOT" run "$ID"
	failed "operation not permitted" "AppArmor"
	[[ $output != *secret* ]]
	nothing_left
}

@test "without AppArmor a profile is an error, but \"unconfined\" is not" {
	! enabled || skip "AppArmor is enabled on this host"
	confine "$PROFILE"
	background create "$ID"
	failed "apply the AppArmor profile \"$PROFILE\" (process.apparmorProfile)" AppArmor
	[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
	nothing_left
	confine unconfined
	detached 'sleep 1000'
	run coracle exec "$ID" echo hello
	[ "$output" = hello ]
	run coracle exec --apparmor "$PROFILE" "$ID" true
	[ "$status" -eq 255 ]
	says "$PROFILE" AppArmor
}

@test "names that the kernel would take for others are refused" {
	for name in " unconfined" "unconfined " $'unconfined\n' $'a\tb'; do
		confine "$name"
		background create "$ID"
		failed config.json process.apparmorProfile
		nothing_left
	done
}
