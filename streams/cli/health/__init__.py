"""Health: whether everything is as it must be, a line each, for `windage doctor`."""
