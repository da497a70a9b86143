"""Two network namespaces with a cable between them: the gateway's and the servers'. Nothing touches the host's network.

    dlora-PID-N-gw   10.78.0.2     dlora-PID-N-ns   10.78.0.1 and .3, dnsmasq
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess

from system import LIBC, Process, RigError, run

CLONE_NEWNET = 0x40000000
SERVER, OTHER, GATEWAY, NAME = "10.78.0.1", "10.78.0.3", "10.78.0.2", "ns.rig"


def missing():
    """Why namespaces cannot be made here; None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "dnsmasq"):
        if not shutil.which(program):
            return f"{program} is not installed (apt-get install iproute2 dnsmasq-base)"
    probe = f"dlora-{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", probe)
        run("ip", "netns", "delete", probe)
    except RigError as error:
        return f"not permitted here: {error}"
    return None


class Network:
    def __init__(self, number, directory):
        self.directory = directory
        self.gateway = f"dlora-{os.getpid()}-{number}-gw"
        self.servers = f"dlora-{os.getpid()}-{number}-ns"
        self.dnsmasq = None
        for name in (self.gateway, self.servers):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.servers, "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns",
            self.gateway)
        run("ip", "-n", self.servers, "address", "add", f"{SERVER}/24", "dev", "cable")
        run("ip", "-n", self.servers, "address", "add", f"{OTHER}/24", "dev", "cable")
        run("ip", "-n", self.servers, "link", "set", "cable", "up")
        run("ip", "-n", self.gateway, "address", "add", f"{GATEWAY}/24", "dev", "eth0")
        run("ip", "-n", self.gateway, "link", "set", "eth0", "up")
        # What `ip netns exec` mounts over /etc/resolv.conf.
        os.makedirs(f"/etc/netns/{self.gateway}", exist_ok=True)
        with open(f"/etc/netns/{self.gateway}/resolv.conf", "w") as file:
            file.write(f"nameserver {SERVER}\noptions timeout:1 attempts:2\n")

    def cut(self):
        """Pulls the cable at the servers' end: the gateway's own address stays."""
        run("ip", "-n", self.servers, "link", "set", "cable", "down")

    def mend(self):
        run("ip", "-n", self.servers, "link", "set", "cable", "up")

    def start_dns(self, name):
        self.dnsmasq = Process(
            f"dnsmasq-{name}",
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
             f"--listen-address={SERVER}", "--bind-interfaces", "--local-ttl=5", f"--address=/{NAME}/{SERVER}",
             "--pid-file="], self.directory, self.servers)

    def stop_dns(self):
        if self.dnsmasq:
            self.dnsmasq.stop()
            self.dnsmasq = None

    @contextlib.contextmanager
    def inside_servers(self):
        """Sockets that this thread makes meanwhile belong to the servers' namespace."""
        with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{self.servers}") as other:
            enter(other.fileno())
            try:
                yield
            finally:
                enter(own.fileno())

    def close(self):
        self.stop_dns()
        for name in (self.gateway, self.servers):
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            run("ip", "netns", "delete", name, check=False)
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)


def enter(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        raise RigError(f"setns: {os.strerror(ctypes.get_errno())}")
