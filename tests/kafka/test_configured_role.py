"""A role of the config is made anew when something else is told, and only then."""

from schemas import baseline as baselines
from streams.runtime.kafka.process import ConfiguredRole
from tests.laws.world import BASELINE, GRID, World

WORLD = World((), 3_000, 30_000)


def grid(role):
    """The grid that a new machine of the role counts on."""
    return role.fresh(0, 1)._models["m"].grid


def test_the_same_references_make_no_other_role():
    """They are told at every change of owners, and to make a role hashes the config."""
    role = ConfiguredRole("profiler", WORLD.config(), {})
    before = role._role
    role.know([])
    assert before is role._role


def test_other_references_make_other_machines():
    """Also when there are none any more."""
    role = ConfiguredRole("profiler", WORLD.config(), {})
    seen = []
    for told in ([], [baselines.encode(BASELINE)], []):
        role.know(told)
        seen.append(grid(role))
    assert [None, GRID, None] == seen


def test_other_topics_keep_what_was_told():
    """Rows in a store are named by the topics, so the role is made anew with what it knows."""
    role = ConfiguredRole("profiler", WORLD.config(), {})
    role.know([baselines.encode(BASELINE)])
    before = role._role
    role.reads({"predictions": "another"})
    assert before is not role._role
    assert GRID == grid(role)
