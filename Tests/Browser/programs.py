"""Starts the real programs and ends only what it started."""

import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary(name):
    """DEVICESDK_BIN_DIR, else the release build, else the debug build."""
    given = os.environ.get("DEVICESDK_BIN_DIR")
    places = [pathlib.Path(given)] if given else [ROOT / ".build/release", ROOT / ".build/debug"]
    for place in places:
        if (place / name).exists():
            return str(place / name)
    raise FileNotFoundError(f"{name} is in none of {', '.join(map(str, places))}: build it, or set DEVICESDK_BIN_DIR.")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(condition, timeout=8, what="the condition"):
    """Waits for a true value and returns it."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"Waited {timeout} s in vain for {what}.")
        time.sleep(0.03)


class Program:
    """A child process; its standard output is collected line by line."""

    def __init__(self, *command, terminal=False):
        self.lines, self.master = [], None
        stdin = subprocess.DEVNULL
        stdout = subprocess.PIPE
        if terminal:
            self.master, slave = pty.openpty()
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            stdin = stdout = slave
        # As in a terminal window: a session of its own, whose controlling terminal it is.
        own = (lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) if terminal else None
        self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT,
                                        start_new_session=terminal, preexec_fn=own)
        if terminal:
            os.close(slave)
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        rest = b""
        descriptor = self.master if self.master is not None else self.process.stdout.fileno()
        while True:
            try:
                select.select([descriptor], [], [])
                data = os.read(descriptor, 65536)
            except (OSError, ValueError):
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            self.lines += [line.decode(errors="replace").strip() for line in lines]

    @property
    def events(self):
        """The JSON lines so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def type(self, keys):
        os.write(self.master, keys.encode())

    def kill(self):
        """As a power cut: no farewell."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, sign):
        if self.process.poll() is not None:
            return
        self.process.send_signal(sign)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Broker:
    """smq-broker on one port, which it keeps when it is started again."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.program = None

    def start(self):
        self.program = Program(binary("smq-broker"), "--listen", f"127.0.0.1:{self.port}")
        until(self._answers, 15, f"smq-broker on port {self.port}; it said {self.program.lines}")
        return self

    def _answers(self):
        assert self.program.process.poll() is None, f"smq-broker ended: {self.program.lines}"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def kill(self):
        self.program.kill()

    def stop(self):
        if self.program:
            self.program.stop()


def led_demo(port, *more, terminal=False):
    """LEDDemo as a simulated device of the broker on `port`."""
    options = [] if terminal else ["--json"]
    return Program(binary("LEDDemo"), "--broker", f"smq://127.0.0.1:{port}/smq.lsp", "--board", "sim", *options, *more,
                   terminal=terminal)
