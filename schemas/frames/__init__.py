"""Many rows at once: identifiers, typed events, and the frames of tables that are plain."""

from schemas.frames.events import Events
from schemas.frames.frame import Coded, Frame
from schemas.frames.framing import Framed, Framer
from schemas.frames.ids import Ids

__all__ = ["Coded", "Events", "Frame", "Framed", "Framer", "Ids"]
