"""Windage, for programs that send predictions or act on drift.

Promises: importing it imports nothing else of this project, so that it stays light.
Leaves to others: the commands and machines (`windage` on the command line).
"""

__version__ = "0.1.0"
