#!/usr/bin/env bats
# The tests that docs/invariants.md and SECURITY.md name exist, and each is known to fail without
# the protection.

top=$BATS_TEST_DIRNAME/../..

# rows prints the rows of the recipes in docs/invariants.md.
rows() { grep '^| R-' "$top/docs/invariants.md"; }

@test "recipes: they are numbered, without a gap" {
	[ "$(rows | wc -l)" -ge 24 ]
	[ "$(rows | grep -oE '^\| R-[0-9]+')" = "$(seq -f '| R-%02g' "$(rows | wc -l)")" ]
}

@test "recipes: each has a test, but for two" {
	[ "$(rows | grep -cvE '\.bats: "|(Test|Fuzz)[A-Z]')" -eq 2 ]
}

@test "recipes: each test that is named exists" {
	missing=0
	names=0
	mapfile -t unit_tests < <(find "$top" -name '*_test.go')
	while IFS= read -r row; do
		# FILE: "TEST", "TEST"; FILE: "TEST"
		file=
		while IFS= read -r token; do
			names=$((names + 1))
			case $token in
			*.bats:) file=${token%:} ;;
			\"*) grep -qF "@test $token {" "$top/tests/$file" || missing=$((missing + 1)) && echo "$file: $token" ;;
			*) grep -qF "func $token(" "${unit_tests[@]}" || missing=$((missing + 1)) && echo "$token" ;;
			esac
		done < <(grep -oE '[a-z/-]+\.bats:|"[^"]+"|\b(Test|Fuzz)[A-Z][A-Za-z]+' <<<"$row")
	done < <(rows; sed -n '/^## What is promised/,/^## /p' "$top/SECURITY.md")
	echo "$names names, $missing missing"
	[ "$names" -gt 80 ]
	[ "$missing" -eq 0 ]
}

# Running them takes long: make mutations.
@test "recipes: each test, and each invariant, has a mutation that still applies" {
	run "$BATS_TEST_DIRNAME/mutate" --check
	[ "$status" -eq 0 ]
}
