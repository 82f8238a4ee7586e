"""OpenAI's responses: `body.py` reads, `answer.py` writes, in the shapes of `output.py`."""
