#!/usr/bin/env python3
"""Is a service manager: notify.py SOCKET, which may be an abstract @name

Prints each message that it gets on a line of its own, with the number of descriptors
that came with it, which it closes.
"""
import os
import socket
import sys

server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1].replace("@", "\0", 1))
print("ready to listen", flush=True)
while True:
    data, fds, _, _ = socket.recv_fds(server, 4096, 8)
    for fd in fds:
        os.close(fd)
    print(data.decode().replace("\n", "|"), len(fds), flush=True)
