"""The monitor as a whole: what it reads, and what it refuses."""

import pytest

from schemas.log import Record
from streams.cli.endings import REFUSED, code_of
from streams.monitor import Monitor
from streams.snapshot import SnapshotError


@pytest.mark.parametrize("value", [b"", b"\xc1", b"{}", b"\x92\xa7profile\xc0", b"\xff" * 99])
def test_a_foreign_record_in_the_journal_is_named_and_refused(value):
    """The operator is told which record it is, and the command ends as for any refusal."""
    monitor = Monitor({}, baselines={})
    with pytest.raises(SnapshotError, match="offset 7 ") as refused:
        monitor.step("journal", [Record(offset=7, timestamp=0, value=value)])
    assert REFUSED == code_of(refused.value)
