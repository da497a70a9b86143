"""A SMQ client of a few lines, apart from the SDK's: publishes numbers, or notes which arrive and when.

    wire.py publish HOST:PORT TOPIC RATE SIZE     until SIGTERM
    wire.py subscribe HOST:PORT TOPIC             until SIGTERM; connects again when the broker is back

At the end it prints a JSON object: `sent` or `got`, a list of [number, CLOCK_MONOTONIC nanoseconds], and for a publisher
`waits`, the nanoseconds that each write took.
"""

import json
import os
import signal
import socket
import struct
import sys
import time

CONNECT, SUBSCRIBE, SUBACK, CREATE, CREATEACK, PUBLISH, PING, PONG = 2, 4, 5, 6, 7, 8, 12, 13


class Client:
    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(f"GET /smq.lsp HTTP/1.1\r\nHost: {host}:{port}\r\nSimpleMQ: 1\r\n\r\n".encode())
        self.buffer = b""
        self.frame()  # Init
        uid = b"wire" + os.urandom(8)
        self.send(CONNECT, bytes([1, len(uid)]) + uid + b"\0")
        answer = self.frame()
        if answer[1] != 0:
            raise OSError(f"refused: {answer[6:]}")
        self.id = answer[2:6]

    def send(self, kind, body):
        self.socket.sendall(struct.pack(">HB", 3 + len(body), kind) + body)

    def frame(self):
        """The next frame without its length."""
        while True:
            if len(self.buffer) >= 2:
                length = struct.unpack(">H", self.buffer[:2])[0]
                if len(self.buffer) >= length:
                    frame, self.buffer = self.buffer[2:length], self.buffer[length:]
                    return frame
            more = self.socket.recv(65536)
            if not more:
                raise OSError("closed")
            self.buffer += more

    def topic(self, kind, name):
        self.send(kind, name.encode())
        while True:
            frame = self.frame()
            if frame[0] == kind + 1:
                if frame[1] != 0:
                    raise OSError("denied")
                return frame[2:6]


class End(Exception):
    pass


def end(*_):
    raise End


def publish(host, port, topic, rate, size):
    sent, waits = [], []
    client = Client(host, port)
    target = client.topic(CREATE, topic)
    client.socket.settimeout(None)
    begin = time.monotonic_ns()
    number = 0
    try:
        while True:
            due = begin + number * 1_000_000_000 // rate
            wait = due - time.monotonic_ns()
            if wait > 0:
                time.sleep(wait / 1e9)
            number += 1
            before = time.monotonic_ns()
            client.send(PUBLISH, target + client.id + bytes(4) + struct.pack(">Q", number).ljust(size, b"."))
            sent.append([number, before])
            waits.append(time.monotonic_ns() - before)
    except End:
        pass
    print(json.dumps({"sent": sent, "waits": waits}), flush=True)


def subscribe(host, port, topic):
    got = []
    try:
        while True:
            try:
                client = Client(host, port)
                client.topic(SUBSCRIBE, topic)
                client.socket.settimeout(None)
                print("subscribed", file=sys.stderr, flush=True)
                while True:
                    frame = client.frame()
                    if frame[0] == PUBLISH:
                        got.append([struct.unpack(">Q", frame[13:21])[0], time.monotonic_ns()])
                    elif frame[0] == PING:
                        client.send(PONG, b"")
            except OSError:
                time.sleep(0.005)
    except End:
        pass
    print(json.dumps({"got": got}), flush=True)


signal.signal(signal.SIGTERM, end)
host, port = sys.argv[2].split(":")
if sys.argv[1] == "publish":
    publish(host, int(port), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    subscribe(host, int(port), sys.argv[3])
