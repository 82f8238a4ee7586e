"""Where KV blocks outlive the pool and the process: the disk tier. Start at `base.py`."""
