"""Requests that wait for their grammars to be compiled, before they queue."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

from radixa.engine.grammar import Grammars
from radixa.engine.sequence import Sequence

if TYPE_CHECKING:
    import llguidance


class Compiling:
    """Sequences by request id, in the order of their arrival."""

    def __init__(self, grammars: Grammars | None) -> None:
        """`grammars`: None where the model has no tokenizer; then nothing may be added."""
        self._grammars = grammars
        self._waiting: dict[str, tuple[Sequence, Future[llguidance.LLMatcher]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def possible(self) -> bool:
        return self._grammars is not None

    def add(self, sequence: Sequence) -> None:
        assert self._grammars is not None
        grammar = sequence.request.sampling.grammar
        assert grammar is not None
        self._waiting[sequence.request.request_id] = (sequence, self._grammars.compiled(grammar))

    def forget(self, sequence: Sequence) -> bool:
        """Whether it was here; then it is not any more."""
        return self._waiting.pop(sequence.request.request_id, None) is not None

    def take(self) -> list[tuple[Sequence, Exception | None]]:
        """Those that wait no longer: with their constraint, or with what was wrong with their grammar."""
        ready = [entry for entry in self._waiting.values() if entry[1].done()]
        return [(sequence, self._constrain(sequence, compiled)) for sequence, compiled in ready]

    def _constrain(self, sequence: Sequence, compiled: Future[llguidance.LLMatcher]) -> Exception | None:
        grammar = sequence.request.sampling.grammar
        assert self._grammars is not None
        assert grammar is not None
        self.forget(sequence)
        try:
            sequence.constraint = self._grammars.begin(grammar, compiled)
        except Exception as error:  # noqa: BLE001 - the loop ends this request with it
            return error
        return None
