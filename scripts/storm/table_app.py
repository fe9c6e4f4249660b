"""The control arm: the same events counted the way Faust's documentation shows, in a table.

Run as `python -m scripts.storm.table_app PORT DATADIR`. The count of a partition is the last value
of its key in the table's changelog.
"""

import sys

import faust

TABLE = "control-counts"
APP = "control"


def main(port: str, folder: str) -> None:
    """Count until killed."""
    app = faust.App(
        APP,
        broker=f"kafka://127.0.0.1:{port}",
        datadir=folder,
        store="memory://",
        topic_partitions=4,
        topic_replication_factor=1,
        web_enabled=False,
        broker_session_timeout=6,
        broker_heartbeat_interval=1,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic("predictions", value_type=bytes, value_serializer="raw", key_type=bytes)
    counts = app.Table("counts", key_type=str, value_type=int, default=int, partitions=4)

    @app.agent(topic)
    async def count(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            counts[str(event.message.partition)] += 1

    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
