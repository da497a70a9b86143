"""A node that accepts TCP and never answers: mute.py ADDR PORT."""

import socket
import sys

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen(1024)
print("ready", flush=True)
kept = []
while True:
    kept.append(listener.accept())
