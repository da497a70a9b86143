"""Faults, and how each is healed. Those that return a time took it immediately before they did what they do."""

import os
import signal
import subprocess
import sys

from network import PORT
from system import Process, RigError, now, run, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))


def kill(stage, role):
    """kill -9 of a broker."""
    time = now()
    stage.brokers[role].signal(signal.SIGKILL)
    stage.gone.add(role)
    stage.brokers[role].wait(10)
    return time


def freeze(stage, role):
    """SIGSTOP: the kernel still accepts and acknowledges for it."""
    time = now()
    stage.brokers[role].signal(signal.SIGSTOP)
    return time


def thaw(stage, role):
    """SIGCONT: what it had read goes on its way now."""
    stage.brokers[role].signal(signal.SIGCONT)


def _nft(stage, role, rule):
    rules = "".join(
        f"add chain inet rig {hook} {{ type filter hook {hook} priority 0; }}\nadd rule inet rig {hook} {text}\n"
        for hook, text in rule.items())
    time = now()
    result = subprocess.run(
        ["ip", "netns", "exec", stage.network.namespace(role), "nft", "-f", "-"],
        input=f"add table inet rig\n{rules}", capture_output=True, text=True, timeout=30)
    if result.returncode != 0:
        raise RigError(f"nft: {result.stderr.strip()}")
    return time


def drop(stage, role):
    """Every packet from and to the broker is dropped."""
    return _nft(stage, role, {"input": "iifname eth0 drop", "output": "oifname eth0 drop"})


def lose(stage, role):
    """A fifth of the packets between device and broker is dropped, each way; the receivers' are not."""
    device = stage.network.address("dev")
    chance = "numgen random mod 100 < 20 drop"
    return _nft(stage, role, {"input": f"ip saddr {device} {chance}", "output": f"ip daddr {device} {chance}"})


def undrop(stage, role):
    run("ip", "netns", "exec", stage.network.namespace(role), "nft", "delete", "table", "inet", "rig")


def unplug(stage, role):
    """The bridge's end of the cable goes down."""
    time = now()
    run("ip", "-n", stage.network.namespace("net"), "link", "set", "dev", stage.network.port(role), "down")
    return time


def plug(stage, role):
    run("ip", "-n", stage.network.namespace("net"), "link", "set", "dev", stage.network.port(role), "up")


def start_relay(stage):
    """Puts a relay between the device and every broker; it delays nothing yet."""
    words = [sys.executable, os.path.join(HERE, "relay.py")]
    for role in stage.nodes:
        words.append(f"{stage.network.relay_address(role)}:{PORT}={stage.network.endpoint(role)}")
    relay = Process("relay", words, stage.directory, stage.network.namespace("relay"))
    wait_until(lambda: "ready" in open(relay.out).read(), 10, "the relay starts")
    stage.via_relay = True
    return relay


def delay(relay):
    """200 ms on the way to the broker."""
    time = now()
    relay.signal(signal.SIGUSR1)
    return time


def mute(stage, role):
    """In the broker's place comes a program that accepts and never answers."""
    kill(stage, role)
    words = [sys.executable, os.path.join(HERE, "mute.py"), stage.network.address(role), str(PORT)]
    listener = Process(f"mute-{role}", words, stage.directory, stage.network.namespace(role))
    wait_until(lambda: "ready" in open(listener.out).read(), 10, "the mute node listens")
    return listener


def freeze_dns(stage):
    stage.network.dns.signal(signal.SIGSTOP)


def thaw_dns(stage):
    stage.network.dns.signal(signal.SIGCONT)


def drain(stage, role):
    """Asks a node to leave in good order, and waits until it has. Its goodbye tells its clients to go elsewhere.

    SIGTERM does so today; a drain operation that gives clients time (POST /drain) belongs here, before it.
    """
    time = now()
    broker = stage.brokers[role]
    stage.gone.add(role)
    broker.signal(signal.SIGTERM)
    if broker.wait(60) != 0:
        raise RigError(f"broker {role} did not end in good order: {broker.said()}")
    return time


class FullDisk:
    """A small tmpfs for the sender's state, which can be filled up to a few pages and freed again."""

    def __init__(self, directory, megabytes=1):
        self.directory = directory
        self.filler = os.path.join(directory, "filler")
        os.makedirs(directory, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "dsdk-faults", directory)

    def fill(self, leave=32_768):
        time = now()
        space = os.statvfs(self.directory)
        with open(self.filler, "wb") as file:
            file.write(bytes(max(0, space.f_bavail * space.f_frsize - leave)))
        return time

    def free(self):
        os.remove(self.filler)

    def remove(self):
        run("umount", "-l", self.directory, check=False)
