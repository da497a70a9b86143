"""A herd: many clients on one node, which is killed; each time is taken by the client itself."""

import time

import faults
from journal import Journal
from measure import SECOND, quantile
from rows import Row
from system import Process, RigError, now, wait_until


def play(stage, row):
    count = 200 if stage.settings.quick else 1_000
    first, second = stage.nodes
    network = stage.network
    for role in stage.nodes:
        stage.start_broker(role)
    # Everybody begins on the first node: the name stands for it alone, or it comes first in the list.
    if stage.settings.abilities["dns"]:
        network.answer([network.address(first)])
    words = [*stage.client_words("herd"), "--clients", str(count), "--topic", "rig/herd"]
    herd = Process("herd", words, stage.directory, network.namespace("dev"))
    journal = Journal(herd.out)

    def connected():
        if not herd.is_running:
            raise RigError(f"the herd ended: {herd.said()}")
        journal.read()
        last = journal.last("count")
        return last["connected"] if last else 0

    try:
        wait_until(lambda: connected() == count, 120, "the herd is connected", pause=0.2)
        network.answer([network.address(role) for role in stage.nodes])
        # Sessions that have lasted, and DNS answers that are new.
        time.sleep(7)
        if connected() != count:
            raise RigError("the herd lost a connection before the fault")
        fault = faults.kill(stage, first)
        # `count` is written when it changes: it must have fallen first.
        wait_until(lambda: connected() < count, 10, "the herd notices", pause=0.05)
        begin = time.monotonic()
        while connected() < count and time.monotonic() < begin + row.limit:
            time.sleep(0.2)
        # Who is back must stay.
        time.sleep(3)
        roll_call(stage, second)
        herd.signal(15)
        if herd.wait(30) != 0:
            raise RigError(f"the herd did not end in good order: {herd.said()}")
    finally:
        herd.kill()
    journal.read()
    clients = journal.of("client")
    hit = [client for client in clients if client["lost"]]
    if len(clients) != count or len(hit) < count * 0.9:
        raise RigError(f"only {len(hit)} of {count} clients were on the node that was killed")
    early = sum(client["lost"] < fault for client in hit)
    if early:
        raise RigError(f"{early} clients lost their sessions before the fault: the machine is too slow for this herd")
    times = [(client["back"] - fault) / SECOND if client["back"] else None for client in hit]
    return {
        "clients": len(hit), "back": sum(time_ is not None for time_ in times),
        "heard": sum(client["heard"] > 0 for client in hit),
        "median": quantile(times, 0.5), "p99": quantile(times, 0.99), "longest": quantile(times, 1),
        "failed": sum(client["failed"] for client in hit) / len(hit),
        "reasons": {line["reason"]: line["count"] for line in journal.of("reason")},
        "falseMoves": sum(max(0, client["losses"] - 1) for client in hit),
    }


def roll_call(stage, role):
    """Messages to all: who is back must also hear."""
    words = [stage.settings.device, "send", "--node", stage.network.endpoint(role), "--topic", "rig/herd",
             "--count", "3", "--rate", "2"]
    caller = Process(f"caller-{now()}", words, stage.directory, stage.network.namespace("dev"))
    if caller.wait(20) != 0:
        caller.kill()
        raise RigError(f"nobody could call the herd: {caller.said()}")
    time.sleep(1)


HERD = Row(
    "herd", "1000 clients on one node, kill -9", play, measures="herd", limit=60, quick={"normal": 1},
    # A thousand clients of the fast profile send five thousand pings a second: that measures the machine.
    profiles=("normal",), targets={"normal": 0.5, "fast": 0.5})
