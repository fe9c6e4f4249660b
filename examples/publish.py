"""Publishes a model's predictions and their labels, as a service that uses the model would.

    windage serve --config windage.yaml --port 8080
    python examples/publish.py http://localhost:8080 1000

or kafka://localhost:9092. The model is `fraud`; from the middle on, amounts are three times larger.
"""

import random
import sys

import windage

CUT = 0.5


def main(url: str, rows: int) -> int:
    """Publish `rows` predictions and a label for each; the exit code says whether all arrived."""
    chance = random.Random(1)  # noqa: S311 - a made-up stream, the same each time
    with windage.Publisher(url, model="fraud", version="1", max_block_ms=5_000) as pub:
        for row in range(rows):
            amount = chance.lognormvariate(3, 1) * (3 if row > rows / 2 else 1)
            score = min(0.99, amount / 200)
            features = {"amount": round(amount, 2), "country": chance.choice(["DE", "FR", "IT"])}
            pid = pub.prediction(features, prediction=int(score > CUT), score=score)
            pub.label(pid, int(chance.random() < score))
        done = pub.flush(60)
        print(f"sent {pub.counts.sent}, dropped {pub.dropped} {pub.counts.reasons or ''}")
    return 0 if done and not pub.dropped else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - a program, an address, a number
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
