"""`windage backtest`: the same replay, judged."""

import json

import numpy as np
import pytest

from streams.cli.backtest import backtest, truth_of
from streams.cli.endings import OperatorError


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Return a file of 4,000 rows whose feature moves by 1.5 deviations at row 2,500."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=4000)
    x[2500:] += 1.5
    path = tmp_path_factory.mktemp("backtest") / "rows.csv"
    path.write_text(
        "x,y\n" + "".join(f"{a:.6f},{b:.6f}\n" for a, b in zip(x, x[::-1] * 0, strict=True))
    )
    return path


@pytest.fixture(scope="module")
def found(stream):
    return backtest(stream, [2500], every="60s", max_delay=400)


def test_a_change_is_found_once_and_nothing_else_is_sent(found):
    assert (1.0, 1.0, 0) == (
        found.judged.precision,
        found.judged.episode_recall,
        found.judged.false_positives,
    )
    assert 0 < found.judged.mean_detection_delay <= 100
    assert "opens" == found.messages[0].what
    assert ["feature:x"] == found.messages[0].signals


def test_a_message_stands_at_the_row_by_which_it_was_sent(found):
    assert all(2500 < one.row <= 4000 for one in found.messages)
    assert found.judged.mean_detection_delay == found.messages[0].row - 2500


def test_the_command_prints_what_the_function_gives(stream, found, windage):
    done = windage(
        "backtest", stream, "--truth", "2500", "--every", "60s", "--max-delay", "400", "--json"
    )
    assert 0 == done.code, done.err
    document = json.loads(done.out)
    assert found.judged.mean_detection_delay == document["judged"]["mean_detection_delay"]
    assert {"always_fire", "never_fire"} == set(document["baselines"])
    assert len(found.messages) == len(document["messages"])


def test_truth_is_rows():
    assert [1775, 3550] == truth_of("1775, 3550")
    assert [] == truth_of("")
    with pytest.raises(OperatorError, match="--truth"):
        truth_of("1775;3550")


def test_a_change_outside_the_stream_is_refused(stream):
    with pytest.raises(OperatorError, match="rows 0 to 3,999"):
        backtest(stream, [4000], every="60s")
