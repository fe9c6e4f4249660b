"""A broker for the benches: started by `scripts/kafka`, on a free port, wiped afterwards."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from scripts.ports import free_ports

SCRIPT = Path(__file__).resolve().parents[1] / "kafka"
START_SECONDS = 600


class NoBrokerError(Exception):
    """No broker can be started here; the message says why."""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a running broker; NoBrokerError where none can be started."""
    options = ["--port", str(free_ports(2)[0]), "--data-dir", str(folder)]
    done = subprocess.run(
        [SCRIPT, "start", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NoBrokerError(done.stderr.strip())
    try:
        yield f"127.0.0.1:{options[1]}"
    finally:
        subprocess.run(
            [SCRIPT, "stop", "--wipe", *options], capture_output=True, check=False, timeout=120
        )


def create(bootstrap: str, topics: Sequence[str]) -> None:
    """Topics of one partition that the broker stamps."""
    from kafka.admin import KafkaAdminClient, NewTopic  # noqa: PLC0415

    stamped = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(9 << 20)}
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=stamped) for name in topics])
        admin.wait_for_topics(list(topics))
