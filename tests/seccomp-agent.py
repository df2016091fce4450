#!/usr/bin/env python3
"""A seccomp agent for the tests: seccomp-agent.py SOCKET DIRECTORY

It takes listeners from the runtime, writes the state of each to DIRECTORY/state.N, and
answers the calls: all get ENOMEDIUM, but execve is let through. Calls are noted in
DIRECTORY/calls, as "pid number".
"""
import array
import fcntl
import os
import socket
import struct
import sys
import threading

RECV, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_*
EXECVE, ENOMEDIUM, CONTINUE = (59 if os.uname().machine == "x86_64" else 221), 123, 1


def serve(listener, directory):
    while True:
        call = bytearray(80)  # struct seccomp_notif
        try:
            fcntl.ioctl(listener, RECV, call)
        except OSError:
            return
        number, pid, _, nr = struct.unpack_from("=QIIi", call)
        with open(directory + "/calls", "a") as f:
            f.write("%d %d\n" % (pid, nr))
        error, flags = (0, CONTINUE) if nr == EXECVE else (-ENOMEDIUM, 0)
        try:
            fcntl.ioctl(listener, SEND, struct.pack("=QqiI", number, 0, error, flags))
        except OSError:
            pass


def main():
    path, directory = sys.argv[1:]
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(8)
    n = 0
    while True:
        conn, _ = server.accept()
        data, fds = b"", array.array("i")
        while True:
            part, ancillary, _, _ = conn.recvmsg(65536, socket.CMSG_SPACE(16))
            for _, _, payload in ancillary:
                fds.frombytes(payload)
            if not part:
                break
            data += part
        n += 1
        with open("%s/.state" % directory, "wb") as f:
            f.write(data)
        os.rename("%s/.state" % directory, "%s/state.%d" % (directory, n))
        for fd in fds:
            threading.Thread(target=serve, args=(fd, directory), daemon=True).start()


main()
