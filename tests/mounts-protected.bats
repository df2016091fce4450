#!/usr/bin/env bats
# maskedPaths and readonlyPaths.

load helpers
load mounts

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

@test "a file that is a mount of its own is masked, and read-only" {
	mount_also '{destination: "/masked", source: ($SOURCE + "/file"), options: ["bind"]}, {destination: "/kept", source: ($SOURCE + "/file"), options: ["bind"]}'
	config '.linux.maskedPaths += ["/masked"] | .linux.readonlyPaths += ["/kept"]'
	shell 'cat /masked; cat /kept; echo no >>/kept'
	[ "${lines[0]}" = content ]
	[[ ${lines[1]} == *"Read-only file system"* ]]
	untouched
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

@test "a mount does not count for paths whose names only begin like its own" {
	mkdir rootfs/proceedings rootfs/system
	echo content | tee rootfs/proceedings/secret rootfs/system/file >/dev/null
	config '.linux.maskedPaths += ["/proceedings/secret"] | .linux.readonlyPaths += ["/system"]'
	shell 'cat /proceedings/secret; echo x 2>&1 >/system/file'
	[[ $output == *"Read-only file system" ]]
	[ "${#lines[@]}" -eq 1 ]
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
