"""Rollout: a new version beside the one that serves, as a canary or as a shadow."""
