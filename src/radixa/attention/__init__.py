"""Attention over slots: tree plans and backends. Start at `base.py`."""
