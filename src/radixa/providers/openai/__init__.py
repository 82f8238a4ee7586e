"""Servers that speak OpenAI's API: OpenAI itself, DeepSeek, vLLM, SGLang, llama.cpp and others. Start at `kinds.py`."""
