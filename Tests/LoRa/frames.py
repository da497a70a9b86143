"""LoRaWAN data frames that can be told apart. Written from the specification; shares no code with the package."""

import struct

PORT = 10
# Numbers from here on only try whether frames come through.
FIRST = 0xFFFF0000


def uplink(number, padding=0, address=0x01000001):
    """An unconfirmed frame up, whose payload begins with a number of 32 bits. Its integrity code is made up: only a
    network server with keys could tell."""
    head = struct.pack("<BIBHB", 0x40, address, 0, number & 0xFFFF, PORT)
    return head + struct.pack(">I", number & 0xFFFFFFFF) + bytes(padding) + struct.pack("<I", 0x5EED5EED)


def number_of(frame):
    """The number of such a frame; None for another one."""
    if len(frame) < 17 or frame[0] != 0x40 or frame[8] != PORT:
        return None
    return struct.unpack_from(">I", frame, 9)[0]


def downlink(number, address=0x01000001):
    """A frame down with a number."""
    return struct.pack("<BIBHBI", 0x60, address, 0, number & 0xFFFF, PORT, number) + struct.pack("<I", 0x5EED5EED)
