"""Rollout: versions, canaries, and the way back."""
