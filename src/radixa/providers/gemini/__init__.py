"""Google's Gemini API as a provider. Start at `provider.py`."""
