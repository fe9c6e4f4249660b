"""Sinks: what the machines decided, told to services outside, again until they took it.

Each sink reads the output topics by itself, in their order, and remembers how far it has come. So
what waits for a sink waits in the log; nothing here is read by a machine, and none waits for it.
"""
