#!/usr/bin/env bats
# Mount options: each option in the table of the specification, and combinations.

load helpers
load mounts

# attributes prints the attributes of the mount at a path, sorted, without commas.
attributes() {
	mounted "$1" | cut -d' ' -f1 | tr ',' '\n' | sort | tr '\n' ' '
}

# file_system prints the options of the file system of the mount at a path.
file_system() {
	mounted "$1" | sed 's/.* - [^ ]* [^ ]* //'
}

# expect PATH ATTRIBUTES compares the attributes of a mount.
expect() {
	[ "$(attributes "$1")" = "$2 " ] || {
		echo "$1 has '$(attributes "$1")', not '$2 '" >&2
		return 1
	}
}

# in_turn TYPE LINE... mounts one after another at /mnt/0, /mnt/1 and so on; each line is "options
# = attributes".
in_turn() {
	local type=$1 line i=0
	shift
	for line in "$@"; do
		config --arg SOURCE "$SOURCE" --arg type "$type" --arg d "/mnt/$i" --arg o "${line%% =*}" '.mounts += [
			{destination: $d, type: $type, source: $SOURCE, options: ($o | split(" "))}]'
		i=$((i + 1))
	done
	see_mounts
	i=0
	for line in "$@"; do
		expect "/mnt/$i" "${line##*= }" || {
			echo "options: $line" >&2
			return 1
		}
		i=$((i + 1))
	done
}

@test "each option of a mount does on a new file system what it says, also in its recursive form" {
	local r cases=()
	for r in "" r; do
		cases+=("${r}ro = relatime ro" "ro ${r}rw = relatime rw" "${r}nosuid = nosuid relatime rw" "nosuid ${r}suid = relatime rw"
			"${r}nodev = nodev relatime rw" "nodev ${r}dev = relatime rw" "${r}noexec = noexec relatime rw" "noexec ${r}exec = relatime rw"
			"${r}nodiratime = nodiratime relatime rw" "nodiratime ${r}diratime = relatime rw" "${r}noatime = noatime rw" "noatime ${r}atime = relatime rw"
			"noatime ${r}relatime = relatime rw" "${r}norelatime = rw" "${r}strictatime = rw" "strictatime ${r}nostrictatime = relatime rw"
			"${r}nosymfollow = nosymfollow relatime rw" "nosymfollow ${r}symfollow = relatime rw")
	done
	in_turn tmpfs "${cases[@]}"
}

@test "each option of a mount does on a bind mount what it says, also in its recursive form" {
	local r cases=()
	for r in "" r; do
		cases+=("bind ${r}ro = relatime ro" "bind ro ${r}rw = relatime rw" "bind ${r}nosuid = nosuid relatime rw" "bind nosuid ${r}suid = relatime rw"
			"bind ${r}nodev = nodev relatime rw" "bind nodev ${r}dev = relatime rw" "bind ${r}noexec = noexec relatime rw" "bind noexec ${r}exec = relatime rw"
			"rbind ${r}nodiratime = nodiratime relatime rw" "rbind nodiratime ${r}diratime = relatime rw" "rbind ${r}noatime = noatime rw" "rbind noatime ${r}atime = relatime rw"
			"rbind noatime ${r}relatime = relatime rw" "rbind ${r}norelatime = rw" "rbind ${r}strictatime = rw" "rbind strictatime ${r}nostrictatime = relatime rw"
			"rbind ${r}nosymfollow = nosymfollow relatime rw" "rbind nosymfollow ${r}symfollow = relatime rw")
	done
	# The result does not depend on the options of the file system of the test's directory.
	config --arg SOURCE "$SOURCE" '.mounts += [{destination: "/first", source: $SOURCE, options: ["bind"]}]'
	see_mounts
	[ "$(attributes /first)" = "relatime rw " ] || skip "the mount of $SOURCE has attributes of its own: $(attributes /first)"
	in_turn none "${cases[@]}"
}

@test "attributes of the source can be taken away" {
	mount_also '{destination: "/plain", source: $SOURCE, options: ["bind"]},
		{destination: "/clear", source: $SOURCE, options: ["bind", "rw", "suid", "dev", "exec", "diratime", "relatime", "symfollow"]}'
	args cat /proc/self/mountinfo
	run unshare --mount bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro,nosuid,nodev,noexec,noatime,nodiratime "$1" && exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	expect /plain "noatime nodev nodiratime noexec nosuid ro"
	expect /clear "relatime rw"
}

# Engines always pass "rw" or "ro". They do not mean to clear the host's noexec with it: see
# mount(8).
@test "what the host's mount forbids stays forbidden unless an option names it" {
	mount_also '{destination: "/rw", source: $SOURCE, options: ["rbind", "rprivate", "rw"]}, {destination: "/ro", source: $SOURCE, options: ["rbind", "ro"]},
		{destination: "/exec", source: $SOURCE, options: ["rbind", "exec"]}'
	cp rootfs/bin/busybox "$SOURCE/true"
	args sh -c 'cat /proc/self/mountinfo; for d in rw ro exec; do /$d/true 2>/dev/null && echo "$d runs"; done; true'
	run unshare --mount bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,nosuid,nodev,noexec "$1" && exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	expect /rw "nodev noexec nosuid relatime rw"
	expect /ro "nodev noexec nosuid relatime ro"
	expect /exec "nodev nosuid relatime rw"
	[ "$(grep runs <<<"$output")" = "exec runs" ]
}

@test "an option that takes back one way to keep access times leaves the other ways alone" {
	local from option mounts=()
	for from in noatime relatime strictatime; do
		mkdir "$SOURCE/$from"
		for option in norelatime atime nostrictatime rnorelatime; do
			mounts+=("{destination: \"/$from/$option\", source: (\$SOURCE + \"/$from\"), options: [\"bind\", \"$option\"]}"
				"{destination: \"/later/$from/$option\", source: (\$SOURCE + \"/$from\"), options: [\"bind\"]}"
				"{destination: \"/later/$from/$option\", options: [\"bind\", \"remount\", \"$option\"]}")
		done
	done
	mount_also "$(IFS=, && echo "${mounts[*]}")"
	args cat /proc/self/mountinfo
	run unshare --mount bash -c 'for t in noatime relatime strictatime; do
			mount --bind "$1/$t" "$1/$t" && mount -o "remount,bind,$t" "$1/$t" || exit
		done; exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$status" -eq 0 ]
	for from in "" /later; do
		for option in norelatime rnorelatime; do
			expect "$from/noatime/$option" "noatime rw"
			expect "$from/relatime/$option" rw
			expect "$from/strictatime/$option" rw
		done
		expect "$from/noatime/atime" "relatime rw"
		expect "$from/relatime/atime" "relatime rw"
		expect "$from/strictatime/atime" rw
		expect "$from/noatime/nostrictatime" "noatime rw"
		expect "$from/relatime/nostrictatime" "relatime rw"
		expect "$from/strictatime/nostrictatime" "relatime rw"
	done
}

@test "recursive and other options count in the order of the list" {
	mkdir "$SOURCE/below"
	local options expected
	while IFS=/ read -r options expected; do
		config 'del(.mounts[7:])'
		config --arg SOURCE "$SOURCE" --arg o "$options" '.mounts += [{destination: "/mnt", source: $SOURCE, options: ($o | split(" "))}]'
		args sh -c 'touch /mnt/x 2>/dev/null && echo -n "top "; touch /mnt/below/x 2>/dev/null && echo -n "below "; true'
		run unshare --mount bash -c 'mount -t tmpfs tmpfs "$1/below" && "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
		[ "$status" -eq 0 ]
		[ "$output" = "$expected" ] || {
			echo "$options: writable is $output" >&2
			return 1
		}
	done <<-END
		rbind/top below 
		rbind ro/below 
		rbind rro/
		rbind rw rro/
		rbind ro rro/
		rbind rro rw/top 
		rbind rro rrw/top below 
		rbind rro rrw ro/below 
	END
}

@test "options of a file system as a whole" {
	mount_also '{destination: "/mnt/sync", type: "tmpfs", options: ["sync", "dirsync", "mand", "lazytime"]},
		{destination: "/mnt/async", type: "tmpfs", options: ["sync", "async", "lazytime", "nolazytime", "mand", "nomand"]},
		{destination: "/mnt/none", type: "tmpfs", options: ["defaults", "silent", "loud", "iversion", "noiversion"]}'
	see_mounts
	[[ ,$(file_system /mnt/sync), == *,sync,* ]]
	[[ ,$(file_system /mnt/sync), == *,dirsync,* ]]
	[[ ,$(file_system /mnt/sync), == *,lazytime,* ]]
	[[ ,$(file_system /mnt/sync), == *,mand,* ]]
	[[ $(file_system /mnt/async) != *sync* ]]
	[[ $(file_system /mnt/async) != *lazytime* ]]
	[[ $(file_system /mnt/async) != *mand* ]]
	[[ $(file_system /mnt/none) != *sync* ]]
	expect /mnt/none "relatime rw"
}

@test "options of a file system have no effect on a bind mount, and that is said" {
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["bind", "sync", "lazytime", "silent", "defaults"]}'
	args true
	run coracle --debug run "$ID"
	[ "$status" -eq 0 ]
	says 'mounts[7].options: \"sync\" is an option of a file system, and has no effect on a bind mount' '\"lazytime\" is'
	[[ $output != *silent* ]]
	[[ $output != *defaults* ]]
}

@test "nosuid, nodev, noexec and nosymfollow are felt" {
	cp rootfs/bin/busybox "$SOURCE/true"
	ln -s file "$SOURCE/link"
	mount_also '{destination: "/a", source: $SOURCE, options: ["bind", "noexec", "nosymfollow"]}, {destination: "/b", source: $SOURCE, options: ["bind"]}'
	shell '/b/true && { /a/true 2>/dev/null || echo noexec; }; cat /a/link 2>/dev/null || echo nosymfollow; cat /b/link'
	[ "$output" = $'noexec\nnosymfollow\ncontent' ]
}

@test "an empty option, and one with a NUL, are errors" {
	for option in '""' '"a\u0000b"'; do
		config 'del(.mounts[7:])'
		mount_also "{destination: \"/mnt\", type: \"tmpfs\", options: [\"ro\", $option]}"
		background create "$ID"
		failed "mounts[7].options"
		nothing_left
	done
}

@test "a bind mount without bind in its options is an error that says so" {
	mount_also '{destination: "/mnt", type: "none", source: $SOURCE, options: ["ro"]}'
	background create "$ID"
	failed 'mounts[7].type: "none" is not a file system' '"bind" or "rbind"'
	config 'del(.mounts[7].type)'
	background create "$ID"
	failed 'mounts[7].type is missing'
	nothing_left
}

@test "a thousand mounts" {
	mkdir "$SOURCE/dir"
	config --arg SOURCE "$SOURCE" '.mounts += [range(1000) | {
		destination: ("/mnt/" + (. | tostring)), type: "bind", options: ["rbind", "ro"],
		source: ($SOURCE + (if . % 2 == 0 then "/dir" else "/file" end))}]'
	shell 'grep -c " /mnt/[0-9]* ro," /proc/self/mountinfo; cat /mnt/999; ulimit -n; ls /proc/self/fd | wc -l'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = content ]
	[ "${lines[2]}" = 1024 ]
	[ "${lines[3]}" = 4 ]
}

@test "more mounts than a process may have open files, by default" {
	mkdir "$SOURCE/dir"
	config --arg SOURCE "$SOURCE" 'del(.process.rlimits) | .mounts += [range(1500) | {
		destination: ("/mnt/" + (. | tostring)), type: "bind", options: ["bind"], source: ($SOURCE + "/dir")}]'
	args sh -c 'grep -c " /mnt/[0-9]* rw," /proc/self/mountinfo; ulimit -n'
	run bash -c 'ulimit -Sn 1024; exec "$@"' - "$CORACLE" --root "$ROOT" run "$ID"
	[ "$output" = $'1500\n1024' ]
	run bash -c 'ulimit -n 1024; exec "$@"' - "$CORACLE" --root "$ROOT" run "$ID"
	[ "$output" = $'1500\n1024' ]
}

# few runs coracle with a soft and a hard limit of 64 open files.
few() {
	run bash -c 'ulimit -n 64; exec "$@"' - "$CORACLE" --root "$ROOT" "$@" "$ID"
}

@test "many mounts of every kind with a low limit of open files" {
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings | del(.process.rlimits)'
	chown -R 100000:100000 rootfs
	mkdir "$SOURCE/dir"
	config --arg SOURCE "$SOURCE" '.mounts += [range(100) | {destination: "/mnt/\(.)", options: ["rbind"], source: $SOURCE}, {destination: "/mnt/\(.)", options: ["remount", "bind", "ro"]},
		{destination: "/opt/\(.)", options: ["bind", "idmap"], source: ($SOURCE + (if . % 2 == 0 then "/dir" else "/file" end))},
		{destination: "/var/\(.)", options: ["bind"], source: "rootfs/mnt/0"}] | .linux.maskedPaths += ["/mnt/7/file"] | .linux.readonlyPaths += ["/var/8"]'
	args sh -c 'for d in mnt opt var; do grep -c " /$d/[0-9]* " /proc/self/mountinfo; done; cat /mnt/7/file /var/9/file; touch /mnt/5/new; stat -c %u /opt/1; ulimit -n'
	few run
	[ "$status" -eq 0 ]
	[ "${lines[*]}" = "100 100 101 content touch: /mnt/5/new: Read-only file system 0 64" ]
	nothing_left
}

@test "many mounts with a low limit of open files, through create, start and a hook" {
	config --arg SOURCE "$SOURCE" --arg f "$BUNDLE/rootfs/mnt/99/file" 'del(.process.rlimits) | .mounts += [range(100) | {destination: "/mnt/\(.)", options: ["rbind"], source: $SOURCE}] |
		.hooks.createContainer = [{path: "/bin/cat", args: ["cat", $f]}]'
	args true
	(ulimit -n 64 && background create "$ID" && [ "$status" -eq 0 ])
	few start
	[ "$status" -eq 0 ]
}

@test "a limit of open files that allows no container is called by its name" {
	run bash -c 'ulimit -n 14; exec "$@"' - "$CORACLE" --root "$ROOT" run "$ID"
	failed "too many open files" "RLIMIT_NOFILE"
	nothing_left
}
