"""Limits: requests, tokens, requests at once, and money, reserved before a request and settled after it."""
