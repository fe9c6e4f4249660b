"""Shadows: rows of a version that answers nobody, kept apart under a version name of their own.

Promises: no producer can send such a name (it is none, see `vocabulary.NAME_PATTERN`), so the rows
of a shadow and of the version that serves never meet, not even where both are the same version.
"""

from typing import Final

SUFFIX: Final = " (shadow)"


def counted_as(version: str, role: str | None) -> str:
    """The name under which a row is counted."""
    return version + SUFFIX if role == "shadow" else version


def is_shadow(version: str) -> bool:
    """Whether a counted version is a shadow."""
    return version.endswith(SUFFIX)
