"""How a plan lies in memory, and what the kernels and the planner must agree on besides."""

from __future__ import annotations

HEADER = 4
"""Numbers before the bins: the count of merges, then three unused, so that what follows is aligned."""

ITEM, RUN, MERGE = 5, 3, 3
"""Numbers of an entry (`base.HostPlan`)."""

NARROW = 16
"""Rows of the small tile, the fewest that matrix instructions take."""
