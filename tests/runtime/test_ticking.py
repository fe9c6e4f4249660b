"""Which workers tick: an empty log of metrics or model events must hold no model up."""

import pytest

from schemas.config import Config
from streams.runtime.kafka.process import settings_of


@pytest.mark.parametrize("clock", ["broker", "event"])
def test_profilers_tick_under_either_clock(clock):
    """As often as the shortest pane; monitors read no logs that could be idle."""
    models = {
        name: {"task": "none", "pane": pane, "clock": clock, "reference": {"from": "first"}}
        for name, pane in (("a", "1m"), ("b", "10s"))
    }
    config = Config.model_validate({"version": 1, "models": models})
    assert 10_000 == settings_of(config, "profiler")["tick_ms"]
    assert settings_of(config, "monitor")["tick_ms"] is None
