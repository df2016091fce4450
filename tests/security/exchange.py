#!/usr/bin/env python3
"""Exchanges two names in a directory as fast as it can, until it is told to end:

  exchange.py DIRECTORY NAME OTHER COUNT-FILE

The file gets the number of exchanges. The end always has the names as they were.
"""

import ctypes
import os
import signal
import sys
import time

RENAME_EXCHANGE = 2

directory, one, other, count_file = sys.argv[1:]
renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
at = os.open(directory, os.O_PATH | os.O_DIRECTORY)
names = one.encode(), other.encode()
going = True


def stop(*_):
    global going
    going = False


signal.signal(signal.SIGTERM, stop)
count = 0
while going or count % 2:
    if renameat2(at, names[0], at, names[1], RENAME_EXCHANGE) != 0:
        sys.exit("exchange.py: " + os.strerror(ctypes.get_errno()))
    count += 1
    if count % 100 == 0:
        # The kernel restarts a lookup that must not leave its root after each rename. Without
        # pauses only few creates would succeed.
        time.sleep(0.0003)
    if count == 1000:
        open(count_file, "w").close()  # the exchange is running
with open(count_file, "w") as f:
    f.write(f"{count}\n")
