package main

import "golang.org/x/sys/unix"

// slowMonitor makes the thread with which the Go runtime watches the others wake up
// every millisecond or two, and not every 70 µs. In a command that makes a container
// it took a tenth of the time: the container is being built on the other processor.
//
// Threads and processes that the monitor or one of its children makes inherit its
// timer slack. What the others had, in nanoseconds, is returned; it has to be
// given back to the processes of containers. It is 0 when nothing was changed, as
// without CAP_SYS_NICE.
func slowMonitor() int {
	own, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || own <= 0 {
		return 0
	}
	tid := monitorThread()
	if tid == "" {
		return 0
	}
	// The file exists for threads too, but not below task/.
	fd, err := unix.Open("/proc/"+tid+"/timerslack_ns", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("1000000")); err != nil {
		return 0
	}
	return own
}

// monitorThread is the id of the first thread that the Go runtime has made, before it
// ran anything of this program.
func monitorThread() string {
	fd, err := unix.Open("/proc/self/task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var buf [1024]byte // for some 30 threads; a command has five
	n, err := unix.ReadDirent(fd, buf[:])
	if err != nil {
		return ""
	}
	// The kernel lists threads in the order of their creation, the main one first.
	_, _, names := unix.ParseDirent(buf[:n], 2, nil)
	if len(names) < 2 {
		return ""
	}
	return names[1]
}
