"""Incidents: which signals share a cause, what it is, and what is told of it."""
