"""Machine 1: reads one source partition, counts it into pane profiles, forwards the rest."""

from streams.profiler.machine import Profiler

__all__ = ["Profiler"]
