"""Kernels that are set up while those before them on the stream still run.

Programmatic dependent launch, on NVIDIA devices from compute capability 9.0 on. A kernel compiled for it says at once
that the next may be set up (`gdc_launch_dependents`), and waits for the one before to be done and its writes to be
there (`gdc_wait`) before it touches anything that a kernel of the step wrote. What no kernel of the step writes, such
as weights, it may read before that.

Attention is not launched so: its programs fill the device exactly, and steps of many sequences took longer when they
were set up beside others.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def early(x: Tensor) -> dict[str, bool]:
    """Keyword arguments for the launch of a kernel on `x`'s device that has a parameter `EARLY`."""
    return _options(x.device)


@cache
def _options(device: torch.device) -> dict[str, bool]:
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < (9, 0):
        return {"EARLY": False}
    return {"EARLY": True, "launch_pdl": True}
