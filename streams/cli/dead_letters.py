"""`windage dead-letters show|replay`: what was refused and why, and sending it again after a fix.

Promises: `show` prints bytes as they came; `replay` sends each letter once, and with `--dry-run`
says what it would do and does nothing.
Leaves to others: originals and memory (`installation.dead_letters`).
"""

from collections import Counter

import msgspec

from schemas.instants import rfc3339
from streams.cli.console import emit, emit_object, results, say
from streams.cli.places import Place, reading
from streams.cli.status import code_of
from streams.cli.tail import shown
from streams.runtime.installation.dead_letters import KafkaPost, Post, SqlitePost, original
from streams.runtime.installation.reading import Located, Span, newest_of
from streams.runtime.installation.writing import Letter


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which letters: of this code, from this log, this one; None: whichever."""

    code: str | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None


def show(place: Place, choice: Choice, newest: int | None, *, as_json: bool) -> None:
    """Print dead letters, the newest last."""
    letters = _chosen(place, choice, newest)
    sent = _post(place).sent()
    for letter in letters:
        again = (letter.partition, letter.offset) in sent
        if as_json:
            emit(msgspec.json.encode({**shown(letter), "code": code_of(letter), "replayed": again}))
            continue
        value = (letter.value or b"")[:120].decode(errors="replace")
        key = (letter.key or b"").decode(errors="replace")
        mark = "  (sent again)" if again else ""
        results().print(
            f"{rfc3339(letter.timestamp)}  [{letter.partition}] {letter.offset}  {code_of(letter)}"
            f"{mark}  {key}  {value}",
            markup=False,
            soft_wrap=True,
        )
    if not letters:
        say("no dead letters")


def replay(place: Place, choice: Choice, *, dry_run: bool, as_json: bool) -> None:
    """Send dead letters back to the logs they came from, those not sent before."""
    letters, post = _chosen(place, choice, None), _post(place)
    sent = post.sent()
    fresh: dict[tuple[int, int], Letter] = {}
    strange = 0
    for letter in letters:
        at = (letter.partition, letter.offset)
        record = original(letter)
        if record is None:
            strange += 1
        elif at not in sent:
            fresh[at] = record
    if fresh and not dry_run:
        post.send(fresh)
    by_topic = Counter(record.topic for record in fresh.values())
    before = len(letters) - len(fresh) - strange
    if as_json:
        emit_object(
            {
                "replayed": 0 if dry_run else len(fresh),
                "would_replay": len(fresh) if dry_run else 0,
                "replayed_before": before,
                "without_origin": strange,
                "topics": dict(sorted(by_topic.items())),
            }
        )
        return
    verb = "would be sent again" if dry_run else "sent again"
    where = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(by_topic.items()))
    say(f"{len(fresh):,} {verb}{': ' + where if where else ''}; {before:,} were sent before")
    if strange:
        say(f"{strange:,} came from no input (such as alerts that a sink did not take), and stay")


def _chosen(place: Place, choice: Choice, newest: int | None) -> list[Located]:
    span = Span(partition=choice.partition, first=choice.offset, last=choice.offset, newest=newest)
    with reading(place) as reader:
        told = reader.read("dead-letters", span)
        return newest_of((letter for letter in told if _matches(letter, choice)), span)


def _matches(letter: Located, choice: Choice) -> bool:
    topic = dict(letter.headers).get("__connect.errors.topic", b"").decode(errors="replace")
    return choice.code in (None, code_of(letter)) and choice.topic in (None, topic)


def _post(place: Place) -> Post:
    directory = place.directory
    return KafkaPost(place.installation()) if directory is None else SqlitePost(directory)
