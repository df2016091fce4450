// Package protocol is the protocol between the runtime and an init program.
//
// The program and the runtime share a socket of type SOCK_SEQPACKET. Each message of the program
// is a [Message] of [MessageSize] bytes, and may carry one descriptor. The answer of the runtime
// is an [Acknowledgement] unless the point says otherwise. The end of the stream ends the other
// side: an init exits when its runtime has ended, until it reaches the gate; a runtime fails,
// with the reason, when its init has ended.
//
// This is a creation. Points in parentheses are reached only if the configuration needs them. An
// arrow to the right is a message of the init.
//
//	runtime                                   init
//	───────                                   ────
//	launch ─────────────────────────────────▶ begins in its new pid namespace
//	                          ◀ (sync id maps) has made a user namespace
//	write uid_map and gid_map ▶
//	                             ◀ (value pid) has forked into the new pid namespace;
//	follow the child                           the child continues
//	                              ◀ (sync pid) the child waits until its pid is known
//	                   ◀ (sync network devices)
//	move the devices          ▶
//	                           ◀ (sync source) a tree that only the runtime can open
//	send its descriptor       ▶
//	           ◀ (value copy from, sync copy up)
//	orders, one by one        ▶
//	                           ◀ (value result) of each; the files are the container's
//	               ◀ (value mount, one for each)
//	   ◀ (sync make directory, file or link)
//	make the mount point      ▶
//	                            ◀ (sync place) in a mount that it may not be the one for
//	find out whether it is    ▶
//	                             ◀ sync cgroup wants to join its cgroups
//	make them; record the pid ▶
//	                            ◀ (sync hooks) the mounts are there
//	run prestart, createRuntime and createContainer hooks ▶
//	                              ◀ sync ready the container is built
//	set rlimits, send HOME    ▶
//	                             ◀ (value pid, sync pid) has forked into a joined pid
//	record the new pid        ▶                namespace, with the ids of the process
//	                             ◀ done created waits at the gate
//
// With the systemd driver, the runtime has systemd put the init into the new scope between
// the launch and the answer to "sync cgroup". And this is a start, on a new connection that
// the init accepts at the gate:
//
//	start                                     init
//	─────                                     ────
//	connect ────────────────────────────────▶ accepts
//	                            ◀ (sync start)
//	run startContainer hooks  ▶
//	                             ◀ done started  the next step is the execve; with a seccomp
//	(hand the listener over)  ▶                  listener it waits for an answer
//	                          ◀ end of stream   the execve has closed the connection
//
// If the seccomp filter does not let the init send its listener, "done started" comes before the
// filter is loaded, and the runtime takes the listener from the process.
//
// A run without a gate goes on from "done created" to "done started" on the first socket. An
// exec and a hook join what is there and reach "sync ready". They fork last of all: after the
// "value pid" of the parent, or before it, comes "done started" from the child. Whoever has got
// hold of that can say anything; the runtime believes the kernel about which child it is.
//
// At any time the init may report a failed op ([KindFailure]) and end.
package protocol
