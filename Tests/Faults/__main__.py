"""The fault rig: real brokers and clients in network namespaces, and what goes wrong between them. See docs/faults.md."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from network import check_permitted, sweep  # noqa: E402
from rows import ROWS  # noqa: E402
from system import Process, RigError, Skip  # noqa: E402
from table import ALL, play_once, play_table  # noqa: E402

# Receivers that miss a node, that subscribe to nothing on one, that miss every tenth message.
BROKEN = ["missing", "deaf", "forgetful"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="script/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="rows:\n" + "\n".join(f"  {row.name:<13}{row.title}" for row in ALL))
    parser.add_argument("--binaries", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one or two runs of the important rows, 3 minutes")
    parser.add_argument("--runs", type=int, default=20, help="runs of each row and profile (20)")
    parser.add_argument("--only", default="", help="rows, for example kill,freeze")
    parser.add_argument("--profile", choices=["normal", "fast", "relaxed"], action="append",
                        help="only this one; else normal and fast")
    parser.add_argument("--level", choices=["live", "broker", "endToEnd"], help="level of delivery; the best by itself")
    parser.add_argument("--rate", type=int, default=50, help="messages per second (50)")
    parser.add_argument("--steady", type=float, help="seconds of the row without a fault (600, quick 20)")
    parser.add_argument("--json", help="writes every run's figures to this file")
    parser.add_argument("--keep", metavar="DIRECTORY", help="keeps the journals and logs of every run there")
    parser.add_argument("--break", dest="broken", choices=BROKEN,
                        help="plays with broken receivers, which has to end in a rig error")
    return parser.parse_args()


def settings_from(options):
    settings = types.SimpleNamespace(**vars(options))
    settings.broker = os.path.join(options.binaries, "smq-broker")
    settings.device = os.path.join(options.binaries, "FaultDevice")
    said = subprocess.run([settings.device, "abilities"], capture_output=True, text=True, check=True, timeout=30)
    settings.abilities = json.loads(said.stdout)
    levels = settings.abilities["levels"]
    settings.level = options.level or levels[-1]
    if settings.level not in levels:
        raise Skip(f"level {settings.level}: the client of this build has {', '.join(levels)}")
    settings.profiles = options.profile or ["normal", "fast"]
    settings.only = [name for name in options.only.split(",") if name]
    unknown = set(settings.only) - {row.name for row in ALL}
    if unknown:
        sys.exit(f"no such row: {', '.join(sorted(unknown))}")
    settings.steady = options.steady or (20 if options.quick else 600)
    settings.work = os.path.abspath(options.keep) if options.keep else tempfile.mkdtemp(prefix=f"dsdk-{os.getpid()}-")
    os.makedirs(settings.work, exist_ok=True)
    if options.quick and settings.only:
        for row in ALL:
            if row.name in settings.only:
                row.quick = {profile: 1 for profile in settings.profiles}
    return settings


def check_itself(settings):
    """Broken receivers must be found out, not counted as a loss of 0 or as a client that does not come back."""
    for broken in BROKEN:
        settings.broken = broken
        try:
            play_once(ROWS[0], "normal", settings, f"self-check-{broken}")
        except RigError as error:
            print(f"self-check, receivers {broken}: found out ({error})", flush=True)
        else:
            print(f"WRONG: self-check: receivers {broken} were not found out")
            return False
    settings.broken = None
    return True


def stop(number, _):
    raise SystemExit(128 + number)


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    settings = None
    try:
        check_permitted()
        sweep()
        settings = settings_from(options)
        good = True
        if not settings.broken and not settings.only:
            good = check_itself(settings)
        good = play_table(settings) and good
    except Skip as reason:
        print(f"fault tests skipped: {reason}")
        return 0
    finally:
        Process.kill_all()
        if settings and not options.keep:
            shutil.rmtree(settings.work, ignore_errors=True)
    return 0 if good else 1


sys.exit(main())
