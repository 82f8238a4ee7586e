"""Triton's kernels run in its interpreter where there is no CUDA device."""

from __future__ import annotations

import os

import torch

# Read when a function is compiled by Triton, its own library's included: so before anything imports it.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
