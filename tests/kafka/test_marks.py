"""Progress marks: offered until the group has them, and again after a rebalance."""

from faust.types import TP

from streams.runtime.kafka.marks import Marks

ONE, TWO = TP("predictions", 0), TP("labels", 0)


class Group:
    """Takes marks while `up`."""

    def __init__(self):
        self.up = True
        self.offered = []

    async def mark(self, offsets):
        self.offered.append(dict(offsets))
        return self.up


async def test_only_what_the_group_does_not_have_is_offered():
    """A log that stands still is marked once."""
    marks, group = Marks(), Group()
    await marks.offer(group, {ONE: 5, TWO: 7})
    await marks.offer(group, {ONE: 5, TWO: 7})
    await marks.offer(group, {ONE: 6, TWO: 7})
    assert [{ONE: 5, TWO: 7}, {ONE: 6}] == group.offered


async def test_a_mark_that_was_not_taken_is_offered_again():
    """Nothing new has to be read for it."""
    marks, group = Marks(), Group()
    group.up = False
    await marks.offer(group, {ONE: 5})
    group.up = True
    await marks.offer(group, {ONE: 5})
    await marks.offer(group, {ONE: 5})
    assert [{ONE: 5}, {ONE: 5}] == group.offered


async def test_after_a_rebalance_everything_is_offered():
    """Whoever had the partition before may have left without its last mark."""
    marks, group = Marks(), Group()
    await marks.offer(group, {ONE: 5})
    marks.forget()
    await marks.offer(group, {ONE: 5})
    assert [{ONE: 5}, {ONE: 5}] == group.offered


async def test_a_learner_that_reads_again_moves_its_mark_back():
    """The lag that tools see is the real one."""
    marks, group = Marks(), Group()
    await marks.offer(group, {ONE: 5})
    await marks.offer(group, {ONE: 0})
    assert [{ONE: 5}, {ONE: 0}] == group.offered
