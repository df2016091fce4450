// Package cri has tests of Kubernetes' container runtime interface (CRI), as containerd's
// plugin serves it with coracle as the runtime. They take the place of critest.
//
// It is a module of its own: the product does not need what it needs, containerd 2
// included, which is built from here (see build). The tests run in the namespaces of
// ../cri-containerd1.bats and ../cri-containerd2.bats, one at a time:
//
//	cri.test -test.run '^TestExec$' -endpoint SOCKET ...
package cri
