"""What becomes of predictions: metrics by label arrival and by mature cohort, estimates before.

Promises: everything is read from merged counts, so corrections and late rows change what is said
later and never what was said; state is bounded by panes, cohorts and versions kept.
Leaves to others: sequential detectors of the error (`lane`), what follows (policy).
"""
