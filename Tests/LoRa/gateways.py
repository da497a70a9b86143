"""The programs that are measured, each behind the same simulated concentrator: LoRaGateway and its peers."""

import json
import os
import re
import urllib.request

from lgwsim import Concentrator
from system import Process, RigError, wait_until

EUI = "aa555a0000000101"
CHANNELS = [868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000]


class Gateway:
    """One running program with its concentrator."""

    program = ""

    def __init__(self, directory, servers, namespace=None, **settings):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.radio = Concentrator(os.path.join(directory, "spidev"))
        self.process = None
        self.namespace = namespace
        self.words, self.environment = self.prepare(servers, **settings)

    def start(self, seconds=30):
        self.process = Process(self.name, self.words, self.directory, self.namespace, self.environment, self.directory)
        wait_until(
            lambda: self.radio.connected.is_set() or not self.process.is_running, seconds,
            f"{self.name} reaches the concentrator")
        if not self.process.is_running:
            raise RigError(f"{self.name} ended: {self.process.said()}")
        return self

    def lost(self):
        """Frames that the program itself says it has lost; none that we know of."""
        return 0

    def close(self):
        if self.process:
            self.process.stop()
        self.radio.close()


class Ours(Gateway):
    name = "ours"

    def prepare(self, servers, binary="", store=False, uplinks=None):
        links = uplinks or [
            {"name": f"server{place}", "kind": "gwmp", "server": host, "port": port, "store": store,
             "keepalive": "5s"}
            for place, (host, port) in enumerate(servers)]
        path = os.path.join(self.directory, "gateway.json")
        with open(path, "w") as file:
            json.dump({
                "gateway": EUI, "region": "EU868", "airtime": "trust-server", "page": "127.0.0.1:0",
                "radio": {"kind": "lgwsim", "socket": os.path.join(self.directory, "spidev")}, "uplinks": links,
            }, file, indent=1)
        state = os.path.join(self.directory, "state")
        os.makedirs(state, exist_ok=True)
        return [binary, "--config", path, "--quiet"], {"STATE_DIRECTORY": state}

    def lost(self):
        """What its own metrics say of frames that it gave up."""
        page = re.search(r"Page: (http://\S+)", self.process.said(10_000))
        with urllib.request.urlopen(page[1] + "metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        # A frame that is not acknowledged in time may have arrived all the same.
        names = ("lora_radio_lost_total", "lora_uplink_dropped_total", "lora_link_events_total")
        return sum(
            int(float(line.split()[-1])) for line in lines
            if line.startswith(names) and ("link_events" not in line or re.search(r"/(overflow|unsent)\"", line)))


class SemtechForwarder(Gateway):
    """lora_pkt_fwd of sx1302_hal with stub_hal.c; one server only."""

    name = "lora_pkt_fwd"

    def prepare(self, servers, binary="", configuration=""):
        with open(configuration) as file:
            text = file.read()
        with open(os.path.join(self.directory, "global_conf.json"), "w") as file:
            file.write(text)
        host, port = servers[0]
        with open(os.path.join(self.directory, "local_conf.json"), "w") as file:
            json.dump({"gateway_conf": {
                "gateway_ID": EUI.upper(), "server_address": host, "serv_port_up": port, "serv_port_down": port,
                "keepalive_interval": 5, "stat_interval": 30, "forward_crc_valid": True, "gps_tty_path": "",
            }}, file)
        # It runs this before it starts the radio.
        reset = os.path.join(self.directory, "reset_lgw.sh")
        with open(reset, "w") as file:
            file.write("#!/bin/sh\n")
        os.chmod(reset, 0o755)
        # It reads one file only: ours goes into the other.
        merge(os.path.join(self.directory, "global_conf.json"), os.path.join(self.directory, "local_conf.json"))
        return [binary], {"STUB_HAL_SOCKET": os.path.join(self.directory, "spidev")}


def merge(path, other):
    """Puts the second file's gateway_conf over the first one's, whose comments go."""
    with open(path) as file:
        first = json.loads(without_comments(file.read()))
    with open(other) as file:
        first["gateway_conf"].update(json.load(file)["gateway_conf"])
    first["gateway_conf"].pop("gps_tty_path", None)
    with open(path, "w") as file:
        json.dump(first, file, indent=1)


def without_comments(text):
    """JSON without /* */ and // comments, which stand outside of strings."""
    result, place, quoted = [], 0, False
    while place < len(text):
        two = text[place:place + 2]
        if quoted:
            result.append(text[place])
            if text[place] == "\\":
                place += 1
                result.append(text[place])
            elif text[place] == '"':
                quoted = False
        elif two == "/*":
            place = text.find("*/", place) + 1
        elif two == "//":
            place = text.find("\n", place) - 1
        else:
            quoted = text[place] == '"'
            result.append(text[place])
        place += 1
    return "".join(result)
