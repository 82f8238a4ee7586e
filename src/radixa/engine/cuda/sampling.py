"""From logits to tokens on the device, for sequences that ask for no more than temperature, top-k, top-p and min-p.

The rule is that of `engine.sampler`: each sequence draws one uniform number a token from its own generator, on the
host, and the token is where the cumulative distribution passes it, in the order of the vocabulary where nothing is cut
off and from the likeliest down where something is. What differs from the host is rounding: sums in float32 and float64
are taken in another order, so a number that falls within that of a border may give the neighbour.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from typing import TYPE_CHECKING

import numpy as np
import torch

from radixa.engine.sampler import COLDEST
from radixa.engine.sequence import Sequence
from radixa.kernels.triton.greedy import greedy

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_TOP_K = 1024
"""Where every row that cuts off keeps at most so many, they are selected; else the vocabulary is sorted."""


class Draw:
    """How the rows of one step are drawn: numbers for the device, and what of the work is needed at all."""

    def __init__(self, sequences: Many[Sequence]) -> None:
        """Takes the next number from each sequence's generator, where it draws at random."""
        rows = np.zeros((5, len(sequences)), np.float64)
        self.random = self.cut = False
        self.most = 0
        for i, sequence in enumerate(sequences):
            params = sequence.request.sampling
            if params.temperature < COLDEST:
                continue
            self.random = True
            cut = bool(params.top_k or params.top_p < 1.0 or params.min_p)
            self.cut = self.cut or cut
            if cut:
                self.most = max(self.most, params.top_k or LARGEST_TOP_K + 1)
            rows[:, i] = (
                sequence.random.random(),
                params.temperature,
                params.top_k,
                params.top_p if cut else 2.0,
                params.min_p,
            )
        self.numbers = rows

    def tokens(self, logits: Tensor, out: Tensor) -> None:
        """Write a token for each of logits [N, V] float32 to out [N] int32."""
        greedy(logits, out)
        if not self.random:
            return
        numbers = torch.from_numpy(self.numbers).pin_memory().to(logits.device, non_blocking=True)
        uniform, temperature, top_k, top_p, min_p = numbers
        at_random = temperature > 0
        scaled = logits / torch.where(at_random, temperature, 1.0).float()[:, None]
        found = _invert(torch.softmax(scaled, -1), uniform)
        if self.cut:
            found = torch.where(top_p <= 1.0, _among_likeliest(scaled, uniform, top_k, top_p, min_p, self.most), found)
        out.copy_(torch.where(at_random, found.to(out.dtype), out))


def _among_likeliest(scaled: Tensor, uniform: Tensor, top_k: Tensor, top_p: Tensor, min_p: Tensor, most: int) -> Tensor:
    """Tokens [N] drawn from what top-k, top-p and min-p leave, in this order. `most`: the highest top-k of the rows."""
    size = scaled.shape[1]
    if most <= min(LARGEST_TOP_K, size):
        values, ids = torch.topk(scaled, most)
    else:
        values, ids = torch.sort(scaled, dim=-1, descending=True)
    place = torch.arange(values.shape[1], device=scaled.device)
    keep = torch.where(top_k > 0, top_k, float(size))[:, None]
    values = values.masked_fill(place >= keep, float("-inf"))
    probs = torch.softmax(values, -1)
    stay = probs.cumsum(-1) - probs < top_p.float()[:, None]
    stay &= probs >= min_p.float()[:, None] * probs[:, :1]
    stay[:, 0] = True
    drawn = _invert(torch.softmax(values.masked_fill(~stay, float("-inf")), -1), uniform)
    return ids.gather(1, drawn[:, None])[:, 0]


def _invert(probs: Tensor, uniform: Tensor) -> Tensor:
    """Where the cumulative sum of each row of probs [N, V] passes its uniform number [N] float64."""
    total = probs.cumsum(-1, dtype=torch.float64)
    wanted = (uniform * total[:, -1])[:, None]
    found = torch.searchsorted(total, wanted, right=True)[:, 0]
    return found.clamp_(max=probs.shape[1] - 1)
