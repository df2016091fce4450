#!/usr/bin/env bats
# bats file_tags=vm
# Sources of bind mounts: special trees of the host, and the container's own tree.

load helpers
load mounts

# pinned runs coracle on a host where one mount below the source pins a mount namespace, as snapd
# has them, and another one is a file system. It uses one processor only: newer kernels allocate
# the numbers by which they compare the age of namespaces per processor.
pinned() {
	mkdir -p "$SOURCE/pins" "$SOURCE/sub"
	echo plain >"$SOURCE/pins/ns"
	run taskset -c 0 unshare --mount --propagation private bash -c '
		source=$1
		shift
		mount --bind "$source" "$source" && unshare --mount="$source/pins/ns" true &&
		mount -t tmpfs tmpfs "$source/sub" && echo below >"$source/sub/file" && chown -R 100000:100000 "$source/sub" && exec "$@"' \
		- "$SOURCE" "$CORACLE" --root "$ROOT" "$@" "$ID"
}

# users gives the container a user namespace in which root is 100000 of the host.
users() {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 rootfs
}

@test "a tree with a pinned mount namespace in it can be mounted; the pin is not there" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "ro", "nosuid"]}, {destination: "/tmp/after", source: $SOURCE, options: ["bind"]}'
	args sh -c 'cat /mnt/pins/ns /mnt/sub/file /tmp/after/file; grep " /mnt" /proc/self/mountinfo'
	pinned run
	[ "$status" -eq 0 ]
	[ "${lines[*]:0:3}" = "plain below content" ]
	[[ $(mounted /mnt) == ro,nosuid* ]]
	[[ $(mounted /mnt/sub) == rw,* ]]
	[ "${#lines[@]}" -eq 5 ] # the pin is not mounted
	nothing_left
}

@test "a file that pins a mount namespace is mounted as what it is without that" {
	mount_also '{destination: "/mnt/ns", source: ($SOURCE + "/pins/ns"), options: ["bind"]}'
	args cat /mnt/ns
	pinned run
	[ "$status" -eq 0 ]
	[ "$output" = plain ]
}

@test "several trees with a pinned mount namespace, and masks and remounts in them" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind"]}, {destination: "/opt", source: $SOURCE, options: ["rbind"]}, {destination: "/opt", options: ["remount", "bind", "ro"]}'
	config '.linux.maskedPaths += ["/mnt/file"] | .linux.readonlyPaths += ["/mnt/sub"]'
	args sh -c 'cat /mnt/file /mnt/sub/file /opt/sub/file; touch /mnt/sub/x; touch /opt/x; touch /mnt/x && echo made'
	pinned run
	[ "${#lines[@]}" -eq 5 ]
	says $'below\nbelow\n' "/mnt/sub/x: Read-only" "/opt/x: Read-only" made
}

@test "a rootfs with a pinned mount namespace in it" {
	cp -a "$BUNDLE/rootfs/." "$SOURCE"
	config --arg p "$SOURCE" '.root.path = $p'
	args cat /pins/ns /sub/file
	pinned run
	[ "$output" = $'plain\nbelow' ]
}

@test "with a user namespace, and with mapped ids, a tree with a pinned mount namespace is what it is otherwise" {
	users
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "ro"]}, {destination: "/opt", source: $SOURCE, options: ["rbind", "idmap"]}'
	# The init has left the processor before it makes its mount namespace, so the kernel may allow
	# the pin.
	args sh -c 'stat -c %u /mnt/sub/file /mnt/file /opt/file; cat /opt/sub/file'
	pinned run
	[ "$output" = $'0\n65534\n0\nbelow' ]
	nothing_left
}

@test "hooks see a tree with a pinned mount namespace in it" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind"]}'
	config --arg f "$BATS_TEST_TMPDIR/seen" --arg b "$BUNDLE" '.hooks = {createContainer: [{path: "/bin/sh", args: ["sh", "-c", "cat \($b)/rootfs/mnt/sub/file >\($f)"], env: ["PATH=/bin:/usr/bin"]}]}'
	args true
	pinned run
	[ "$status" -eq 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR/seen")" = below ]
}

@test "later mounts of the host appear in a tree with a pinned mount namespace" {
	mkdir -p "$SOURCE/pins" "$SOURCE/shared/late"
	touch "$SOURCE/pins/ns"
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "rslave"]}'
	args sh -c 'echo ready; while [ ! -e /mnt/shared/late/file ]; do sleep 0.05; done; echo late'
	run taskset -c 0 unshare --mount --propagation private bash -c '
		mount --bind "$1" "$1" && mount --bind "$1/shared" "$1/shared" && mount --make-shared "$1/shared" && unshare --mount="$1/pins/ns" true
		"$2" --root "$3" run "$4" >"$5" 2>&1 </dev/null 3>&- &
		for i in $(seq 200); do grep -q ready "$5" && break; sleep 0.05; done
		mount -t tmpfs tmpfs "$1/shared/late" && touch "$1/shared/late/file"
		wait $!' - "$SOURCE" "$CORACLE" "$ROOT" "$ID" "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 0 ]
	has_printed late
}

# inside PATH... binds paths of the rootfs to /b0, /b1 and so on.
inside() {
	local p i=0
	for p; do
		config --arg p "$BUNDLE/rootfs/$p" --arg d "/b$((i++))" '.mounts += [{destination: $d, source: $p, options: ["rbind"]}]'
	done
}

# ordered asserts that a source in the rootfs includes the mounts of earlier entries.
ordered() {
	mkdir -p rootfs/a
	echo image >rootfs/a/file
	mkdir "$SOURCE/sub"
	echo nested >"$SOURCE/sub/file"
	chown -R 100000:100000 rootfs "$SOURCE"
	inside a
	mount_also '{destination: "/a", source: $SOURCE, options: ["bind"]}, {destination: "/new", type: "tmpfs"}, {destination: "/new/in", source: $SOURCE, options: ["bind"]}'
	inside a a/file new a/sub/file
	config '.mounts[-4:] |= (to_entries | map(.value.destination = "/c\(.key)" | .value))'
	shell 'cat /b0/file /c0/file /c1 /c2/in/file /c3'
	[ "$output" = $'image\ncontent\ncontent\ncontent\nnested' ]
}

@test "a source in the rootfs is what earlier entries have mounted there" {
	ordered
	config --arg p rootfs/a '.mounts[-4].source = $p' # relative to the bundle
	run coracle run "$ID"
	[ "${lines[1]}" = content ]
	run coracle run --no-pivot "$ID"
	[ "${lines[1]}" = content ]
}

@test "a source in the rootfs is what earlier entries have mounted there, with a user namespace" {
	users
	ordered
}

@test "a source that leads into the rootfs by a link of the host, too" {
	mkdir -p rootfs/a
	echo image >rootfs/a/file
	ln -s bundle "$BATS_TEST_TMPDIR/alias"
	ln -s alias/rootfs/a/missing "$BATS_TEST_TMPDIR/late"
	mkdir "$SOURCE/missing"
	echo late >"$SOURCE/missing/file"
	mount_also '{destination: "/a", source: $SOURCE, options: ["bind"]}'
	config --arg p "$BATS_TEST_TMPDIR" '.mounts += [{destination: "/b", source: ($p + "/alias/rootfs/a"), options: ["bind"]}, {destination: "/c", source: ($p + "/late"), options: ["bind"]},
		{destination: "/d", source: ($p + "/alias/rootfs/../../source"), options: ["bind"]}]'
	shell 'cat /b/file /c/file /d/file'
	[ "$output" = $'content\nlate\ncontent' ]
}

@test "a source in the rootfs has the options of its entry" {
	users
	mount_also '{destination: "/a", type: "tmpfs"}'
	inside a a
	config '.mounts[-2].options += ["ro", "nosuid", "rprivate"] | .mounts[-1].options += ["idmap"]'
	run coracle run "$ID"
	# The kernel decides whether its file system supports id mappings.
	config 'del(.mounts[-1])'
	see_mounts
	[[ $(mounted /b0) == ro,nosuid,relatime" - tmpfs"* ]]
	[[ $(mounted /a) == rw,* ]]
}

@test "a source in the rootfs stays in the rootfs, whatever its links say" {
	mkdir -p rootfs/link rootfs/in
	echo inside >rootfs/in/canary
	rmdir rootfs/link
	ln -s /in rootfs/link
	ln -s "$OUTSIDE" rootfs/out
	ln -s ../../../../../../../../../../in rootfs/up
	inside link up
	shell 'cat /b0/canary /b1/canary'
	[ "$output" = $'inside\ninside' ]
	inside out/canary
	run coracle run "$ID"
	failed "mounts[9]" "source: no such file or directory" "in the rootfs"
	config '.mounts |= .[:-1]'
	inside proc/1/root/etc
	run coracle run "$ID"
	failed "mounts[9]" "link of procfs"
	untouched
	nothing_left
}

@test "no link in the rootfs leads a source from one mount into another" {
	ln -s /proc rootfs/kernel
	ln -s /volume rootfs/link
	mount_also '{destination: "/volume", source: $SOURCE, options: ["bind", "ro"]}'
	inside kernel
	run coracle run "$ID"
	# The result would be a procfs without masks.
	failed "mounts[8]" "leads it from one mount into another"
	config '.mounts |= .[:-1]'
	inside link
	config '.mounts[-1].options += ["rw"]'
	args touch /b0/made
	run coracle run "$ID"
	failed "mounts[8]" "leads it from one mount into another"
	untouched
	nothing_left
}

@test "a source that leads into the rootfs by a link of the host stays there, whatever its links say" {
	ln -s bundle "$BATS_TEST_TMPDIR/alias"
	ln -s /sys/kernel rootfs/link # for the host another file system
	mkdir -p rootfs/sys/kernel
	echo image >rootfs/sys/kernel/file
	without /sys
	config --arg p "$BATS_TEST_TMPDIR/alias/rootfs/link" --arg q "$BUNDLE/rootfs/sys/../link" \
		'.mounts += [{destination: "/b", source: $p, options: ["bind"]}, {destination: "/c", source: $q, options: ["bind"]}]'
	shell 'cat /b/file /c/file'
	[ "$output" = $'image\nimage' ]
	config --arg p "$BUNDLE/rootfs/link/../../kernel" '.mounts[-1].source = $p'
	run coracle run "$ID"
	failed "it leads through the rootfs and out of it"
}

@test "a source that the host has in the rootfs at a second path stays there, whatever its links say" {
	local second=$BATS_TEST_TMPDIR/second
	mkdir -p "$second" layers/{work,lower} merged
	echo image >rootfs/etc/file
	ln -s /etc rootfs/dir
	mount --bind rootfs "$second"
	config --arg p "$second/dir/file" '.mounts += [{destination: "/b", source: $p, options: ["bind"]}]'
	args cat /b
	run coracle run "$ID"
	umount "$second"
	[ "$output" = image ]
	# The directory that an overlay is made of.
	mount -t overlay -o "lowerdir=$PWD/layers/lower,upperdir=$PWD/rootfs,workdir=$PWD/layers/work" overlay merged || skip "no overlays here"
	config --arg p "$PWD/rootfs/dir/file" '.root.path = "merged" | .mounts[-1].source = $p'
	run coracle run "$ID"
	umount merged
	[ "$output" = image ]
}

@test "a missing source in the rootfs is an error" {
	inside none
	run coracle run "$ID"
	failed "/b0" "mounts[7]" "source: no such file or directory" "neither the image nor an earlier mount"
	nothing_left
}
