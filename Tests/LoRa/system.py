"""Small things that the rig needs of the system: processes, their memory and time, the machine's load."""

import ctypes
import os
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class RigError(Exception):
    """The rig itself did not work: the run says nothing about the gateway."""


def run(*words, check=True):
    """Runs a command; raises RigError with what it said when it fails."""
    result = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    if check and result.returncode != 0:
        raise RigError(f"{' '.join(words)}: {result.stderr.strip() or result.stdout.strip() or result.returncode}")
    return result


def wait_until(condition, seconds, what, pause=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RigError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def load():
    """The machine's state in one line."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith(("model name", "Model"))), "processor unknown")
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} x {model}, load {one:.2f} {five:.2f}"


def processor_seconds(pid):
    """The time of all threads of a process, by the scheduler's own sum."""
    total = 0.0
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total


def _die_with_parent():
    # Also when the rig is killed -9: nothing it started outlives it.
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Process:
    """A child with its output in a file, perhaps in a network namespace."""

    def __init__(self, name, words, directory, namespace=None, environment=None, cwd=None):
        self.name = name
        self.out = os.path.join(directory, f"{name}.out")
        command = [*(["ip", "netns", "exec", namespace] if namespace else []), *words]
        with open(self.out, "ab") as out:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd=cwd,
                preexec_fn=_die_with_parent, env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **(environment or {})})

    @property
    def is_running(self):
        return self.child.poll() is None

    def processor_seconds(self):
        return processor_seconds(self.child.pid)

    def memory(self, field="VmRSS"):
        """Resident memory in kB; VmHWM is the greatest so far."""
        with open(f"/proc/{self.child.pid}/status") as file:
            for line in file:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        return 0

    def said(self, length=600):
        with open(self.out, errors="replace") as file:
            return file.read()[-length:].strip()

    def stop(self, seconds=10):
        """SIGTERM, then SIGKILL. Returns the seconds it took."""
        start = time.monotonic()
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(10)
        return time.monotonic() - start
