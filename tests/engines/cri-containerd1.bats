#!/usr/bin/env bats
# The CRI plugin of Debian's containerd 1.6 with coracle as the runtime of a RuntimeClass.

load ../helpers
load engines
load containerd

setup_file() {
	cri_start 1 <<-END
		$(runtime_table -e 's/version = 3/version = 2/' -e "s/'io.containerd.cri.v1.runtime'/\"io.containerd.grpc.v1.cri\"/")

		# The default is runc, whose table is removed here.
		[plugins."io.containerd.grpc.v1.cri".containerd]
		  default_runtime_name = "coracle"

		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "localhost/busybox:latest"
		  restrict_oom_score_adj = true # no CAP_SYS_RESOURCE here

		[plugins."io.containerd.grpc.v1.cri".cni]
		  bin_dir = "/usr/lib/cni"
		  conf_dir = "/mnt/cni"
	END
}

teardown_file() {
	containerd_end
}

setup() {
	engines_setup
}

# Each test removes its pods by itself.
teardown() {
	:
}

@test "CRI of containerd 1.6: pods start, stop and are removed" {
	cri TestPod
}

@test "CRI of containerd 1.6: a RuntimeClass names the handler" {
	cri TestRuntimeClass
}

@test "CRI of containerd 1.6: pods and containers are listed, with their times" {
	cri TestLists
}

@test "CRI of containerd 1.6: a container is created, started, stopped and removed" {
	cri TestContainer
}

@test "CRI of containerd 1.6: exit codes, and containers that have to be killed" {
	cri TestExitCodes
}

@test "CRI of containerd 1.6: the log has what a container writes, also that of a user" {
	cri TestOutput
}

@test "CRI of containerd 1.6: what cannot be started is told with the reason, and leaves nothing" {
	cri TestStartErrors
}

@test "CRI of containerd 1.6: working directories" {
	cri TestWorkingDirectory
}

@test "CRI of containerd 1.6: the environment has nothing of containerd's" {
	cri TestEnvironment
}

@test "CRI of containerd 1.6: pods survive a restart of containerd" {
	cri TestRestart
}

@test "CRI of containerd 1.6: a pod whose shim was killed is cleaned up" {
	cri TestShimKilled
}

@test "CRI of containerd 1.6: a container that was deleted behind containerd's back" {
	cri TestDeletedBehind
}

@test "CRI of containerd 1.6: thirty pods at once" {
	cri TestThirtyPods
}

@test "CRI of containerd 1.6: exec of probes gives the exact bytes and the exit code" {
	cri TestExecSync
}

@test "CRI of containerd 1.6: exec of what cannot be executed is told with the reason" {
	cri TestExecSyncErrors
}

@test "CRI of containerd 1.6: exec that takes too long is ended" {
	cri TestExecSyncTimeout
}

@test "CRI of containerd 1.6: ten execs at once" {
	cri TestExecSyncParallel
}

@test "CRI of containerd 1.6: a process of exec is like the container's first" {
	cri TestExecIdentity
}

@test "CRI of containerd 1.6: exec through the streaming server" {
	cri TestExec
}

@test "CRI of containerd 1.6: exec with a terminal: exact bytes, size and keys" {
	cri TestExecTerminal
}

@test "CRI of containerd 1.6: exec ends with the container" {
	cri TestExecEnds
}

@test "CRI of containerd 1.6: attach to a container" {
	cri TestAttach
}

@test "CRI of containerd 1.6: attach to a container with a terminal" {
	cri TestAttachTerminal
}

@test "CRI of containerd 1.6: limits of a container" {
	cri TestResources
}

@test "CRI of containerd 1.6: an update of limits" {
	cri TestUpdate
}

@test "CRI of containerd 1.6: an update before the start" {
	cri TestUpdateCreated
}

@test "CRI of containerd 1.6: a container without memory left is told apart" {
	cri TestOutOfMemory
}

@test "CRI of containerd 1.6: statistics of containers and pods" {
	cri TestStats
}

@test "CRI of containerd 1.6: a container sees its own cgroup, read-only" {
	cri TestCgroupInside
}

@test "CRI of containerd 1.6: users by number and by name" {
	cri TestUsers
}

@test "CRI of containerd 1.6: supplemental groups" {
	cri TestSupplementalGroups
}

@test "CRI of containerd 1.6: capabilities" {
	cri TestCapabilities
}

@test "CRI of containerd 1.6: privileged containers" {
	cri TestPrivileged
}

@test "CRI of containerd 1.6: a read-only root" {
	cri TestReadOnlyRoot
}

@test "CRI of containerd 1.6: masked and read-only paths" {
	cri TestProtectedPaths
}

@test "CRI of containerd 1.6: seccomp: RuntimeDefault, Unconfined, and a profile of the node" {
	cri TestSeccomp
}

@test "CRI of containerd 1.6: a profile of AppArmor that is not loaded" {
	cri TestAppArmor
}

@test "CRI of containerd 1.6: devices" {
	cri TestDevices
}

@test "CRI of containerd 1.6: a pod with a network of its own" {
	cri TestPodNetwork
}

@test "CRI of containerd 1.6: the namespaces of the host" {
	cri TestHostNamespaces
}

@test "CRI of containerd 1.6: shared processes end with the container that left them" {
	cri TestSharedProcesses
}

@test "CRI of containerd 1.6: a container in the process namespace of another" {
	cri TestTargetProcesses
}

@test "CRI of containerd 1.6: containers of a pod share memory, but not processes" {
	cri TestSharedMemory
}

@test "CRI of containerd 1.6: sysctls" {
	cri TestSysctls
}

@test "CRI of containerd 1.6: files for names" {
	cri TestNames
}

@test "CRI of containerd 1.6: mounts" {
	cri TestMounts
}

@test "CRI of containerd 1.6: propagation of mounts" {
	cri TestPropagation
}

# This is the last test, because containerd 1.6 cannot take over again.
@test "CRI of containerd 1.6: pods survive an upgrade to containerd 2" {
	programs=$(containerd_programs 2) || skip "containerd 2 is not there: $(containerd_reason 2)"
	printf '#!/bin/sh\nPATH=%s:$PATH exec /mnt/start\n' "$programs" >"$BATS_FILE_TMPDIR/upgrade"
	chmod 755 "$BATS_FILE_TMPDIR/upgrade"
	restart=/mnt/upgrade cri TestRestart
	containerd_inside ctr version | grep -A 1 Server | grep -qF "$(containerd2_version)"
}
