#!/usr/bin/env bats
# bats file_tags=vm
# Propagation of mounts, between host and container and by the options.

load helpers
load mounts

# shared_host runs the container on a host whose mounts are shared, as with systemd.
shared_host() {
	run unshare --mount --propagation private bash -c 'mount --make-rshared / && mount --bind "$1" "$1" && mount --make-shared "$1" && exec "$2" --root "$3" run "$4"' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
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

@test "the propagation that a mount asks for counts, whatever that of the root is" {
	mount_also '{destination: "/slave", source: $SOURCE, options: ["rbind", "rslave"]}, {destination: "/shared", source: $SOURCE, options: ["rbind", "rshared"]},
		{destination: "/private", source: $SOURCE, options: ["rbind", "rprivate"]}, {destination: "/unbindable", source: $SOURCE, options: ["rbind", "runbindable"]},
		{destination: "/own", type: "tmpfs", options: ["shared"]}, {destination: "/later", type: "tmpfs"}, {destination: "/later", options: ["remount", "shared"]}'
	args cat /proc/self/mountinfo
	local of_root
	for of_root in "" slave rslave private rprivate shared rshared unbindable runbindable; do
		config --arg p "$of_root" '.linux.rootfsPropagation = $p'
		[ -n "$of_root" ] || config 'del(.linux.rootfsPropagation)'
		shared_host
		[[ $(mounted /slave) =~ ^[a-z,]+" master:"[0-9]+" - " && $(mounted /shared) =~ ^[a-z,]+" shared:"[0-9]+ &&
			$(mounted /private) =~ ^[a-z,]+" - " && $(mounted /unbindable) == *" unbindable - "* &&
			$(mounted /own) =~ ^[a-z,]+" shared:"[0-9]+" - " && $(mounted /later) =~ ^[a-z,]+" shared:"[0-9]+" - " ]] || {
			echo "with a root that is $of_root: $output" >&2
			return 1
		}
	done
}

@test "a recursive propagation of the root is that of all mounts that ask for none" {
	mount_also '{destination: "/bind", source: $SOURCE, options: ["rbind"]}, {destination: "/new", type: "tmpfs"}, {destination: "/new/other", source: $SOURCE, options: ["rbind", "rprivate"]},
		{destination: "/new/below", type: "tmpfs"}'
	args cat /proc/self/mountinfo
	local case d
	for case in "rshared: shared:" "runbindable: unbindable - "; do
		config --arg p "${case%%:*}" '.linux.rootfsPropagation = $p'
		shared_host
		for d in / /dev /proc /bind /new /new/below; do
			[[ $(mounted $d) == *"${case#*:}"* ]]
		done
		[[ $(mounted /new/other) =~ ^[a-z,]+" - " ]]
	done
}

@test "mounts that the host makes in a shared source appear in the container" {
	mkdir "$SOURCE/below"
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["rbind", "rslave"]}'
	late_mount_appears
	config '.linux.rootfsPropagation = "private"'
	late_mount_appears
	config '.linux.rootfsPropagation = "runbindable"'
	late_mount_appears
}

# late_mount_appears runs the container, then makes a mount in the source, and expects the
# container to see it.
late_mount_appears() {
	args sh -c 'echo ready; for i in $(seq 200); do [ ! -e /mnt/below/late ] || { echo late; exit; }; sleep 0.05; done; exit 1'
	rm -f "$BATS_TEST_TMPDIR/out"
	run unshare --mount --propagation private bash -c '
		mount --bind "$1" "$1" && mount --make-shared "$1"
		"$2" --root "$3" run "$4" >"$5" 2>&1 </dev/null 3>&- &
		for i in $(seq 200); do grep -q ready "$5" && break; sleep 0.05; done 2>/dev/null
		mount -t tmpfs tmpfs "$1/below" && touch "$1/below/late"
		wait $!' - "$SOURCE" "$CORACLE" "$ROOT" "$ID" "$BATS_TEST_TMPDIR/out"
	[ "$status" -eq 0 ]
	has_printed late
}

@test "mounts of the container do not reach a shared host" {
	config '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.effective += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
	mount_also '{destination: "/mnt", type: "bind", source: $SOURCE, options: ["rbind"]}'
	args sh -c 'mount -t tmpfs tmpfs /mnt && mount -t tmpfs tmpfs /tmp && echo mounted'
	run unshare --mount --propagation private bash -c '
		mount --make-rshared /
		before=$(cat /proc/self/mountinfo)
		"$2" --root "$3" run "$4"
		[ "$before" = "$(cat /proc/self/mountinfo)" ] && echo same' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$output" = $'mounted\nsame' ]
}

@test "propagations follow each other in the order of the list, also for new file systems" {
	mount_also '{destination: "/a", type: "tmpfs", options: ["shared", "slave"]}, {destination: "/b", type: "tmpfs", options: ["rshared"]},
		{destination: "/c", type: "tmpfs", options: ["shared", "private"]}, {destination: "/d", type: "tmpfs", options: ["unbindable"]},
		{destination: "/e", source: $SOURCE, options: ["bind", "rprivate", "shared", "slave"]}, {destination: "/f", source: $SOURCE, options: ["rbind", "rprivate", "runbindable"]},
		{destination: "/g", source: $SOURCE, options: ["rbind", "rslave", "rshared"]}'
	args cat /proc/self/mountinfo
	shared_host
	[[ $(mounted /a) == rw,relatime" - "* ]] # not a slave
	[[ $(mounted /b) =~ ^rw,relatime" shared:"[0-9]+" - " ]]
	[[ $(mounted /c) == rw,relatime" - "* ]]
	[[ $(mounted /d) == rw,relatime" unbindable - "* ]]
	[[ $(mounted /e) =~ ^rw,[a-z,]*" - " ]]
	[[ $(mounted /f) =~ ^rw,[a-z,]*" unbindable - " ]]
	[[ $(mounted /g) =~ ^rw,[a-z,]*" shared:"[0-9]+" master:"[0-9]+" - " ]]
}

@test "with a shared root, what a container mounts in a shared bind mount reaches the host" {
	mkdir "$SOURCE/below"
	config '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.effective += ["CAP_SYS_ADMIN"] | .process.capabilities.permitted += ["CAP_SYS_ADMIN"]
		| .linux.rootfsPropagation = "rshared"'
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "rshared"]}'
	args mount -t tmpfs here /mnt/below
	run unshare --mount --propagation private bash -c '
		mount --bind "$1" "$1" && mount --make-shared "$1"
		"$2" --root "$3" run "$4"
		grep -c " $1/below .* - tmpfs here " /proc/self/mountinfo' - "$SOURCE" "$CORACLE" "$ROOT" "$ID"
	[ "$output" = 1 ]
}

@test "parts of an unbindable mount can be read-only" {
	mkdir "$SOURCE/part"
	mount_also '{destination: "/mnt", source: $SOURCE, options: ["rbind", "runbindable"]}, {destination: "/tmp", type: "tmpfs", options: ["unbindable"]}'
	config '.linux.readonlyPaths += ["/mnt/part"] | .linux.maskedPaths += ["/mnt/file", "/tmp"]'
	shell 'touch /mnt/part/x; cat /mnt/file; touch /tmp/x; cat /proc/self/mountinfo'
	[ "$(grep -c "Read-only file system" <<<"$output")" = 2 ]
	[[ $output != *content* ]]
	[[ $(mounted /mnt) == *" unbindable - "* ]]
}
