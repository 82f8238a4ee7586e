"""The radix tree: one library for engine, router, policies and simulator. Start at `base.py`."""
