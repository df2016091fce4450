"""leaderless.py FILE writes a program whose first thread ends while another goes on, for x86_64.

To /proc/PID/stat such a process is a zombie. The other thread prints a dot every 50 ms.
"""

import os
import struct
import sys

CODE = bytes.fromhex(
    "b838000000bf000f0500"  # mov $56,%eax (clone); mov $0x50f00,%edi: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
    "31f631d24531d24531c00f05"  # xor of esi, edx, r10d and r8d; syscall
    "85c0740931ffb83c0000000f05"  # test %eax,%eax; jz 1f; xor %edi,%edi; mov $60,%eax (exit); syscall
    "488d3537000000"  # 1: lea dot(%rip),%rsi
    "6880f0fa0258"  # push $50000000; pop %rax
    "48c74424e000000000"  # movq $0,-32(%rsp)
    "48894424e8"  # mov %rax,-24(%rsp)
    "b801000000bf01000000ba010000000f05"  # 2: write(1, dot, 1)
    "b82300000056488d7c24e831f60f055eebdd"  # nanosleep(-32(%rsp) before the push of rsi, 0); jmp 2b
    "2e"  # dot
)

BASE, HEADERS = 0x400000, 64 + 56
size = HEADERS + len(CODE)
header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
segment = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 4096)
with open(sys.argv[1], "wb") as f:
    f.write(header + segment + CODE)
os.chmod(sys.argv[1], 0o755)
