"""The APIs that bodies and answers are written in, one package each. Start at `base.py`."""
