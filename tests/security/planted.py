"""Plants: secrets and personal values that occur nowhere else, and rows that carry them."""

import random

from tests.cli.installation import ROWS, prediction

SECRETS = {
    "WRITE_TOKEN": "planted-write-token-9f31",
    "READ_TOKEN": "planted-read-token-77c2",
    "STATE_KEY": "planted-state-key-5ab0",
    "BROKER_PASSWORD": "planted-broker-password-02de",
}
PERSONAL = {
    "undeclared": "planted-ssn-4481",
    "rare": "planted-city-of-one",
    "wrong_type": "planted-name-in-a-number",
    "tag": "planted-tag-6613",
    "id": "planted-customer-8812",
    "malformed": "planted-in-no-json-1204",
    "header": "planted-in-a-header-3377",
    "note": "planted-password-in-a-guess-5150",
}
OUTPUTS = (
    "readings",
    "drift-events",
    "alerts",
    "retrain-requests",
    "rollback-requests",
    "references",
)
BROKEN = f'{{"prediction_id": "{PERSONAL["malformed"]}", '
"""A record that is no JSON."""


def rows():
    """Predictions and their labels, good ones, and among them plants in every field."""
    chance = random.Random(7)
    for number in range(ROWS):
        event, label = prediction(number, chance)
        event["features"]["ssn"] = PERSONAL["undeclared"]
        event["tags"] = {"who": PERSONAL["tag"]}
        event["user"] = PERSONAL["tag"]
        if number % 200 == 100:
            event["features"]["kind"] = PERSONAL["rare"]
            event["prediction_id"] = label["prediction_id"] = PERSONAL["id"] + str(number)
        if number % 200 == 150:
            event["features"]["amount"] = PERSONAL["wrong_type"]
        yield event, label


def plants_in(text, plants):
    """Names of the plants that are in a text."""
    return sorted({name for name, word in plants.items() if word in text})


def text_of(records):
    """All that stands in records of a topic."""
    return repr([(one.key, one.value, one.headers) for one in records])
