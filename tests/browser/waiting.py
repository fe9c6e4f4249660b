"""Waiting for what happens in other threads."""

import time


def until(condition, seconds=20):
    """Wait for something to be true, and give it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
    return found
