"""Anthropic's messages: `body.py` reads, `answer.py` writes."""
