# Helpers for the bats tests. A test loads this file and calls setup_busybox or setup_debian;
# teardown removes what they create.
#
#   CORACLE        the binary to test; default: the one that `make` built
#   CORACLE_CACHE  where root file systems are kept; default: /var/cache/coracle

CORACLE=${CORACLE:-$(cd "$BATS_TEST_DIRNAME/.." && pwd)/coracle}
CORACLE_CACHE=${CORACLE_CACHE:-/var/cache/coracle}
# RUN distinguishes this run of bats from others on the machine.
RUN=${BATS_RUN_TMPDIR##*-}

# Starting programs takes most of the time of a test, especially in the emulated machine. jq 1.6
# takes ten times as long to start as gojq.
jq() {
	gojq "$@"
}

# Every test has its own state root, bundle and id.
common_setup() {
	ROOT=$BATS_TEST_TMPDIR/root
	BUNDLE=$BATS_TEST_TMPDIR/bundle
	# The name of the run is in it, because zz-leaks.bats looks for it.
	ID=cortest-$RUN-$$-$BATS_TEST_NUMBER
	mkdir -p "$BUNDLE"
	cd "$BUNDLE" || return
}

# setup_busybox makes a bundle with its own small, writable rootfs.
setup_busybox() {
	common_setup
	cp -a "$CORACLE_CACHE/busybox" "$BUNDLE/rootfs"
	make_config
}

# setup_debian makes a bundle on the shared rootfs that debootstrap made. All tests share it, so
# it is read-only.
setup_debian() {
	common_setup
	make_config
	config --arg path "$CORACLE_CACHE/debian" '.root.path = $path | .root.readonly = true'
}

make_config() {
	local made=$BATS_RUN_TMPDIR/config.json
	# Made only once, because it is the same for all tests and saves two processes in each.
	if [ ! -e "$made" ]; then
		"$CORACLE" spec --bundle "$BUNDLE"
		config '.process.terminal = false'
		cp "$BUNDLE/config.json" "$made.$$" && mv "$made.$$" "$made"
		return
	fi
	cp "$made" "$BUNDLE/config.json"
}

# config changes config.json with a jq program; options of jq may come before it.
config() {
	local new
	new=$(jq "$@" <"$BUNDLE/config.json") && printf '%s\n' "$new" >"$BUNDLE/config.json"
}

# args sets the command of the container.
args() {
	config '.process.args = $ARGS.positional' --args -- "$@"
}

# coracle runs the binary with the state root of the test. Do not use it with bats' `run` for
# create or a detached run of a long-lived container: the container inherits the output, and `run`
# waits until it is closed. Use `background` instead.
coracle() {
	if [ -n "${CORACLE_AGREE-}" ]; then
		agreeing "$@"
	else
		"$CORACLE" --root "$ROOT" "$@"
	fi
}

# agreeing runs coracle. If the command makes a container, it first asks `validate --host` about
# the bundle. The two have to agree: a bundle with errors is not created, and a bundle that is
# refused has errors. The file $CORACLE_AGREE gets a line for each disagreement, see
# tests/agreement.
agreeing() {
	local all=("$@") global=() said=$CORACLE_AGREE.$BATS_SUITE_TEST_NUMBER log=(--log "$CORACLE_AGREE.$BATS_SUITE_TEST_NUMBER") named=() before='' verdict='' arg status=0
	while [ $# -gt 0 ] && [[ $1 == -* ]]; do
		case $1 in
		--systemd-cgroup) global+=("$1") ;;
		--cgroup-manager | --rootless) global+=("$1" "$2") && shift ;;
		--log | --log-format) log=() && shift ;;
		--debug) log=() ;;
		esac
		shift
	done
	if [ "${1-}" != create ] && [ "${1-}" != run ]; then
		"$CORACLE" --root "$ROOT" "${all[@]}"
		return
	fi
	for arg; do
		case $before in
		--bundle | -b | --config | -f) named+=("$before" "$arg") ;;
		esac
		before=$arg
	done
	verdict=$("$CORACLE" "${global[@]}" validate --host "${named[@]}" 2>/dev/null </dev/null 3>&-) && verdict=
	rm -f "$said"
	"$CORACLE" --root "$ROOT" "${log[@]}" "${all[@]}" || status=$?
	if [ -n "$verdict" ] && [ "$status" -eq 0 ]; then
		printf '%s\t%s\tcreated\t%s\n' "${BATS_TEST_FILENAME##*/}" "$BATS_TEST_DESCRIPTION" "${verdict//$'\n'/ }" >>"$CORACLE_AGREE"
	elif [ -z "$verdict" ] && [ "$status" -ne 0 ] && grep -qs level=error "$said"; then
		# (The status may be the process's, after a warning.)
		printf '%s\t%s\trefused\t%s\n' "${BATS_TEST_FILENAME##*/}" "$BATS_TEST_DESCRIPTION" "$(grep level=error "$said" | tail -n 1 | sed -e 's/^time="[^"]*" level=[a-z]* msg="//' -e 's/\\"/"/g')" >>"$CORACLE_AGREE"
	fi
	rm -f "$said"
	return "$status"
}

# background runs coracle with the container's standard streams in files. The status is in $status
# and the combined output in $output, as with `run`.
background() {
	status=0
	coracle "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null || status=$?
	local out err
	out=$(<"$BATS_TEST_TMPDIR/out")
	err=$(<"$BATS_TEST_TMPDIR/err")
	output=$out${out:+${err:+$'\n'}}$err
}

# shell runs a script in the container; $status and $output are set as by bats' `run`.
shell() {
	args sh -c "$1"
	run coracle run "$ID"
}

# detached starts a script in the container and leaves it running.
detached() {
	args sh -c "$1"
	background run --detach "$ID"
	[ "$status" -eq 0 ]
}

# leaderless makes /leaderless the command: a process whose first thread ends while another
# prints dots.
leaderless() {
	[ "$(uname -m)" = x86_64 ] || skip "for x86_64"
	python3 "$BATS_TEST_DIRNAME/leaderless.py" rootfs/leaderless
	args /leaderless
}

# first_thread_gone PID reports whether a process has come to the end of its first thread.
first_thread_gone() {
	[ -e "/proc/$1" ] && [ "$(proc_status State "$1")" = 'Z (zombie)' ] && [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
}

# has_ended PID reports whether a process has ended with all its threads.
has_ended() {
	[ ! -e "/proc/$1" ] || { [ "$(proc_status State "$1")" = 'Z (zombie)' ] && [ "$(ls "/proc/$1/task")" = "$1" ]; }
}

# created creates a container that waits to be started; options of create may be given.
created() {
	background create "$@" "$ID"
	[ "$status" -eq 0 ]
}

# create_and_start creates and starts the container below a process that waits for it late, as an
# engine may. Until then the container's exit can be observed.
create_and_start() {
	python3 -c 'import ctypes, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) # PR_SET_CHILD_SUBREAPER
for command in "create", "start":
    status = subprocess.run([*sys.argv[1:-1], command, sys.argv[-1]], stdin=subprocess.DEVNULL).returncode
sys.exit(status)' "$CORACLE" --root "$ROOT" "$1"
}

# printed prints the container's output up to now. The next `background` empties the file.
printed() {
	cat "$BATS_TEST_TMPDIR/out"
}

# has_printed LINE reports whether the container has printed a line.
has_printed() {
	grep -qxF "$1" "$BATS_TEST_TMPDIR/out"
}

# failed asserts that the last command failed with status 1 and that its output has all these
# texts.
failed() {
	if [ "$status" -ne 1 ]; then
		echo "status $status: $output" >&2
		return 1
	fi
	says "$@"
}

# says TEXT... asserts that the output of the last command has these texts.
says() {
	local text
	for text in "$@"; do
		if [[ $output != *"$text"* ]]; then
			echo "no '$text' in: $output" >&2
			return 1
		fi
	done
}

# share removes a namespace from the configuration, so that the container shares the host's.
# Mounts that need a new one are removed as well.
share() {
	config --arg type "$1" 'del(.linux.namespaces[] | select(.type == $type))'
	[ "$1" != uts ] || config 'del(.hostname, .domainname)'
}

# join TYPE PATH makes the container join a namespace.
join() {
	config --arg type "$1" --arg path "$2" '(.linux.namespaces[] | select(.type == $type)).path = $path'
	[ "$1" != uts ] || config 'del(.hostname, .domainname)'
}

# writable makes the root of the container writable.
writable() {
	config '.root.readonly = false'
}

# mounted DESTINATION prints the mount at a path, from the mountinfo in $output: attributes,
# optional fields, "-", type, source, options of the file system.
mounted() {
	awk -v d="$1" '$5 == d { l = $6; for (i = 7; i <= NF; i++) l = l " " $i } END { print l }' <<<"$output"
}

# far makes a directory with a path that is too long for a socket address. $FAR is the path, and
# $NEAR is a link to it for programs that bind there.
far() {
	FAR=$BATS_TEST_TMPDIR/$(printf 'd%.0s' {1..100})/$(printf 'e%.0s' {1..100})
	NEAR=$BATS_TEST_TMPDIR/near
	mkdir -p "$FAR"
	ln -s "$FAR" "$NEAR"
}

# aside runs a command in the background until the end of the test. Its pid is the last element of
# ASIDE.
aside() {
	"$@" >/dev/null 2>&1 </dev/null 3>&- &
	ASIDE+=($!)
}

# status_of prints the status of a container.
status_of() {
	coracle state "$1" | jq -r .status
}

# pid_of prints the pid of a container's first process.
pid_of() {
	coracle state "$1" | jq .pid
}

# proc_status FIELD PID prints a line of /proc/PID/status without its name.
proc_status() {
	sed -n "s/^$1:[[:space:]]*//p" "/proc/$2/status" | tr -s '\t ' ' ' | sed 's/ $//'
}

# wait_for CONDITION... tries a command for up to 10 seconds.
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.05
	done
	echo "never true: $*" >&2
	return 1
}

has_status() {
	[ "$(status_of "$1")" = "$2" ]
}

# repeat_until_printed SIGNAL PID sends a signal, by number, to a command that forwards it to a
# process that prints the number. It fails while the command does not catch signals yet.
repeat_until_printed() {
	[[ $(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$2/status") == *[1-9a-f]* ]] || return 1
	kill "-$1" "$2"
	for _ in {1..20}; do
		has_printed "$1" && return
		sleep 0.05
	done
	return 1
}

# ignores PID SIGNAL reports whether a process ignores a signal, by number, as when nohup(1) or a
# shell in the background started it.
ignores() {
	local mask
	mask=$(sed -n 's/^SigIgn:[[:space:]]*//p' "/proc/$1/status")
	(((0x$mask >> ($2 - 1)) & 1))
}

# unified reports whether the host has cgroup v2 only.
unified() {
	[ -e /sys/fs/cgroup/cgroup.controllers ]
}

# cgroup_dirs prints the directories of a container's cgroup.
cgroup_dirs() {
	find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null
}

# processes prints the processes of the test's containers: those in a cgroup with the id, and init
# programs that use the test's files.
processes() {
	{
		grep -ls -- "$ID" /proc/[0-9]*/cgroup
		find /proc/[0-9]*/exe -lname '/memfd:coracle-init*' 2>/dev/null
	} | of_test
}

# of_test reads names of files in /proc/PID and prints the directories of the processes that
# belong to the test. Zombies do not count: their parent may be slow to reap them.
of_test() {
	local p
	while read -r p; do
		p=${p%/*}
		if grep -qsw "State:.[RSDTtI]" "$p/status" && {
			grep -qs -- "$ID" "$p/cgroup" || grep -qsF "$BATS_TEST_TMPDIR" "$p/mountinfo" || [[ $(readlink "$p/cwd") == "$BATS_TEST_TMPDIR"* ]]
		}; then
			echo "$p"
		fi
	done
}

# alive prints the cgroups of the test's containers, which contain all processes except init
# programs, and the init programs. It runs after each test, so it uses one process for both.
alive() {
	local found
	find /sys/fs/cgroup /proc/[0-9]*/exe \( -type d -name "*$ID*" -o -lname '/memfd:coracle-init*' \) 2>/dev/null | while read -r found; do
		case $found in
		/proc/*) of_test <<<"$found" ;;
		*) echo "$found" ;;
		esac
	done
}

# leftovers prints everything that is left of the test's containers.
leftovers() {
	[ ! -d "$ROOT" ] || find "$ROOT" -mindepth 1
	alive
	grep -F "$BATS_TEST_TMPDIR" /proc/self/mountinfo
	return 0
}

# nothing_left asserts that nothing is left of the test's containers. Processes that were killed
# may still be exiting.
nothing_left() {
	wait_for no_leftovers || {
		leftovers >&2
		return 1
	}
}

no_leftovers() {
	[ -z "$(leftovers)" ]
}

teardown() {
	common_teardown
}

common_teardown() {
	local d
	for d in "$ROOT"/*/; do
		[ ! -d "$d" ] || coracle delete --force "$(basename "$d")" || true
	done
	[ -z "${ASIDE[*]}" ] || kill -9 "${ASIDE[@]}" 2>/dev/null || true
	# Whatever a test does, its cgroups and processes end with it.
	[ -z "$ID" ] || wait_for no_cgroups
}

no_cgroups() {
	[ -z "$(alive)" ]
}

# at_once COUNT FUNCTION runs a function for several containers in parallel. The function gets a
# name and the command, and has to pass on the command's output and status.
at_once() {
	local i jobs=()
	for ((i = 0; i < $1; i++)); do
		{
			status=0
			"$2" "$ID-$i" sh -c 'echo $((6 * 7)); exit 3' || status=$?
			echo "$status"
		} >"$BATS_TEST_TMPDIR/$i" 2>&1 </dev/null 3>&- &
		jobs+=($!)
	done
	wait "${jobs[@]}"
	for ((i = 0; i < $1; i++)); do
		[ "$(cat "$BATS_TEST_TMPDIR/$i")" = $'42\n3' ] || {
			cat "$BATS_TEST_TMPDIR/$i" >&2
			return 1
		}
	done
}
