"""A real Redis as the place where predictions wait: exact while it serves, honest while not."""

import time

import orjson
import pytest

from schemas.journal import Progress, decode
from tests.laws.mill import Mill
from tests.laws.world import PANE, T0, Item, Ways, World, world
from tests.stores.conftest import Server, need_redis
from tests.stores.cupboard import Apart, counted

AWKWARD = Ways(corrected=0.5, again=0.4, conflict=0.3)
ROWS = 30


@pytest.mark.parametrize("seed", range(3))
def test_redis_counts_what_memory_counts(server, seed):
    """The same profiles, accounts and readings through crashes and stale owners."""
    made = world(seed, AWKWARD, ids=12)
    plain = Mill(made, 2, seed=seed).finish()
    mill = Mill(Apart.of(made, server.store()), 2, seed=seed).run(seed, 120)
    assert [] == mill.problems
    assert counted(plain) == counted(mill)
    assert plain.spoken() == mill.spoken()
    assert server.client().dbsize() > 1


def ask(number, pane):
    """A prediction in a pane."""
    at = T0 + pane * PANE + number
    return Item("predictions", "prediction", at, number, at, "1", 1.0, "a", 0.3, number % 2, "eu")


def tell(number, pane, revision=1):
    """Its label in a later pane, right; a correction says the other."""
    at = T0 + pane * PANE + number
    right = (number + revision - 1) % 2
    return Item("labels", "label", at, number, at, answer=right, revision=revision)


class Course:
    """A model on one partition, moved pane by pane; whatever is read is flushed and said."""

    def __init__(self, store, *items):
        made = World(tuple(items), 1_000, 3_600_000)
        self.plain = Mill(made).finish()
        self.mill = Mill(Apart.of(made, store))

    def to(self, pane):
        """Read what has come before the end of a pane, and say what follows."""
        mill, owner = self.mill, self.mill.owners[0]
        mill.now = T0 + (pane + 1) * PANE - 1
        for log in ("predictions", "labels", "metrics", "model-events"):
            mill.poll(owner, log, 1 << 30)
        for log in ("predictions", "labels", "metrics", "model-events"):
            mill.poll(owner, log, 1 << 30)
        mill.flush(owner)
        mill.send(owner, 1 << 30)
        mill.judge(1 << 30)
        mill.say()
        return self

    @property
    def books(self):
        """What became of predictions and labels."""
        told = self.mill.owners[0].machine.accounting()
        return told["predictions"], told["labels"]

    def predictions(self, mill):
        """Counts of the predictions alone."""
        return {k: v for k, v in mill.profiles().items() if k.kind == "predictions"}

    @property
    def whole(self):
        """Whether the newest progress says that Redis serves."""
        said = [decode(record.value) for record in self.mill.journal]
        return [one.whole for one in said if isinstance(one, Progress)][-1]

    def joins(self):
        """Breach and rows of each reading that tells of the joins, by time."""
        said = [
            orjson.loads(value)
            for topic, _, value, _ in self.mill.outputs.values()
            if topic == "readings"
        ]
        own = [one for one in said if one["signal"] == "operational:join"]
        own.sort(key=lambda one: one["current"]["window"]["end"])
        return [(one["breach"], one["current"]["rows"]) for one in own]


def story(third=ROWS // 3):
    """Three waves: in pane 0 all are asked; their labels come in panes 2, 4 and 6, by thirds.

    In every one of panes 1 to 8 others are asked and labelled at once.
    """
    first = [ask(n, 0) for n in range(ROWS)]
    late = [tell(n, 2 + 2 * (n // third)) for n in range(ROWS)]
    others = [
        event
        for pane in range(1, 9)
        for n in range(100 * pane, 100 * pane + 5)
        for event in (ask(n, pane), tell(n, pane))
    ]
    return [*first, *late, *others]


def test_while_redis_is_killed_predictions_are_judged_and_what_is_missed_is_told(server):
    """The labels of the time without it are not joined, are counted, and are told in readings."""
    course = Course(server.store(), *story()).to(0).to(1)
    server.kill()
    course.to(2).to(3)
    server.start()
    time.sleep(1.1)  # the breaker asks again
    course.to(4).to(5).to(6).to(7)
    asked, told = course.books
    third, seen = ROWS // 3, 5
    # Missed: the first third. Joined: those labelled before, in between from memory, and after.
    assert 2 * third + 7 * seen == told.joined
    assert (2 * seen, third + 2 * seen) == (asked.unasked, told.unasked)
    assert (0, 0) == (asked.unkept, told.unkept)
    done = course.to(8).mill.finish()
    assert course.predictions(course.plain) == course.predictions(done)
    breaches = [breach for breach, _ in course.joins()]
    assert True in breaches
    assert breaches[-1] is False
    assert asked.unasked + told.unasked == sum(rows for _, rows in course.joins())
    assert 0 == course.books[1].orphaned


def test_a_redis_that_takes_rows_again_serves_though_nothing_is_asked(server):
    """What waits in memory is written when it is back, and progress says so at once."""
    missed = [tell(0, 1), *(ask(n, 1) for n in range(10, 15))]
    course = Course(server.store(), *(ask(n, 0) for n in range(5)), *missed).to(0)
    server.kill()
    assert not course.to(1).whole
    server.start()
    time.sleep(1.1)
    assert course.to(2).whole


def test_a_redis_that_stands_still_costs_its_timeout_once(server):
    """Then it is left alone, and asked again later; whatever was read meanwhile leaves then."""
    store = server.store()
    course = Course(store, *story()).to(0)
    server.stand_still()
    begun = time.monotonic()
    course.to(1)
    assert "does not answer in time" == store.trouble()
    for pane in range(2, 6):
        course.to(pane)
    spent = time.monotonic() - begun
    server.go_on()
    # Twice the timeout at first and once for each time that it is asked again: not once a batch.
    assert spent < 10
    time.sleep(5.1)
    course.to(6)
    assert store.trouble() is None
    assert 0 == len(course.mill.owners[0].machine._models["m"].pending.join.predictions)
    done = course.to(8).mill.finish()
    assert course.predictions(course.plain) == course.predictions(done)


def test_a_full_redis_is_still_asked_and_nothing_is_missed(server):
    """What it does not take waits in memory, is re-read after a crash, and leaves when it can."""
    store = server.store()
    course = Course(store, *story()).to(0)
    server.client().config_set("maxmemory-policy", "noeviction")
    server.client().config_set("maxmemory", "1")
    course.to(1).to(2)
    assert "is full" == store.trouble()
    course.mill.owners[0] = course.mill._restored(0)
    course.to(3)
    server.client().config_set("maxmemory", "0")
    time.sleep(1.1)
    course.to(4)
    assert store.trouble() is None
    done = course.to(6).to(8).mill.finish()
    asked, told = course.books
    assert [0, 0, 0, 0] == [asked.unasked, asked.unkept, told.unasked, told.unkept]
    assert course.plain.profiles() == done.profiles()
    breaches = [breach for breach, _ in course.joins()]
    assert [True, False] == [breaches[0], breaches[-1]]


def test_more_than_memory_may_hold_is_given_up_and_counted(server, monkeypatch):
    """A full Redis for long: rows beyond `redis.spare` are lost to their labels, and told."""
    course = Course(server.store(), *story())
    machine = course.mill.owners[0].machine
    counting = machine._models["m"].counting
    monkeypatch.setattr(
        machine._models["m"].pending,
        "_counting",
        type(counting)(
            **{**{f: getattr(counting, f) for f in counting.__struct_fields__}, "spare": 10}
        ),
    )
    server.client().config_set("maxmemory", "1")
    course.to(0)
    assert ROWS == course.books[0].unkept
    course.to(1).to(2)
    assert 2 * 5 == course.books[1].joined


def test_a_wrong_password_is_said_in_words(tmp_path):
    """Nothing is stored or asked; predictions are counted, and labels join from memory."""
    need_redis()
    server = Server(tmp_path, "--requirepass", "right")
    server.start()
    try:
        store = server.store(password="wrong")
        course = Course(store, *story()).to(0).to(1).to(2)
        assert "lets us in with neither name nor password" == store.trouble()
        done = course.to(4).to(6).to(8).mill.finish()
        assert course.plain.profiles() == done.profiles()  # all of it was still in memory
        assert 0 == server.client(password="right").dbsize()
        assert {True} == {breach for breach, _ in course.joins()}
    finally:
        server.kill()


def test_an_emptied_redis_is_noticed(server):
    """What was lost is counted by how much it was; what comes after is joined again."""
    course = Course(server.store(), *story()).to(0).to(1)
    server.client().flushall()
    course.to(2).to(3)
    asked, told = course.books
    assert (ROWS + 5, 5) == (asked.unkept, told.unkept)
    assert 3 * 5 == told.joined
    course.to(4).to(6).to(8)
    assert (ROWS + 5, 5) == (course.books[0].unkept, course.books[1].unkept)
    assert 8 * 5 == course.books[1].joined
    done = course.mill.finish()
    assert course.predictions(course.plain) == course.predictions(done)
    assert (True, ROWS + 5 + 5) in course.joins()


def test_an_emptied_redis_is_noticed_by_the_next_worker_too(server):
    """Restored from a snapshot, a worker knows that there should be more."""
    course = Course(server.store(), *story()).to(0).to(1)
    server.client().flushall()
    course.mill.owners[0] = course.mill._restored(0)
    course.to(2)
    assert (ROWS + 5, 5) == (course.books[0].unkept, course.books[1].unkept)


def test_a_correction_of_a_label_that_was_missed_takes_nothing_away(server):
    """What was read without a look is never counted later, so it is not taken back either."""
    items = [ask(n, 0) for n in range(4)]
    items += [tell(n, 2) for n in range(4)]
    items += [tell(n, 4, revision=2) for n in range(4)]
    items += [ask(99, pane) for pane in range(6, 7)]
    course = Course(server.store(), *items).to(0).to(1)
    server.kill()
    course.to(2)
    server.start()
    time.sleep(1.1)
    done = course.to(3).to(4).to(6).mill.finish()
    outcomes = [p.rows for k, p in done.profiles().items() if k.kind == "outcomes"]
    # The correction is the first label that each prediction has met.
    assert 4 * 2 == sum(outcomes)  # the whole and one segment
    assert not [k for k in done.profiles() if k.kind == "revisions"]


def test_a_key_lives_for_horizon_and_retention(server):
    """The broom: stream time decides before it."""
    Course(server.store(), *story()).to(0)
    client = server.client()
    lives = {client.pttl(key) for key in client.scan_iter("windage:test:m:*")}
    assert lives
    assert all(0 < life <= 86_400_000 for life in lives)


def test_labels_from_before_there_were_annotators_are_read(server):
    """Their rows end after the revision; they wait, repeat and are corrected as they did."""
    labels = [tell(n, 0) for n in range(9)]
    again = [one._replace(broker=one.broker + PANE) for one in labels[:3]]
    asked = [ask(n, 0)._replace(broker=T0 + 2 * PANE + n) for n in range(9)]
    course = Course(server.store(), *labels, *again, *asked, *(tell(n, 3, 2) for n in range(4)))
    course.to(0)
    client, short = server.client(), 0
    for key in client.scan_iter("windage:test:*:*"):
        for field, row in client.hgetall(key).items():
            if field[8:9] == b"l":
                assert bytes(9) == row[-9:]
                client.hset(key, field, row[:-9])
                short += 1
    assert 9 == short
    done = course.to(1).to(2).to(3).mill.finish()
    assert [] == done.problems
    assert 3 == course.books[1].duplicate
    assert counted(course.plain) == counted(done)


def test_annotators_wait_in_redis_with_their_labels(server):
    """The second one's opinion finds the first one's label there."""
    first = [tell(n, 0)._replace(annotator="ann") for n in range(9)]
    second = [tell(n, 2, 2)._replace(annotator="bob", revision=1) for n in range(9)]
    course = Course(server.store(), *(ask(n, 0) for n in range(9)), *first, *second)
    done = course.to(0).to(1).to(2).mill.finish()
    assert [] == done.problems
    assert (9, 9, 0) == (
        course.books[1].opinions,
        course.books[1].outcomes,
        course.books[1].conflict,
    )
    assert counted(course.plain) == counted(done)
