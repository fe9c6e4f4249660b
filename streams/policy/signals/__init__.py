"""Signals: what a pane shows of each, and the step each takes."""
