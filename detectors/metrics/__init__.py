"""Metrics of models with their confidence intervals, read from counts: one noun per file.

Promises: everything is a function of merged integer counts, so it does not depend on chunks or
partitions; what cannot be judged is None, never NaN.
Leaves to others: counting (`schemas.grid.Layout`), what a metric is compared with (monitor).
"""
