#!/usr/bin/env bats
# Files of `make install` and `make deb`: manual pages, completions, snippets.

load helpers

setup_file() {
	source=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export source INSTALLED=$BATS_FILE_TMPDIR/installed
	[ -e "$source/Makefile" ] && command -v "${GO:-go}" make >/dev/null || return 0
	make -s -C "$source" install DESTDIR="$INSTALLED" PREFIX=/usr >/dev/null
}

setup() {
	[ -d "$INSTALLED" ] || skip "there is no Go here, or no source"
	common_setup
	PATH=$INSTALLED/usr/bin:$PATH
}

# containers makes two in the state root of the test, with the ids of the test.
containers() {
	cp -a "$CORACLE_CACHE/busybox" rootfs
	make_config
	args true
	for c in one two; do
		background create "$ID-$c"
		[ "$status" -eq 0 ]
	done
}

# commands prints the commands that --help lists.
commands() {
	"$CORACLE" --help | sed -n '/^COMMANDS:/,/^GLOBAL OPTIONS:/s/^   \([a-z]*\)  .*/\1/p'
}

# options [COMMAND] prints the long options that --help lists.
options() {
	"$CORACLE" "$@" --help | sed -n '/OPTIONS:/,$s/^   --\([a-z0-9-]*\).*/--\1/p'
}

@test "each command has a manual page, with all its options" {
	local page c
	for c in "" $(commands); do
		page=$INSTALLED/usr/share/man/man1/coracle${c:+-$c}.1
		# shellcheck disable=SC2086 # none for the program itself
		for option in $(options $c); do
			sed 's/\\-/-/g' "$page" | grep -qF "\\fB$option\\fR" || {
				echo "$page has no $option" >&2
				false
			}
		done
	done
	[ "$(find "$INSTALLED/usr/share/man" -name '*.1' | wc -l)" -eq "$(($(commands | wc -l) + 1))" ]
	[ "$(commands | wc -l)" -ge 15 ]
}

@test "manual pages are rendered without a warning" {
	command -v man >/dev/null || skip "man is not there"
	local page
	for page in "$INSTALLED"/usr/share/man/man1/*; do
		output=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$page" 2>warnings)
		[ ! -s warnings ]
		says NAME SYNOPSIS OPTIONS "SEE ALSO"
		[[ $output != *'`'* ]]
	done
	run env LC_ALL=C.UTF-8 MANWIDTH=200 man -l "$INSTALLED/usr/share/man/man1/coracle-kill.1"
	says "coracle [GLOBAL OPTION]... kill [OPTION]... ID [SIGNAL]" "coracle-kill - send a signal"
}

# complete_bash WORD... prints the completions of the last word in bash, sorted, on one line.
complete_bash() {
	bash --norc --noprofile -c '
		source "$1"
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		compopt() { :; }
		_coracle
		printf "%s\n" "${COMPREPLY[@]}"
	' - "$INSTALLED/usr/share/bash-completion/completions/coracle" "$@" | sort | paste -sd ' '
}

@test "bash completes commands, options, values, files and containers" {
	containers
	[ "$(complete_bash coracle '')" = "$(commands | sort | paste -sd ' ')" ]
	[ "$(complete_bash coracle val)" = validate ]
	[ "$(complete_bash coracle --log-f)" = --log-format ]
	[ "$(complete_bash coracle --log-format '')" = "json text" ]
	[ "$(complete_bash coracle --cgroup-manager '')" = "cgroupfs disabled systemd" ]
	[ "$(complete_bash coracle --log-format = j)" = json ]
	[ "$(complete_bash coracle --log-format json sta)" = "start state" ]
	[ "$(complete_bash coracle --log-format = json sta)" = "start state" ]
	[ "$(complete_bash coracle exec --cap CAP_SYS_T)" = "CAP_SYS_TIME CAP_SYS_TTY_CONFIG" ]
	[ "$(complete_bash coracle create --bundle ro)" = rootfs ]
	[ "$(complete_bash coracle create --pid-file con)" = config.json ]
	[ "$(complete_bash coracle --root "$ROOT" state '')" = "$ID-one $ID-two" ]
	[ "$(complete_bash coracle --root = "$ROOT" state '')" = "$ID-one $ID-two" ]
	[ "$(complete_bash coracle --root "$ROOT" exec --env A=B "$ID-t")" = "$ID-two" ]
	[ "$(complete_bash coracle --root "$ROOT" kill "$ID-two" TER)" = TERM ]
	[ -z "$(complete_bash coracle --root "$ROOT" create '')" ]
	[ "$(complete_bash coracle --root "$ROOT" exec -e A=B "$ID-t")" = "$ID-two" ]
	[ "$(complete_bash coracle delete "$ID-two" --fo)" = --force ]
	[ "$(complete_bash coracle kill "$ID-two" -a TER)" = TERM ]
	[ -z "$(complete_bash coracle --root "$ROOT" exec "$ID-two" --)" ]
	[ -z "$(complete_bash coracle delete -- --fo)" ]
}

@test "fish completes commands, options, values, files and containers" {
	command -v fish >/dev/null || skip "fish is not there"
	containers
	complete_fish() {
		HOME=$BATS_TEST_TMPDIR fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$INSTALLED/usr/share/fish/vendor_completions.d/coracle.fish" "$1" |
			cut -f1 | sort | paste -sd ' '
	}
	[ "$(complete_fish 'coracle ')" = "$(commands | sort | paste -sd ' ')" ]
	[ "$(complete_fish 'coracle --log-f')" = --log-format ]
	[ "$(complete_fish 'coracle --log-format ')" = "json text" ]
	[ "$(complete_fish 'coracle --log-format json sta')" = "start state" ]
	[ "$(complete_fish 'coracle exec --cap CAP_SYS_T')" = "CAP_SYS_TIME CAP_SYS_TTY_CONFIG" ]
	[ "$(complete_fish 'coracle create --bundle ro')" = rootfs/ ]
	[ "$(complete_fish 'coracle create --pid-file con')" = config.json ]
	[ "$(complete_fish "coracle --root $ROOT state ")" = "$ID-one $ID-two" ]
	[ "$(complete_fish "coracle --root=$ROOT exec --env A=B $ID-t")" = "$ID-two" ]
	[ "$(complete_fish "coracle kill $ID-two TER")" = TERM ]
	[ "$(complete_fish "coracle --root=$ROOT exec -e A=B $ID-t")" = "$ID-two" ]
	[ "$(complete_fish "coracle delete $ID-two --fo")" = --force ]
	[ "$(complete_fish "coracle kill $ID-two --all TER")" = TERM ]
	[ -z "$(complete_fish "coracle exec $ID-two --ct")" ]
	[ -z "$(complete_fish "coracle --root $ROOT create ")" ]
}

@test "zsh completes commands, options, values and containers" {
	command -v zsh >/dev/null || skip "zsh is not there"
	containers
	cat >"$BATS_TEST_TMPDIR/.zshrc" <<-END
		fpath=($INSTALLED/usr/share/zsh/site-functions \$fpath)
		autoload -Uz compinit
		compinit -u -D
		PS1='ready> '
	END
	# completes TEXT RESULT types a text and a tab.
	completes() {
		ZDOTDIR=$BATS_TEST_TMPDIR TERM=dumb run python3 "$BATS_TEST_DIRNAME/pty.py" run 'expect=ready> ' "send=$1\\t" "expect=$2" 'send=\x15exit\n' -- zsh -i
		if [ "$status" -eq 99 ]; then
			echo "$1: no $2 in $output" >&2
			return 1
		fi
	}
	completes 'coracle va' 'coracle validate '
	completes 'coracle --log-f' 'coracle --log-format'
	completes 'coracle --log-format j' 'coracle --log-format json '
	completes 'coracle exec --no-n' 'coracle exec --no-new-privs '
	completes 'coracle exec --cap CAP_SYS_TT' CAP_SYS_TTY_CONFIG
	completes "coracle --root $ROOT state $ID-t" "$ID-two "
	completes "coracle kill x TER" "x TERM"
	completes 'coracle exec --env A=B --en' 'A=B --env='
	completes 'coracle delete x --fo' 'x --force '
}

@test "uninstall removes what install has made" {
	cp -a "$INSTALLED" copy
	make -s -C "$source" uninstall DESTDIR="$PWD/copy" PREFIX=/usr
	[ -z "$(find copy -type f)" ]
}

@test "the Debian package holds program, pages, completions and snippets, and lintian has nothing to say" {
	command -v dpkg-deb >/dev/null || skip "dpkg is not there"
	make -s -C "$source" deb >/dev/null
	local deb
	deb=$(ls "$source"/bin/coracle_*_*.deb)
	dpkg-deb -x "$deb" package
	run dpkg-deb -c "$deb"
	[ -z "$(awk '$2 != "root/root" || $1 !~ /^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--)$/' <<<"$output")" ]
	cmp package/usr/bin/coracle "$INSTALLED/usr/bin/coracle"
	[ "$(find package/usr/share/man -name '*.1.gz' | wc -l)" -eq "$(find "$INSTALLED/usr/share/man" -name '*.1' | wc -l)" ]
	for file in bash-completion/completions/coracle zsh/vendor-completions/_coracle fish/vendor_completions.d/coracle.fish \
		doc/coracle/copyright doc/coracle/changelog.gz; do
		[ -s "package/usr/share/$file" ]
	done
	python3 - package/usr/share/doc/coracle/examples <<-'END'
		import json, pathlib, sys, tomllib
		examples = pathlib.Path(sys.argv[1])
		docker = json.loads((examples / "docker-daemon.json").read_text())
		assert docker["runtimes"]["coracle"]["path"] == "/usr/bin/coracle"
		podman = tomllib.loads((examples / "podman-containers.conf").read_text())
		assert podman["engine"]["runtimes"]["coracle"] == ["/usr/bin/coracle"]
		for name in ["containerd.toml", "buildkitd.toml", "crio.conf"]:
		    assert "/usr/bin/coracle" in str(tomllib.loads((examples / name).read_text())), name
		assert "handler: coracle" in (examples / "kubernetes-runtimeclass.yaml").read_text()
	END
	(cd package && dpkg-deb -e "$deb" ../control && md5sum --quiet -c ../control/md5sums)
	command -v lintian >/dev/null || skip "lintian is not there"
	run lintian --allow-root --fail-on error,warning "$deb"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}
