#!/usr/bin/env python3
"""Terminals for the bats tests.

  pty.py run [STEP...] -- COMMAND...       a command on a new terminal of its own
  pty.py console SOCKET [STEP...]          wait for the master of a container's
                                           terminal, as engines do
  pty.py fd-receiver SOCKET                the same, but only describe the message

The steps are done in order, each has 20 seconds:

  expect=TEXT   wait until the terminal has shown it
  send=TEXT     type it; \\n, \\x03 and the like are understood
  size=24x80    change the size (rows x columns)
  raw, cooked   wait until the terminal is in raw mode, or not
  signal=NAME   send a signal to the command
  winsize=24x80 wait until the terminal has this size
  do=COMMAND    run a shell command
  close         hang up

What the terminal shows is printed. At the end of a command, "terminal restored" or
"terminal changed" compares its modes with those before; the exit status is that of
the command, 128 + N for a signal. 99: a step took too long.
"""

import array
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

LIMIT = 20


class Terminal:
    def __init__(self, master, slave=-1, pid=0):
        self.master, self.slave, self.pid = master, slave, pid
        self.shown = b""
        self.searched = 0
        self.open = True
        self.status = None

    def give_up(self, why):
        sys.stdout.flush()
        print("\npty.py: %s; shown so far: %r" % (why, self.shown), file=sys.stderr)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        os._exit(99)

    def pump(self, seconds):
        """Reads what is there."""
        if not self.open:
            time.sleep(seconds)
            return
        if select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # EIO: the slave is closed
                data = b""
            if not data:
                self.open = False
                return
            self.shown += data
            sys.stdout.buffer.write(data)
            sys.stdout.flush()

    def until(self, condition, what):
        deadline = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > deadline:
                self.give_up("never: " + what)
            self.pump(0.02)

    def is_raw(self):
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def saw(self, text):
        at = self.shown.find(text, self.searched)
        if at >= 0:
            self.searched = at + len(text)
        return at >= 0

    def step(self, step):
        name, _, value = step.partition("=")
        text = value.encode().decode("unicode_escape").encode("latin-1")
        if name == "expect":
            self.until(lambda: self.saw(text), step)
        elif name == "send":
            os.write(self.master, text)
        elif name == "size":
            rows, columns = map(int, value.split("x"))
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif name == "winsize":
            rows, columns = map(int, value.split("x"))
            want = struct.pack("HHHH", rows, columns, 0, 0)
            self.until(lambda: fcntl.ioctl(self.master, termios.TIOCGWINSZ, bytes(8))[:4] == want[:4], step)
        elif name == "raw":
            self.until(self.is_raw, step)
        elif name == "cooked":
            self.until(lambda: not self.is_raw(), step)
        elif name == "signal":
            os.kill(self.pid, getattr(signal, "SIG" + value))
        elif name == "do":
            if subprocess.call(value, shell=True, stdin=subprocess.DEVNULL):
                self.give_up("fails: " + step)
        elif name == "close":
            os.close(self.master)
            self.open = False
        else:
            self.give_up("no such step: " + step)

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None


def run(steps, command):
    # The slave stays open here so that its modes can be read afterwards.
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(slave, fd)
        os.closerange(3, 64)
        # As at a login, whatever the caller of the tests ignores.
        for number in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    t = Terminal(master, slave, pid)
    for s in steps:
        t.step(s)
    t.until(t.ended, "the end of the command")
    while t.open and select.select([master], [], [], 0)[0]:
        t.pump(0)
    print("terminal restored" if termios.tcgetattr(slave) == before else "terminal changed")
    return 128 + os.WTERMSIG(t.status) if os.WIFSIGNALED(t.status) else os.WEXITSTATUS(t.status)


def receive(path):
    """Receives one message; returns (data, ancillary)."""
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    s.listen(1)
    s.settimeout(LIMIT)
    c, _ = s.accept()
    c.settimeout(LIMIT)
    data, ancillary, flags, _ = c.recvmsg(4096, socket.CMSG_SPACE(4 * 8))
    rest = c.recv(1)
    return data, ancillary, flags, rest


def main():
    mode, args = sys.argv[1], sys.argv[2:]
    if mode == "run":
        at = args.index("--")
        sys.exit(run(args[:at], args[at + 1:]))
    if mode == "fd-receiver":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    data, ancillary, flags, rest = receive(args[0])
    fds = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[:len(content) - len(content) % 4])
    if mode == "fd-receiver":
        print("bytes %d, control messages %d, descriptors %d, truncated %d, more %d, terminal %d" % (
            len(data) > 0, len(ancillary), len(fds), flags & socket.MSG_CTRUNC, len(rest), os.isatty(fds[0])), flush=True)
        # The terminal would be gone without its master, and the container is still being built.
        # So it stays open until the test sends SIGTERM.
        signal.sigtimedwait([signal.SIGTERM], LIMIT)
        return
    t = Terminal(fds[0])
    for s in args[1:]:
        t.step(s)
    if t.open:
        t.until(lambda: not t.open, "the end of the terminal")


main()
