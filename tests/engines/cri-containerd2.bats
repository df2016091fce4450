#!/usr/bin/env bats
# The CRI plugin of containerd 2 with coracle as the runtime of a RuntimeClass.

load ../helpers
load engines
load containerd

setup_file() {
	cri_start 2 <<-END
		$(runtime_table)

		[plugins.'io.containerd.cri.v1.images'.pinned_images]
		  sandbox = 'localhost/busybox:latest'

		[plugins.'io.containerd.cri.v1.runtime']
		  cdi_spec_dirs = ['/mnt/cdi']
		  restrict_oom_score_adj = true # no CAP_SYS_RESOURCE here

		[plugins.'io.containerd.cri.v1.runtime'.cni]
		  bin_dirs = ['/usr/lib/cni']
		  conf_dir = '/mnt/cni'
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

@test "CRI of containerd 2: all tests that there are" {
	diff <(containerd_inside /mnt/cri.test -test.list . | sort) <(sed -n 's/^\tcri \(Test.*\)/\1/p' "$BATS_TEST_FILENAME" | sort)
}

@test "CRI of containerd 2: pods start, stop and are removed" {
	cri TestPod
}

@test "CRI of containerd 2: a RuntimeClass names the handler" {
	cri TestRuntimeClass
}

@test "CRI of containerd 2: pods and containers are listed, with their times" {
	cri TestLists
}

@test "CRI of containerd 2: a container is created, started, stopped and removed" {
	cri TestContainer
}

@test "CRI of containerd 2: exit codes, and containers that have to be killed" {
	cri TestExitCodes
}

@test "CRI of containerd 2: the log has what a container writes, also that of a user" {
	cri TestOutput
}

@test "CRI of containerd 2: what cannot be started is told with the reason, and leaves nothing" {
	cri TestStartErrors
}

@test "CRI of containerd 2: working directories" {
	cri TestWorkingDirectory
}

@test "CRI of containerd 2: the environment has nothing of containerd's" {
	cri TestEnvironment
}

@test "CRI of containerd 2: pods survive a restart of containerd" {
	cri TestRestart
}

@test "CRI of containerd 2: a pod whose shim was killed is cleaned up" {
	cri TestShimKilled
}

@test "CRI of containerd 2: a container that was deleted behind containerd's back" {
	cri TestDeletedBehind
}

@test "CRI of containerd 2: thirty pods at once" {
	cri TestThirtyPods
}

@test "CRI of containerd 2: exec of probes gives the exact bytes and the exit code" {
	cri TestExecSync
}

@test "CRI of containerd 2: exec of what cannot be executed is told with the reason" {
	cri TestExecSyncErrors
}

@test "CRI of containerd 2: exec that takes too long is ended" {
	cri TestExecSyncTimeout
}

@test "CRI of containerd 2: ten execs at once" {
	cri TestExecSyncParallel
}

@test "CRI of containerd 2: a process of exec is like the container's first" {
	cri TestExecIdentity
}

@test "CRI of containerd 2: exec through the streaming server" {
	cri TestExec
}

@test "CRI of containerd 2: exec with a terminal: exact bytes, size and keys" {
	cri TestExecTerminal
}

@test "CRI of containerd 2: exec ends with the container" {
	cri TestExecEnds
}

@test "CRI of containerd 2: attach to a container" {
	cri TestAttach
}

@test "CRI of containerd 2: attach to a container with a terminal" {
	cri TestAttachTerminal
}

@test "CRI of containerd 2: limits of a container" {
	cri TestResources
}

@test "CRI of containerd 2: an update of limits" {
	cri TestUpdate
}

@test "CRI of containerd 2: an update before the start" {
	cri TestUpdateCreated
}

@test "CRI of containerd 2: a container without memory left is told apart" {
	cri TestOutOfMemory
}

@test "CRI of containerd 2: statistics of containers and pods" {
	cri TestStats
}

@test "CRI of containerd 2: a container sees its own cgroup, read-only" {
	cri TestCgroupInside
}

@test "CRI of containerd 2: users by number and by name" {
	cri TestUsers
}

@test "CRI of containerd 2: supplemental groups" {
	cri TestSupplementalGroups
}

@test "CRI of containerd 2: capabilities" {
	cri TestCapabilities
}

@test "CRI of containerd 2: privileged containers" {
	cri TestPrivileged
}

@test "CRI of containerd 2: a read-only root" {
	cri TestReadOnlyRoot
}

@test "CRI of containerd 2: masked and read-only paths" {
	cri TestProtectedPaths
}

@test "CRI of containerd 2: seccomp: RuntimeDefault, Unconfined, and a profile of the node" {
	cri TestSeccomp
}

@test "CRI of containerd 2: a profile of AppArmor that is not loaded" {
	cri TestAppArmor
}

@test "CRI of containerd 2: devices" {
	cri TestDevices
}

@test "CRI of containerd 2: a pod with a network of its own" {
	cri TestPodNetwork
}

@test "CRI of containerd 2: the namespaces of the host" {
	cri TestHostNamespaces
}

@test "CRI of containerd 2: shared processes end with the container that left them" {
	cri TestSharedProcesses
}

@test "CRI of containerd 2: a container in the process namespace of another" {
	cri TestTargetProcesses
}

@test "CRI of containerd 2: containers of a pod share memory, but not processes" {
	cri TestSharedMemory
}

@test "CRI of containerd 2: sysctls" {
	cri TestSysctls
}

@test "CRI of containerd 2: files for names" {
	cri TestNames
}

@test "CRI of containerd 2: mounts" {
	cri TestMounts
}

@test "CRI of containerd 2: propagation of mounts" {
	cri TestPropagation
}

@test "CRI of containerd 2: the handler has recursive read-only mounts and user namespaces" {
	cri TestRuntimeHandlers
}

@test "CRI of containerd 2: the signal that stops a container" {
	cri TestStopSignal
}

@test "CRI of containerd 2: supplemental groups without those of the image" {
	cri TestSupplementalGroupsStrict
}

@test "CRI of containerd 2: a device with hooks" {
	cri TestCDI
}

@test "CRI of containerd 2: a pod with a user namespace" {
	cri TestUserNamespace
}

@test "CRI of containerd 2: mounts that are read-only with all below them" {
	cri TestRecursiveReadOnly
}
