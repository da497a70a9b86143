"""A network server that speaks Semtech's UDP protocol. Written from its description; shares no code with the package.

Arrival times are the kernel's (SO_TIMESTAMPNS), so that this program's own slowness is not in them.
"""

import base64
import contextlib
import json
import socket
import struct
import threading
import time

from frames import number_of

SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
PUSH_DATA, PUSH_ACK, PULL_DATA, PULL_RESP, PULL_ACK, TX_ACK = range(6)


def receive_buffer(listener, size):
    """A buffer that outlasts this program's pauses; root may exceed the system's limit."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, 33, size)  # SO_RCVBUFFORCE
    except OSError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


class Arrival:
    """A frame that came: when (CLOCK_REALTIME in nanoseconds), and its rxpk."""

    def __init__(self, number, at, rxpk):
        self.number = number
        self.at = at
        self.rxpk = rxpk


class Server:
    """One socket for both ways. `mode` is "ok", or "silent": it takes nothing and answers nothing."""

    def __init__(self, address="127.0.0.1", port=0, keep=True, network=None):
        self.mode = "ok"
        self.keep = keep
        self.arrivals = []
        self.acks = []
        self.flaws = []
        self.frames = 0
        self.datagrams = 0
        self.pull_from = None
        self._token = 0
        self._lock = threading.Lock()
        self._address = (address, port)
        self._socket = None
        self._network = network
        self.open()
        self._address = self._socket.getsockname()

    @property
    def port(self):
        return self._address[1]

    def open(self):
        """Listens; again after close() on the same port."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        with self._network.inside_servers() if self._network else contextlib.nullcontext():
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        receive_buffer(self._socket, 8 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.bind(self._address)
        threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()

    def close(self):
        """The port is closed: what comes is refused by the kernel (ICMP)."""
        # shutdown() wakes the reader, which close() alone does not.
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def numbers(self):
        with self._lock:
            return {arrival.number for arrival in self.arrivals}

    def send(self, txpk):
        """Sends PULL_RESP to where PULL_DATA came from last. Returns CLOCK_REALTIME just before, and the token."""
        self._token = (self._token + 1) & 0xFFFF
        token = struct.pack(">H", self._token)
        datagram = b"\x02" + token + bytes([PULL_RESP]) + json.dumps({"txpk": txpk}).encode()
        at = time.time_ns()
        self._socket.sendto(datagram, self.pull_from)
        return at, token

    def _serve(self, listener):
        while True:
            try:
                datagram, ancillary, _, peer = listener.recvmsg(65_536, 64)
            except OSError:
                return
            if not datagram:
                if listener.fileno() < 0:
                    return
                continue
            if self.mode == "silent":
                continue
            at = time.time_ns()
            for level, kind, data in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    at = seconds * 1_000_000_000 + nanoseconds
            try:
                self._take(listener, datagram, peer, at)
            except OSError:
                return

    def _take(self, listener, datagram, peer, at):
        self.datagrams += 1
        if len(datagram) < 12 or datagram[0] != 2:
            return self.flaws.append(datagram)
        token, kind = datagram[1:3], datagram[3]
        if kind == PUSH_DATA:
            listener.sendto(b"\x02" + token + bytes([PUSH_ACK]), peer)
            if not self.keep:
                self.frames += datagram.count(b'"data"')
                return
            self._read(datagram, at)
        elif kind == PULL_DATA:
            if len(datagram) != 12:
                self.flaws.append(datagram)
            self.pull_from = peer
            listener.sendto(b"\x02" + token + bytes([PULL_ACK]), peer)
        elif kind == TX_ACK:
            error = "NONE"
            if datagram[12:].strip(b"\x00 \r\n"):
                error = json.loads(datagram[12:]).get("txpk_ack", {}).get("error", "NONE")
            self.acks.append((token, at, error, peer))
        else:
            self.flaws.append(datagram)

    def _read(self, datagram, at):
        try:
            content = json.loads(datagram[12:])
        except ValueError:
            return self.flaws.append(datagram)
        for rxpk in content.get("rxpk", []):
            data = base64.b64decode(rxpk["data"] + "=" * (-len(rxpk["data"]) % 4))
            if len(data) != rxpk["size"]:
                self.flaws.append(datagram)
            self.frames += 1
            number = number_of(data)
            if number is not None:
                with self._lock:
                    self.arrivals.append(Arrival(number, at, rxpk))
