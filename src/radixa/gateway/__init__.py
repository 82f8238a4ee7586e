"""The HTTP face: an ASGI application. Start at `base.py`."""
