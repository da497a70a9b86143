"""Small things that the rig needs of the system: commands, processes, time, load."""

import ctypes
import os
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class RigError(Exception):
    """The rig itself did not work: the run says nothing about the client."""


class Skip(Exception):
    """Something is not there or not permitted: the reason is said, and nothing counts as failed."""


def now():
    """CLOCK_MONOTONIC in nanoseconds, as FaultDevice prints it."""
    return time.monotonic_ns()


def run(*words, check=True):
    """Runs a command and returns its result; raises RigError with what it said when it fails."""
    result = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    if check and result.returncode != 0:
        raise RigError(f"{' '.join(words)}: {result.stderr.strip() or result.stdout.strip() or result.returncode}")
    return result


def wait_until(condition, seconds, what, pause=0.02):
    """Asks a few dozen times a second; raises RigError when it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RigError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def load():
    """The machine's load averages of 1 and 5 minutes, and its cores."""
    one, five, _ = os.getloadavg()
    return {"load1": round(one, 2), "load5": round(five, 2), "cores": os.cpu_count()}


def cpu_seconds():
    """Seconds of work of all cores since boot."""
    with open("/proc/stat") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def _die_with_parent():
    # Also when the rig is killed -9: nothing it started outlives it.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A child in a namespace, with its output in files. `ip netns exec` becomes the program, so pids are right."""

    alive = []

    def __init__(self, name, words, directory, namespace=None, environment=None):
        self.name = name
        self.out = os.path.join(directory, f"{name}.out")
        self.err = os.path.join(directory, f"{name}.err")
        command = [*(["ip", "netns", "exec", namespace] if namespace else []), *words]
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                preexec_fn=_die_with_parent, env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})})
        Process.alive.append(self)

    @property
    def is_running(self):
        return self.child.poll() is None

    def signal(self, number):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def kill(self):
        """kill -9, also of a frozen one."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, seconds):
        """Waits for the end. Returns the status, None when it still runs."""
        try:
            status = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        if self in Process.alive:
            Process.alive.remove(self)
        return status

    def said(self):
        """The end of its output, for an error."""
        text = ""
        for path in (self.out, self.err):
            with open(path, errors="replace") as file:
                text += file.read()[-500:]
        return " | ".join(text.split("\n")[-4:]).strip(" |")

    @classmethod
    def kill_all(cls):
        for process in list(cls.alive):
            process.kill()
