"""Latency, throughput, downlinks: each on one running gateway and one server."""

import base64
import multiprocessing
import re
import socket
import time

import frames
from gateways import CHANNELS
from gwmp import PULL_ACK, PULL_DATA, PUSH_ACK, PUSH_DATA, receive_buffer
from system import processor_seconds, wait_until


def percentile(values, share):
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[round(share / 100 * (len(ordered) - 1))] if ordered else float("nan")


def settle(gateway, server):
    """Until one frame has come through."""
    number = frames.FIRST
    def arrived():
        nonlocal number
        number += 1
        gateway.radio.hear(frames.uplink(number), frequency=CHANNELS[0])
        return server.frames > 0
    wait_until(arrived, 60, f"a first frame through {gateway.name}", pause=0.2)
    wait_until(lambda: server.pull_from, 30, f"PULL_DATA of {gateway.name}")
    time.sleep(1)


def latency(gateway, server, rate=20, seconds=30):
    """From the simulated radio's socket to the server's, in milliseconds, with processor time and memory."""
    sent = {}
    busy, start = gateway.process.processor_seconds(), time.monotonic()
    count = rate * seconds
    for number in range(count):
        due = start + number / rate
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        sent[number] = gateway.radio.hear(frames.uplink(number, 15), frequency=CHANNELS[number % 8])
    time.sleep(1)
    spent = gateway.process.processor_seconds() - busy
    took = time.monotonic() - start
    arrived = {arrival.number: arrival.at for arrival in server.arrivals}
    delays = [(arrived[number] - at) / 1e6 for number, at in sent.items() if number in arrived]
    return {
        "sent": count, "arrived": len(delays), "p50 ms": percentile(delays, 50), "p99 ms": percentile(delays, 99),
        "max ms": max(delays, default=float("nan")), "CPU %": spent / took * 100,
        "RSS MB": gateway.process.memory() / 1024, "peak MB": gateway.process.memory("VmHWM") / 1024,
    }


def _count(listener, total, distinct, wish):
    """The server of throughput, in a process of its own: acknowledges at once and keeps what came. Looks into it only
    when it is asked to, so that it is no slower than it has to be."""
    listener.settimeout(0.2)
    kept = []
    while wish.value != STOP:
        if wish.value == LOOK:
            # Each number once, whatever came twice.
            found = {
                frames.number_of(base64.b64decode(text)) for datagram in kept for text in DATA.findall(datagram)}
            distinct.value, kept = len(found - {None, frames.FIRST}), []
            wish.value = GO
        try:
            datagram, peer = listener.recvfrom(65_536)
        except TimeoutError:
            continue
        if datagram[3] == PUSH_DATA:
            listener.sendto(datagram[:3] + bytes([PUSH_ACK]), peer)
            kept.append(datagram)
            total.value += datagram.count(b'"data"')
        elif datagram[3] == PULL_DATA:
            listener.sendto(datagram[:3] + bytes([PULL_ACK]), peer)


DATA = re.compile(rb'"data":"([^"]*)"')
GO, LOOK, STOP = range(3)


class Counter:
    """A server that counts frames and does nothing else."""

    def __init__(self):
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receive_buffer(self.listener, 32 << 20)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        context = multiprocessing.get_context("fork")
        self.total, self._distinct = context.Value("q", 0), context.Value("q", 0)
        self._wish = context.Value("b", GO)
        self.process = context.Process(
            target=_count, args=(self.listener, self.total, self._distinct, self._wish), daemon=True)
        self.process.start()

    @property
    def frames(self):
        return self.total.value

    def distinct(self):
        """How many different frames came since the last look."""
        self._wish.value = LOOK
        wait_until(lambda: self._wish.value == GO, 60, "the counting server's answer")
        return self._distinct.value

    def refused(self):
        """Datagrams that the kernel had no room for at this socket."""
        with open("/proc/net/udp") as file:
            rows = [line.split() for line in file][1:]
        return sum(int(row[-1]) for row in rows if int(row[1].split(":")[1], 16) == self.port)

    def processor_seconds(self):
        return processor_seconds(self.process.pid)

    def close(self):
        self._wish.value = STOP
        self.process.join(5)
        self.listener.close()


def throughput(gateway, counter, rates, seconds=5):
    """Rate by rate, until frames are lost: how many different ones arrive, and whose processor time it takes. Where
    all three together need all cores, the machine is the limit and not the gateway."""
    wait_until(lambda: _first(gateway, counter), 60, f"a first frame through {gateway.name}", pause=0.2)
    time.sleep(1)
    counter.distinct()
    results = []
    number = 1
    for rate in rates:
        before, lost, refused = counter.frames, gateway.lost(), counter.refused()
        busy = [gateway.process.processor_seconds(), counter.processor_seconds(), time.process_time()]
        start, sent = time.monotonic(), 0
        while sent < rate * seconds:
            due = min(rate * seconds, int((time.monotonic() - start) * rate) + 1)
            if due > sent:
                batch = [frames.uplink(number + place, 15) for place in range(due - sent)]
                gateway.radio.hear_all(batch, CHANNELS, (7, 8, 9, 10, 11, 12))
                number += len(batch)
                sent = due
            time.sleep(0.002)
        took = time.monotonic() - start
        last, quiet = counter.frames, 0
        while quiet < 10:
            time.sleep(0.1)
            quiet = quiet + 1 if counter.frames == last else 0
            last = counter.frames
        spent = [gateway.process.processor_seconds(), counter.processor_seconds(), time.process_time()]
        ours, server, radio = ((now - then) / sent * 1e6 for then, now in zip(busy, spent))
        arrived = counter.distinct()
        results.append({
            "wanted/s": rate, "sent/s": sent / took, "sent": sent, "arrived": arrived,
            "twice": counter.frames - before - arrived, "gateway says lost": gateway.lost() - lost,
            "server's socket full": counter.refused() - refused, "CPU µs/frame": ours, "server µs/frame": server,
            "radio µs/frame": radio, "RSS MB": gateway.process.memory() / 1024,
        })
        if arrived < sent * 0.9:
            break
    return results


def _first(gateway, counter):
    gateway.radio.hear(frames.uplink(frames.FIRST), frequency=CHANNELS[0])
    return counter.frames > 0


def downlinks(gateway, server, count=150, interval=0.2, ahead=0.5):
    """From PULL_RESP to TX_ACK in milliseconds, and how long before its time the radio had the frame."""
    asked = {}
    gateway.radio.sent.clear()
    server.acks.clear()
    for number in range(count):
        txpk = {
            "imme": False, "tmst": (gateway.radio.ticks() + int(ahead * 1e6)) & 0xFFFFFFFF, "freq": 869.525,
            "rfch": 0, "powe": 14, "modu": "LORA", "datr": "SF7BW125", "codr": "4/5", "ipol": True, "ncrc": True,
        }
        data = frames.downlink(number)
        txpk["size"], txpk["data"] = len(data), base64.b64encode(data).decode()
        at, token = server.send(txpk)
        asked[token] = at
        time.sleep(interval)
    time.sleep(ahead + 1)
    acks = {token: (at, error) for token, at, error, _ in server.acks}
    delays = [(acks[token][0] - at) / 1e6 for token, at in asked.items() if token in acks]
    errors = sorted({error for _, error in acks.values() if error != "NONE"})
    leads = [sent.lead / 1000 for sent in gateway.radio.sent if sent.mode != 0]
    return {
        "asked": count, "acknowledged": len(delays), "errors": errors, "sent": len(leads),
        "p50 ms": percentile(delays, 50), "p99 ms": percentile(delays, 99), "max ms": max(delays, default=float("nan")),
        "lead min ms": min(leads, default=float("nan")), "lead max ms": max(leads, default=float("nan")),
    }
