"""From logits to tokens.

A sequence draws from its own generator, one uniform number a token, by inverting the cumulative distribution. So what
it samples depends on its seed and its logits alone, never on who shares the batch, and survives a retraction.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from radixa.core.base import SamplingParams, TokenLogprob
from radixa.engine.sequence import Sequence

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Mask = NDArray[np.uint8]

COLDEST = 1e-5
"""Temperatures below this take the likeliest token: dividing by less leaves nothing but infinities."""

NUCLEUS = 1024
"""Candidates that are sorted first for top-p; the whole vocabulary is sorted only where these do not reach it."""


class Sampled(NamedTuple):
    token: int
    logprob: TokenLogprob | None


def sample(
    logits: Tensor, sequences: list[Sequence], masks: Many[Mask | None] | None = None
) -> list[Sampled | Exception]:
    """One token for each row of `logits` [M, vocab] float32, which may be written to.

    `masks`: a row's allowed tokens, a bit each, the lowest first; None allows all. Where a row cannot be sampled its
    place holds the error, so that one request's fault is not the others'.
    """
    import torch

    # The decoder's logits are inference tensors, which may be written to in this mode only.
    with torch.inference_mode():
        greedy = logits.argmax(-1).tolist()
        return [
            _sampled(logits[i], sequence, greedy[i], None if masks is None else masks[i])
            for i, sequence in enumerate(sequences)
        ]


def _sampled(row: Tensor, sequence: Sequence, likeliest: int, mask: Mask | None) -> Sampled | Exception:
    params = sequence.request.sampling
    try:
        logprobs = None if params.logprobs is None else _Logprobs(row, sequence)
        if mask is not None:
            _constrain(row, sequence, mask)
        if adjusts(params):
            _adjust(row, sequence)
        if mask is not None or adjusts(params):
            likeliest = int(row.argmax())
        token = likeliest if params.temperature < COLDEST else _draw(row, sequence)
        return Sampled(token, logprobs.of(token) if logprobs else None)
    except Exception as error:  # noqa: BLE001 - the loop ends this request with it
        return error


def _constrain(row: Tensor, sequence: Sequence, mask: Mask) -> None:
    """Rule out what the grammar does not allow, in place. Where the answer may end, so may any token that ends it.

    InvalidRequest where nothing is allowed.
    """
    import torch

    constraint, params = sequence.constraint, sequence.request.sampling
    assert constraint is not None
    allowed = np.unpackbits(mask, count=row.shape[0], bitorder="little").view(np.bool_)
    if params.stop_token_ids and constraint.accepting:
        allowed[[token for token in params.stop_token_ids if token < row.shape[0]]] = True
    if not allowed.any():
        raise constraint.failure()
    row.masked_fill_(torch.from_numpy(~allowed), -inf)


def adjusts(params: SamplingParams) -> bool:
    return bool(
        params.frequency_penalty or params.presence_penalty or params.repetition_penalty != 1.0 or params.logit_bias
    )


def _adjust(row: Tensor, sequence: Sequence) -> None:
    """Penalties and biases, in place.

    Frequency and presence count the answer's tokens, as OpenAI documents them; the repetition penalty (Keskar et al.
    2019) counts the prompt's too: it divides positive logits and multiplies negative ones.
    """
    import torch

    params = sequence.request.sampling
    if params.repetition_penalty != 1.0:
        seen = torch.tensor(list(set(sequence.ids(0, sequence.length))))
        values = row[seen]
        row[seen] = torch.where(values > 0, values / params.repetition_penalty, values * params.repetition_penalty)
    if sequence.counts and (params.frequency_penalty or params.presence_penalty):
        ids = torch.tensor(list(sequence.counts.keys()))
        counts = torch.tensor(list(sequence.counts.values()), dtype=row.dtype)
        row[ids] -= params.frequency_penalty * counts + params.presence_penalty
    for token, bias in params.logit_bias.items():
        if token < row.shape[0]:
            row[token] += bias


def _draw(row: Tensor, sequence: Sequence) -> int:
    """A token from `row` [vocab] by temperature, top-k, top-p and min-p, in this order."""
    import torch

    params = sequence.request.sampling
    uniform = sequence.random.random()
    scaled = row / params.temperature
    if not params.top_k and params.top_p >= 1.0 and not params.min_p:
        return _invert(torch.softmax(scaled, -1), uniform)
    size = scaled.shape[0]
    count = min(params.top_k or size, size)
    if params.top_p < 1.0 or params.min_p:
        probs = torch.softmax(scaled, -1) if count == size else None
        values, ids = torch.topk(scaled, min(count, NUCLEUS))
        top = probs[ids] if probs is not None else torch.softmax(torch.topk(scaled, count).values, -1)[: len(ids)]
        kept = _nucleus(top, params)
        if kept == len(ids) < count:
            values, ids = torch.topk(scaled, count)
            kept = _nucleus(probs[ids] if probs is not None else torch.softmax(values, -1), params)
    else:
        values, ids = torch.topk(scaled, count)
        kept = count
    return int(ids[_invert(torch.softmax(values[:kept], -1), uniform)])


def _nucleus(probs: Tensor, params: SamplingParams) -> int:
    """How many of `probs`, sorted downwards, stay: the fewest that reach top-p, and those of at least min-p of the
    first."""
    before = probs.cumsum(-1) - probs
    stay = before < params.top_p
    if params.min_p:
        stay &= probs >= params.min_p * probs[0]
    return max(1, int(stay.sum()))


def _invert(probs: Tensor, uniform: float) -> int:
    """The index at which the cumulative sum of `probs` passes `uniform`."""
    import torch

    total = probs.cumsum(-1, dtype=torch.float64)
    at = int(torch.searchsorted(total, uniform * float(total[-1]), right=True))
    return min(at, probs.shape[0] - 1)


class _Logprobs:
    """A row's log-probabilities, taken before penalties and temperature change it."""

    def __init__(self, row: Tensor, sequence: Sequence) -> None:
        self._alternatives = sequence.request.sampling.logprobs or 0
        self._values = row.log_softmax(-1)

    def of(self, token: int) -> TokenLogprob:
        top: tuple[tuple[int, float], ...] = ()
        if self._alternatives:
            values, ids = self._values.topk(min(self._alternatives, self._values.shape[0]))
            top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
        return TokenLogprob(token, float(self._values[token]), top)
