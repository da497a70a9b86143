"""The table's rows: what happens in each, how long is waited, which time counts."""

import random
import time
from dataclasses import dataclass
from typing import Callable, Optional

import faults
from measure import check_before, judge
from system import RigError, now

SECOND = 1_000_000_000


@dataclass
class Row:
    name: str
    title: str
    play: Callable
    # What the time is: from the fault to the first message through another node ("back"), or the longest gap between
    # two messages after the fault ("gap").
    measures: str = "back"
    # Seconds: the targets for the normal profile, and for fast with hot standby.
    targets: Optional[dict] = None
    # Seconds after which a client counts as not coming back.
    limit: float = 30
    nodes: tuple = ("a", "b")
    # Runs of `--quick`, by profile.
    quick: Optional[dict] = None
    # Levels of delivery that the row needs one of; empty for any.
    levels: tuple = ()
    needs: tuple = ()
    # Brokers, sender and receivers speak TLS.
    secure: bool = False
    # The brokers know each other.
    linked: bool = False
    # Runs that are worth no repetition.
    once: bool = False
    # Only these, unless one is asked for.
    profiles: tuple = ("normal", "fast")


def settled(stage, fault, arrival, moves, tail=1.0, heal=None):
    """The end of most rows: traffic goes on, the fault is healed, late copies get time to show, all is judged."""
    time.sleep(tail)
    if heal:
        heal()
        # What a thawed broker held, and what TCP sends again, comes now: the case that makes duplicates.
        time.sleep(2)
    stage.finish()
    return judge(stage, fault, (arrival - fault) / SECOND if arrival else None, moves)


def checked(stage, fault):
    wrong = check_before(stage, fault)
    if wrong:
        raise RigError(wrong)


def node_fault(inject, heal=None):
    """A row in which the sender's node fails, and another one has to take over."""

    def play(stage, row):
        stage.warm_up()
        victim = stage.begin_fault()
        fault = inject(stage, victim)
        arrival = stage.wait_for_arrival(fault, [role for role in stage.nodes if role != victim], row.limit)
        checked(stage, fault)
        return settled(stage, fault, arrival, 1, heal=heal and (lambda: heal(stage, victim)))

    return play


def nuisance(inject, heal, seconds=10):
    """A row in which the sender's node becomes bad, but lives: no move is needed, and none is right."""

    def play(stage, row):
        stage.warm_up()
        victim = stage.begin_fault()
        fault = inject(stage, victim)
        time.sleep(seconds)
        checked(stage, fault)
        result = settled(stage, fault, None, 0, tail=0, heal=lambda: heal(stage, victim))
        return {**result, "seconds": result["gap"]}

    return play


def delayed(stage, row):
    relay = faults.start_relay(stage)
    if stage.settings.abilities["dns"]:
        stage.network.answer([stage.network.relay_address(role) for role in stage.nodes])
    stage.warm_up()
    stage.begin_fault()
    fault = faults.delay(relay)
    time.sleep(10)
    checked(stage, fault)
    # The relay stays in the way: its delay is no reason to move.
    result = settled(stage, fault, None, 0, tail=0)
    return {**result, "seconds": result["gap"]}


def dns_changed(stage, row):
    stage.warm_up()
    victim = stage.begin_fault()
    others = [role for role in stage.nodes if role != victim]
    fault = stage.network.answer([stage.network.address(role) for role in others])
    arrival = stage.wait_for_arrival(fault, others, row.limit)
    checked(stage, fault)
    return settled(stage, fault, arrival, 1)


def dns_frozen(stage, row):
    stage.warm_up()
    faults.freeze_dns(stage)
    # Longer than the answers' time to live, so that nothing that is still valid helps.
    time.sleep(3)
    victim = stage.begin_fault()
    fault = faults.kill(stage, victim)
    arrival = stage.wait_for_arrival(fault, [role for role in stage.nodes if role != victim], row.limit)
    checked(stage, fault)
    return settled(stage, fault, arrival, 1, heal=lambda: faults.thaw_dns(stage))


def all_down(stage, row):
    stage.warm_up()
    victim = stage.begin_fault()
    killed = now()
    # The sender's last: else it rightly moves to one that has a few milliseconds to live.
    for role in sorted(stage.nodes, key=lambda role: role == victim):
        faults.kill(stage, role)
    time.sleep(5 if stage.settings.quick else 20)
    checked(stage, killed)
    up = stage.random_node()
    # The time counts from the start of the one that comes up.
    fault = stage.start_broker(up)
    arrival = stage.wait_for_arrival(fault, [up], row.limit)
    return settled(stage, fault, arrival, 1)


def mute_node(stage, row):
    """The sender's node dies while another one accepts and never answers; a third one is well."""
    stage.warm_up()
    victim = stage.begin_fault()
    silent, well = random.sample([role for role in stage.nodes if role != victim], 2)
    faults.mute(stage, silent)
    time.sleep(1)
    fault = faults.kill(stage, victim)
    arrival = stage.wait_for_arrival(fault, [well], row.limit)
    checked(stage, fault)
    return settled(stage, fault, arrival, 1)


def rolling(stage, row):
    """Every node is drained and restarted, one after the other."""
    stage.warm_up()
    stage.begin_fault()
    fault = now()
    for role in stage.nodes:
        faults.drain(stage, role)
        started = stage.start_broker(role)
        stage.wait_for_probes(started, [role], 20)
        time.sleep(2)
    checked(stage, fault)
    result = settled(stage, fault, None, len(stage.nodes))
    return {**result, "seconds": result["gap"]}


def steady(stage, row):
    stage.warm_up()
    stage.begin_fault()
    begin = now()
    time.sleep(stage.settings.steady)
    checked(stage, begin)
    result = settled(stage, begin, None, 0)
    if result["published"] < stage.settings.steady * stage.settings.rate * 0.9:
        raise RigError(f"only {result['published']} messages were published in {stage.settings.steady} s")
    return {**result, "seconds": result["gap"]}


ROWS = [
    Row("kill", "kill -9", node_fault(faults.kill), targets={"normal": 0.1, "fast": 0.01},
        quick={"normal": 2, "fast": 2}),
    Row("freeze", "SIGSTOP, later SIGCONT", node_fault(faults.freeze, faults.thaw),
        targets={"normal": 5, "fast": 0.5}, quick={"normal": 1, "fast": 1}),
    Row("drop", "nft drop, both ways", node_fault(faults.drop, faults.undrop), targets={"normal": 5, "fast": 0.5},
        quick={"fast": 1}),
    Row("unplug", "cable unplugged (veth down)", node_fault(faults.unplug, faults.plug),
        targets={"normal": 5, "fast": 0.5}),
    Row("mute", "kill -9, another node accepts and is silent", mute_node, nodes=("a", "b", "c"),
        targets={"normal": 0.35, "fast": 0.26}),
    Row("all-down", "all nodes down, then one up", all_down, targets={"normal": 2.5, "fast": 0.7},
        quick={"fast": 1}),
    Row("rolling", "rolling restart of every node (drain)", rolling, measures="gap",
        targets={"normal": 0.1, "fast": 0.1}, quick={"normal": 1}),
    Row("dns-changed", "DNS answer without the sender's node", dns_changed, limit=15, needs=("dns",)),
    Row("dns-frozen", "DNS frozen, then kill -9", dns_frozen, targets={"normal": 0.1, "fast": 0.01}, needs=("dns",),
        quick={"normal": 1}),
    Row("loss", "20 % random loss for 10 s", nuisance(faults.lose, faults.undrop), measures="gap"),
    Row("delay", "200 ms delay for 10 s", delayed, measures="gap"),
    Row("steady", "load and no fault", steady, measures="gap", quick={"normal": 1, "fast": 1}, once=True),
]
