#!/usr/bin/env bats
# Mounts: what the container sees, with which flags, and that nothing else changes.

load helpers

setup() {
	setup_busybox
	OUTSIDE=$BATS_TEST_TMPDIR/outside
	mkdir "$OUTSIDE"
	echo canary >"$OUTSIDE/canary"
	SOURCE=$BATS_TEST_TMPDIR/source
	mkdir "$SOURCE"
	echo content >"$SOURCE/file"
}

# mount JSON adds a mount; $SOURCE and $OUTSIDE are variables of jq.
mount_also() {
	config --arg SOURCE "$SOURCE" --arg OUTSIDE "$OUTSIDE" ".mounts += [$1]"
}

# without DESTINATION removes the mounts at and below a path.
without() {
	config --arg d "$1" 'del(.mounts[] | select(.destination == $d or (.destination | startswith($d + "/"))))'
}

see_mounts() {
	shell 'cat /proc/self/mountinfo'
	[ "$status" -eq 0 ]
}

# untouched asserts that nothing was made or changed outside of the rootfs.
untouched() {
	[ "$(ls -A "$OUTSIDE")" = canary ]
	[ "$(cat "$OUTSIDE/canary")" = canary ]
	[ "$(ls -A "$SOURCE")" = file ]
	[ -z "$(find "$BUNDLE" -mindepth 1 -maxdepth 1 ! -name config.json ! -name rootfs)" ]
	[ "$(find "$BATS_TEST_TMPDIR" -mindepth 1 -maxdepth 1 | wc -l)" -le 6 ] # these, root, out and err
}

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

@test "missing mount points are made: directories and files" {
	mount_also '{destination: "/new/dir", type: "tmpfs"}, {destination: "/other/new/file", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	shell 'stat -c "%a %u %F" /new /new/dir /other/new; cat /other/new/file'
	[ "$output" = "755 0 directory
1777 0 directory
755 0 directory
content" ]
	[ -d rootfs/new/dir ]
	[ -f rootfs/other/new/file ]
	[ ! -s rootfs/other/new/file ]
}

@test "a mount may lie in an earlier one" {
	mount_also '{destination: "/mnt", type: "tmpfs"}, {destination: "/mnt/deep/er", type: "bind", source: $SOURCE, options: ["bind"]}'
	shell 'cat /mnt/deep/er/file'
	[ "$output" = content ]
	[ ! -e rootfs/mnt/deep ]
}

@test "a directory on a file, and a file on a directory, are errors" {
	mount_also '{destination: "/etc/passwd", type: "bind", source: $SOURCE, options: ["bind"]}'
	background create "$ID"
	failed "bind mount \"$SOURCE\" at \"/etc/passwd\" (mounts[7])" "not both directories or both files"
	config '.mounts[-1] |= (.source += "/file" | .destination = "/etc")'
	background create "$ID"
	failed "(mounts[7])" "not both directories or both files"
	nothing_left
}

@test "a missing source is an error that names it" {
	mount_also '{destination: "/mnt", type: "bind", source: ($SOURCE + "/missing"), options: ["bind"]}'
	background create "$ID"
	failed "bind mount \"$SOURCE/missing\" at \"/mnt\" (mounts[7])" "no such file or directory"
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

# shared_host runs the container on a host whose mounts are shared, as with systemd.
shared_host() {
	run unshare --mount --propagation shared bash -c 'mount --make-rshared / && mount --bind "$1" "$1" && mount --make-shared "$1" && exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
}

@test "the propagation of bind mounts is slave by default, and what the options say" {
	mount_also '{destination: "/default", type: "bind", source: $SOURCE, options: ["bind"]},
		{destination: "/slave", type: "bind", source: $SOURCE, options: ["bind", "rslave"]},
		{destination: "/private", type: "bind", source: $SOURCE, options: ["rbind", "rprivate"]},
		{destination: "/unbindable", type: "bind", source: $SOURCE, options: ["rbind", "unbindable"]},
		{destination: "/shared", type: "bind", source: $SOURCE, options: ["rbind", "rshared"]}'
	args cat /proc/self/mountinfo
	shared_host
	[[ $(mounted /default) =~ ^[a-z,]+" master:"[0-9]+" - " ]]
	[[ $(mounted /slave) =~ ^[a-z,]+" master:"[0-9]+" - " ]]
	[[ $(mounted /private) =~ ^[a-z,]+" - " ]]
	[[ $(mounted /unbindable) =~ ^[a-z,]+" unbindable - " ]]
	[[ $(mounted /shared) =~ ^[a-z,]+" shared:"[0-9]+ ]]
}

@test "rootfsPropagation is that of the root" {
	args cat /proc/self/mountinfo
	for case in "slave: master:[0-9]+ - " "private: - " "shared: shared:[0-9]+ " "unbindable: unbindable - "; do
		for r in "" r; do
			config --arg p "$r${case%%:*}" '.linux.rootfsPropagation = $p'
			shared_host
			[[ $(mounted /) =~ ^[a-z,]+${case#*:} ]] || {
				echo "$r$case $(mounted /)" >&2
				return 1
			}
		done
	done
	config 'del(.linux.rootfsPropagation)'
	shared_host
	[[ $(mounted /) =~ ^[a-z,]+" master:"[0-9]+" - " ]]
}

@test "mounts that the host makes in a shared source appear in the container" {
	mkdir "$SOURCE/below"
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["rbind", "rslave"]}'
	args sh -c 'echo ready; while [ ! -e /mnt/below/late ]; do sleep 0.05; done; echo late'
	run unshare --mount --propagation private bash -c '
		mount --bind "$1" "$1" && mount --make-shared "$1"
		"$2" --root "$3" run "$4" >"$5" 2>&1 </dev/null 3>&- &
		for i in $(seq 200); do grep -q ready "$5" && break; sleep 0.05; done
		mount -t tmpfs tmpfs "$1/below" && touch "$1/below/late"
		wait $!' - "$SOURCE" "$CORACLE" "$ROOT" "$ID" "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 0 ]
	has_printed late
}

@test "mounts of the container do not reach a shared host" {
	config '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.effective += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["rbind"]}'
	args sh -c 'mount -t tmpfs tmpfs /mnt && mount -t tmpfs tmpfs /tmp && echo mounted'
	run unshare --mount --propagation shared bash -c '
		mount --make-rshared /
		before=$(cat /proc/self/mountinfo)
		"$2" --root "$3" run "$4"
		[ "$before" = "$(cat /proc/self/mountinfo)" ] && echo same' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$output" = $'mounted\nsame' ]
}

# In a mount namespace of its own, so that nobody else changes the table meanwhile.
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

@test "a destination through a link stays in the container" {
	ln -s "$OUTSIDE" rootfs/absolute
	ln -s ../../../../../../../../.."$OUTSIDE" rootfs/relative
	ln -s /usr rootfs/inside
	mkdir -p "rootfs$OUTSIDE"
	mount_also '{destination: "/absolute", type: "tmpfs"}, {destination: "/relative/below", type: "tmpfs"}, {destination: "/inside/new", type: "bind", source: $SOURCE, options: ["bind"]}'
	see_mounts
	[[ $(mounted "$OUTSIDE") == *" - tmpfs "* ]]
	[[ $(mounted "$OUTSIDE/below") == *" - tmpfs "* ]]
	[ -n "$(mounted /usr/new)" ]
	untouched
}

@test "a destination that is a dangling link, to outside too, is an error and makes nothing" {
	for target in "$OUTSIDE/new" "../../outside/new" /missing/dir missing; do
		for type in tmpfs file; do
			ln -sfn "$target" rootfs/link
			config 'del(.mounts[7:])'
			if [ "$type" = tmpfs ]; then
				mount_also '{destination: "/link/below", type: "tmpfs"}'
			else
				mount_also '{destination: "/link", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
			fi
			background create "$ID"
			failed "(mounts[7])" "dangling symbolic link"
			untouched
			nothing_left
		done
	done
}

# To outside, to outside of the rootfs by "..", dangling, and to a place in the rootfs.
@test "proc, sys and dev as links: special file systems are refused, nothing is made outside" {
	for name in proc sys dev; do
		for target in "$OUTSIDE" ../../outside "$OUTSIDE/new" /missing /usr/bin; do
			rm -rf "rootfs/$name"
			ln -s "$target" "rootfs/$name"
			background create "$ID"
			failed "mounts[" "link"
			untouched
			nothing_left
		done
		rm "rootfs/$name"
		mkdir "rootfs/$name"
	done
}

@test "sysfs and cgroups are not mounted through a link in the middle" {
	without /sys
	mkdir rootfs/real
	ln -s real rootfs/via
	for type in sysfs proc devpts mqueue cgroup; do
		config 'del(.mounts[5:])'
		mount_also '{destination: "/via/below", type: "'$type'", source: "'$type'"}'
		background create "$ID"
		failed "mount \"$type\" at \"/via/below\"" "symbolic link"
		nothing_left
	done
	[ -z "$(ls -A rootfs/real)" ]
}

@test "a link in proc that leads to an open file is not followed" {
	ln -s /proc/self/fd/0 rootfs/link
	mount_also '{destination: "/link", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	background create "$ID"
	failed "(mounts[7])"
	config '.mounts[7].destination = "/proc/self/root/mnt"'
	background create "$ID"
	failed "mounts[7]"
	untouched
	nothing_left
}

@test "a destination with .. stays in the container" {
	mount_also '{destination: "/../../../mnt/../../tmp/x", type: "tmpfs"}'
	see_mounts
	[[ $(mounted /tmp/x) == *" - tmpfs "* ]]
	untouched
}

@test "nothing can be mounted over proc, but files that only inform" {
	for destination in /proc /proc/sys /proc/self /proc/self/attr /proc/1/attr/exec /proc/sysrq-trigger //proc/./sys/../sys/kernel; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", type: "tmpfs"}'
		background create "$ID"
		failed "mounts[7].destination" "cannot be covered"
	done
	config 'del(.mounts[7:])'
	mount_also '{destination: "/proc", type: "bind", source: $SOURCE, options: ["bind"]}'
	background create "$ID"
	failed "(mounts[7])" "not a procfs"
	config 'del(.mounts[7:])'
	mount_also '{destination: "/proc/uptime", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]},
		{destination: "/proc/meminfo", type: "bind", source: ($SOURCE + "/file"), options: ["bind"]}'
	shell 'cat /proc/uptime /proc/meminfo'
	[ "$output" = $'content\ncontent' ]
	untouched
}

@test "nothing can be mounted over proc through a link" {
	ln -s proc/sys rootfs/link
	mount_also '{destination: "/link/kernel", type: "tmpfs"}'
	background create "$ID"
	failed "(mounts[7])" "in a procfs"
	mkdir rootfs/other
	config 'del(.mounts[7:])'
	mount_also '{destination: "/other", type: "proc", source: "proc"}, {destination: "/other/sys", type: "tmpfs"}'
	background create "$ID"
	failed "(mounts[8])" "in a procfs"
	nothing_left
}

@test "the root of the container cannot be a destination" {
	for destination in / /. /x/..; do
		config 'del(.mounts[7:])'
		mount_also '{destination: "'$destination'", type: "tmpfs"}'
		background create "$ID"
		failed "mounts[7].destination"
	done
}

@test "the cgroup mount shows the container's own cgroups, read-only" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	shell 'ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x /sys/fs/cgroup/x; grep -c " / /sys/fs/cgroup/" /proc/self/mountinfo'
	[[ $output == *memory*pids* ]]
	[[ $output == *$'\n1\n'* ]]
	[ "$(grep -c 'Read-only file system' <<<"$output")" = 2 ]
	[ "${lines[-1]}" -ge 8 ]
}

@test "the cgroup mount without cgroup namespace shows the container's part only" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	share cgroup
	shell 'cat /sys/fs/cgroup/pids/cgroup.procs; mkdir /sys/fs/cgroup/pids/x; grep " /sys/fs/cgroup/pids " /proc/self/mountinfo'
	[ "${lines[0]}" = 1 ]
	[[ $output == *"Read-only file system"* ]]
	[[ ${lines[-1]} == *"/coracle-$ID /sys/fs/cgroup/pids ro,"* ]]
}

@test "a writable cgroup mount can be written to" {
	[ -d /sys/fs/cgroup/memory ] || skip "the host has no cgroup v1"
	for own in yes no; do
		[ "$own" = yes ] || share cgroup
		config '(.mounts[] | select(.type == "cgroup").options) = ["rw", "nosuid"]'
		shell 'mkdir /sys/fs/cgroup/pids/x && echo 0 >/sys/fs/cgroup/pids/x/cgroup.procs && cat /sys/fs/cgroup/pids/x/cgroup.procs | head -n 1'
		[ "$status" -eq 0 ]
		[ "${lines[0]}" -ge 1 ]
		nothing_left
	done
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

# The kernel gives a user namespace a new proc only if a full one is in sight already.
@test "a user namespace in the container cannot mount a proc without masks, with --no-pivot neither" {
	config '.process.user = {uid: 1000, gid: 1000}'
	args unshare -Urpmf mount -t proc proc /tmp
	for option in --no-pivot ""; do
		# shellcheck disable=SC2086
		run coracle run $option "$ID"
		[ "$status" -ne 0 ]
		[[ $output == *mount*"ermi"* ]]
	done
	# It is the masks that forbid it.
	config '.linux.maskedPaths = [] | .linux.readonlyPaths = []'
	run coracle run "$ID"
	[ "$status" -eq 0 ]
}

@test "masked files are empty and masked directories too" {
	mkdir rootfs/secret
	echo secret >rootfs/secret/file
	echo secret >rootfs/file
	config '.linux.maskedPaths += ["/secret", "/file", "/missing", "/etc/passwd/x"]'
	shell 'ls -A /secret | wc -l; cat /file | wc -c; stat -c "%t:%T" /file; touch /secret/x; head -c 1 /proc/keys | wc -c; [ ! -e /missing ] && echo missing'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 0 ]
	[ "${lines[2]}" = 1:3 ]
	[[ ${lines[3]} == *"Read-only file system"* ]]
	[ "${lines[4]}" = 0 ]
	[ "${lines[5]}" = missing ]
	[ "$(cat rootfs/file)" = secret ]
}

@test "a mask covers what a link leads to, in the container" {
	echo secret >rootfs/file
	ln -s file rootfs/link
	ln -s "$OUTSIDE" rootfs/out
	config '.linux.maskedPaths += ["/link", "/out", "/out/canary"]'
	shell 'cat /file | wc -c'
	[ "$output" = 0 ]
	untouched
}

@test "masks do not depend on the null device of the image" {
	config 'del(.mounts[] | select(.destination == "/dev"))'
	echo evil >rootfs/null
	mknod rootfs/dev/null c 1 3
	shell 'stat -c "%t:%T" /proc/keys; grep -c evil /proc/keys'
	[ "${lines[0]}" = 1:3 ]
}

@test "readonlyPaths make files, directories and mounts read-only" {
	writable
	mkdir rootfs/dir
	echo >rootfs/file
	ln -s dir rootfs/link
	mkdir rootfs/target
	ln -s target rootfs/through
	mount_also '{destination: "/dir/below", type: "tmpfs"}'
	config '.linux.readonlyPaths += ["/dir", "/file", "/missing", "/through"]'
	shell 'for f in /dir/x /link/x /dir/below/x /target/x; do touch $f 2>&1; done; echo x >/file; echo x >/proc/sys/kernel/hostname; echo x >/other && echo writable'
	[ "$(grep -c 'Read-only file system' <<<"$output")" = 4 ] || [ "$(grep -ci 'read-only file system' <<<"$output")" = 6 ]
	[ "${lines[-1]}" = writable ]
	see_mounts
	[[ $(mounted /proc/sys) == ro,* ]]
	[[ $(mounted /file) == ro,* ]]
	[[ $(mounted /dir) == ro,* ]]
	[[ $(mounted /dir/below) == ro,* ]]
}

@test "default masks and read-only paths cover what exists on this kernel" {
	see_mounts
	for path in $(jq -r '.linux.readonlyPaths[]' config.json); do
		[ ! -e "$path" ] || [[ $(mounted "$path") == ro,* ]]
	done
	for path in $(jq -r '.linux.maskedPaths[]' config.json); do
		[ ! -e "$path" ] || [ -n "$(mounted "$path")" ]
	done
}
