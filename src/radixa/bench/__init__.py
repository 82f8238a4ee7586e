"""Workloads, replay and reports. Start at `base.py`."""
