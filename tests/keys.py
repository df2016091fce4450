#!/usr/bin/env python3
"""Uses up the key quota of a user, and keeps it until it is killed: keys.py UID"""
import ctypes
import os
import platform
import signal
import sys

add_key, keyctl = (248, 250) if platform.machine() == "x86_64" else (217, 219)
JOIN_SESSION_KEYRING, SESSION_KEYRING = 1, -3
libc = ctypes.CDLL(None, use_errno=True)
os.setresuid(int(sys.argv[1]), int(sys.argv[1]), int(sys.argv[1]))
libc.syscall(keyctl, JOIN_SESSION_KEYRING, None)
n = 0
while libc.syscall(add_key, b"user", b"%d" % n, b"x", 1, SESSION_KEYRING) >= 0:
    n += 1
print("no more:", os.strerror(ctypes.get_errno()), flush=True)
signal.pause()
