"""Rows in which brokers, sender and receivers speak TLS."""

import time

import certificates
import faults
from rows import SECOND, Row, checked, node_fault, settled
from system import now


def bad_certificate(kind):
    """The sender's node gets a bad certificate and is restarted; later, still running, a good one."""

    def said(stage, since, event, field):
        return any(line["event"] == event and line["t"] >= since and certificates.REASONS[kind] in line[field]
                   for line in stage.sent[-1].read())

    def play(stage, row):
        stage.warm_up()
        bad = stage.begin_fault()
        [good] = [role for role in stage.nodes if role != bad]
        wrong = []
        stage.certificates.put(bad, kind)
        fault = faults.kill(stage, bad)
        stage.start_broker(bad)
        arrival = stage.wait_for_arrival(fault, [good], row.limit)
        checked(stage, fault)
        # The receivers hear at the bad node, so it is nothing but its certificate that keeps the sender away.
        stage.wait_for_probes(now(), stage.nodes, 20)
        time.sleep(3)
        if stage.profile == "fast" and not said(stage, fault, "notice", "text"):
            wrong.append("the standby does not say what is wrong with the certificate")

        # Only the bad node is left.
        alone = faults.kill(stage, good)
        time.sleep(3)
        if not said(stage, alone, "disconnected", "reason"):
            wrong.append("the sender does not say what is wrong with the certificate")
        up = stage.start_broker(good)
        if not stage.wait_for_arrival(up, [good], row.limit):
            wrong.append("no way back to the good node")

        # What the receivers had still to read of the killed broker came within the first second.
        if stage.first_arrival(fault + SECOND, [bad]):
            wrong.append("the sender went to the node with the bad certificate")

        # A renewed certificate needs no restart. Once the session is one that counts as good, its node is killed.
        stage.certificates.put(bad, certificates.GOOD)
        time.sleep(7)
        stage.begin_fault()
        again = faults.kill(stage, good)
        back = stage.wait_for_arrival(again, [bad], row.limit)
        result = settled(stage, fault, arrival, 3)
        each = [result["seconds"], (back - again) / SECOND if back else None]
        return {**result, "seconds": None if None in each else max(each), "each": each, "wrong": wrong}

    return play


SECURE_ROWS = [
    Row("tls", "kill -9, with TLS", node_fault(faults.kill), targets={"normal": 0.1, "fast": 0.01}, needs=("tls",),
        secure=True),
    # The target of `fast` is for the median of single moves; half of them wait longer for the next message.
    Row("cert-expired", "certificate expired", bad_certificate(certificates.EXPIRED), targets={"normal": 0.1},
        needs=("tls",), secure=True, quick={"fast": 1}),
    Row("cert-name", "certificate for another name", bad_certificate(certificates.OTHER_NAME),
        targets={"normal": 0.1}, needs=("tls",), secure=True),
]
