"""The words every layer speaks: errors, configuration, money, requests and usage. Start at `base.py`."""
