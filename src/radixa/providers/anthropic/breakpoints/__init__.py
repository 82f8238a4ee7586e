"""Anthropic's cache breakpoints, placed where they pay. Start at `base.py`."""

from radixa.providers.anthropic.breakpoints.planner import Breakpoints, Placed

__all__ = ["Breakpoints", "Placed"]
