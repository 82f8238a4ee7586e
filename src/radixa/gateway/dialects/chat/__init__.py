"""OpenAI's chat completions: `body.py` reads, `answer.py` writes."""
