#!/usr/bin/env python3
"""Receives a pidfd at a socket, and says what came: pidfd.py SOCKET

Prints the data of the message, how many descriptors came, and the process that the
first one means, then waits for the end of the stream.
"""
import array
import re
import socket
import sys

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
conn, _ = server.accept()
data, ancillary, _, _ = conn.recvmsg(4096, socket.CMSG_SPACE(16))
fds = array.array("i")
for level, kind, payload in ancillary:
    if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        fds.frombytes(payload)
pid = "none"
if fds:
    with open(f"/proc/self/fdinfo/{fds[0]}") as info:
        pid = re.search(r"^Pid:\s*(-?\d+)", info.read(), re.M).group(1)
print(data.decode(), len(fds), pid, "end" if conn.recv(1) == b"" else "more", flush=True)
