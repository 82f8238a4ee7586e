"""The front-end language: programs that generate, fork and choose, whose prompts share what they have in common."""
