"""Radixa: an LLM gateway and inference engine that computes a prompt prefix once."""

__version__ = "0.1.0"
