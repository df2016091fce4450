#!/usr/bin/env bats
# bats file_tags=vm
# Mounts with id mappings.

load helpers
load mounts

# maps CONTAINER HOST SIZE prints the members for one range of user ids and of group ids.
maps() {
	local m="[{containerID: $1, hostID: $2, size: $3}]"
	echo "uidMappings: $m, gidMappings: $m"
}

# owned makes files of several owners in the source.
owned() {
	local id
	for id in 0 1000 70000; do
		echo >"$SOURCE/$id"
		chown "$id:$id" "$SOURCE/$id"
	done
}

@test "idmap shows the files of a bind mount with mapped owners" {
	owned
	mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"bind\", \"idmap\"], $(maps 0 100000 65536)}"
	shell 'cd /mnt; stat -c "%n %u:%g" 0 1000 70000; touch new; grep " /mnt " /proc/self/mountinfo'
	[ "${lines[0]}" = "0 100000:100000" ]
	[ "${lines[1]}" = "1000 101000:101000" ]
	[ "${lines[2]}" = "70000 65534:65534" ]
	# Root is not mapped in the mount, so it cannot create files.
	says "Value too large" "idmapped"
	[ ! -e "$SOURCE/new" ]
	[ "$(stat -c %u:%g "$SOURCE/0")" = 0:0 ]
}

@test "what a mapped owner makes belongs to the other id on the host" {
	chown 1000:100 "$SOURCE"
	mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"rbind\", \"idmap\", \"nosuid\"], uidMappings: [{containerID: 1000, hostID: 0, size: 1}], gidMappings: [{containerID: 100, hostID: 0, size: 1}]}"
	shell 'echo x >/mnt/new && stat -c %u:%g /mnt/new'
	[ "$output" = 0:0 ]
	[ "$(stat -c %u:%g "$SOURCE/new")" = 1000:100 ]
}

@test "the mapping can be in the option itself, with several ranges" {
	owned
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["bind", "idmap=uids=0-1-10#1000-2000-10;gids=0-100-1000"]}'
	args stat -c '%n %u:%g' /mnt/0 /mnt/1000 /mnt/70000
	run coracle run "$ID"
	[ "$output" = $'/mnt/0 1:100\n/mnt/1000 2000:65534\n/mnt/70000 65534:65534' ]
	config '.mounts[7].options = ["bind", "idmap=uids=0-1-10;gids=0-1"]'
	background create "$ID"
	failed 'mounts[7].options' '"0-1" is not a range of ids'
	config '.mounts[7].options = ["bind", "idmap=uids=@0-1-10;gids=0-1-1"]'
	background create "$ID"
	failed 'mounts[7].options' '"@" needs linux.uidMappings'
	nothing_left
}

@test "ridmap maps the mounts below too, idmap does not" {
	mkdir "$SOURCE/below"
	for option in idmap ridmap; do
		config 'del(.mounts[7:])'
		mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"rbind\", \"$option\"], $(maps 0 100000 65536)}"
		args stat -c %u /mnt/file /mnt/below/x
		run unshare --mount bash -c 'truncate -s 16M "$1.img" && mke2fs -q -t ext4 "$1.img" && mount "$1.img" "$1/below" && touch "$1/below/x" && "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
		[ "$status" -eq 0 ]
		if [ "$option" = idmap ]; then [ "$output" = $'100000\n0' ]; else [ "$output" = $'100000\n100000' ]; fi
	done
}

@test "mappings without idmap in the options are taken as that, with a warning" {
	owned
	mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"bind\"], $(maps 0 100000 65536)}"
	args stat -c %u /mnt/0
	run coracle --log "$BATS_TEST_TMPDIR/log" run "$ID"
	[ "$output" = 100000 ]
	grep -q 'mounts\[7\].options.*has neither.*idmap' "$BATS_TEST_TMPDIR/log"
}

@test "a new file system can be mapped too" {
	mount_also "{destination: \"/mnt\", type: \"tmpfs\", options: [\"idmap\", \"mode=755\", \"uid=5\", \"gid=5\"], $(maps 0 100000 65536)}"
	shell 'stat -c %u:%g /mnt'
	if [[ $output == *"cannot have a mapping of ids"* ]] && printf '%s\n' "$(uname -r)" 6.3 | sort -CV; then
		skip "the kernel cannot map the ids of a tmpfs (it came with Linux 6.3)"
	fi
	[ "$output" = 100005:100005 ]
}

@test "many mounts with several mappings" {
	owned
	config --arg SOURCE "$SOURCE" '.mounts += [range(30) | {destination: ("/mnt/" + (. | tostring)), source: $SOURCE, options: ["bind", "idmap"],
		uidMappings: [{containerID: 0, hostID: (1000 + . % 3), size: 10}], gidMappings: [{containerID: 0, hostID: 5000, size: 10}]}]'
	shell 'stat -c "%u:%g" /mnt/*/0 | sort | uniq -c | tr -s " "; ls /proc/self/fd | wc -l'
	[ "$output" = " 10 1000:5000
 10 1001:5000
 10 1002:5000
4" ]
	nothing_left
}

@test "a mount point that cannot be made in a mapped mount is an error that says why" {
	mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"bind\", \"idmap\"], $(maps 0 100000 65536)}, {destination: \"/mnt/new\", type: \"tmpfs\"}"
	background create "$ID"
	failed '(mounts[8]): make /mnt/new: ' 'the mapping of ids of the mount that "/mnt" is in has no user 0 or no group 0'
	[ ! -e "$SOURCE/new" ]
	nothing_left
}

@test "a file system that cannot be mapped is an error" {
	mount_also "{destination: \"/mnt\", source: \"/proc/self\", options: [\"bind\", \"idmap\"], $(maps 0 100000 65536)}"
	background create "$ID"
	failed 'bind mount "/proc/self" at "/mnt" (mounts[7])' "cannot have a mapping of ids"
	config '.mounts[7] += {type: "mqueue", options: ["idmap"]} | del(.mounts[7].source)'
	background create "$ID"
	failed 'mount "mqueue" at "/mnt" (mounts[7])' "cannot have a mapping of ids"
	nothing_left
}

@test "bad mappings are errors that name what is wrong" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["bind", "idmap"]}'
	background create "$ID"
	failed "mounts[7].options: a mapping of ids needs uidMappings and gidMappings, or a user namespace"
	config '.mounts[7].uidMappings = [{containerID: 0, hostID: 0, size: 1}]'
	background create "$ID"
	failed "mounts[7].gidMappings is missing"
	config '.mounts[7].gidMappings = [{containerID: 0, hostID: 0, size: 0}]'
	background create "$ID"
	failed "mounts[7].gidMappings[0]: size is missing or 0"
	config '.mounts[7].gidMappings = [{containerID: 0, hostID: 0, size: 10}, {containerID: 9, hostID: 100, size: 1}]'
	background create "$ID"
	failed "mounts[7].gidMappings[1]: container ids 9 to 9 overlap with those of entry 0"
	config '.mounts[7].gidMappings = [{containerID: 4294967295, hostID: 0, size: 1}]'
	background create "$ID"
	failed "mounts[7].gidMappings[0]: containerID 4294967295"
	nothing_left
}

# The process whose user namespace is named has ended before the container starts.
@test "no process of the mapping is left, and none is seen in the container" {
	owned
	mount_also "{destination: \"/mnt\", source: \$SOURCE, options: [\"bind\", \"idmap\"], $(maps 0 100000 65536)}"
	share pid
	shell 'for p in /proc/[0-9]*; do
			parent=$(sed -n "s/^PPid:.//p" $p/status 2>/dev/null)
			grep -qs "'"$ID"'" /proc/$parent/cmdline && echo "$(cat $p/comm) $(readlink $p/ns/user)"
		done; true'
	[ "$status" -eq 0 ]
	[ "$output" = "sh $(readlink /proc/self/ns/user)" ]
}
