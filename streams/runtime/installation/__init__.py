"""An installation: what it has written, read; and things said to it."""
