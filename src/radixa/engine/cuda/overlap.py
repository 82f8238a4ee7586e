"""The loop that plans the next step while the device computes this one (`base.py` says how)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from radixa.core.base import SamplingParams
from radixa.engine.base import EngineOutput
from radixa.engine.cuda.base import Device, Launched
from radixa.engine.loop import EngineLoop
from radixa.engine.sampler import Sampled, adjusts, sample
from radixa.engine.sequence import Sequence


class _Flight(NamedTuple):
    """A step that was launched and not read."""

    launched: Launched
    by_host: bool
    """Whether the host draws its tokens."""
    prompts: int
    """Prompt tokens it computes."""


@dataclass(slots=True, kw_only=True)
class OverlappedLoop(EngineLoop):
    """`EngineLoop` on a device.

    The device draws most tokens. What it cannot do (log-probabilities, penalties, biases, grammars) the host does from
    the logits, as on a CPU; a step with such a sequence is read before the next one is planned.
    """

    device: Device
    _flight: _Flight | None = field(default=None, init=False)

    def step(self) -> list[EngineOutput]:
        """Launch one step and return what the one before produced."""
        outputs = self._take_compiled()
        if any(by_host(sequence) for sequence in self.scheduler.running):
            outputs += self._read()
        work = self.scheduler.plan()
        self.stalled = not work and self._flight is None
        if not work:
            return outputs + self._read()
        drawn_by_host = any(by_host(w.sequence) for w in work)
        launched = self.device.launch(work, logits=drawn_by_host)
        prompts = sum(w.tokens for w in work if w.tokens > 1 and w.sequence.computed < w.sequence.prompt_tokens)
        self.counters.step(work)
        self.scheduler.computed(work)
        if not drawn_by_host:
            for sequence in launched.sampled:
                sequence.expect()
        outputs += self._read()
        self._flight = _Flight(launched, drawn_by_host, prompts)
        if drawn_by_host:
            outputs += self._read()
        return outputs

    def use(self, device: Device) -> list[EngineOutput]:
        """Go on with another device over the same storage; what the step under way produced."""
        outputs = self._read()
        self.device = device
        return outputs

    def _read(self) -> list[EngineOutput]:
        """What the step under way produced, if one is. Answers that are over by now get nothing of it."""
        flight, self._flight = self._flight, None
        if flight is None:
            return []
        launched = flight.launched
        drawn: list[Sampled | Exception] = (
            self._draw(launched) if flight.by_host else [Sampled(token, None) for token in launched.tokens()]
        )
        if flight.prompts:
            self.scheduler.tiering.measured(flight.prompts, launched.seconds())
        return [self._output(s, d) for s, d in zip(launched.sampled, drawn, strict=True) if self._goes_on(s)]

    def _draw(self, launched: Launched) -> list[Sampled | Exception]:
        """The tokens of a step whose logits the host reads."""
        sequences = launched.sampled
        if not sequences:
            return []
        masks = None if self.grammars is None else self.grammars.masks([s.constraint for s in sequences])
        logits = launched.logits()
        going = [i for i, sequence in enumerate(sequences) if self._goes_on(sequence)]
        allowed = None if masks is None else masks()
        found = sample(logits[going], [sequences[i] for i in going], allowed and [allowed[i] for i in going])
        drawn: list[Sampled | Exception] = [Sampled(0, None)] * len(sequences)
        for i, token in zip(going, found, strict=True):
            drawn[i] = token
        return drawn

    def _goes_on(self, sequence: Sequence) -> bool:
        return self._sequences.get(sequence.request.request_id) is sequence


def by_host(sequence: Sequence) -> bool:
    """Whether the host must draw this sequence's tokens."""
    params: SamplingParams = sequence.request.sampling
    return sequence.constraint is not None or params.logprobs is not None or adjusts(params)
