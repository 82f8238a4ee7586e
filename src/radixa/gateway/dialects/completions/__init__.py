"""OpenAI's text completions: `body.py` reads, `answer.py` writes."""
