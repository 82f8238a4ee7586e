"""Helpers over any `openai` client: conversations, models, retries, limits."""
