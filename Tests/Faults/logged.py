"""Rows about what the sender keeps on its disk: full disk, killed sender, and everything at once."""

import random
import time

import faults
from rows import Row, checked, settled
from system import RigError, now

LOGGED = ("broker", "endToEnd")


def disk_full(stage, row):
    """The outbox's disk fills up while no broker is there; what was taken before must arrive."""
    disk = faults.FullDisk(stage.state)
    try:
        for role in stage.nodes:
            stage.start_broker(role)
        stage.start_receivers()
        stage.start_sender(rate=200)
        stage.wait_for_arrival(0, stage.nodes, 20)
        time.sleep(2)
        victim = stage.begin_fault()
        fault = disk.fill()
        for role in sorted(stage.nodes, key=lambda role: role == victim):
            faults.kill(stage, role)
        end = time.monotonic() + 30
        while not any(line["event"] == "refused" for line in stage.sent[-1].read()):
            if time.monotonic() > end:
                raise RigError("the sender's disk did not become full within 30 s")
            time.sleep(0.1)
        time.sleep(1)
        disk.free()
        up = now()
        for role in stage.nodes:
            stage.start_broker(role)
        arrival = stage.wait_for_arrival(up, stage.nodes, row.limit)
        checked(stage, fault)
        return settled(stage, up, arrival, 1)
    finally:
        stage.clear()
        disk.remove()


def sender_killed(stage, row):
    """The sender is killed while it appends, three times, and goes on with its state."""
    # What is only in a killed process's memory was not promised.
    stage.warm_up(durable=True)
    stage.begin_fault()
    fault = now()
    for _ in range(3):
        time.sleep(random.uniform(0.5, 1.5))
        begin = restart_sender(stage)
    arrival = stage.wait_for_arrival(begin, stage.nodes, row.limit)
    checked(stage, fault)
    result = settled(stage, begin, arrival, 3)
    # A restart may choose another node: that is no move of a client.
    return {**result, "falseMoves": max(0, result["moves"])}


def restart_sender(stage, rate=None):
    """kill -9 and a new start. The number after the last that was noted may or may not have been taken."""
    stage.sender.kill()
    begin = now()
    stage.start_sender(first=stage.next_number(), rate=rate, durable=True)
    return begin


def storm(stage, row):
    """Ten thousand messages while sender and brokers are killed, frozen and restarted at random moments."""
    wanted = 2_000 if stage.settings.quick else 10_000
    for role in stage.nodes:
        stage.start_broker(role)
    stage.start_receivers()
    stage.start_sender(rate=200, durable=True)
    stage.wait_for_arrival(0, stage.nodes, 20)
    time.sleep(2)
    stage.begin_fault()
    fault = now()
    checked(stage, fault)
    taken = done = 0
    while taken < wanted:
        time.sleep(random.uniform(0.5, 2))
        role = stage.random_node()
        action = random.choice(["sender", "kill", "freeze"])
        done += 1
        if action == "sender":
            restart_sender(stage, rate=200)
        elif action == "kill":
            faults.kill(stage, role)
            time.sleep(random.uniform(0.1, 2))
            stage.start_broker(role)
        else:
            faults.freeze(stage, role)
            time.sleep(random.uniform(0.1, 3))
            faults.thaw(stage, role)
        taken = sum(line["event"] == "published" for journal in stage.sent for line in journal.read())
    result = settled(stage, fault, fault, 0, tail=3)
    # Moves have reasons enough here.
    return {**result, "seconds": result["gap"], "falseMoves": 0, "actions": done}


LOGGED_ROWS = [
    Row("disk-full", "the sender's disk full, no broker", disk_full, levels=LOGGED),
    Row("sender-kill", "kill -9 of the sender while it appends", sender_killed, levels=LOGGED, quick={"normal": 1}),
    Row("storm", "10000 messages, sender and brokers killed and frozen", storm, measures="gap", levels=("endToEnd",),
        once=True),
]
