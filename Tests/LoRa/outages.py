"""Outages of a server, as a gateway sees them, with what is lost. All run at once, each in namespaces of its own: 5
uplinks a second are no load."""

import concurrent.futures
import os
import time

import frames
from gateways import CHANNELS
from gwmp import Server
from measure import percentile
from network import NAME, OTHER, SERVER, Network
from system import wait_until

PORT = 1700
RATE = 5


class Outage:
    """What happens, and how it ends. Without a beginning it was so before the gateway started."""

    def __init__(self, name, host=SERVER, from_start=False):
        self.name = name
        self.host = host
        self.from_start = from_start

    def begin(self, server, network):
        match self.name:
            case "port closed": server.close()
            case "silent": server.mode = "silent"
            case "network cut": network.cut()
            case "DNS gone" | "no DNS at the start": network.stop_dns()

    def end(self, server, network):
        match self.name:
            case "port closed": server.open()
            case "silent": server.mode = "ok"
            case "network cut": network.mend()
            case "DNS gone" | "no DNS at the start": network.start_dns(self.name.replace(" ", "-"))


OUTAGES = [
    Outage("port closed"), Outage("silent"), Outage("network cut"), Outage("DNS gone", NAME),
    Outage("no DNS at the start", NAME, from_start=True),
]


def run(make, outage, number, directory, seconds, after):
    """One outage of one gateway. Returns a row of the table."""
    os.makedirs(directory, exist_ok=True)
    network = Network(number, directory)
    gateway = None
    try:
        server = Server(SERVER, PORT, network=network)
        if outage.host == NAME and not outage.from_start:
            network.start_dns("first")
            time.sleep(0.5)
        gateway = make(os.path.join(directory, "gateway"), [(outage.host, PORT)], network.gateway)
        gateway.start()
        if not outage.from_start:
            wait_until(lambda: server.pull_from, 60, f"PULL_DATA of {gateway.name}")
        sent, start = {}, time.monotonic()
        began = ended = None
        begin_at, end_at, last_at = 10, 10 + seconds, 10 + seconds + after
        while (now := time.monotonic() - start) < last_at:
            if began is None and (now >= begin_at or outage.from_start):
                began = len(sent)
                outage.begin(server, network)
            if ended is None and now >= end_at:
                outage.end(server, network)
                ended, ended_at = len(sent), time.time_ns()
            if now * RATE >= len(sent):
                place = len(sent)
                sent[place] = gateway.radio.hear(frames.uplink(place, 15), frequency=CHANNELS[place % 8])
            time.sleep(0.01)
        quiet = 0
        while quiet < 30 and len(server.numbers()) < len(sent):
            count = len(server.numbers())
            time.sleep(0.2)
            quiet = quiet + 1 if len(server.numbers()) == count else 0
        arrivals = server.arrivals
        numbers = server.numbers()
        meanwhile = range(began, ended)
        live = [arrival.at for arrival in arrivals if arrival.number >= ended]
        order = [arrival.number for arrival in arrivals if arrival.number in meanwhile]
        return {
            "gateway": gateway.label, "outage": outage.name, "sent": len(sent),
            "arrived": len(numbers & set(sent)), "of the outage": f"{len(numbers & set(meanwhile))}/{len(meanwhile)}",
            "before and after": f"{len(numbers - set(meanwhile))}/{len(sent) - len(meanwhile)}",
            "first new s": (min(live) - ended_at) / 1e9 if live else float("nan"),
            "twice": len(arrivals) - len(numbers), "in order": order == sorted(order),
            "out of order": [f"{left}>{right}" for left, right in zip(order, order[1:]) if left > right][:4],
            "radio starts": gateway.radio.connections,
        }
    finally:
        if gateway:
            gateway.close()
        network.close()


def run_all(makers, directory, seconds=60, after=20):
    """Every outage with every gateway. A maker's `can` says which names it may be given."""
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=32) as pool:
        for make in makers:
            for outage in OUTAGES:
                if outage.host == NAME and not make.knows_names:
                    continue
                number = len(jobs)
                jobs.append((make.label, outage.name, pool.submit(
                    run, make, outage, number, os.path.join(directory, f"outage{number}"), seconds, after)))
        rows, failures = [], []
        for label, name, job in jobs:
            try:
                rows.append(job.result())
            except Exception as error:  # one that cannot be measured does not take the others with it
                failures.append(f"{label}, {name}: {error}")
    return rows, failures


def two_servers(make, directory, seconds=20, rate=20):
    """The living server's latency without and with a dead one beside it: a silent one, and a closed port."""
    results = []
    for number, dead in enumerate(["none", "silent", "port closed"]):
        place = os.path.join(directory, f"two{number}")
        network = Network(100 + number, directory)
        gateway = None
        try:
            server = Server(SERVER, PORT, network=network)
            other = Server(OTHER, PORT, network=network)
            gateway = make(place, [(SERVER, PORT), (OTHER, PORT)], network.gateway)
            gateway.start()
            wait_until(lambda: server.pull_from and other.pull_from, 60, "PULL_DATA at both servers")
            if dead == "silent":
                other.mode = "silent"
            elif dead == "port closed":
                other.close()
            time.sleep(3)
            sent, start = {}, time.monotonic()
            for count in range(rate * seconds):
                while (left := start + count / rate - time.monotonic()) > 0:
                    time.sleep(left)
                sent[count] = gateway.radio.hear(frames.uplink(count, 15), frequency=CHANNELS[count % 8])
            time.sleep(1)
            delays = sorted((arrival.at - sent[arrival.number]) / 1e6 for arrival in server.arrivals)
            results.append({
                "gateway": gateway.label, "other server": dead, "sent": len(sent), "arrived": len(delays),
                "p50 ms": percentile(delays, 50), "p99 ms": percentile(delays, 99),
            })
        finally:
            if gateway:
                gateway.close()
            network.close()
    return results
