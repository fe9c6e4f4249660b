"""The load of this machine: whatever is bounded in time may take so much longer."""

import os


def busy() -> float:
    """Processes a core that want to run, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
