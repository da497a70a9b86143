"""Whole loops in real time: virtual devices, a forwarder, and the package's network server.

With foreign forwarders this proves the server's wire format and the devices' timing by programs that share nothing with
the package; with ours, both.
"""

import json
import os

from gateways import EUI, Ours, SemtechForwarder
from system import Process, RigError, wait_until


class World:
    """Tests/LoRaWorldProgram: it listens at the concentrator's socket in the place of lgwsim.Concentrator."""

    def __init__(self, program, directory, seconds):
        os.makedirs(directory, exist_ok=True)
        self.process = Process("world", [program, os.path.join(directory, "spidev"), str(seconds)], directory)
        wait_until(lambda: self._lines(), 30, "the world's first line")
        ports = json.loads(self._lines()[0])
        self.gwmp, self.lns = ports["gwmp"], ports["lns"]

    def _lines(self):
        with open(self.process.out) as file:
            return [line for line in file.read().split("\n")[:-1] if line.startswith("{")]

    def result(self, seconds):
        wait_until(lambda: not self.process.is_running, seconds, "the world's end", pause=0.1)
        lines = self._lines()
        if len(lines) < 2:
            raise RigError(f"the world said nothing: {self.process.said()}")
        return json.loads(lines[-1])


def semtech(directory, world, binary, configuration):
    gateway = SemtechForwarder.__new__(SemtechForwarder)
    gateway.directory = directory
    return gateway.prepare([("127.0.0.1", world.gwmp)], binary=binary, configuration=configuration)


def station(directory, world, binary):
    """Basics Station's simulation build (variant testsim)."""
    with open(os.path.join(directory, "tc.uri"), "w") as file:
        file.write(f"ws://127.0.0.1:{world.lns}")
    dashed = "-".join(EUI[place:place + 2] for place in range(0, 16, 2))
    with open(os.path.join(directory, "station.conf"), "w") as file:
        json.dump({
            "SX1301_conf": {"lorawan_public": True, "clksrc": 1, "device": "spidev",
                            "radio_0": {"type": "SX1257", "rssi_offset": -166.0, "tx_enable": True,
                                        "antenna_gain": 0},
                            "radio_1": {"type": "SX1257", "rssi_offset": -166.0, "tx_enable": False}},
            "station_conf": {"routerid": dashed, "log_file": "stderr", "log_level": "INFO"},
        }, file)
    return [binary, "-p", "--temp", ".", "--home", "."], {}


def ours(directory, world, binary, kind):
    gateway = Ours.__new__(Ours)
    gateway.directory = directory
    uplink = {"name": "world", "kind": kind}
    uplink |= {"server": "127.0.0.1", "port": world.gwmp} if kind == "gwmp" else {"url": f"ws://127.0.0.1:{world.lns}"}
    return gateway.prepare([], binary=binary, uplinks=[uplink])


def run(label, program, directory, prepare, seconds=45):
    """One loop. Returns a row of the table."""
    place = os.path.join(directory, label.replace(" ", "-"))
    world = World(program, place, seconds)
    words, environment = prepare(place, world)
    gateway = Process("gateway", words, place, environment=environment, cwd=place)
    try:
        row = world.result(seconds + 30)
    finally:
        gateway.stop()
        world.process.stop()
    if not row["connections"]:
        raise RigError(f"{label} did not come: {gateway.said()}")
    return {"gateway": label, **{key: value if not isinstance(value, dict) else json.dumps(value)
                                 for key, value in row.items()}}
