"""The database: accounts and keys. Start at `base.py`."""
