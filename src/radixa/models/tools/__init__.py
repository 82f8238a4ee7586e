"""How model families call tools: a file a form, chosen from the chat template."""
