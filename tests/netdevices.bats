#!/usr/bin/env bats
# linux.netDevices: devices of the host in the container's network namespace.

load helpers

setup() {
	setup_busybox
	# Two ends of a cable: A is for the container, B stays on the host.
	A=cor$$a
	B=cor$$b
	ip link add "$A" type veth peer name "$B"
}

teardown() {
	[ -z "$ID" ] || coracle delete --force "$ID" || true
	ip link del "$A" 2>/dev/null || true
	ip link del "$B" 2>/dev/null || true
	[ -z "${OTHER:-}" ] || ip link del "$OTHER" 2>/dev/null || true
	[ -z "${NS:-}" ] || ip netns del "$NS" 2>/dev/null || true
	[ -z "$ID" ] || wait_for no_cgroups
}

# devices sets linux.netDevices to a jq object, in which $a is the device.
devices() {
	config --arg a "$A" ".linux.netDevices = $1"
}

# inside DEVICE prints ip's output about a device in the container, on one line.
inside() {
	nsenter -t "$(pid_of "$ID")" -n ip -o "${@:2}" show dev "$1"
}

# on_host reports whether a device is on the host.
on_host() {
	ip link show dev "$1" >/dev/null 2>&1
}

# note_device DEVICE prints the properties of a device of the host.
note_device() {
	ip -j addr show dev "$1" | jq 'del(.[].addr_info[].valid_life_time, .[].ifindex, .[].link_index, .[].operstate, .[].flags)'
	ip -j link show dev "$1" | jq -c '.[].flags | index("UP") != null'
}

# says_of_device DEVICE TEXT... asserts ip's output about a device in the container.
says_of_device() {
	output=$(inside "$1" link)
	says "${@:2}"
}

not_on_host() {
	! on_host "$1"
}

@test "a device is moved, keeps its name and is up" {
	devices '{($a): {}}'
	mac=$(cat "/sys/class/net/$A/address")
	ip link set "$A" mtu 1234
	detached 'exec sleep 1000'
	not_on_host "$A"
	says_of_device "$A" UP "$mac" "mtu 1234"
	[ "$(coracle exec "$ID" cat "/proc/net/dev" | grep -c "$A")" -eq 1 ]
}

@test "a device is renamed" {
	devices '{($a): {name: "eth0"}}'
	ip link set "$A" up
	detached 'exec sleep 1000'
	not_on_host "$A"
	says_of_device eth0 UP
	# The other end stays where it was, and the cable works.
	ip link set "$B" up
	wait_for test "$(cat "/sys/class/net/$B/carrier")" = 1
}

@test "lasting global addresses stay, with their properties; others do not" {
	ip link set "$A" up
	ip addr add 192.0.2.1/24 brd 192.0.2.255 dev "$A" label "$A:x" metric 77
	ip addr add 192.0.2.2/24 dev "$A" noprefixroute
	ip addr add 192.0.2.3/32 peer 192.0.2.4/32 dev "$A"
	ip addr add 2001:db8::1/64 dev "$A" nodad preferred_lft 0
	ip addr add 198.51.100.9/24 dev "$A" scope link
	ip addr add 203.0.113.10/24 dev "$A" valid_lft 1000 preferred_lft 500
	devices '{($a): {name: "eth0"}}'
	detached 'exec sleep 1000'
	output=$(inside eth0 addr)
	says "inet 192.0.2.1/24 metric 77 brd 192.0.2.255 scope global eth0:x" "inet 192.0.2.2/24 scope global secondary noprefixroute eth0" \
		"inet 192.0.2.3 peer 192.0.2.4/32 scope global eth0" "inet6 2001:db8::1/64 scope global" nodad deprecated
	[[ $output != *198.51.100.9* ]]
	[[ $output != *203.0.113.10* ]]
	# The network is reachable at once.
	[[ $(nsenter -t "$(pid_of "$ID")" -n ip route) == *"192.0.2.0/24 dev eth0"* ]]
}

@test "several devices are moved" {
	OTHER=cor$$o
	ip link add "$OTHER" type ifb
	config --arg a "$A" --arg b "$B" --arg o "$OTHER" '.linux.netDevices = {($a): {name: "eth0"}, ($b): {name: "eth1"}, ($o): {}}'
	detached 'exec sleep 1000'
	says_of_device eth0 UP
	says_of_device eth1 UP
	says_of_device "$OTHER" UP
}

@test "two devices may swap their names" {
	config --arg a "$A" --arg b "$B" '.linux.netDevices = {($a): {name: $b}, ($b): {name: $a}}'
	index=$(cat "/sys/class/net/$A/ifindex")
	detached 'exec sleep 1000'
	says_of_device "$B" "$index: "
	says_of_device "$A" UP
}

@test "a template of a name gets a number" {
	devices '{($a): {name: "eth%d"}}'
	detached 'exec sleep 1000'
	says_of_device eth0 UP
}

@test "the devices are there for hooks, and hooks may use them" {
	devices '{($a): {name: "eth0"}}'
	config --arg log "$BATS_TEST_TMPDIR/hook" '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c",
		"nsenter -t $(jq .pid) -n ip -o link show dev eth0 >" + $log], env: ["PATH=" + env.PATH]}]'
	detached 'exec sleep 1000'
	grep -q UP "$BATS_TEST_TMPDIR/hook"
}

@test "a device goes into a joined network namespace, and stays there" {
	NS=cor$$ns
	ip netns add "$NS"
	join network "/run/netns/$NS"
	devices '{($a): {name: "eth0"}}'
	args true
	background run "$ID"
	[ "$status" -eq 0 ]
	[[ $(ip -n "$NS" -o link show dev eth0) == *UP* ]]
	nothing_left
}

@test "a virtual device ends with the namespace of the container" {
	devices '{($a): {}}'
	args true
	background run "$ID"
	[ "$status" -eq 0 ]
	wait_for not_on_host "$B"
	not_on_host "$A"
}

@test "a name that is in use in the container is an error" {
	NS=cor$$ns
	ip netns add "$NS"
	ip -n "$NS" link add eth0 type veth peer name eth1
	ip -n "$NS" link property add dev eth1 altname other
	join network "/run/netns/$NS"
	for name in lo eth0 eth1 other; do
		config --arg a "$A" --arg name "$name" '.linux.netDevices = {($a): {name: $name}}'
		background create "$ID"
		failed "network device \"$A\" (linux.netDevices)" "has a device \"$name\" already"
		on_host "$A"
	done
	devices '{($a): {name: "eth%d"}}'
	detached 'exec sleep 1000'
	says_of_device eth2 UP
	# The name on the host does not matter.
	[ -z "$(ip -n "$NS" -o link show dev "$A" 2>/dev/null)" ]
}

@test "the name on the host may be in use in the container" {
	NS=cor$$ns
	ip netns add "$NS"
	ip -n "$NS" link add "$A" type ifb
	join network "/run/netns/$NS"
	devices '{($a): {name: "eth0"}}'
	detached 'exec sleep 1000'
	says_of_device eth0 UP
}

@test "a number that is in use in the container does not matter" {
	NS=cor$$ns
	ip netns add "$NS"
	ip -n "$NS" link add name other index "$(cat "/sys/class/net/$A/ifindex")" type ifb
	join network "/run/netns/$NS"
	devices '{($a): {name: "eth0"}}'
	ip addr add 192.0.2.1/24 dev "$A"
	detached 'exec sleep 1000'
	output=$(inside eth0 addr)
	says 192.0.2.1/24
	[ -z "$(inside other addr)" ] || [[ $(inside other addr) != *192.0.2.1* ]]
}

@test "when the creation fails, the devices are on the host as they were" {
	ip link set "$A" up
	ip addr add 192.0.2.1/24 dev "$A" label "$A:x"
	ip addr add 2001:db8::1/64 dev "$A" nodad
	note_device "$A" >"$BATS_TEST_TMPDIR/a"
	note_device "$B" >"$BATS_TEST_TMPDIR/b"
	config --arg a "$A" --arg b "$B" '.linux.netDevices = {($a): {name: "eth0"}, ($b): {}}'
	args /no/such/command
	background create "$ID"
	failed /no/such/command
	diff "$BATS_TEST_TMPDIR/a" <(note_device "$A")
	diff "$BATS_TEST_TMPDIR/b" <(note_device "$B")
	# One of them cannot be moved.
	config --arg a "$A" --arg b "$B" '.linux.netDevices = {($a): {name: "eth0"}, ($b): {name: "lo"}}'
	background create "$ID"
	failed "network device \"$B\"" '"lo" already'
	diff "$BATS_TEST_TMPDIR/a" <(note_device "$A")
	diff "$BATS_TEST_TMPDIR/b" <(note_device "$B")
	# A hook fails after it renamed its device.
	config --arg a "$A" '.linux.netDevices = {($a): {}} | .process.args = ["true"]
		| .hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "nsenter -t $(jq .pid) -n ip link set dev " + $a + " name renamed; exit 1"], env: ["PATH=" + env.PATH]}]'
	background create "$ID"
	failed createRuntime
	diff "$BATS_TEST_TMPDIR/a" <(note_device "$A")
	nothing_left
}

# meddled fails to create a container in a network namespace that is joined, after a script has
# done something there.
meddled() {
	NS=cortest-$$
	ip netns add "$NS"
	join network "/run/netns/$NS"
	devices '{($a): {}}'
	args true
	config --arg ns "$NS" --arg script "set -e; $1" '.hooks.createRuntime = [{path: "/bin/sh", env: ["PATH=" + env.PATH],
		args: ["sh", "-c", "ip netns exec " + $ns + " sh -c \"$0\"; exit 1", $script]}]'
	background create "$ID"
	failed createRuntime
	nothing_left
}

@test "a device that a peer has put in the place of one that was moved is not brought to the host" {
	ip addr add 192.0.2.1/24 dev "$A"
	# With the number, the name and the hardware address of the first.
	meddled "index=\$(cat /sys/class/net/$A/ifindex) mac=\$(cat /sys/class/net/$A/address)
		ip link del $A
		ip link add $A index \$index address \$mac type veth peer name evil"
	not_on_host "$A"
	ip netns exec "$NS" ip link show dev "$A"
	says "bring the network device \"$A\" back to the host: it has been removed from the network namespace of the container, or moved on, by somebody else"
}

@test "a device that a peer has changed, and not replaced, is brought back" {
	ip addr add 192.0.2.1/24 dev "$A"
	meddled "ip link add other type bridge; ip link set $A master other; ip link set $A nomaster
		for i in 1 2 3 4 5 6 7 8 9; do ip link add cable type veth peer name end; ip link del cable; done
		ip link set $A down; ip link set $A name changed"
	on_host "$A"
	output=$(ip -o addr show dev "$A")
	says 192.0.2.1/24
	[[ $(ip netns exec "$NS" ip -o link) != *changed* ]]
}

@test "a port of a bridge is one again when the creation fails" {
	OTHER=cor$$o
	ip link add "$OTHER" type bridge
	ip link set "$A" master "$OTHER"
	devices '{($a): {}}'
	args /no/such/command
	background create "$ID"
	failed /no/such/command
	[ "$(readlink "/sys/class/net/$A/master")" != "" ]
}

@test "what cannot be moved is an error that says why" {
	OTHER=cor$$o
	ip link add "$OTHER" type bridge
	for device in lo "$OTHER"; do
		config --arg device "$device" '.linux.netDevices = {($device): {name: "eth0"}}'
		background create "$ID"
		failed "network device \"$device\" (linux.netDevices): move it to the container as \"eth0\": " "cannot leave their network namespace"
		on_host "$device"
	done
	config '.linux.netDevices = {"no-such-dev": {}}'
	background create "$ID"
	failed 'network device "no-such-dev" (linux.netDevices): there is no such device on the host'
	nothing_left
}

@test "a network namespace of its own is needed" {
	devices '{($a): {}}'
	share network
	background create "$ID"
	failed 'config.json: linux.netDevices needs a network namespace in linux.namespaces'
	config '.linux.namespaces += [{type: "network", path: "/proc/self/ns/net"}]'
	background create "$ID"
	failed 'linux.netDevices: the network namespace /proc/self/ns/net is that of the host'
	on_host "$A"
	nothing_left
}

@test "names that cannot be are refused" {
	while read -r devices text; do
		config --argjson devices "$devices" '.linux.netDevices = $devices'
		background create "$ID"
		failed "config.json: linux.netDevices" "$text"
	done <<-'END'
		{"":{}} it is empty
		{"a/b":{}} it has a slash
		{"sixteen-letters-":{}} more than 15
		{"a":{"name":"x:1"}} "x:1" cannot be the name
		{"a":{"name":".."}} it is a directory
		{"a":{"name":"eth%d%d"}} no template
		{"a":{"name":"eth%s"}} no template
		{"a":{"name":"x"},"b":{"name":"x"}} "x" is the name of linux.netDevices["a"] already
		{"a":{"name":"b"},"b":{}} "b" is the name of linux.netDevices["a"] already
	END
	on_host "$A"
}
