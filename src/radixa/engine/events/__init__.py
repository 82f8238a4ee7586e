"""KV events: what is in the cache, told to subscribers outside. Start at `base.py`."""
