"""What `windage validate` says a config promises."""

import json

import pytest

WRITTEN = """
version: 1
models:
  fraud:
    task: binary
    pane: 1h
    labels: {horizon: 7d}
    features: {amount: numeric, country: categorical}
    reference: {from: first, rows: 5000}
    false_alarms: 1 per 30d
"""


@pytest.fixture
def validate(command, tmp_path):
    def run(text, *more):
        (tmp_path / "windage.yaml").write_text(text)
        return command("validate", *more)

    return run


def test_it_says_in_words_what_may_be_expected(validate):
    ended = validate(WRITTEN)
    assert 0 == ended.code
    assert "at most about 1 false alarm in 30d at panes of 1h, over 6 signals" in ended.err
    assert "found within a day at 10,000 rows per hour:" in ended.err


def test_it_says_what_is_tolerated_of_a_share(validate):
    """A tolerance in standard deviations says little of rates; without one nothing is tolerated."""
    said = validate(WRITTEN).err
    assert "tolerated shares: 50 % may be 45 to 55 %, 5 % may be 3 to 7.4 %" in said
    assert "tolerated" not in validate(WRITTEN + "    tolerance: 0\n").err


def test_json_has_the_numbers(validate):
    (promise,) = json.loads(validate(WRITTEN, "--json").out)["promises"]
    assert 6 * 30 * 24 == promise["run_length"]
    assert 0.1 < promise["smallest_shift_in_a_day"] < 0.4


def test_it_says_from_which_fall_a_retraining_pays(validate):
    """Only where both costs are declared."""
    both = WRITTEN + "    impact: {retrain_cost: 300, cost_per_point: 5000}\n"
    said = validate(both).err
    assert "fraud: a retraining (300) pays from a fall of 0.06 points of the metric (5,000" in said
    for one in ("{retrain_cost: 300}", "{retrain_cost: 300, cost_per_point: 0}"):
        assert "pays from" not in validate(f"{WRITTEN}    impact: {one}\n").err


def test_a_detector_that_can_keep_no_promise_is_named(validate):
    text = WRITTEN + (
        "    monitors:\n"
        "      - {watch: score, detector: 'river:KSWIN'}\n"
        "      - {watch: score, detector: adwin}\n"
    )
    assert "river:KSWIN on score promises no run length" in validate(text).err
    shorter = text.replace("pane: 1h", "pane: 1s").replace("horizon: 7d", "horizon: 1d")
    assert "adwin on score was calibrated up to" in validate(shorter).err


def test_what_is_watched_together_is_said_with_its_tolerance(validate):
    text = WRITTEN.replace("country: categorical", "pace: numeric, country: categorical") + (
        "    monitors:\n      - {watch: features, detector: pca, tolerance: 0.05}\n"
    )
    said = validate(text).err
    assert "pca on features: means (T2), reconstruction error and correlations of all" in said
    assert "tolerance 0.05, of all of them together" in said
    refused = validate(text.replace("pca, tol", "pca, features: [amount, country], tol"))
    assert 2 == refused.code
    assert "monitors[0].features[1]: is categorical; pca takes numeric ones" in refused.err
