"""Whoever answers a model's requests. Start at `base.py`."""
