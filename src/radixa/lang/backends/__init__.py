"""Whoever answers a program: an engine in this process, a server of ours, OpenAI, Anthropic."""
