"""The soak: 10 million events and 500 faults over five seeds, in parts that a break does not undo.

Promises: a part that ended is never run again; the sums are those of the parts' own documents; the
table says when, on what machine and of which revision; a violated part is in it, too.
Leaves to others: a part (`run`).
"""

import asyncio
import fcntl
import os
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from scripts.storm.broker import ROOT, BrokerError
from scripts.storm.run import Plan, say, show, storm

SEEDS: Final = (1, 2, 3, 4, 5)
PARTS: Final = 4
EVENTS: Final = 10_000_000
FAULTS: Final = 500
KILLS: Final = 3
PART_SEEDS: Final = 1_000
"""A part's seed is its seed times this, plus its number."""

TABLE: Final = ROOT / "docs" / "reliability.md"
SUMMED: Final = (
    *("events", "lost", "double_counted", "outputs", "outputs_missing", "outputs_unexpected"),
    *("raw_duplicates", "conflicting_ids", "dead_letters", "drift_events"),
)


HEAD: Final = (
    "| seed | events | faults | lost | double | missing | unexpected | conflicting ids "
    "| raw duplicates | outputs | first progress, worst | caught up, worst | memory, worst |"
)


def parts(events: int = EVENTS, faults: int = FAULTS) -> list[Plan]:
    """Every part of the soak, in order; the first of each seed has a control arm."""
    count = len(SEEDS) * PARTS
    return [
        Plan(
            events=events // count,
            faults=faults // count,
            seed=seed * PART_SEEDS + part,
            kills=KILLS if part == 0 else 0,
        )
        for seed in SEEDS
        for part in range(PARTS)
    ]


def soak(folder: Path, *, as_json: bool, plans: Sequence[Plan] | None = None) -> int:
    """Run what is left, print the sums, add the table; the exit code. Progress is in `folder`.

    Several soaks may share a folder: each takes the parts that none has, the last one sums up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plans = parts() if plans is None else plans
    for number, plan in enumerate(plans, 1):
        with (folder / f"claim-{plan.seed}").open("w") as claim:
            if not _claimed(claim) or _kept(folder, plan).exists():
                continue
            say(f"part {number} of {len(plans)}, seed {plan.seed}")
            try:
                _run(folder, plan)
            except BrokerError as error:
                say(str(error))
                return 3
    kept = [_kept(folder, plan) for plan in plans]
    left = sum(not path.exists() for path in kept)
    if left:
        say(f"{left} parts are still run by another soak, which will sum up")
        return 0
    documents = [msgspec.json.decode(path.read_bytes()) for path in kept]
    total = summed(documents)
    show(total, as_json=as_json)
    with TABLE.open("a") as table:
        table.write(rows(documents, total))
    return 1 if total["violations"] else 0


def _kept(folder: Path, plan: Plan) -> Path:
    return folder / f"part-{plan.seed}-{plan.events}-{plan.faults}.json"


def _claimed(claim: TextIO) -> bool:
    """Whether nobody else runs this part; as long as the file is open nobody else will."""
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _run(folder: Path, plan: Plan) -> None:
    """Run a part and keep its document; BrokerError where no broker starts."""
    running = folder / f"running-{plan.seed}"
    if running.exists():
        shutil.rmtree(running)
    outcome = asyncio.run(storm(plan, running))
    for violation in outcome.violations:
        say(f"VIOLATED {violation}")
    if outcome.violations:
        # The logs that show it, for whoever looks into it.
        shutil.move(running, folder / f"violated-{plan.seed}")
    else:
        shutil.rmtree(running)
    document = {**outcome.document, "revision": revision()}
    _kept(folder, plan).write_bytes(msgspec.json.encode(document))


def summed(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One document of many: counts added up, times and memory the largest."""
    faults: Counter[str] = Counter()
    for document in documents:
        faults.update(document["faults"])
    recovery = [document["recovery_s"] for document in documents]
    return {
        **{name: sum(document[name] for document in documents) for name in SUMMED},
        "faults": dict(sorted(faults.items())),
        "control_arm": {
            "double_counted": sum(one["control_arm"]["double_counted"] for one in documents)
        },
        "recovery_s": {name: max(one[name] for one in recovery) for name in recovery[0]},
        "peak_rss_mb": max(document["peak_rss_mb"] for document in documents),
        "seconds": sum(document["seconds"] for document in documents),
        "seeds": [document["seed"] for document in documents],
        "revisions": sorted({document["revision"] for document in documents}),
        "violations": [v for document in documents for v in document["violations"]],
    }


def rows(documents: Sequence[dict[str, Any]], total: dict[str, Any]) -> str:
    """The table in Markdown: a row for each seed, and the sum."""
    lines = [
        "",
        f"### {datetime.now(UTC):%Y-%m-%d}, revision {', '.join(total['revisions'])}",
        "",
        machine() + ".",
        "",
        HEAD,
        "|---" * HEAD.count(" | ") + "|---|",
    ]
    for seed in SEEDS:
        own = [one for one in documents if one["seed"] // PART_SEEDS == seed]
        if own:
            lines.append(_row(str(seed), summed(own)))
    lines += [_row("all", total), "", _ended(total)]
    return "\n".join(lines) + "\n"


def _row(name: str, one: dict[str, Any]) -> str:
    cells = [
        *(name, f"{one['events']:,}", str(sum(one["faults"].values()))),
        *(str(one[key]) for key in ("lost", "double_counted", "outputs_missing")),
        *(str(one[key]) for key in ("outputs_unexpected", "conflicting_ids", "raw_duplicates")),
        *(f"{one['outputs']:,}", f"{one['recovery_s']['first_progress_max']} s"),
        *(f"{one['recovery_s']['caught_up_max']} s", f"{one['peak_rss_mb']} MiB"),
    ]
    return f"| {' | '.join(cells)} |"


def _ended(total: dict[str, Any]) -> str:
    by_class = ", ".join(f"{name} {count}" for name, count in total["faults"].items())
    broken = total["violations"]
    verdict = "no oracle was violated" if not broken else f"violated: {'; '.join(broken)}"
    return (
        f"Faults by class: {by_class}. The control arm double-counted "
        f"{total['control_arm']['double_counted']:,} rows. {total['seconds'] / 3600:.1f} hours; "
        f"{verdict}."
    )


def machine() -> str:
    """What this ran on, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def revision() -> str:
    """The commit of the code, with a plus where the tree differs from it."""
    head = _git("rev-parse", "--short", "HEAD")
    return f"{head}+" if head and _git("status", "--porcelain", "--", "streams") else head or "none"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
