"""Attention by FlashInfer's kernels, where it is installed. Start at `tables.py`."""
