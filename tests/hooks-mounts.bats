#!/usr/bin/env bats
# Hooks that change the file system of the container before its root is entered, as those of GPUs do: a
# createContainer hook works on the path of the rootfs, a legacy hook of the runtime enters the mount
# namespace by the pid. Both without and with a user namespace.

# shellcheck disable=SC2016,SC2030,SC2031 # scripts for others in quotes; each test is a subshell

load helpers

setup() {
	setup_busybox
	writable
	mkdir -p rootfs/usr/lib/gpu rootfs/etc/ld.so.conf.d rootfs/opt volume
	echo /usr/lib/gpu >rootfs/etc/ld.so.conf
	echo volume >volume/file
	config '.mounts += [{destination: "/opt", type: "bind", source: "volume", options: ["rbind"]}]'
	# Root of a user namespace may not pass through directories that are closed to others.
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* "$BATS_TEST_TMPDIR"
}

# says_exactly TEXT asserts that the last command succeeded with this output.
says_exactly() {
	if [ "$status" -ne 0 ] || [ "$output" != "$1" ]; then
		echo "status $status: $output" >&2
		return 1
	fi
}

# users adds a new user namespace.
users() {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
}

# joined_users makes the container join the user namespace of another one.
joined_users() {
	users
	args sleep 1000
	background run --detach "$ID-a"
	[ "$status" -eq 0 ]
	config --arg p "/proc/$(pid_of "$ID-a")/ns/user" '(.linux.namespaces[] | select(.type == "user")).path = $p | del(.linux.uidMappings, .linux.gidMappings)'
}

# script NAME makes a file on the host from the script on standard input; hooks can run it.
script() {
	{ echo '#!/bin/sh -e' && cat; } >"$BATS_TEST_TMPDIR/$1"
	chmod 755 "$BATS_TEST_TMPDIR/$1"
}

# hook KIND NAME adds a hook that runs a script.
hook() {
	config --arg kind "$1" --arg path "$BATS_TEST_TMPDIR/$2" '.hooks[$kind] += [{path: $path, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"]}]'
}

# cdi_hook adds the hook of a CDI device: it finds the rootfs by the bundle in the state and the
# configuration, makes a link next to a mounted library, and updates the cache of the dynamic
# linker. The container prints what it sees.
cdi_hook() {
	local library
	library=$(ldconfig -p | awk '/^\tlibm\.so\.6 / { print $NF; exit }')
	config --arg s "$library" '.mounts += [{destination: "/usr/lib/gpu/libgpu.so.1.2", type: "bind", source: $s, options: ["bind", "ro"]}]'
	script cdi <<-'END'
		bundle=$(sed 's/.*"bundle":"\([^"]*\)".*/\1/')
		root=$bundle/$(gojq -r .root.path "$bundle/config.json")
		ln -s libgpu.so.1.2 "$root/usr/lib/gpu/libgpu.so.1"
		ldconfig -r "$root"
	END
	hook createContainer cdi
	chmod 644 config.json
	args sh -c 'readlink /usr/lib/gpu/libgpu.so.1; readlink /usr/lib/gpu/libm.so.6; grep -c /usr/lib/gpu/libm.so.6 /etc/ld.so.cache; cat /opt/file'
}

cdi_hook_has_worked() {
	says_exactly $'libgpu.so.1.2\nlibgpu.so.1.2\n1\nvolume'
}

# legacy_hook KIND adds a hook in the runtime's namespaces that mounts a file and a device. It
# acts as the container's root where it has to create something.
legacy_hook() {
	script legacy <<-END
		pid=\$(sed 's/.*"pid":\([0-9]*\).*/\1/')
		nsenter -t "\$pid" -m $1 touch "$BUNDLE/rootfs/gpu.lib" "$BUNDLE/rootfs/dev/gpu0"
		nsenter -t "\$pid" -m mount --bind "$BUNDLE/rootfs/opt/file" "$BUNDLE/rootfs/gpu.lib"
		nsenter -t "\$pid" -m mount --bind /dev/zero "$BUNDLE/rootfs/dev/gpu0"
	END
	config 'del(.hooks)'
	hook "$2" legacy
	args sh -c 'cat /gpu.lib; head -c 3 /dev/gpu0 | wc -c; test -c /dev/gpu0'
}

legacy_hook_has_worked() {
	says_exactly $'volume\n3'
	# The host has none of it.
	[ ! -s rootfs/gpu.lib ] && [ ! -e rootfs/dev/gpu0 ]
}

@test "a CDI hook makes links and updates the linker's cache" {
	cdi_hook
	run coracle run "$ID"
	cdi_hook_has_worked
}

@test "a CDI hook does so with a user namespace" {
	users
	cdi_hook
	run coracle run "$ID"
	cdi_hook_has_worked
	[ "$(stat -c %u rootfs/etc/ld.so.cache)" = 100000 ]
}

@test "a CDI hook does so with the user namespace of another container" {
	joined_users
	cdi_hook
	run coracle run "$ID"
	cdi_hook_has_worked
}

# bats test_tags=vm
@test "a hook of the runtime enters the mount namespace and mounts a file and a device" {
	local kind
	for kind in prestart createRuntime; do
		legacy_hook "" "$kind"
		run coracle run "$ID"
		legacy_hook_has_worked
	done
}

# bats test_tags=vm
@test "a hook of the runtime does so with a user namespace" {
	local kind
	users
	for kind in prestart createRuntime; do
		legacy_hook --user "$kind"
		run coracle run "$ID"
		legacy_hook_has_worked
	done
}

# bats test_tags=vm
@test "a hook of the runtime does so with the user namespace of another container" {
	joined_users
	legacy_hook --user prestart
	run coracle run "$ID"
	legacy_hook_has_worked
}

# bats test_tags=vm
@test "a createContainer hook works in the rootfs although the way there is closed to root of the container" {
	users
	chmod 700 "$BUNDLE"
	script relative <<-'END'
		cat opt/file >copied
		mkdir mnt
		mount -t tmpfs none mnt
		echo mounted >mnt/file
	END
	hook createContainer relative
	args cat /copied /mnt/file
	run coracle run "$ID"
	says_exactly $'volume\nmounted'
	run coracle run --no-pivot "$ID"
	[ "$status" -eq 1 ] # there is a directory of that name now
	rm -r rootfs/mnt
	run coracle run --no-pivot "$ID"
	says_exactly $'volume\nmounted'
}

# bats test_tags=vm
@test "nothing of the host is in sight after hooks in a user namespace" {
	users
	script look <<-END
		grep -q ' $BUNDLE/rootfs/opt ' /proc/self/mountinfo
	END
	hook createContainer look
	config '.process.capabilities = {bounding: ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"], effective: ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"], permitted: ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]}'
	# A mount namespace shows its mounts, and a process that joins it gets its root.
	args sh -c 'awk "{ print \$5 }" /proc/self/mountinfo | grep -vE "^/(proc|sys|dev|opt)(/|$)"; nsenter --mount=/proc/self/ns/mnt ls -d /usr/lib/gpu; umount / 2>/dev/null; umount -l / 2>/dev/null; cat /opt/file'
	run coracle run "$ID"
	says_exactly $'/\n/usr/lib/gpu\nvolume'
}
