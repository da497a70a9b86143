"""A raw SMQ client, as small as the tests need: it plays devices that misbehave. Blocking, one thread reads."""

import json
import queue
import secrets
import socket
import struct
import threading


def device_info(ip, name, leds=4, **more):
    colors = ["red", "yellow", "green", "blue"]
    return {"ipaddr": ip, "devname": name, "temp": 200, **more,
            "leds": [{"id": i + 1, "name": colors[i % 4].title(), "color": colors[i % 4], "on": False}
                     for i in range(leds)]}


class RawClient:
    """Connects with the undocumented short handshake (no HTTP answer) that every broker knows."""

    def __init__(self, port, name="raw"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"GET /smq.lsp HTTP/1.0\r\nHost: 127.0.0.1\r\nSimpleMQ: 1\r\n\r\n")
        self.frames = queue.Queue()
        self.buffer = b""
        assert self._read()[0] == 1, "no Init"
        uid = secrets.token_bytes(8)
        self._send(2, bytes([1, len(uid)]) + uid + b"\0" + name.encode())
        answer = self._read()
        assert answer[:2] == b"\x03\0", f"refused: {answer!r}"
        self.etid = struct.unpack(">I", answer[2:6])[0]
        self.ids = {}
        self.on_publish = None
        self.socket.settimeout(None)
        threading.Thread(target=self._run, daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def publish(self, topic, data, sub=""):
        if isinstance(data, str):
            data = data.encode()
        target = topic if isinstance(topic, int) else self.resolve(6, topic)
        self._send(8, struct.pack(">III", target, self.etid, self.resolve(17, sub) if sub else 0) + data)

    def subscribe(self, topic):
        return self.resolve(4, topic)

    def resolve(self, kind, name):
        if (kind, name) not in self.ids:
            self._send(kind, name.encode())
            answer = self.frames.get(timeout=10)
            assert answer[1] == 0, f"{name} denied"
            self.ids[kind, name] = struct.unpack(">I", answer[2:6])[0]
        return self.ids[kind, name]

    def _send(self, kind, body=b""):
        self.socket.sendall(struct.pack(">HB", 3 + len(body), kind) + body)

    def _read(self):
        while len(self.buffer) < 2 or len(self.buffer) < struct.unpack(">H", self.buffer[:2])[0]:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        length = struct.unpack(">H", self.buffer[:2])[0]
        frame, self.buffer = self.buffer[2:length], self.buffer[length:]
        return frame

    def _run(self):
        try:
            while True:
                frame = self._read()
                if frame[0] == 12:
                    self._send(13)
                elif frame[0] == 8 and self.on_publish:
                    topic, sender, _ = struct.unpack(">III", frame[1:13])
                    # The handler resolves names, so it cannot run on the thread that reads the answers.
                    threading.Thread(target=self.on_publish, args=(topic, sender, frame[13:]), daemon=True).start()
                elif frame[0] in (5, 7, 18):
                    self.frames.put(frame)
        except (EOFError, OSError):
            pass


class RawDevice(RawClient):
    """An LED device of the public contract that can be told not to answer commands."""

    def __init__(self, port, info, mute=False):
        super().__init__(port, info["devname"])
        self.info, self.mute, self.commands = info, mute, []
        self.resolve(6, "/m2m/led/device")
        self.resolve(17, "devinfo")
        self.resolve(17, "led")
        display = self.subscribe("/m2m/led/display")
        self.on_publish = lambda topic, sender, data: (
            self.announce(sender) if topic == display else self._command(data) if topic == self.etid else None)
        self.announce("/m2m/led/device")

    def announce(self, to):
        self.publish(to, json.dumps(self.info), "devinfo")

    def _command(self, data):
        self.commands.append(bytes(data))
        if not self.mute:
            self.publish("/m2m/led/device", data, "led")
