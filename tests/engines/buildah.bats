#!/usr/bin/env bats
# Buildah with coracle as its runtime.

load ../helpers
load engines

setup_file() {
	local dir=$BATS_FILE_TMPDIR
	engines_start buildah buildah
	[ ! -e "$dir/missing" ] || return 0
	if of_system; then
		mkdir -p /etc/containers/containers.conf.d
		cp "$BATS_TEST_DIRNAME/../../packaging/engines/podman-containers.conf" /etc/containers/containers.conf.d/coracle.conf
	fi
	local container
	container=$(buildah_ from scratch)
	buildah_ add --quiet "$container" "$DIR/busybox.tar" /
	buildah_ config --cmd sh --env PATH=/bin "$container"
	buildah_ commit --quiet "$container" localhost/busybox
	buildah_ rm "$container"
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/missing" ] || return 0
	engines_end
}

setup() {
	engines_setup
	parent=()
	of_system || parent=(--cgroup-parent "/$CGROUP/$ID")
}

teardown() {
	common_teardown
}

# engine is buildah with its configuration.
engine=(buildah)
of_system || engine=(env "BUILDAH_RUNTIME=$PROGRAM" BUILDAH_ISOLATION=oci "TMPDIR=$DIR/home" buildah --root "$DIR/storage" --runroot /run/storage)

buildah_() {
	inside "${engine[@]}" "$@"
}

# from_busybox makes a working container named $ID.
from_busybox() {
	buildah_ from --pull-never --name "$ID" "${parent[@]}" localhost/busybox >/dev/null
}

run_() {
	buildah_ run --network none "$@"
}

# bud builds the Containerfile on standard input.
bud() {
	mkdir "$BATS_FILE_TMPDIR/$ID"
	cat >"$BATS_FILE_TMPDIR/$ID/Dockerfile"
	buildah_ bud --pull-never --network none "${parent[@]}" --tag "$ID" "$DIR/$ID"
}

# state_dirs prints the state directories of the runtime.
state_dirs() {
	inside sh -c 'ls /run/coracle 2>/dev/null' | grep ^buildah
}

nothing_of_it() {
	[ -z "$(state_dirs)" ]
	[ -z "$(find /sys/fs/cgroup -type d \( -path "*/$CGROUP/$ID*" -o -name '*buildah-*' \))" ]
}

# bats test_tags=system
@test "buildah: run gives the output and the exit status, and leaves nothing" {
	from_busybox
	try run_ "$ID" sh -c 'echo out; id -u; exit 7'
	is 7 $'out\n0\n'
	nothing_of_it
}

@test "buildah: standard input and a terminal" {
	from_busybox
	output=$(echo word | run_ "$ID" cat)
	[ "$output" = word ]
	try on_terminal "${engine[@]}" \
		run --network none --tty "$ID" sh -c 'tty; exit 4'
	is 4 /dev/pts/0
	nothing_of_it
}

@test "buildah: what cannot be executed is told with the reason" {
	from_busybox
	try run_ "$ID" no-such-command
	is 1 'exec: "no-such-command": executable file not found in $PATH'
	try run_ "$ID" /etc
	is 1 'permission denied'
	nothing_of_it
}

@test "buildah: volumes, users, capabilities and a working directory" {
	from_busybox
	mkdir "$BATS_FILE_TMPDIR/volume"
	buildah_ config --workingdir /tmp "$ID"
	try run_ --user 1000 --cap-drop all --volume "$DIR/volume:/v:ro" "$ID" sh -c 'pwd; id -u; grep CapEff /proc/self/status; touch /v/file'
	is 1 $'/tmp\n1000\nCapEff:\t0000000000000000\n' "Read-only file system"
	nothing_of_it
}

@test "buildah: a build, and what it made" {
	try bud <<-END
		FROM localhost/busybox
		RUN echo built >/file
		RUN --mount=type=tmpfs,target=/scratch touch /scratch/file
		RUN ["sh", "-c", "id -u >>/file"]
		USER 1000
		RUN whoami >/tmp/name
	END
	is 0
	buildah_ from --pull-never --name "$ID" "${parent[@]}" "localhost/$ID" >/dev/null
	try run_ "$ID" cat /file /tmp/name
	is 0
	[ "$output" = $'built\n0\nuser' ]
	nothing_of_it
}

@test "buildah: a step that fails ends the build with its status" {
	try bud <<-END
		FROM localhost/busybox
		RUN exit 42
	END
	is 42 "exit status 42"
	nothing_of_it
}

@test "buildah: a signal ends the step" {
	from_busybox
	run_ "$ID" sh -c 'echo up >/started; exec sleep 1000' >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	job=$!
	running() { name=$(state_dirs) && [ "$(inside "$PROGRAM" state "$name" | jq -r .status)" = running ]; }
	wait_for running
	inside "$PROGRAM" kill "$name" KILL
	status=0
	wait "$job" || status=$?
	[ "$status" -ne 0 ]
	nothing_of_it
}
