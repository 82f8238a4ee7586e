"""The dashboard: pages over the gateway's own routes, under `/dashboard`. Start at `base.py`, then `mount.py`."""
