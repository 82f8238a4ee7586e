"""Attention in Triton: one kernel for prompts over a cached prefix and for decoding along a tree."""
