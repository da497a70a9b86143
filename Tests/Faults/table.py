"""Plays rows and prints what came out."""

import json
import os
import platform
import shutil
import time

import linked
from herd import HERD
from layout import EXPLANATION, HEAD, line
from logged import LOGGED_ROWS
from network import Network
from rows import ROWS
from secure import SECURE_ROWS
from stage import Stage
from system import RigError, Skip, cpu_seconds, load

ALL = [*ROWS, *SECURE_ROWS, *LOGGED_ROWS, *linked.LINKED_ROWS, HERD]
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
        stage = Stage(network, settings, profile, os.path.join(directory, "run"), row.secure, row.linked)
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


def faulty(row, outcome, settings):
    """What must not be, whatever the machine's speed; empty when all is well."""
    found = list(f"rig error: {error}" for error in outcome["errors"])
    runs = outcome["runs"]
    if row.measures == "herd":
        if any(run["back"] < run["clients"] or run["heard"] < run["clients"] for run in runs):
            found.append("clients did not come back, or hear nothing")
        if any(run["falseMoves"] for run in runs):
            reasons = max((run["reasons"] for run in runs), key=lambda reasons: sum(reasons.values()))
            found.append(f"clients that were back lost their sessions again: {reasons}")
        return found
    if row.measures == "linked":
        return found + linked.faulty(runs)
    if any(run["seconds"] is None for run in runs):
        found.append(f"no message through another node within {row.limit:g} s")
    found += dict.fromkeys(what for run in runs for what in run.get("wrong", []))
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
            if profile not in row.profiles and not settings.profile:
                continue
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
    print(EXPLANATION)
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
