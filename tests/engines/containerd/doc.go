// Package cri has tests of Kubernetes' container runtime interface (CRI), as implemented by
// containerd's plugin with coracle as the runtime. They replace critest.
//
// It is a separate module, because the product does not need its dependencies. One of them is
// containerd 2, which is built from here (see build). The tests run in the namespaces of
// ../cri-containerd1.bats and ../cri-containerd2.bats, one at a time:
//
//	cri.test -test.run '^TestExec$' -endpoint SOCKET ...
package cri
