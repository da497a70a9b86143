"""Rows about two linked brokers: one fails, and clients of the other must not notice.

Publisher and subscribers speak SMQ by wire.py and sit on their node's own machine, so that only the link crosses the
network. The publisher is on the node that survives; one subscriber is there, and one on the node that fails.
"""

import json
import os
import sys
import time

import faults
from measure import SECOND, duration, quantile
from rows import Row
from system import Process, RigError, now, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
RATE, SIZE, TOPIC = 1000, 200, "rig/linked"
# Seconds: how long a survivor may wait at most, and until a node that is back hears again.
WAIT, REJOIN = 0.05, 1.0


def start(stage, name, role, *words):
    script = os.path.join(HERE, "wire.py")
    return Process(name, [sys.executable, script, words[0], stage.network.endpoint(role), *words[1:]], stage.directory,
                   stage.network.namespace(role))


def end(process, key):
    process.signal(15)
    if process.wait(20) != 0:
        raise RigError(f"{process.name}: {process.said()}")
    with open(process.out) as file:
        return json.load(file)[key] if key else json.loads(file.read())


def subscriber(stage, name, role):
    process = start(stage, name, role, "subscribe", TOPIC)
    wait_until(lambda: "subscribed" in open(process.err).read(), 20, f"{name} subscribes", pause=0.005)
    return process


def node_fault(inject, heal, restarts=False):
    """A row in which node b fails for five seconds."""

    def play(stage, row):
        for role in stage.nodes:
            stage.start_broker(role)
        here, there = subscriber(stage, "survivor", "a"), subscriber(stage, "other", "b")
        publisher = start(stage, "publisher", "a", "publish", TOPIC, str(RATE), str(SIZE))
        try:
            time.sleep(2)
            fault = inject(stage, "b")
            time.sleep(5)
            if restarts:
                back = stage.start_broker("b")
            else:
                back = now()
                heal(stage, "b")
            time.sleep(3)
            told = end(publisher, None)
            time.sleep(0.5)
            survivor, other = end(here, "got"), end(there, "got")
        finally:
            for process in (publisher, here, there):
                process.kill()
        sent = {number for number, _ in told["sent"]}
        arrived = [number for number, _ in survivor]
        times = [time_ for _, time_ in survivor]
        gaps = [after - before for before, after in zip(times, times[1:]) if after >= fault]
        # What came late through the link is no sign of life: only what was published since counts.
        published = dict(map(tuple, told["sent"]))
        heard = [time_ for number, time_ in other if time_ >= back and published.get(number, 0) >= back]
        before = [number for number, time_ in other if time_ < fault]
        if len(before) < RATE:
            raise RigError(f"the other node's subscriber had only {len(before)} messages before the fault")
        return {
            "seconds": max(gaps, default=0) / SECOND,
            "write": max((wait for (_, time_), wait in zip(told["sent"], told["waits"]) if time_ >= fault), default=0)
            / SECOND,
            "rejoin": (min(heard) - back) / SECOND if heard else None,
            "published": len(sent), "lost": len(sent - set(arrived)), "duplicates": len(arrived) - len(set(arrived)),
        }

    return play


def line(row, outcome):
    """What a row shows."""
    runs = outcome["runs"]
    gaps = [run["seconds"] for run in runs]
    rejoins = [run["rejoin"] for run in runs]
    cpu = f"{sum(run['cpu'] for run in runs) / len(runs) * 100:.0f}%"
    return (f"{row.name:<13}{'linked':<9}{len(runs):>4}  survivor's longest wait: median "
            f"{duration(quantile(gaps, 0.5))}, longest {duration(max(gaps))} (target {duration(WAIT)}), a publisher's "
            f"write {duration(max(run['write'] for run in runs))}; rejoined after {duration(quantile(rejoins, 0.5))}, "
            f"longest {duration(quantile(rejoins, 1))} (target {duration(REJOIN)}); of "
            f"{sum(run['published'] for run in runs)} messages {sum(run['lost'] for run in runs)} lost, "
            f"{sum(run['duplicates'] for run in runs)} twice, cpu {cpu}")


def faulty(runs):
    """What must not be, whatever the machine's speed."""
    found = []
    if any(run["lost"] or run["duplicates"] for run in runs):
        found.append("messages between survivors lost or twice")
    if any(run["rejoin"] is None for run in runs):
        found.append("the node that is back hears nothing")
    # A machine without a free processor makes anybody wait; a publisher that waits for TCP waits longer.
    if any(run["seconds"] > 2 for run in runs):
        found.append("the survivor waited for the other node")
    return found


def row(name, title, inject, heal=None, quick=None):
    return Row(name, title, node_fault(inject, heal, restarts=heal is None), measures="linked", linked=True,
               profiles=("normal",), quick=quick)


LINKED_ROWS = [
    row("link-kill", "two linked nodes, kill -9 of one", faults.kill, quick={"normal": 1}),
    row("link-freeze", "two linked nodes, SIGSTOP of one", faults.freeze, faults.thaw, quick={"normal": 1}),
    row("link-unplug", "two linked nodes, one unplugged", faults.unplug, faults.plug),
]
