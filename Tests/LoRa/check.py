"""What has to be true of the rows, whatever the machine does meanwhile: counts and order, no times."""


def latency(row):
    yield row["arrived"] == row["sent"], "every frame arrives"


def downlink(row):
    yield row["acknowledged"] == row["asked"], "every PULL_RESP is answered"
    yield not row["errors"], "none is refused"


def servers(row):
    yield row["arrived"] == row["sent"], "the dead server costs the living one nothing"


def outages(row):
    of, all_of = (int(part) for part in row["of the outage"].split("/"))
    before, all_before = (int(part) for part in row["before and after"].split("/"))
    # A name that is known from now on is asked for within a second, 5 frames, on a machine that is not busy.
    patience = 10 if row["outage"] == "no DNS at the start" and row["gateway"] == "ours" else 0
    yield before >= all_before - patience, "what is sent before and after arrives"
    yield row["radio starts"] == 1, "the radio goes on"
    if row["gateway"] == "ours, with store":
        yield row["in order"], "in the order in which it was sent"
        yield of == all_of, "with store and forward nothing is lost"
    else:
        # What nobody acknowledged is sent once more, behind newer ones, up to two seconds after it was heard: 10 frames.
        behind = [pair.split(">") for pair in row["out of order"]]
        yield all(int(left) - int(right) <= 15 for left, right in behind), "nothing old comes behind what is newer"


def foreign(row):
    yield row["joined"] == 10, "all devices have a session"
    yield row["rx1"] > 0 and row["rx2"] > 0 and row["classC"] > 0, "they hear in both windows, and with class C"
    yield row["echoes"] > 0 and row["acknowledgements"] > 0, "they hear their own words, and acknowledgements"
    yield row["wrongMIC"] == 0 and row["bad"] == "{}", "nobody sends what the protocol does not have"


CHECKS = {"latency": latency, "downlink": downlink, "servers": servers, "outages": outages, "foreign": foreign}


def check(results):
    """Prints a line for each thing that is not true. Returns how many are true and how many are not."""
    passed = failed = 0
    for key, rule in CHECKS.items():
        for row in results.get(key, []):
            # What others do is measured, not judged.
            if not row["gateway"].startswith("ours"):
                continue
            for holds, what in rule(row):
                passed, failed = passed + holds, failed + (not holds)
                if not holds:
                    print(f"NOT TRUE: {key}, {row['gateway']} {row.get('outage', '')}: {what}: {row}")
    return passed, failed
