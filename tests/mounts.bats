#!/usr/bin/env bats
# Mounts: what the container sees, with which flags, and that nothing else changes.

load helpers
load mounts

@test "the default mounts have their types and flags" {
	see_mounts
	[[ $(mounted /proc) == "rw,relatime - proc proc rw"* ]]
	[[ $(mounted /dev) == "rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755"* ]]
	[[ $(mounted /dev/pts) == "rw,nosuid,noexec,relatime - devpts devpts rw,gid=5,mode=620,ptmxmode=666"* ]]
	[[ $(mounted /dev/shm) == "rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k"* ]]
	[[ $(mounted /dev/mqueue) == "rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw"* ]]
	[[ $(mounted /sys) == "ro,nosuid,nodev,noexec,relatime - sysfs sysfs r"* ]]
	[[ $(mounted /sys/fs/cgroup) == "ro,nosuid,nodev,noexec,relatime - "* ]]
	[[ $(mounted /) == ro,* ]]
}

@test "no mount of the host is there" {
	see_mounts
	[ "$(grep -c ' - ext4 \| - xfs \| - btrfs \| - overlay ' <<<"$output")" -le 1 ]
	[ "$(awk '$5 == "/"' <<<"$output" | wc -l)" -eq 1 ]
	[[ $(awk '{ print $5 }' <<<"$output" | sort -u | grep -vE '^/(|proc|sys|dev)(/|$)') == "" ]]
}

@test "mount options become flags" {
	mount_also '{destination: "/mnt", type: "tmpfs", source: "name", options: ["ro", "nosuid", "nodev", "noexec", "noatime"]}'
	see_mounts
	[[ $(mounted /mnt) == "ro,nosuid,nodev,noexec,noatime - tmpfs name "* ]]
}

@test "the last one of contrary options counts" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["ro", "noexec", "rw", "exec", "nosuid", "defaults"]}'
	see_mounts
	[[ $(mounted /mnt) == "rw,nosuid,relatime - tmpfs "* ]]
}

@test "a tmpfs takes size, mode, uid and others" {
	mount_also '{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=1750", "uid=1000", "gid=100", "nr_inodes=50"]}'
	shell 'stat -c "%a %u:%g" /mnt; df -k /mnt | tail -n 1 | tr -s " " | cut -d" " -f2; grep " /mnt " /proc/self/mountinfo'
	[ "${lines[0]}" = "1750 1000:100" ]
	[ "${lines[1]}" = 1024 ]
	[[ ${lines[2]} == *nr_inodes=50* ]]
}

@test "a read-only tmpfs can hold mount points of later mounts" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["ro"]}, {destination: "/mnt/a/b", type: "tmpfs"}'
	shell 'touch /mnt/a/b/file && echo made; touch /mnt/file'
	[ "${lines[0]}" = made ]
	[[ ${lines[1]} == *"Read-only file system"* ]]
}

@test "options of the file system with a comma or backslash stay one option" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["mode=755,size=1m"]}'
	background create "$ID"
	failed "mounts["
	nothing_left
}

@test "a bind mount shows the source" {
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["bind"]}'
	shell 'cat /mnt/file; echo new >/mnt/new'
	[ "$output" = content ]
	[ "$(cat "$SOURCE/new")" = new ]
}

@test "bind mounts have flags of their own" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["bind", "ro", "nosuid", "nodev", "noexec", "nosymfollow"]}'
	see_mounts
	[[ $(mounted /mnt) == "ro,nosuid,nodev,noexec,"* ]]
	[[ $(mounted /mnt) == *nosymfollow* ]]
	shell 'touch /mnt/new'
	[[ $output == *"Read-only file system"* ]]
	untouched
}

@test "a source that is not absolute is relative to the bundle" {
	mkdir data
	echo here >data/file
	mount_also '{destination: "/mnt", type: "bind", source: "data", options: ["bind"]}'
	cd /
	args cat /mnt/file
	run coracle run --bundle "$BUNDLE" "$ID"
	[ "$output" = here ]
}

@test "rbind takes the mounts below along, bind does not" {
	mkdir "$SOURCE/below"
	for option in bind rbind; do
		config 'del(.mounts[] | select(.destination == "/mnt"))'
		mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["'$option'"]}'
		args ls /mnt/below
		run unshare --mount bash -c 'mount -t tmpfs tmpfs "$1/below" && touch "$1/below/mounted" && "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
		[ "$status" -eq 0 ]
		if [ "$option" = bind ]; then [ -z "$output" ]; else [ "$output" = mounted ]; fi
	done
}

@test "ro makes the mount itself read-only, rro all mounts below it too" {
	mkdir "$SOURCE/below"
	for option in ro rro; do
		config 'del(.mounts[] | select(.destination == "/mnt"))'
		mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["rbind", "'$option'"]}'
		args sh -c 'touch /mnt/x 2>/dev/null || echo top; touch /mnt/below/x 2>/dev/null || echo below'
		run unshare --mount bash -c 'mount -t tmpfs tmpfs "$1/below" && "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
		if [ "$option" = ro ]; then [ "$output" = top ]; else [ "$output" = $'top\nbelow' ]; fi
	done
}

@test "a file can be mounted on a file" {
	mount_also '{destination: "/etc/passwd", type: "bind", source: ($SOURCE + "/file"), options: ["bind", "ro"]}'
	shell 'cat /etc/passwd'
	[ "$output" = content ]
}

@test "a missing source is an error that names it" {
	mount_also '{destination: "/mnt", type: "bind", source: ($SOURCE + "/missing"), options: ["bind"]}'
	background create "$ID"
	failed "bind mount \"$SOURCE/missing\" at \"/mnt\" (mounts[7])" "no such file or directory" "has to exist"
	nothing_left
}

@test "an unknown file system is an error that names it" {
	mount_also '{destination: "/mnt", type: "nosuchfs"}'
	background create "$ID"
	failed 'mount "nosuchfs" at "/mnt" (mounts[7])' "no such device"
	nothing_left
}

@test "an unknown option of a bind mount is an error that names it" {
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["bind", "nosuchoption"]}'
	background create "$ID"
	failed 'mounts[7].options' '"nosuchoption"'
	nothing_left
}

@test "an unknown option of a file system is an error that names it" {
	mount_also '{destination: "/mnt", type: "tmpfs", options: ["nosuchoption=1"]}'
	background create "$ID"
	failed 'mount "tmpfs" at "/mnt" (mounts[7])' "nosuchoption"
	nothing_left
}

# In a new mount namespace, so that no other process changes the table meanwhile.
@test "the mounts of the host are the same after runs, also after failing ones" {
	cp config.json good.json
	jq '.mounts += [{destination: "/mnt", type: "nosuchfs"}]' good.json >bad-1.json
	jq '.process.args = ["/missing"]' good.json >bad-2.json
	jq '.linux.devices = [{path: "/etc/passwd", type: "c", major: 1, minor: 3}]' good.json >bad-3.json
	jq '.linux.rootfsPropagation = "shared" | .process.args = ["true"]' good.json >shared.json
	jq '.process.args = ["true"]' good.json >true.json
	run unshare --mount --propagation shared bash -c '
		mount --make-rshared /
		before=$(cat /proc/self/mountinfo)
		for c in bad-1 bad-2 bad-3 shared true; do
			cp $c.json config.json
			"$1" --root "$2" run "$3" >/dev/null 2>&1; echo $c $?
			"$1" --root "$2" run --no-pivot "$3" >/dev/null 2>&1; echo $c $?
			[ "$before" = "$(cat /proc/self/mountinfo)" ] || echo "changed by $c"
		done' - "$CORACLE" "$ROOT" "$ID"
	[ "$(tr '\n' ' ' <<<"$output")" = "bad-1 1 bad-1 1 bad-2 1 bad-2 1 bad-3 1 bad-3 1 shared 0 shared 0 true 0 true 0 " ]
}

@test "the root is read-only when the configuration says so" {
	shell 'touch /file || echo refused; touch /tmp/file || echo refused; touch /dev/shm/file && echo made'
	[ "$(grep -c refused <<<"$output")" = 2 ]
	[ "${lines[-1]}" = made ]
	writable
	shell 'echo x >/file && cat /file'
	[ "$output" = x ]
}

@test "a read-only root does not make the host's directory read-only" {
	created
	echo x >rootfs/file
	rm rootfs/file
}

@test "--no-pivot works like pivot_root" {
	args sh -c 'echo $$; hostname; ls / | tr "\n" " "; touch /file 2>/dev/null || echo read-only; ls /.. | tr "\n" " "'
	run coracle run "$ID"
	expected=$output
	run coracle run --no-pivot "$ID"
	[ "$status" -eq 0 ]
	[ "$output" = "$expected" ]
}

@test "--no-pivot leaves no proc, sysfs or root of the host in sight" {
	args cat /proc/self/mountinfo
	run coracle run "$ID"
	with_pivot=$(awk '{ print $5 }' <<<"$output")
	run coracle run --no-pivot "$ID"
	[ "$(awk '{ print $5 }' <<<"$output")" = "$with_pivot" ]
}

# The kernel allows a new proc in a user namespace only if an unmasked one is visible already.
@test "a user namespace in the container cannot mount a proc without masks, with --no-pivot neither" {
	config '.process.user = {uid: 1000, gid: 1000}'
	args unshare -Urpmf mount -t proc proc /tmp
	for option in --no-pivot ""; do
		# shellcheck disable=SC2086
		run coracle run $option "$ID"
		[ "$status" -ne 0 ]
		[[ $output == *mount*"ermi"* ]]
	done
	# The masks are what prevents it.
	config '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
}
