#!/usr/bin/env bats
# bats file_tags=vm
# What an ordinary user has in a session: a service manager, a part of the cgroup tree and a state
# directory. tests/vm runs the files of this directory as such a user.

load ../helpers

setup() {
	[ "$(id -u)" -ne 0 ] || skip "for an ordinary user"
	[ -n "${XDG_RUNTIME_DIR:-}" ] || skip "not in a session"
	common_setup
}

@test "user: the manager of the session answers" {
	systemctl --user show --property Version --value
	[ "$(stat -c %U "$XDG_RUNTIME_DIR")" = "$(id -un)" ]
}

@test "user: the cgroup is delegated, with controllers" {
	local own=/sys/fs/cgroup
	own+=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[[ "$own" == */user@$(id -u).service/* ]]
	[ -w "$own/cgroup.procs" ]
	mkdir "$own/$ID"
	rmdir "$own/$ID"
	grep -qw memory "$own/cgroup.controllers"
	grep -qw pids "$own/cgroup.controllers"
}

@test "user: there are subordinate ids" {
	grep -q "^$(id -un):" /etc/subuid
	grep -q "^$(id -un):" /etc/subgid
}

@test "user: the state is in XDG_RUNTIME_DIR" {
	run "$CORACLE" --help
	[[ "$output" == *"$XDG_RUNTIME_DIR/coracle"* ]]
	run "$CORACLE" list -q
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	run "$CORACLE" state "$ID"
	failed "does not exist"
}

@test "user: a container of root cannot be seen" {
	run "$CORACLE" --root /run/coracle-of-root list
	failed "no such file or directory"
	run "$CORACLE" --root /root/coracle list
	failed "permission denied"
}
