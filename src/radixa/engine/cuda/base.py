"""What the overlapped loop asks of a device.

A step is *launched*: everything that it needs is queued on the device, and the call returns before it is computed.
While it runs the host plans and launches the next one, in which a sequence whose last token the host does not know
takes it from where the device has put it. Then the host *reads* the step before. So the device always has a step
waiting, and whatever the host learns from a token (that an answer is over, say) it learns one step late: what was
computed meanwhile for an answer that is over is dropped.

All of it goes through one stream, in order. A slot that is given back while a step that was launched still writes to
it can therefore be given to another sequence at once: what that one writes comes later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from radixa.engine.scheduler import Work
from radixa.engine.sequence import Sequence

if TYPE_CHECKING:
    from torch import Tensor


class Launched(Protocol):
    """A step under way."""

    @property
    def sampled(self) -> list[Sequence]:
        """Whose next token it draws."""
        ...

    def tokens(self) -> list[int]:
        """The tokens drawn, in the order of `sampled`. Waits for the step."""
        ...

    def logits(self) -> Tensor:
        """Logits [len(sampled), vocab] float32 in the host's memory, of a step launched with `logits`. Waits for it."""
        ...

    def seconds(self) -> float:
        """What the step took on the device. Waits for it."""
        ...


class Device(Protocol):
    """Computes steps one after the other. Owns the weights and the KV tensors."""

    def launch(self, work: list[Work], *, logits: bool) -> Launched:
        """Queue a step. `logits`: the host draws the tokens; the device draws none."""
        ...
