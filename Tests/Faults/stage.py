"""One run's processes: brokers, receivers, sender; and the proof that the receivers heard what there was to hear."""

import os
import random
import signal
import time

from certificates import Certificates
from journal import Journal
from network import NAME, PORT
from system import Process, RigError, now, wait_until

SECOND = 1_000_000_000


class Stage:
    """A run on a network that is there. `finish` ends it and judges; `clear` ends it whatever state it is in."""

    def __init__(self, network, settings, profile, directory, secure=False, linked=False):
        self.network = network
        self.settings = settings
        self.profile = profile
        self.directory = directory
        os.makedirs(directory)
        # None: the run is without TLS.
        self.certificates = Certificates(os.path.join(directory, "certificates"), network.nodes) if secure else None
        self.linked = linked
        self.brokers = {}
        self.receivers = None
        self.received = None
        self.sender = None
        self.sent = []
        self.state = os.path.join(directory, "sender")
        self.via_relay = False
        # Nodes that the row leaves dead, cut off or mute.
        self.gone = set()

    @property
    def nodes(self):
        return self.network.nodes

    def random_node(self):
        return random.choice(self.nodes)

    # Processes

    def start_broker(self, role):
        """Starts a broker; returns the time just before."""
        time_ = now()
        name = f"broker-{role}-{time_}"
        words = [self.settings.broker, "--lan", "--open", "--listen", self.network.endpoint(role)]
        if self.certificates:
            certificate, key = self.certificates.of(role)
            words += ["--tls-certificate", certificate, "--tls-key", key]
        if self.linked:
            password = os.path.join(self.directory, "password")
            with open(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write("a password for this run")
            peers = ",".join(self.network.address(node) for node in self.nodes)
            words += ["--peers", peers, "--cluster-password-file", password]
        broker = Process(name, words, self.directory, self.network.namespace(role))
        self.brokers[role] = broker
        self.gone.discard(role)
        wait_until(lambda: not broker.is_running or "Broker:" in open(broker.out).read(), 20, f"broker {role} starts",
                   pause=0.005)
        if not broker.is_running:
            raise RigError(f"broker {role} ended: {broker.said()}")
        return time_

    def start_receivers(self):
        nodes = self.nodes[1:] if self.settings.broken == "missing" else self.nodes
        words = [self.settings.device, "receive", "--state", os.path.join(self.directory, "receivers")]
        for role in nodes:
            words += ["--node", self.network.endpoint(role)]
        if self.certificates:
            words.append("--tls")
        if self.settings.broken == "deaf":
            words += ["--deaf", self.network.endpoint(self.nodes[-1])]
        if self.settings.broken == "forgetful":
            words.append("--forgetful")
        os.makedirs(os.path.join(self.directory, "receivers"))
        self.receivers = Process("receivers", words, self.directory, self.network.namespace("recv"))
        self.received = Journal(self.receivers.out)
        self.wait_for_probes(now(), self.nodes, 5 if self.settings.broken else 20)

    def client_words(self, command):
        """How a device finds the brokers."""
        words = [self.settings.device, command, "--profile", self.profile]
        if self.settings.abilities["dns"]:
            words += ["--name", NAME, "--port", str(PORT), "--dns", self.network.resolver]
        else:
            for role in self.nodes:
                address = self.network.relay_address(role) if self.via_relay else self.network.address(role)
                words += ["--node", f"{address}:{PORT}"]
        if self.certificates:
            words += ["--ca", self.certificates.authority]
        if self.profile == "fast" and self.settings.abilities["standby"]:
            words.append("--standby")
        return words

    def start_sender(self, first=1, rate=None, durable=False):
        words = [*self.client_words("send"), "--rate", str(rate or self.settings.rate), "--first", str(first)]
        words += ["--level", self.settings.level]
        if self.settings.level != "live":
            os.makedirs(self.state, exist_ok=True)
            words += ["--state", self.state]
        if durable:
            words.append("--durable")
        self.sender = Process(f"sender-{first}", words, self.directory, self.network.namespace("dev"))
        self.sent.append(Journal(self.sender.out))

    def next_number(self):
        """For a sender that goes on: the one after the last that was noted may or may not have been taken."""
        taken = [line["n"] for journal in self.sent for line in journal.read() if "n" in line]
        return max(taken, default=0) + 2

    # What is known so far

    def role_of(self, text):
        """The node that an endpoint or URL names."""
        for role in self.nodes:
            if f"{self.network.address(role)}:" in text or f"{self.network.relay_address(role)}:" in text:
                return role
        return None

    def current_node(self):
        """Where the sender is, by what the receivers heard last."""
        self.received.read()
        last = self.received.last("message")
        return self.role_of(last["node"]) if last else None

    def first_arrival(self, since, nodes):
        """Time of the first message through one of these nodes since then, None while there is none."""
        for line in lines_since(self.received.read(), since):
            if line["event"] == "message" and self.role_of(line["node"]) in nodes:
                return line["t"]
        return None

    def wait_for_arrival(self, since, nodes, seconds):
        """Waits for it; None when it does not come in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            arrival = self.first_arrival(since, nodes)
            if arrival:
                return arrival
            if not self.receivers.is_running:
                raise RigError(f"the receivers ended: {self.receivers.said()}")
            if not self.sender.is_running:
                raise RigError(f"the sender ended: {self.sender.said()}")
            time.sleep(0.03)
        return None

    def wait_for_probes(self, since, roles, seconds):
        """Waits until the receivers have heard themselves on each of these nodes, with a probe of after `since`."""

        def heard():
            if not self.receivers.is_running:
                raise RigError(f"the receivers ended: {self.receivers.said()}")
            lines = lines_since(self.received.read(), since)
            found = {self.role_of(line["node"]) for line in lines if line["event"] == "probe"}
            return found.issuperset(roles)

        wait_until(heard, seconds, f"receivers hear on nodes {', '.join(roles)}", pause=0.05)

    # The usual course

    def warm_up(self, durable=False):
        """Everything runs and messages arrive; the fault that follows meets a ping's period at any point."""
        for role in self.nodes:
            self.start_broker(role)
        self.start_receivers()
        self.start_sender(durable=durable)
        if not self.wait_for_arrival(0, self.nodes, 20):
            raise RigError("no message of the sender arrived")
        time.sleep(1.5 + random.uniform(0, 0.6 if self.profile == "fast" else 3))

    def begin_fault(self):
        """Checks that all is well; returns the node that the sender is on."""
        self.wait_for_probes(now() - 2 * SECOND, self.nodes, 3)
        victim = self.current_node()
        if victim is None:
            raise RigError("no message arrived, so nobody knows on which node the sender is")
        return victim

    def living(self):
        return [role for role in self.nodes if role not in self.gone]

    def finish(self):
        """Ends sender, then receivers, once everything that can arrive has; raises RigError when they were not whole."""
        self.wait_for_probes(now(), self.living(), 40)
        self.sender.signal(signal.SIGTERM)
        status = self.sender.wait(40)
        for journal in self.sent:
            journal.read()
        if status != 0 or not self.sent[-1].last("summary"):
            raise RigError(f"the sender ended with {status}: {self.sender.said()}")
        published = {line["n"] for journal in self.sent for line in journal.of("published")}
        # Delivered levels may need a while; live ones are there or not.
        end = time.monotonic() + (1 if self.settings.level == "live" else 20)
        while time.monotonic() < end:
            self.received.read()
            if published <= {line["n"] for line in self.received.of("message")}:
                break
            time.sleep(0.1)
        # Their last probe came after the last message: they were there to the end.
        self.wait_for_probes(now(), self.living(), 10)
        self.receivers.signal(signal.SIGTERM)
        status = self.receivers.wait(20)
        self.received.read()
        summary = self.received.last("summary")
        if status != 0 or not summary:
            raise RigError(f"the receivers ended with {status}: {self.receivers.said()}")
        if summary["dropped"] or self.received.of("strange"):
            raise RigError(f"the receivers did not keep up: {summary}")
        for role in self.living():
            if not self.brokers[role].is_running:
                raise RigError(f"broker {role} ended by itself: {self.brokers[role].said()}")

    def clear(self):
        """Ends every process of the run, frozen ones too."""
        for process in [*self.brokers.values(), self.sender, self.receivers]:
            if process:
                process.kill()


def lines_since(lines, since):
    """The lines since a time, in order. Lines of several threads may be a little out of order."""
    index = len(lines)
    while index > 0 and lines[index - 1]["t"] >= since - SECOND:
        index -= 1
    return [line for line in lines[index:] if line["t"] >= since]
