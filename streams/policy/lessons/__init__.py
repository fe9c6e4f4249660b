"""Lessons: what verdicts on incidents teach about thresholds."""
