"""The embedded engine as a provider: a conversation becomes a prompt, tokens, and answers. Start at `provider.py`."""
