#!/usr/bin/env bats
# bats file_tags=vm
# Symbolic links as the source or the destination of a bind mount, and the options of crun that
# apply to the link itself: copy-symlink, src-nofollow, dest-nofollow.

load helpers
load mounts

# bind SOURCE DESTINATION OPTION... adds a bind mount; SOURCE is relative to the bundle.
bind() {
	config '.mounts += [{destination: $ARGS.positional[1], source: $ARGS.positional[0], options: $ARGS.positional[2:]}]' --args -- "$@"
}

setup_links() {
	mkdir src
	echo host >src/file
	ln -s /etc/inside src/link
	ln -s ../src src/dir
	echo inside >rootfs/etc/inside
}

@test "copy-symlink makes a link like the source, and mounts a source that is none" {
	setup_links
	ln -s /no/where rootfs/dangling
	bind src/link /copy bind copy-symlink
	bind src/link /new/dir/copy rbind copy-symlink ro
	bind src/link /dangling/copy bind copy-symlink
	bind src/dir /dir rbind copy-symlink
	bind src /mnt rbind copy-symlink
	args sh -c 'for l in /copy /new/dir/copy /no/where/copy /dir; do readlink $l; done; cat /copy /mnt/file; grep -c copy /proc/self/mountinfo'
	# The second time they exist already.
	for _ in 1 2; do
		run coracle run "$ID"
		[ "$output" = $'/etc/inside\n/etc/inside\n/etc/inside\n../src\ninside\nhost\n0' ]
	done
	[ "$(readlink rootfs/new/dir/copy)" = /etc/inside ]
}

@test "copy-symlink leaves alone what is in its place, which is an error" {
	setup_links
	echo file >rootfs/file
	ln -s other rootfs/other
	for place in /file /other /etc; do
		config 'del(.mounts[7:])'
		bind src/link $place bind copy-symlink
		background create "$ID"
		failed "copy of the symbolic link \"src/link\" to \"$place\" (mounts[7])" "it exists, and is no symbolic link to \"/etc/inside\""
		nothing_left
	done
	[ "$(cat rootfs/file) $(readlink rootfs/other)" = "file other" ]
	config '.mounts[7].destination = "/proc/uptime"'
	background create "$ID"
	failed 'mounts[7].destination' "cannot be a copy of a symbolic link"
}

@test "src-nofollow mounts the link itself, which leads to a place in the container" {
	setup_links
	echo covered >rootfs/present
	bind src/link /missing bind src-nofollow
	bind src/link /present rbind src-nofollow ro
	bind src/dir /dir bind src-nofollow
	bind src/file /file bind src-nofollow
	bind src /mnt rbind src-nofollow
	shell 'for l in /missing /present /dir; do readlink $l; done; cat /missing /present /file /mnt/file; cat /proc/self/mountinfo'
	[ "$status" -eq 0 ]
	[ "${lines[*]:0:7}" = "/etc/inside /etc/inside ../src inside inside host host" ]
	[[ $(mounted /present) == ro,* ]]
	[ "$(cat rootfs/present)" = covered ]
	# Without the option it is the file on the host that the link leads to.
	config 'del(.mounts[7:])'
	bind src/link /missing bind
	background create "$ID"
	failed 'bind mount "src/link" at "/missing" (mounts[7])' "no such file or directory" 'it is a symbolic link to "/etc/inside"'
}

@test "dest-nofollow covers a link and not what it leads to" {
	setup_links
	ln -s etc/inside rootfs/a
	ln -s no/where rootfs/b
	ln -s etc/inside rootfs/c
	bind src/file /a bind dest-nofollow
	bind src/file /b bind dest-nofollow
	bind src/link /c bind dest-nofollow src-nofollow
	bind src/file /missing/file bind dest-nofollow
	bind src /missing/dir rbind dest-nofollow
	shell 'cat /a /b /missing/file /missing/dir/file; readlink /c; cat /c /etc/inside; ls -d /no'
	[ "${lines[*]:0:7}" = "host host host host /etc/inside inside inside" ]
	says "/no: No such file"
	[ "$(readlink rootfs/a) $(readlink rootfs/b)" = "etc/inside no/where" ]
	# A directory cannot be mounted on a link.
	config 'del(.mounts[7:])'
	bind src /a rbind dest-nofollow
	background create "$ID"
	failed 'bind mount "src" at "/a" (mounts[7])' "not both directories or both files"
	nothing_left
}

@test "links of the image lead nowhere outside with these options either" {
	setup_links
	ln -s "$OUTSIDE" rootfs/absolute
	ln -s ../../../../../../../../.."$OUTSIDE" rootfs/relative
	ln -s /proc rootfs/proclink
	bind src/link /absolute/copy bind copy-symlink
	bind src/link /relative/copy2 bind copy-symlink
	bind src/file /absolute/file bind dest-nofollow
	bind src/link /relative/new/file bind dest-nofollow src-nofollow
	args sh -c "readlink $OUTSIDE/copy; readlink $OUTSIDE/copy2; cat $OUTSIDE/file; readlink $OUTSIDE/new/file"
	run coracle run "$ID"
	[ "$output" = $'/etc/inside\n/etc/inside\nhost\n/etc/inside' ]
	[ "$(ls -A "$OUTSIDE")" = canary ]
	for options in dest-nofollow "dest-nofollow src-nofollow"; do
		config 'del(.mounts[7:])'
		# shellcheck disable=SC2086
		bind src/link /proclink/self bind $options
		[ "$options" = dest-nofollow ] && config '.mounts[7].source = "src/file"'
		background create "$ID"
		failed "(mounts[7])" "in a procfs"
	done
	config 'del(.mounts[7:])'
	bind src/link /proclink/copy bind copy-symlink
	background create "$ID"
	failed "(mounts[7])"
	nothing_left
}

@test "links of the image are links of the image: src-nofollow takes one, copy-symlink refuses it" {
	ln -s "$OUTSIDE/canary" rootfs/etc/leak
	ln -s "$OUTSIDE" rootfs/leak
	bind rootfs/etc/leak /mnt/link bind src-nofollow
	shell "readlink /mnt/link; cat /mnt/link"
	[ "${lines[0]}" = "$OUTSIDE/canary" ]
	[[ $output != *canary*$'\n'canary* ]]
	ln -s canary "$OUTSIDE/link"
	for source in rootfs/etc/leak rootfs/leak/link; do
		config 'del(.mounts[7:])'
		bind $source /mnt/link bind copy-symlink
		background create "$ID"
		failed "mounts[7]" "a symbolic link of the rootfs cannot be copied"
	done
	nothing_left
}

@test "a copied link in the place of /dev or /sys does not lead special mounts elsewhere" {
	setup_links
	ln -sf /etc src/etc
	for name in dev sys; do
		rmdir rootfs/$name
		config '.mounts |= [{destination: "/'$name'", source: "src/etc", options: ["bind", "copy-symlink"]}] + .'
		background create "$ID"
		failed "link"
		config '.mounts |= .[1:]'
		rm rootfs/$name
		mkdir rootfs/$name
		nothing_left
	done
	[ ! -e rootfs/etc/null ]
	[ ! -e rootfs/etc/fs ]
}

@test "options for links that do not fit are errors" {
	setup_links
	bind src/link /x bind copy-symlink dest-nofollow
	background create "$ID"
	failed 'mounts[7].options: "copy-symlink" is not possible along with'
	config '.mounts[7] = {destination: "/x", type: "tmpfs", options: ["src-nofollow"]}'
	background create "$ID"
	failed 'mounts[7].options' "only possible for a new bind mount"
	config '.mounts[7] = {destination: "/dev", options: ["bind", "remount", "dest-nofollow"]}'
	background create "$ID"
	failed 'mounts[7].options' "only possible for a new bind mount"
	nothing_left
}

@test "links and user namespaces: a copy belongs to the container's root, and a link can be mounted with mapped ids" {
	setup_links
	config '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	ln -s etc/inside rootfs/covered
	chown -hR 100000:100000 rootfs
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/.." "$BATS_RUN_TMPDIR"
	bind src/link /new/copy bind copy-symlink
	bind src/link /covered rbind src-nofollow dest-nofollow idmap
	args sh -c 'stat -c "%u:%g %F" /new/copy /covered; cat /new/copy /covered'
	run coracle run "$ID"
	[ "$output" = $'0:0 symbolic link\n0:0 symbolic link\ninside\ninside' ]
	[ "$(stat -c %u:%g rootfs/new/copy)" = 100000:100000 ]
	chown 0:0 rootfs/new
	rm rootfs/new/copy
	background create "$ID"
	failed 'copy of the symbolic link "src/link" to "/new/copy" (mounts[7])' '"/new" belongs to user 0'
	nothing_left
}
