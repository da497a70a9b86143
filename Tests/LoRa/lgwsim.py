"""The simulated concentrator of Basics Station's test tools: a unix socket and the records of lora_gateway's HAL.

The simulator listens, the forwarder connects. Its first record (tx_mode 255) says how its radio clock lies to
CLOCK_MONOTONIC; then it sends 288-byte lgw_pkt_tx_s, and gets 300-byte lgw_pkt_rx_s.
"""

import os
import socket
import struct
import threading
import time

RX = struct.Struct("<IBBxxIBBBxIBxxxffffHH256s")
RX_LENGTH, TX_LENGTH = 300, 288
CRC_OK, MODULATION_LORA, BANDWIDTH_125, CODING_4_5 = 0x10, 0x10, 3, 1
FACTORS = {7: 0x02, 8: 0x04, 9: 0x08, 10: 0x10, 11: 0x20, 12: 0x40}
TX_PAYLOAD = 30


def monotonic():
    """CLOCK_MONOTONIC in microseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def record(payload, count, frequency=868_100_000, factor=7, chain=0):
    """A received frame."""
    return RX.pack(
        frequency, chain, CRC_OK, count & 0xFFFFFFFF, 0, MODULATION_LORA, BANDWIDTH_125, FACTORS[factor], CODING_4_5,
        -60.0, 9.0, 8.0, 10.0, 0, len(payload), payload)


class Sent:
    """A frame that the forwarder handed over."""

    def __init__(self, data, at, ticks):
        fields = struct.unpack_from("<IB3xIBb", data)
        self.frequency, self.mode, self.count = fields[0], fields[1], fields[2]
        self.size = struct.unpack_from("<H", data, TX_PAYLOAD - 2)[0]
        self.payload = data[TX_PAYLOAD:TX_PAYLOAD + min(self.size, 256)]
        self.at = at
        # How long before its time it came, in microseconds; negative: too late. Mode 0 is "at once".
        difference = (self.count - ticks) & 0xFFFFFFFF
        self.lead = difference - (1 << 32 if difference >= 1 << 31 else 0)


class Concentrator:
    """Listens at a path; one forwarder at a time."""

    def __init__(self, path):
        self.path = path
        self.sent = []
        self.connections = 0
        self.connected = threading.Event()
        self._offset = 0
        self._peer = None
        if os.path.exists(path):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen(4)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def ticks(self):
        """The radio's clock as the forwarder said it is."""
        return monotonic() - self._offset

    def hear(self, payload, **settings):
        """Hands one frame to the forwarder, received now. Returns CLOCK_REALTIME in nanoseconds just before."""
        data = record(payload, self.ticks(), **settings)
        at = time.time_ns()
        self._peer.sendall(data)
        return at

    def hear_all(self, payloads, frequencies, factors=(7,)):
        """Hands many over as fast as they are taken."""
        now = self.ticks()
        data = b"".join(
            record(payload, now + place, frequencies[place % len(frequencies)],
                   factors[place // len(frequencies) % len(factors)], place % len(frequencies))
            for place, payload in enumerate(payloads))
        self._peer.sendall(data)

    def close(self):
        self._listener.close()
        if self._peer:
            self._peer.close()

    def _serve(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            try:
                self._read(peer)
            except OSError:
                pass
            self.connected.clear()

    def _read(self, peer):
        stream = peer.makefile("rb")
        first = stream.read(TX_LENGTH)
        if len(first) < TX_LENGTH:
            return
        high, mode, low = struct.unpack_from("<IB3xI", first)
        if mode != 255:
            raise OSError("the first record is not the clock's")
        self._offset = high << 32 | low
        if self._offset >= 1 << 63:
            self._offset -= 1 << 64
        self._peer = peer
        self.connections += 1
        self.connected.set()
        while len(data := stream.read(TX_LENGTH)) == TX_LENGTH:
            self.sent.append(Sent(data, time.monotonic_ns(), self.ticks()))
