# For the scripts that build what Debian does not have for the tests with an engine, from
# the Go modules of the directory that they are in. $bin, $go and, from programs_of on, $log
# are for them.
#
# Where the modules cannot be had they say so and succeed. The tests are skipped then, with
# the reason, which is the last line of $CORACLE_CACHE/ENGINE-VERSION.log. With SHORT=1 it
# may be that an engine has not been built before.
set -euo pipefail

cd "$(dirname "$0")"
bin=$(cd ../../.. && pwd)/bin
go=${GO:-go}
export CGO_ENABLED=0

# programs_of ENGINE MODULE PREFIX TAGS MADE OWN PROGRAM... builds programs of an engine, which
# are packages of its module, into $CORACLE_CACHE/ENGINE-VERSION, once. They say that their
# version is that of go.mod behind a prefix. OWN is the package of the directory from which
# the script makes the file MADE in bin.
programs_of() {
	local engine=$1 module=$2 prefix=$3 tags=$4 made=$5 own=$6 cache=${CORACLE_CACHE:-/var/cache/coracle} version programs
	shift 6
	version=$(sed -n "s|^[[:space:]]*$module v\([^ ]*\).*|\1|p" go.mod)
	programs=$cache/$engine-$version
	log=$programs.log
	mkdir -p "$cache" "$bin"
	# Two of these at once would build in the same place.
	exec 9>"$cache/.$engine.lock"
	flock 9
	if [ ! -d "$programs" ] && [ -n "${SHORT:-}" ]; then
		without "$made" "$engine has not been built here; make test-engines does it"
	fi
	# What is built, and nothing else of what the modules ask for.
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

# without FILE REASON ends the script without what it should have made.
without() {
	rm -f "$bin/$1"
	echo "$2" | tee -a "$log" >&2
	exit 0
}
