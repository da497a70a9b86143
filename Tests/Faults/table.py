"""Plays rows and prints what came out."""

import json
import os
import platform
import shutil
import time

from herd import HERD
from measure import duration, quantile
from network import Network
from rows import ROWS
from stage import Stage
from system import Process, RigError, Skip, cpu_seconds, load

ALL = [*ROWS, HERD]
# A rig error says nothing about the client; a run may be played again so often.
REPEATS = 1


def why_not(row, settings):
    """Why a row cannot be played, None when it can."""
    if row.levels and settings.level not in row.levels:
        return f"is for level {' or '.join(row.levels)}, this is {settings.level}"
    for ability in row.needs:
        if not settings.abilities[ability]:
            return f"needs {ability}, which the client of this build does not have"
    return None


def play_once(row, profile, settings, number):
    """One run on a network of its own."""
    directory = os.path.join(settings.work, f"{row.name}-{profile}-{number}")
    os.makedirs(directory)
    busy, begin = cpu_seconds(), time.monotonic()
    with Network(directory, row.nodes) as network:
        network.start_dns([network.address(role) for role in row.nodes])
        stage = Stage(network, settings, profile, os.path.join(directory, "run"))
        try:
            result = row.play(stage, row)
        finally:
            stage.clear()
    result["cpu"] = (cpu_seconds() - busy) / (time.monotonic() - begin) / (os.cpu_count() or 1)
    return result


def play(row, profile, settings):
    """All runs of a row: what came out, with the rig's errors and a reason if the row was skipped."""
    runs, errors = [], []
    wanted = 1 if row.once else row.quick.get(profile, 0) if settings.quick else settings.runs
    number = 0
    while len(runs) < wanted and number < wanted + REPEATS:
        number += 1
        try:
            runs.append(play_once(row, profile, settings, number))
        except RigError as error:
            errors.append(str(error))
            print(f"    rig error: {error}", flush=True)
            continue
        except Skip as reason:
            return {"skipped": str(reason), "runs": [], "errors": []}
        if not settings.keep:
            shutil.rmtree(os.path.join(settings.work, f"{row.name}-{profile}-{number}"), ignore_errors=True)
    return {"skipped": None, "runs": runs, "errors": errors}


HEAD = f"{'fault':<13}{'profile':<9}{'runs':>4}{'median':>10}{'p95':>10}{'max':>10}{'target':>9}" \
       f"{'longest gap':>13}{'lost':>7}{'refused':>9}{'dup':>5}{'false':>7}{'cpu':>6}"


def line(row, profile, outcome):
    """One row of the table."""
    runs = outcome["runs"]
    if not runs:
        return f"{row.name:<13}{profile:<9}   - {outcome['skipped'] or 'no run without a rig error'}"
    cpu = f"{sum(run['cpu'] for run in runs) / len(runs) * 100:.0f}%"
    target = (row.targets or {}).get(profile)
    target = duration(target) if target is not None else "-"
    if row.measures == "herd":
        worst = max(runs, key=lambda run: run["longest"] if run["longest"] is not None else 1e9)
        return (f"{row.name:<13}{profile:<9}{len(runs):>4}  {worst['clients']} clients: median "
                f"{duration(quantile([run['median'] for run in runs], 0.5), row.limit)} (target {target}), p99 "
                f"{duration(worst['p99'], row.limit)}, longest {duration(worst['longest'], row.limit)} (target "
                f"2.00 s), failed attempts {sum(run['failed'] for run in runs) / len(runs):.2f} each (target 0.50), "
                f"{min(run['back'] for run in runs)} back, {min(run['heard'] for run in runs)} heard a message, cpu {cpu}")
    times = [run["seconds"] for run in runs]
    figures = [duration(quantile(times, share), row.limit) for share in (0.5, 0.95, 1)]

    def total(key):
        return sum(run[key] for run in runs)

    return (f"{row.name:<13}{profile:<9}{len(runs):>4}{figures[0]:>10}{figures[1]:>10}{figures[2]:>10}{target:>9}"
            f"{duration(max(run['gap'] for run in runs)):>13}{total('lost'):>7}{total('refused'):>9}"
            f"{total('duplicates'):>5}{total('falseMoves'):>7}{cpu:>6}")


def faulty(row, outcome, settings):
    """What must not be, whatever the machine's speed; empty when all is well."""
    found = list(f"rig error: {error}" for error in outcome["errors"])
    runs = outcome["runs"]
    if row.measures == "herd":
        if any(run["back"] < run["clients"] or run["heard"] < run["clients"] for run in runs):
            found.append("clients did not come back")
        return found
    if any(run["seconds"] is None for run in runs):
        found.append(f"no message through another node within {row.limit:g} s")
    if any(run["duplicates"] for run in runs):
        found.append("duplicates at the handler")
    if settings.level == "endToEnd" and any(run["lost"] for run in runs):
        found.append("messages lost")
    if row.name == "steady" and any(run["lost"] for run in runs):
        found.append("messages lost without a fault")
    if row.name in ("steady", "delay") and any(run["moves"] or run["switches"] for run in runs):
        found.append("a move without a reason")
    return found


def play_table(settings):
    """Plays all rows that were asked for; returns whether nothing was wrong."""
    print(f"level {settings.level}, {settings.rate} messages/s, {platform.machine()}, {load()['cores']} cores, "
          f"load {load()['load1']} (1 min), {settings.broker}")
    print(f"\n{HEAD}\n{'-' * len(HEAD)}", flush=True)
    outcomes, wrong, skipped = [], [], []
    for row in ALL:
        if settings.only and row.name not in settings.only:
            continue
        if settings.quick and not row.quick and not settings.only:
            continue
        for profile in settings.profiles:
            if settings.quick and not settings.only and not (row.quick or {}).get(profile):
                continue
            reason = why_not(row, settings)
            begin = time.time()
            outcome = {"skipped": reason, "runs": [], "errors": []} if reason else play(row, profile, settings)
            print(line(row, profile, outcome), flush=True)
            found = faulty(row, outcome, settings)
            for what in found:
                print(f"    wrong: {what}", flush=True)
            wrong += [f"{row.name} {profile}: {what}" for what in found]
            if outcome["skipped"]:
                skipped.append(f"{row.name}: {outcome['skipped']}")
            outcomes.append({"row": row.name, "title": row.title, "profile": profile, "measures": row.measures,
                             "target": (row.targets or {}).get(profile), "begin": begin, "load": load(), **outcome})
            if settings.json:
                write_json(settings, outcomes, wrong)
    print(f"\nload at the end: {load()['load1']} (1 min), {load()['load5']} (5 min)")
    print("Times are from the fault to the first message through another node; in the rows rolling, loss, delay and "
          "steady the longest gap.\nlost, dup: at the receivers' handler. refused: never taken by the client. false: "
          "moves that no fault called for.")
    for reason in dict.fromkeys(skipped):
        print(f"skipped row {reason}")
    for what in wrong:
        print(f"WRONG: {what}")
    return not wrong


def write_json(settings, outcomes, wrong):
    kept = {"level": settings.level, "rate": settings.rate, "runs": settings.runs, "quick": settings.quick,
            "abilities": settings.abilities, "machine": platform.platform(), "outcomes": outcomes, "wrong": wrong}
    with open(settings.json, "w") as file:
        json.dump(kept, file, indent=1)


def end_everything():
    Process.kill_all()
