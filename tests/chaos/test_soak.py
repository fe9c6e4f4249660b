"""The soak: ten million events and five hundred faults, in parts that a break does not undo."""

import asyncio

import pytest

from scripts.storm import soak as soaking
from scripts.storm.run import Outcome


def document(plan, **more):
    return {
        **dict.fromkeys(soaking.SUMMED, 0),
        "events": plan.events,
        "faults": {"F1": plan.faults},
        "control_arm": {"double_counted": 7 if plan.kills else 0},
        "recovery_s": {"first_progress_max": 3.5, "caught_up_max": 9.0},
        "peak_rss_mb": 200,
        "seconds": 60,
        "seed": plan.seed,
        "violations": [],
        **more,
    }


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Return the seeds that were run, with parts that cost nothing."""
    seeds = []

    async def storm(plan, folder):
        seeds.append(plan.seed)
        folder.mkdir(parents=True)
        if len(seeds) == 3:
            raise KeyboardInterrupt
        return Outcome(document=document(plan), violations=[])

    monkeypatch.setattr(soaking, "storm", storm)
    monkeypatch.setattr(soaking, "TABLE", tmp_path / "reliability.md")
    return seeds


def test_the_parts_are_the_whole():
    parts = soaking.parts()
    assert 10_000_000 == sum(part.events for part in parts)
    assert 500 == sum(part.faults for part in parts)
    assert len(parts) == len({part.seed for part in parts})
    assert 5 == sum(part.kills > 0 for part in parts)


def test_what_was_interrupted_goes_on_where_it_was(ran, tmp_path, capsys):
    """No part that ended is run again; the table has a row for each seed and their sum."""
    with pytest.raises(KeyboardInterrupt):
        soaking.soak(tmp_path / "soak", as_json=True)
    assert [1000, 1001, 1002] == ran
    assert not (tmp_path / "reliability.md").exists()
    assert 0 == soaking.soak(tmp_path / "soak", as_json=True)
    assert [1000, 1001, 1002, 1002] == ran[:4]
    assert 21 == len(ran)
    table = (tmp_path / "reliability.md").read_text()
    assert "| all | 10,000,000 | 500 | 0 | 0 | 0 | 0 | 0 |" in table
    assert "double-counted 35 rows" in table
    assert "no oracle was violated" in table
    assert '"events": 10000000' in capsys.readouterr().out


def test_two_may_share_a_folder(ran, tmp_path, monkeypatch, capsys):
    """A part that another runs is left to it, and so is the sum."""
    folder, inner = tmp_path / "soak", []

    async def storm(plan, folder):
        if not inner:
            inner.append(0)
            inner.append(await asyncio.to_thread(soaking.soak, folder.parent, as_json=True))
        ran.append(plan.seed)
        folder.mkdir(parents=True)
        return Outcome(document=document(plan), violations=[])

    monkeypatch.setattr(soaking, "storm", storm)
    assert 0 == soaking.soak(folder, as_json=True, plans=soaking.parts()[:1])
    assert 20 == len(ran) == len(set(ran))
    assert [0, 0] == inner
    assert "1 parts are still run by another soak" in capsys.readouterr().err
    assert 0 == soaking.soak(folder, as_json=True)
    assert 20 == len(ran)
    assert "| all | 10,000,000 | 500 |" in (tmp_path / "reliability.md").read_text()


def test_a_violation_is_in_the_table_and_the_exit_code():
    plans = soaking.parts()[:1]
    total = soaking.summed(
        [document(plans[0], violations=["O2: something"], revision="abc", lost=3)]
    )
    assert 3 == total["lost"]
    assert "violated: O2: something" in soaking._ended(total)
