"""The folder of the examples is where their programs look for modules, as when they are run."""

import sys

import pytest


@pytest.fixture(scope="session", autouse=True)
def _beside_the_examples(root):
    sys.path.insert(0, str(root / "examples"))
    yield
    sys.path.remove(str(root / "examples"))
