"""Retraining: when to ask for it, what for, and what became of it."""
