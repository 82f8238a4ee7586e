"""The engine on a CUDA device. Start at `base.py`."""
