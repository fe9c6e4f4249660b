"""A broker for the benches: started by `scripts/kafka`, on a free port, wiped afterwards."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "kafka"
START_SECONDS = 600


class NoBrokerError(Exception):
    """No broker can be started here; the message says why."""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a running broker; NoBrokerError where none can be started."""
    options = ["--port", str(_free_port()), "--data-dir", str(folder)]
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


def _free_port() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port
