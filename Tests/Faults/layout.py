"""How a row's figures are printed."""

import linked
from measure import duration, quantile

HEAD = f"{'fault':<13}{'profile':<9}{'runs':>4}{'median':>10}{'p95':>10}{'max':>10}{'target':>9}" \
       f"{'moved':>10}{'longest gap':>13}{'lost':>7}{'refused':>9}{'held':>6}{'dup':>5}{'false':>7}{'cpu':>6}"

EXPLANATION = """\
Times are from the fault to the first message through another node; in cert-expired and cert-name the slower of two
moves; in rolling, loss, delay, steady and storm the longest gap. moved: when the client said so (median). lost, dup: at the receivers' handler. refused: never taken by the
client. held: copies that the receivers' de-duplicator held back. false: moves that no fault called for. cpu: of the
whole machine, other programs included."""


def line(row, profile, outcome):
    """One row of the table."""
    runs = outcome["runs"]
    if not runs:
        return f"{row.name:<13}{profile:<9}   - {outcome['skipped'] or 'no run without a rig error'}"
    if row.measures == "linked":
        return linked.line(row, outcome)
    cpu = f"{sum(run['cpu'] for run in runs) / len(runs) * 100:.0f}%"
    target = (row.targets or {}).get(profile)
    target = duration(target) if target is not None else "-"
    if row.measures == "herd":
        worst = max(runs, key=lambda run: run["longest"] if run["longest"] is not None else 1e9)
        return (f"{row.name:<13}{profile:<9}{len(runs):>4}  {worst['clients']} clients: median "
                f"{duration(quantile([run['median'] for run in runs], 0.5), row.limit)} (target {target}), p99 "
                f"{duration(worst['p99'], row.limit)}, longest {duration(worst['longest'], row.limit)} (target "
                f"2.00 s), failed attempts {sum(run['failed'] for run in runs) / len(runs):.2f} each (target 0.50), "
                f"{min(run['back'] for run in runs)} back, {min(run['heard'] for run in runs)} heard a message, "
                f"cpu {cpu}")
    times = [run["seconds"] for run in runs]
    figures = [duration(quantile(times, share), row.limit) for share in (0.5, 0.95, 1)]

    moved = [run["movedAfter"] for run in runs if run["movedAfter"] is not None]

    def total(key):
        return sum(run[key] for run in runs)

    return (f"{row.name:<13}{profile:<9}{len(runs):>4}{figures[0]:>10}{figures[1]:>10}{figures[2]:>10}{target:>9}"
            f"{duration(quantile(moved, 0.5)) if moved else '-':>10}{duration(max(run['gap'] for run in runs)):>13}"
            f"{total('lost'):>7}{total('refused'):>9}{total('suppressed'):>6}{total('duplicates'):>5}{total('falseMoves'):>7}{cpu:>6}")
