"""Where Triton's kernels run in tests. To be imported before anything of `radixa.attention.triton`."""

from __future__ import annotations

import pytest
import torch

CUDA = torch.cuda.is_available()
# Before 3.7 the interpreter cannot count with numpy 2.4 and later.
pytest.importorskip("triton", None if CUDA else "3.7", reason="Triton is not installed, or too old for its interpreter")
DEVICE = "cuda" if CUDA else "cpu"
