"""HTTP: the door for events, and the lamps (readings, incidents, metrics, a page)."""
