"""What every test may ask for: the project's folder, recorded streams, and how hard to search.

Hypothesis searches the same way everywhere; HYPOTHESIS_PROFILE=thorough searches longer.
"""

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# No deadline: a busy machine is not a failing law. Blobs make a failure repeatable elsewhere.
hypothesis.settings.register_profile("usual", deadline=None, max_examples=50, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Path]:
    """Return a function from the file name of a recorded stream to its path.

    It looks in $WINDAGE_RECORDINGS, then in shared/data beside the checkout, and skips the test
    where the file is not: most recordings state no licence and so do not travel with the project.
    """
    places = [Path(os.environ["WINDAGE_RECORDINGS"])] if "WINDAGE_RECORDINGS" in os.environ else []
    places.append(ROOT.parent / "shared" / "data")

    def find(name: str) -> Path:
        for place in places:
            if (place / name).is_file():
                return place / name
        pytest.skip(f"the recorded stream {name} is not here (set WINDAGE_RECORDINGS)")

    return find
