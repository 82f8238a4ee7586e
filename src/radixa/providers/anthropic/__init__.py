"""Anthropic's API as an upstream."""
