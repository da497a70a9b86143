"""Measures LoRaGateway and its peers: see script/lora-bench --help."""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time

import foreign
import gateways
import measure
import network
import outages
from check import check
from gwmp import Server
from peers import Peers
from system import RigError, load


class Maker:
    """Makes gateways of one kind."""

    def __init__(self, label, kind, knows_names=True, **settings):
        self.label, self.kind, self.knows_names, self.settings = label, kind, knows_names, settings

    def __call__(self, directory, servers, namespace=None):
        gateway = self.kind(directory, servers, namespace, **self.settings)
        gateway.label = self.label
        return gateway


def table(title, rows):
    """In Markdown."""
    print(f"\n{title}\n")
    if not rows:
        print("(nothing was measured)")
        return
    keys = list(dict.fromkeys(key for row in rows for key in row))
    print("| " + " | ".join(keys) + " |\n| " + " | ".join("--" for _ in keys) + " |")
    for row in rows:
        print("| " + " | ".join(text(row.get(key, "")) for key in keys) + " |")


def text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def main():
    options = argparse.ArgumentParser(prog="script/lora-bench", description=__doc__)
    options.add_argument("--binary", required=True, help="LoRaGateway")
    options.add_argument("--only", default="latency,downlink,throughput,outages,servers")
    options.add_argument("--rounds", type=int, default=1, help="of latency and downlink")
    options.add_argument("--seconds", type=int, default=30, help="of latency")
    options.add_argument("--outage", type=int, default=60, help="seconds of an outage")
    options.add_argument("--rates", default="5000,10000,20000,40000,60000,80000", help="uplinks a second of throughput")
    options.add_argument("--hal", help="a checkout of Semtech's sx1302_hal: measures its lora_pkt_fwd too")
    options.add_argument("--station", help="Basics Station's simulation build, for the part foreign")
    options.add_argument("--world", help="LoRaWorldProgram, for the part foreign")
    options.add_argument("--check", action="store_true", help="judge our own gateway's counts: for script/test-lora")
    options.add_argument("--json", help="a file for all values")
    options.add_argument("--keep", action="store_true", help="keep the programs' files and output")
    options = options.parse_args()
    parts, start = options.only.split(","), time.monotonic()
    directory = tempfile.mkdtemp(prefix="lora-bench-")
    everything, failures = {"machine before": load()}, []
    print(f"machine: {load()}")
    makers = [Maker("ours", gateways.Ours, binary=os.path.abspath(options.binary))]
    peers = Peers(directory)
    if options.hal:
        try:
            binary, configuration = peers.build_forwarder(options.hal)
            makers.append(Maker(
                "lora_pkt_fwd", gateways.SemtechForwarder, knows_names=False, binary=binary,
                configuration=configuration))
        except RigError as error:
            failures.append(f"lora_pkt_fwd: {error}")

    def attempt(title, maker, rows, work):
        try:
            rows.extend({"gateway": maker.label, **row} for row in work())
        except (RigError, OSError) as error:
            failures.append(f"{title}, {maker.label}: {error}")

    def with_gateway(maker, name, server, work):
        gateway = maker(os.path.join(directory, name), [("127.0.0.1", server.port)])
        try:
            gateway.start()
            return work(gateway)
        finally:
            gateway.close()
            server.close()

    def single(name, work):
        def measured(gateway, server):
            measure.settle(gateway, server)
            return [work(gateway, server)]
        rows = []
        for number in range(options.rounds):
            for maker in makers:
                server = Server()
                attempt(name, maker, rows, lambda: with_gateway(
                    maker, f"{name}{number}-{maker.label}", server, lambda gateway: measured(gateway, server)))
        return rows

    def report(key, title, rows):
        everything[key] = rows
        table(title, rows)

    try:
        if "latency" in parts:
            report("latency", "Uplinks at 20/s, from the radio's socket to the server's",
                   single("latency", lambda gateway, server: measure.latency(
                       gateway, server, seconds=options.seconds)))
        if "downlink" in parts:
            report("downlink", "Downlinks at 5/s: from PULL_RESP to TX_ACK, and to the radio before air time",
                   single("downlink", measure.downlinks))
        if "throughput" in parts:
            rows = []
            for maker in makers:
                counter = measure.Counter()
                attempt("throughput", maker, rows, lambda: with_gateway(
                    maker, f"throughput-{maker.label}", counter, lambda gateway: measure.throughput(
                        gateway, counter, [int(rate) for rate in options.rates.split(",")])))
            report("throughput", "Sustained uplinks", rows)
        if "foreign" in parts:
            loops = {
                "ours, GWMP": lambda place, world: foreign.ours(place, world, makers[0].settings["binary"], "gwmp"),
                "ours, LNS": lambda place, world: foreign.ours(place, world, makers[0].settings["binary"], "lns"),
            }
            if len(makers) > 1:
                forwarder = makers[1].settings
                loops["lora_pkt_fwd"] = lambda place, world: foreign.semtech(place, world, **forwarder)
            if options.station:
                loops["Basics Station"] = lambda place, world: foreign.station(
                    place, world, os.path.abspath(options.station))
            rows = []
            for label, prepare in loops.items():
                try:
                    rows.append(foreign.run(label, os.path.abspath(options.world), directory, prepare))
                except (RigError, OSError) as error:
                    failures.append(f"{label}: {error}")
            report("foreign", "Ten virtual devices, a forwarder, and the package's network server", rows)
        reason = network.missing()
        if reason and {"outages", "servers"} & set(parts):
            print(f"\nLoRa outage tests skipped: {reason}")
        if "servers" in parts and not reason:
            report("servers", "Two servers, one of them dead: uplinks at 20/s to the other",
                   outages.two_servers(makers[0], directory, options.seconds))
        if "outages" in parts and not reason:
            storing = Maker("ours, with store", gateways.Ours, binary=os.path.abspath(options.binary), store=True)
            rows, failed = outages.run_all([makers[0], storing, *makers[1:]], directory, options.outage)
            failures += failed
            report("outages", f"Outages of {options.outage} s at {outages.RATE} uplinks/s", rows)
    finally:
        everything["machine after"], everything["failures"] = load(), failures
        print(f"\nmachine: {load()}")
        for failure in failures:
            print(f"FAILED: {failure}")
        if options.json:
            with open(options.json, "w") as file:
                json.dump(everything, file, indent=1)
        if options.keep:
            print(f"files: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    if options.check:
        passed, failed = check(everything)
        print(f"{passed} passed, {failed + len(failures)} failed in {time.monotonic() - start:.2f}s")
        failures += ["not true"] * failed
    sys.exit(1 if failures else 0)


main()
