"""Fused operations, each in a plain torch form and a compiled one. Start at `base.py`."""
