"""Persistence: how much wider sums of neighbouring panes are than single panes say.

Weather, demand and campaigns last longer than a pane, so that what is off today is off tomorrow
too. The dispersion of single panes does not show it, the sum over many panes has it all.

Promises: a factor of at least 1, and 1 where too few panes are known.
Leaves to others: the dispersion of single panes (`reference`).
Source: Newey, West (1987), Econometrica 55(3): long-run variance with Bartlett weights.
"""

from dataclasses import replace

import numpy as np

from detectors.arrays import Counts, Floats
from detectors.reference import SignalReference

_LEAST = 20
"""Panes from which persistence can be told."""

PROVEN = 3.0
"""Standard errors of the correlation of neighbouring panes beyond which it is no chance."""


def persistence(off: Floats, proof: float = 0.0) -> Floats:
    """Long-run variance over that of single panes (k,), of deviations (panes, k) in order.

    The lag is the root of the number of panes. With `proof` it is 1 where neighbours are not
    correlated by so many standard errors: an estimate of chance alone would be above 1 on average,
    and delay every alarm.
    """
    panes, factor = len(off), np.ones(off.shape[1])
    if panes < _LEAST:
        return factor
    own = (off**2).sum(axis=0)
    own = np.where(own > 0, own, 1.0)
    near = (off[1:] * off[:-1]).sum(axis=0) / own
    told = near * np.sqrt(panes) >= proof if proof > 0 else np.ones(len(own), bool)
    off, own = off[:, told], own[told]
    lags = int(np.sqrt(panes)) if len(own) else 0
    for lag in range(1, lags + 1):
        factor[told] += 2 * (1 - lag / (lags + 1)) * (off[lag:] * off[:-lag]).sum(axis=0) / own
    return np.asarray(np.maximum(factor, 1.0))


def lasting(reference: SignalReference, panes: Counts, proof: float = 0.0) -> SignalReference:
    """A reference of neighbouring panes (panes, width), with the dispersion of their long sums.

    `proof` as in `persistence`.
    """
    counts = panes[panes.sum(axis=1) > 0].astype(float)
    if not len(counts):
        return reference
    rows = counts.sum(axis=1)
    cells = persistence(counts - np.outer(rows, counts.sum(axis=0) / rows.sum()), proof)
    patterns = reference.patterns
    if patterns is not None:
        present = counts[:, :-1]
        z, groups = reference.scores, reference.groups
        loads = np.column_stack([z, z**2, groups[:, None] == np.arange(groups[-1] + 1)])
        mean = (present.sum(axis=0) / present.sum()) @ loads
        off = present @ loads - np.outer(present.sum(axis=1), mean)
        patterns = patterns * persistence(off, proof)
    return replace(reference, dispersion=reference.dispersion * cells, patterns=patterns)
