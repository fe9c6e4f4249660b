"""Machine 2: reads the journal, closes panes, judges signals, and lets the policy decide."""

from streams.monitor.machine import Monitor

__all__ = ["Monitor"]
