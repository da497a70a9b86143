"""Builds the programs that are measured beside ours, from checkouts that the user names."""

import glob
import os
import subprocess

from system import RigError

# What sx1302_hal's own makefile would generate.
CONFIGURATION = "#pragma once\n#define LIBLORAGW_VERSION \"stub\"\n" + "".join(
    f"#define DEBUG_{name} 0\n" for name in (
        "AUX", "COM", "MCU", "I2C", "REG", "HAL", "GPS", "GPIO", "LBT", "RAD", "CAL", "SX1302", "FTIME"))


class Peers:
    def __init__(self, directory):
        self.directory = os.path.join(directory, "peers")

    def build_forwarder(self, checkout):
        """lora_pkt_fwd with stub_hal.c in the place of libloragw. Returns the program and a global_conf.json."""
        source = os.path.join(checkout, "packet_forwarder", "src")
        if not os.path.isdir(source):
            raise RigError(f"{checkout} is no checkout of sx1302_hal")
        include = os.path.join(self.directory, "include")
        os.makedirs(include, exist_ok=True)
        with open(os.path.join(include, "config.h"), "w") as file:
            file.write(CONFIGURATION)
        program = os.path.join(self.directory, "lora_pkt_fwd")
        library = os.path.join(checkout, "libloragw")
        tools = os.path.join(checkout, "libtools")
        words = [
            "gcc", "-O2", "-std=gnu99", "-w", f"-I{include}", f"-I{checkout}/packet_forwarder/inc",
            f"-I{tools}/inc", f"-I{library}/inc", '-DVERSION_STRING="2.1.0"', "-o", program,
            *glob.glob(f"{source}/*.c"), *glob.glob(f"{tools}/src/*.c"), f"{library}/src/loragw_gps.c",
            f"{library}/src/loragw_aux.c", os.path.join(os.path.dirname(os.path.abspath(__file__)), "stub_hal.c"),
            "-lpthread", "-lm"]
        result = subprocess.run(words, capture_output=True, text=True)
        if result.returncode != 0:
            raise RigError(result.stderr.strip()[-500:])
        return program, os.path.join(checkout, "packet_forwarder", "global_conf.json.sx1250.EU868")
