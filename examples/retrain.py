"""A retrain service: answers the requests of the model `fraud`, and prints every alert.

python examples/retrain.py kafka://localhost:9092
"""

import sys
import threading

import windage


def main(url: str) -> None:
    """Listen until Ctrl-C."""
    stop = threading.Event()

    @windage.on_retrain(url, group="fraud-trainer", models=["fraud"])
    def train(request: dict) -> object:
        window = request["data_window"] or {}
        print(f"training on rows from {window.get('start')} to {window.get('end')}")
        return request.done(version=f"retrained-{request['request_id'][:8]}")

    try:
        for alert in windage.subscribe(url, "alerts", group="fraud-ops", stop=stop):
            print(alert["status"], alert["severity"], alert["title"])
    except KeyboardInterrupt:
        stop.set()
    finally:
        train.stop()


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 - a program and an address
        sys.exit(__doc__)
    main(sys.argv[1])
