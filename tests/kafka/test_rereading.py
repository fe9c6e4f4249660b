"""What a worker says and shows of the records that it reads again after a restore."""

from streams.runtime.kafka.pulse import Pulse
from streams.runtime.kafka.rereading import Rereading
from streams.runtime.kafka.tenure import Stored, Tenure
from tests.kafka.test_worker_steps import LEDGER, Machine


def test_a_restored_worker_says_how_much_it_reads_again_and_when_that_is_done(caplog):
    """What is before the snapshot is told at the start; the end of it is one line, once."""
    machine, pulse = Machine(), Pulse("profiler")
    tenure = Tenure(3, machine, LEDGER, start={"predictions": 2}, resets=0, stored=Stored())
    tenure.durable = {"predictions": 10}
    machine.rows = 4
    with caplog.at_level("INFO", logger="streams.runtime.kafka.rereading"):
        again = Rereading([tenure], 100.0, 100.5, pulse)
        assert (6, 0.5, 0.0) == (pulse.unread, pulse.restored_s, pulse.reread_s)
        machine.rows = 9
        again.look(101.0)
        assert (1, 0.0) == (pulse.unread, pulse.reread_s)
        machine.rows = 12
        again.look(102.0)
        again.look(103.0)
    assert [
        "owns partitions [3], restored in 0.5 s; 6 offsets are read again",
        "6 offsets were read again after 2.0 s",
    ] == caplog.messages
    assert (0, 0.5, 2.0) == (pulse.unread, pulse.restored_s, pulse.reread_s)


def test_a_state_that_is_whole_reads_nothing_again(caplog):
    """The machine wants to go on where its snapshot ends: one line is enough."""
    machine, pulse = Machine(), Pulse("profiler")
    tenure = Tenure(0, machine, LEDGER, start={}, resets=0, stored=Stored())
    machine.rows = 10
    tenure.durable = {"predictions": 10}
    with caplog.at_level("INFO", logger="streams.runtime.kafka.rereading"):
        again = Rereading([tenure], 1.0, 1.2, pulse)
        again.look(1.5)
    assert ["owns partitions [0], restored in 0.2 s; 0 offsets are read again"] == caplog.messages
    assert (0, 0.5) == (pulse.unread, pulse.reread_s)
