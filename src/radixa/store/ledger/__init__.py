"""The ledger: one row for each answered request, and what they add up to. Start at `base.py`."""
