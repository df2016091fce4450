# Helpers for the scripts that build programs that Debian does not have, for the tests with an
# engine. They are built from the Go modules of the script's directory. It sets $bin, $go and,
# from programs_of on, $log.
#
# When the modules cannot be downloaded, the scripts say so and succeed. The tests are then
# skipped with the reason, which is the last line of $CORACLE_CACHE/ENGINE-VERSION.log. With
# SHORT=1 an engine that has not been built before is not built.
set -euo pipefail

cd "$(dirname "$0")"
bin=$(cd ../../.. && pwd)/bin
go=${GO:-go}
export CGO_ENABLED=0

# programs_of ENGINE MODULE PREFIX TAGS MADE OWN PROGRAM... builds programs of an engine, which
# are packages of its module, into $CORACLE_CACHE/ENGINE-VERSION, once. Their version is that of
# go.mod after a prefix. OWN is the package of the directory from which the script makes the file
# MADE in bin.
programs_of() {
	local engine=$1 module=$2 prefix=$3 tags=$4 made=$5 own=$6 cache=${CORACLE_CACHE:-/var/cache/coracle} version programs
	shift 6
	version=$(sed -n "s|^[[:space:]]*$module v\([^ ]*\).*|\1|p" go.mod)
	programs=$cache/$engine-$version
	log=$programs.log
	mkdir -p "$cache" "$bin"
	# Two runs at once would build in the same place.
	exec 9>"$cache/.$engine.lock"
	flock 9
	if [ ! -d "$programs" ] && [ -n "${SHORT:-}" ]; then
		without "$made" "$engine has not been built here; make test-engines does it"
	fi
	# Download only the modules that the build needs.
	if ! { "$go" list -deps -test -tags "$tags" "$own" && "$go" list -deps -tags "$tags" "${@/#/$module/cmd/}"; } >/dev/null 2>"$log" </dev/null; then
		without "$made" "$engine's modules cannot be had: $(tail -n 1 "$log")"
	fi
	[ ! -d "$programs" ] || return 0
	echo "building $programs, this takes two minutes ..." >&2
	rm -rf "$programs.new"
	mkdir "$programs.new"
	"$go" build -trimpath -buildvcs=false -tags "$tags" \
		-ldflags "-s -w -X $module/version.Version=$prefix$version" -o "$programs.new/" "${@/#/$module/cmd/}"
	mv "$programs.new" "$programs"
}

# without FILE REASON ends the script when FILE cannot be made.
without() {
	rm -f "$bin/$1"
	echo "$2" | tee -a "$log" >&2
	exit 0
}
