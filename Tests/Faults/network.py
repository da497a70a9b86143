"""Network namespaces joined by a bridge in a namespace of its own. Nothing touches the host's network.

    dsdk-PID-net    the bridge               dsdk-PID-dev     10.77.0.2   the device (sender, herd)
    dsdk-PID-a,b,c  10.77.0.11 .12 .13       dsdk-PID-recv    10.77.0.3   the receivers
    dsdk-PID-dns    10.77.0.53  dnsmasq      dsdk-PID-relay   10.77.0.111 .112 .113, on the way to the brokers
"""

import os
import re
import shutil
import signal
import tempfile

from system import Process, RigError, Skip, now, run, wait_until

NAME = "brokers.rig"
PORT = 8080
ADDRESSES = {
    "a": ["10.77.0.11"], "b": ["10.77.0.12"], "c": ["10.77.0.13"], "dev": ["10.77.0.2"], "recv": ["10.77.0.3"],
    "dns": ["10.77.0.53"], "relay": ["10.77.0.111", "10.77.0.112", "10.77.0.113"],
}


def check_permitted():
    """Raises Skip with the reason where namespaces cannot be made."""
    if os.geteuid() != 0:
        raise Skip("network namespaces need root")
    for program in ("ip", "nft", "dnsmasq", "openssl"):
        if not shutil.which(program):
            raise Skip(f"{program} is not installed (apt-get install iproute2 nftables dnsmasq-base openssl)")
    probe = f"dsdk-{os.getpid()}-probe"
    try:
        run("ip", "netns", "add", probe)
        run("ip", "-n", probe, "link", "add", "br0", "type", "bridge")
        run("ip", "netns", "exec", probe, "nft", "add", "table", "inet", "probe")
    except RigError as error:
        raise Skip(f"not permitted here: {error}") from None
    finally:
        run("ip", "netns", "delete", probe, check=False)


def sweep():
    """Removes the namespaces and files of runs that were killed before they could."""
    for place in ("/run/netns", "/etc/netns", tempfile.gettempdir()):
        for name in os.listdir(place) if os.path.isdir(place) else []:
            match = re.fullmatch(r"dsdk-(\d+)-\w+", name)
            if not match or os.path.exists(f"/proc/{match[1]}"):
                continue
            if place == "/run/netns":
                delete(name)
            else:
                shutil.rmtree(os.path.join(place, name), ignore_errors=True)


def delete(name):
    """Removes a namespace and what still runs in it: dnsmasq changes its rights, and so outlives a killed rig."""
    for pid in run("ip", "netns", "pids", name, check=False).stdout.split():
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run("ip", "netns", "delete", name, check=False)


class Network:
    """Made by `with`, gone at its end, whatever happens in between."""

    def __init__(self, directory, nodes=("a", "b")):
        self.directory = directory
        self.nodes = list(nodes)
        self.prefix = f"dsdk-{os.getpid()}-"
        self.dns = None
        self.hosts = os.path.join(directory, "hosts")

    def namespace(self, role):
        return self.prefix + role

    def address(self, role):
        return ADDRESSES[role][0]

    def port(self, role):
        """The bridge's end of the cable."""
        return f"port-{role}"

    def relay_address(self, role):
        """Where the relay listens for a node."""
        return ADDRESSES["relay"][self.nodes.index(role)]

    def endpoint(self, role):
        return f"{self.address(role)}:{PORT}"

    @property
    def resolver(self):
        return f"{self.address('dns')}:53"

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def _make(self):
        bridge = self.namespace("net")
        run("ip", "netns", "add", bridge)
        run("ip", "-n", bridge, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", bridge, "link", "set", "br0", "up")
        for role in [*self.nodes, "dev", "recv", "dns", "relay"]:
            name = self.namespace(role)
            run("ip", "netns", "add", name)
            run("ip", "-n", bridge, "link", "add", "name", self.port(role), "type", "veth", "peer", "name", "eth0",
                "netns", name)
            for address in ADDRESSES[role]:
                run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            run("ip", "-n", bridge, "link", "set", "dev", self.port(role), "master", "br0", "up")
        # For programs that use the system's resolver; `ip netns exec` lays it over /etc/resolv.conf.
        for role in ("dev", "recv"):
            os.makedirs(f"/etc/netns/{self.namespace(role)}", exist_ok=True)
            with open(f"/etc/netns/{self.namespace(role)}/resolv.conf", "w") as file:
                file.write(f"nameserver {self.address('dns')}\noptions timeout:1 attempts:2\n")

    def start_dns(self, addresses):
        """dnsmasq rotates its answers; `addresses` are what the name stands for."""
        self._write_hosts(addresses)
        self.dns = Process(
            "dnsmasq",
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--log-facility=-",
             f"--addn-hosts={self.hosts}", "--local-ttl=1", "--bind-interfaces", "--user=root", "--pid-file=",
             f"--listen-address={self.address('dns')}"],
            self.directory, self.namespace("dns"))
        wait_until(lambda: self.hosts in open(self.dns.err).read() or not self.dns.is_running, 5, "dnsmasq starts")
        if not self.dns.is_running:
            raise RigError(f"dnsmasq: {self.dns.said()}")

    def answer(self, addresses):
        """Changes the answer; returns the time just before."""
        self._write_hosts(addresses)
        time = now()
        self.dns.signal(signal.SIGHUP)
        return time

    def _write_hosts(self, addresses):
        with open(self.hosts, "w") as file:
            file.writelines(f"{address} {NAME}\n" for address in addresses)

    def remove(self):
        """Ends what runs in the namespaces, then removes them, by name."""
        Process.kill_all()
        for role in [*self.nodes, "dev", "recv", "dns", "relay", "net"]:
            delete(self.namespace(role))
            shutil.rmtree(f"/etc/netns/{self.namespace(role)}", ignore_errors=True)
