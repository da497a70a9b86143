"""Reads the JSON lines that FaultDevice writes, as far as they are in the file."""

import json


class Journal:
    def __init__(self, path):
        self.path = path
        self.lines = []
        self._offset = 0

    def read(self):
        """Takes in what is new and returns all lines; half a line waits for its end."""
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            data = file.read()
        end = data.rfind(b"\n") + 1
        for line in data[:end].splitlines():
            # `ip` and the client may say something of their own.
            if line.startswith(b"{"):
                self.lines.append(json.loads(line))
        self._offset += end
        return self.lines

    def of(self, *events):
        return [line for line in self.lines if line["event"] in events]

    def last(self, event):
        return next((line for line in reversed(self.lines) if line["event"] == event), None)
