#!/usr/bin/env python3
"""Does as a user what is in others' way, until it is killed.

keys.py UID          uses up the key quota of the user
keys.py UID KEYRING  makes a session keyring with that name, and prints its number
"""
import ctypes
import os
import platform
import signal
import sys

add_key, keyctl = (248, 250) if platform.machine() == "x86_64" else (217, 219)
JOIN_SESSION_KEYRING, SETPERM, SESSION_KEYRING = 1, 5, -3
libc = ctypes.CDLL(None, use_errno=True)
os.setresuid(int(sys.argv[1]), int(sys.argv[1]), int(sys.argv[1]))
if len(sys.argv) > 2:
    number = libc.syscall(keyctl, JOIN_SESSION_KEYRING, sys.argv[2].encode())
    libc.syscall(keyctl, SETPERM, number, 0x3F3F3F3F)
    print(number, flush=True)
    signal.pause()
libc.syscall(keyctl, JOIN_SESSION_KEYRING, None)
n = 0
while libc.syscall(add_key, b"user", b"%d" % n, b"x", 1, SESSION_KEYRING) >= 0:
    n += 1
print("no more:", os.strerror(ctypes.get_errno()), flush=True)
signal.pause()
