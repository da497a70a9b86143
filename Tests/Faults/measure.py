"""Figures of one run, from the journals of sender and receivers; and of many."""

import math

SECOND = 1_000_000_000


def judge(stage, fault, seconds, moves_expected):
    """What a run shows.

    fault: time of the fault. seconds: from it to what the row waits for; None when that did not come.
    """
    level = stage.settings.level
    published, refused = set(), set()
    moves, moved = 0, []
    for journal in stage.sent:
        published |= {line["n"] for line in journal.of("published")}
        refused |= {line["n"] for line in journal.of("refused")}
        if stage.settings.abilities["moved"]:
            moves += len(journal.of("moved"))
            moved += [line["t"] for line in journal.of("moved") if line["t"] >= fault]
        else:
            moves += sum(line["wasConnected"] for line in journal.of("disconnected"))
    messages = stage.received.of("message")
    arrived = {line["n"] for line in messages}
    # Live, every number that did not come is missing at the handler, also those that the client refused to take. A log
    # answers for what it took.
    missing = (published | refused if level == "live" else published) - arrived
    # The receivers' own view: on how many occasions the numbers went on through another node.
    first = {}
    for line in sorted(messages, key=lambda line: line["t"]):
        first.setdefault(line["n"], line["node"])
    nodes = [first[number] for number in sorted(first)]
    switches = sum(before != after for before, after in zip(nodes, nodes[1:]))
    arrivals = sorted(line["t"] for line in messages)
    # Numbers that never came after the last that did are a gap too, up to the last attempt.
    attempts = [line["t"] for journal in stage.sent for line in journal.of("published", "refused")]
    arrivals.append(max(attempts + arrivals[-1:], default=0))
    gaps = [after - before for before, after in zip(arrivals, arrivals[1:]) if after >= fault]
    summary = stage.received.last("summary")
    return {
        "seconds": seconds,
        "movedAfter": (min(moved) - fault) / SECOND if moved else None,
        "gap": max(gaps, default=0) / SECOND,
        "published": len(published), "refused": len(refused), "lost": len(missing),
        "duplicates": len(messages) - len(arrived), "suppressed": summary["suppressed"],
        "moves": moves, "switches": switches, "falseMoves": max(0, max(moves, switches) - moves_expected),
    }


def check_before(stage, fault):
    """Before the fault nothing may be missing, else the receivers do not hear what they should. Returns what is wrong."""
    received = stage.received.read()
    arrived = {line["n"] for line in received if line["event"] == "message"}
    early = [line for journal in stage.sent for line in journal.read()
             if line["event"] == "published" and line["t"] < fault - SECOND // 2]
    missing = [line["n"] for line in early if line["n"] not in arrived]
    if not early:
        return "nothing was published before the fault"
    if missing:
        return f"{len(missing)} of {len(early)} messages were missing before the fault"
    return None


def quantile(values, share):
    """Nearest rank: of 20 values the 95th percentile is the 19th. None counts as longer than all."""
    ordered = sorted(values, key=lambda value: math.inf if value is None else value)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def duration(seconds, limit=None):
    if seconds is None:
        return f">{limit:g} s" if limit else "never"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
