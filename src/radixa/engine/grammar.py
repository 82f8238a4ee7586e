"""Answers that keep to a grammar: compiled beside the loop, one mask of allowed tokens a step.

`llguidance` does the work. Its limits bound what one grammar may cost: building it, the states of its lexer, and each
mask. A grammar is compiled in a thread of its own, so that a large one holds up only the request that brought it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from radixa.core.base import Grammar
from radixa.core.errors import InvalidRequest, shown
from radixa.core.tokens import unpack
from radixa.engine.grammar_text import fault, reason, source
from radixa.models.base import Tokenizer

if TYPE_CHECKING:
    import llguidance
    from numpy.typing import NDArray

MAX_CHARACTERS = 120_000
"""Of a grammar's text: what OpenAI allows a schema. `benchmarks/constrained.py` says how long one takes to compile."""

KEPT = 128
"""Compiled grammars that are kept, by their last use."""

THREADS = 2

_LIMITS: dict[str, Any] = {
    "initial_lexer_fuel": 500_000,
    "step_lexer_fuel": 50_000,
    "step_max_items": 20_000,
    # About 2 kB each.
    "max_lexer_states": 16_000,
    "max_grammar_size": 100_000,
    "verbose_errors": False,
}


class Constraint:
    """How far one answer has come in its grammar. Used by one thread at a time."""

    def __init__(self, matcher: llguidance.LLMatcher, place: str) -> None:
        self.matcher = matcher
        self._place = place

    def accept(self, token: int) -> None:
        """Go on by a token. InvalidRequest where the grammar turned out to be too complex."""
        if not self.matcher.consume_token(token):
            raise self.failure()

    def forced(self) -> list[int]:
        """The tokens that come next whatever the model says."""
        return self.matcher.compute_ff_tokens()

    @property
    def accepting(self) -> bool:
        """Whether the answer may end here."""
        return self.matcher.is_accepting()

    @property
    def complete(self) -> bool:
        """Whether nothing can follow."""
        return self.matcher.is_stopped()

    def failure(self) -> InvalidRequest:
        """Why no token is allowed, or the last one was not."""
        said = self.matcher.get_error() or str(self.matcher.stop_reason())
        return _refused(self._place, f"it became too complex while the answer was written ({shown(reason(said))})")


class Grammars:
    """Compiles grammars for one model's vocabulary, keeps the last ones, and computes masks beside the forward pass."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        vocab_size: int,
        eos_token_ids: Iterable[int],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`vocab_size`: the width of the logits. `wake` is called from another thread when one is compiled."""
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._eos = sorted(eos_token_ids)
        self._wake = wake
        self._vocabulary: Future[llguidance.LLTokenizer] | None = None
        self._compiled: OrderedDict[Grammar, Future[llguidance.LLMatcher]] = OrderedDict()
        self._compilers = ThreadPoolExecutor(THREADS, thread_name_prefix="grammar")
        self._masker = ThreadPoolExecutor(1, thread_name_prefix="mask")

    def compiled(self, grammar: Grammar) -> Future[llguidance.LLMatcher]:
        """The grammar ready for use; what goes wrong is an InvalidRequest that names its place."""
        found = self._compiled.get(grammar)
        if found is None:
            if self._vocabulary is None:
                self._vocabulary = self._compilers.submit(self._read_vocabulary)
            found = self._compilers.submit(self._compile, grammar, self._vocabulary)
            found.add_done_callback(lambda _: self._wake())
            self._compiled[grammar] = found
            self._forget()
        self._compiled.move_to_end(grammar)
        return found

    def begin(self, grammar: Grammar, compiled: Future[llguidance.LLMatcher]) -> Constraint:
        """A new answer's constraint, once `compiled` is done."""
        return Constraint(compiled.result().deep_copy(), grammar.place)

    def masks(self, constraints: Sequence[Constraint | None]) -> Callable[[], list[NDArray[np.uint8] | None]]:
        """Begin to compute which tokens are allowed next, in another thread; call what comes back for the result.

        A mask has a bit a token, the lowest first.
        """
        wanted = [constraint for constraint in constraints if constraint is not None]
        if not wanted:
            nothing: list[NDArray[np.uint8] | None] = [None] * len(constraints)
            return lambda: nothing
        computing = self._masker.submit(lambda: [constraint.matcher.compute_bitmask() for constraint in wanted])

        def result() -> list[NDArray[np.uint8] | None]:
            found = iter(computing.result())
            return [None if c is None else np.frombuffer(next(found), np.uint8) for c in constraints]

        return result

    def close(self) -> None:
        for pool in (self._compilers, self._masker):
            pool.shutdown(wait=False, cancel_futures=True)

    def _forget(self) -> None:
        """Keep no more than `KEPT`, and none of those that are being compiled: somebody waits for them."""
        for grammar, future in list(self._compiled.items()):
            if len(self._compiled) <= KEPT:
                return
            if future.done():
                del self._compiled[grammar]

    def _read_vocabulary(self) -> llguidance.LLTokenizer:
        import llguidance

        wrapper = llguidance.TokenizerWrapper(_Vocabulary(self._tokenizer, self._vocab_size, self._eos))
        return llguidance.LLTokenizer(wrapper, n_vocab=self._vocab_size, eos_token=self._eos)

    def _compile(self, grammar: Grammar, vocabulary: Future[llguidance.LLTokenizer]) -> llguidance.LLMatcher:
        import llguidance

        if len(grammar.text) > MAX_CHARACTERS:
            raise _refused(
                grammar.place, f"it has {len(grammar.text)} characters, and at most {MAX_CHARACTERS} are compiled"
            )
        tokenizer = vocabulary.result()
        limits = llguidance.LLParserLimits(**_LIMITS)

        def compiled(text: str) -> llguidance.LLMatcher:
            return llguidance.LLMatcher(tokenizer, text, log_level=0, limits=limits)

        try:
            matcher = compiled(source(grammar))
        except RecursionError as error:
            raise _refused(grammar.place, "it is nested too deeply") from error
        if not matcher.is_error():
            # The first mask fills the lexer's tables, which every answer's copy begins with.
            matcher.compute_bitmask()
        if matcher.is_error():
            raise _refused(*fault(grammar, matcher.get_error(), lambda text: compiled(text).get_error()))
        return matcher


def _refused(place: str, why: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{place}': {why}. Expected what the engine can hold an answer to (docs/constrained.md).",
        param=place,
        code="invalid_grammar",
    )


class _Vocabulary:
    """A tokenizer as llguidance takes one."""

    def __init__(self, tokenizer: Tokenizer, size: int, eos: Sequence[int]) -> None:
        """`size`: the width of the logits; ids beyond the tokenizer's own are never allowed."""
        self.eos_token_id = eos[0] if eos else 0
        self.bos_token_id: int | None = None
        self.tokens = [tokenizer.token_bytes(token_id) for token_id in range(size)]
        self.special_token_ids = [token_id for token_id in range(size) if tokenizer.is_special(token_id)]
        self._tokenizer = tokenizer
        self._ids = {token: token_id for token_id, token in enumerate(self.tokens) if token}
        for token_id in self.special_token_ids:
            self._ids.pop(self.tokens[token_id], None)
        self._longest = max(map(len, self._ids))

    def __call__(self, text: str) -> list[int]:
        """As the model's tokenizer cuts it after other text, or the longest tokens first where that changes it."""
        found = list(unpack(self._tokenizer.encode(text, special=False)))
        data = text.encode()
        return found if b"".join(self.tokens[token_id] for token_id in found) == data else self._greedy(data)

    def _greedy(self, data: bytes) -> list[int]:
        found, at = [], 0
        while at < len(data):
            size = next(n for n in range(self._longest, 0, -1) if data[at : at + n] in self._ids)
            found.append(self._ids[data[at : at + size]])
            at += size
        return found
