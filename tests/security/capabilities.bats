#!/usr/bin/env bats
# R-02: the capabilities of a process are those of a model, for each way to start one: create,
# exec, exec --cap and exec --process; as root and not; each form of the sets; with and without
# no_new_privs.
#
# What protects: Capset, PR_CAPBSET_DROP and PR_CAP_AMBIENT in identity (compile/identity.go)
# and AddCapabilities (libcontainer/exec.go). Tried: when --cap adds to the inheritable set, this fails.

load ../helpers
load canary

# The forms of process.capabilities. CHOWN 0, KILL 5, SETUID 7, NET_RAW 13.
forms='{
	"nil": null,
	"empty": {"bounding": [], "permitted": [], "effective": [], "inheritable": [], "ambient": []},
	"some": {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"]},
	"inheritable": {"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"], "inheritable": ["CAP_KILL"]},
	"ambient": {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], "permitted": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
}'

setup_file() {
	cat >"$BATS_FILE_TMPDIR/model.py" <<'END'
"""model.py FORM UID ADDED NNP: the five sets that a command has, as capabilities(7) says
what execve makes of those that were set before."""

import json, sys

NUMBERS = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETUID": 7, "CAP_NET_RAW": 13}
form, uid, added = json.loads(sys.argv[1]) or {}, int(sys.argv[2]), sys.argv[3].split()


def set_of(name, more=()):
    return {NUMBERS[c] for c in list(form.get(name, [])) + list(more)}


bounding = set_of("bounding", added)
inheritable = set_of("inheritable")
nnp = sys.argv[4] == "true"
ambient = set_of("ambient", added) & set_of("permitted", added) & inheritable
if uid == 0:
    # The file counts as having all capabilities, and the effective bit.
    permitted = inheritable | bounding
    if nnp:
        permitted &= set_of("permitted", added)  # nothing is gained
    effective = permitted
else:
    permitted = ambient
    effective = ambient
print(" ".join("%016x" % sum(1 << n for n in s) for s in (inheritable, permitted, effective, bounding, ambient)))
END
}

# seen prints the five sets from the output of the container.
sets='grep ^Cap /proc/self/status | cut -f2 | tr "\n" " "'

# without_warnings runs coracle and drops its standard error.
without_warnings() {
	coracle "$@" 2>/dev/null
}

# expect WHAT FORM UID ADDED compares the output with the model.
expect() {
	local want
	want=$(python3 "$BATS_FILE_TMPDIR/model.py" "$2" "$3" "$4" "$nnp")
	# shellcheck disable=SC2015 # the last command fails
	[ "$status" -eq 0 ] && [ "${output% }" = "$want" ] || {
		printf '%s, %s as %s, with "%s":\n  is        %s\n  should be %s\n' "$1" "$2" "$3" "$4" "$output" "$want" >&2
		return 1
	}
}

@test "capabilities: create, exec, exec --cap and exec --process are as the model says" {
	cp config.json template.json
	cases=0
	for name in $(jq -r 'keys[]' <<<"$forms"); do
		form=$(jq -c --arg n "$name" '.[$n]' <<<"$forms")
		for uid in 0 1000; do
			for nnp in true false; do
				jq --argjson c "$form" --argjson u "$uid" --argjson n "$nnp" \
					'.process.user = {uid: $u, gid: $u} | .process.noNewPrivileges = $n | .process.capabilities = $c | if $c == null then del(.process.capabilities) else . end' \
					template.json >config.json
				shell "$sets"
				expect create "$form" "$uid" ""

				detached 'while :; do sleep 100; done'
				run coracle exec "$ID" sh -c "$sets"
				expect exec "$form" "$uid" ""
				run without_warnings exec --cap CAP_NET_RAW --cap CAP_SETUID "$ID" sh -c "$sets"
				expect "exec --cap" "$form" "$uid" "CAP_NET_RAW CAP_SETUID"
				# Another user, with --cap: the capability is never inheritable, and ambient only
				# if the container has it inheritable.
				for added in CAP_NET_RAW CAP_KILL; do
					run without_warnings exec --user 1000 --cap "$added" "$ID" sh -c "$sets"
					expect "exec --user --cap" "$form" 1000 "$added"
				done
				for other in $(jq -r 'keys[]' <<<"$forms"); do
					# For --process each form is tried once.
					[[ $nnp == true && $uid == 0 && ($name == nil || $name == some) ]] || continue
					theirs=$(jq -c --arg n "$other" '.[$n]' <<<"$forms")
					jq --argjson c "$theirs" --arg s "$sets" '.process | .args = ["sh", "-c", $s] | .capabilities = $c | if $c == null then del(.capabilities) else . end' config.json >process.json
					run coracle exec --process process.json "$ID"
					# Sets that it leaves out are the container's.
					[ "$other" != nil ] || theirs=$form
					expect "exec --process" "$theirs" "$uid" ""
					cases=$((cases + 1))
				done
				coracle delete --force "$ID"
				cases=$((cases + 5))
			done
		done
	done
	[ "$cases" -eq 110 ]
}
