"""Where keys and values lie: slots, the pool, and the cache of prefixes over it. Start at `base.py`."""
