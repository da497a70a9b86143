"""Certificates of a run's brokers, made by the `openssl` program, and how a node's are replaced."""

import os

from network import NAME
from system import run

GOOD, EXPIRED, OTHER_NAME = "good", "expired", "other-name"
# What the client has to say of a bad one.
REASONS = {EXPIRED: "has expired on", OTHER_NAME: "is for the names other.rig, not for"}

CONFIGURATION = """\
[ca]
default_ca = rig
[rig]
database = {0}/index.txt
new_certs_dir = {0}
rand_serial = yes
default_md = sha256
policy = policy
[policy]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = keyCertSign, cRLSign
[node]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:{1}
[other-name]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:other.rig
"""


class Certificates:
    """An authority, and for every node the files that its broker is started with."""

    def __init__(self, directory, nodes):
        self.directory = directory
        os.makedirs(directory)
        self.settings = os.path.join(directory, "openssl.cnf")
        self.authority = os.path.join(directory, "ca.pem")
        with open(self.settings, "w") as file:
            file.write(CONFIGURATION.format(directory, NAME))
        open(os.path.join(directory, "index.txt"), "w").close()
        with open(os.path.join(directory, "index.txt.attr"), "w") as file:
            file.write("unique_subject = no\n")
        run("openssl", "req", "-x509", "-config", self.settings, "-extensions", "authority", *self._key("ca"),
            "-days", "3650", "-subj", "/CN=Rig", "-out", self.authority)
        for role in nodes:
            self.put(role, GOOD)

    def of(self, role):
        """Certificate and key, where the broker looks for them."""
        return os.path.join(self.directory, f"{role}.pem"), os.path.join(self.directory, f"{role}.key")

    def put(self, role, kind):
        """Replaces a node's files by new ones, as an administrator does: by `mv`, one directly after the other."""
        name = f"new-{role}"
        new, certificate = os.path.join(self.directory, name), self.of(role)
        section = "other-name" if kind == OTHER_NAME else "node"
        end = "20210101000000Z" if kind == EXPIRED else "20490101000000Z"
        run("openssl", "req", "-config", self.settings, *self._key(name), "-subj", f"/CN=node {role}",
            "-out", f"{new}.csr")
        run("openssl", "ca", "-batch", "-notext", "-config", self.settings, "-in", f"{new}.csr", "-cert",
            self.authority, "-keyfile", os.path.join(self.directory, "ca.key"), "-extensions", section,
            "-startdate", "20200101000000Z", "-enddate", end, "-out", f"{new}.pem")
        os.rename(f"{new}.pem", certificate[0])
        os.rename(f"{new}.key", certificate[1])

    def _key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                os.path.join(self.directory, f"{name}.key")]
