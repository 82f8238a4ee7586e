"""Tokens to text as they come, and where a stop string ends an answer."""

from __future__ import annotations

from dataclasses import dataclass

from radixa.models.base import StreamDecoder


@dataclass(slots=True)
class TextStream:
    """The text of one answer. `decoder` is None for models without a tokenizer, whose answers have no text.

    Text that may be the beginning of a stop string is held back until it is certain, so a client never sees any of it.
    """

    decoder: StreamDecoder | None
    stops: tuple[str, ...] = ()
    held: str = ""
    stopped: bool = False

    def add(self, token: int) -> str:
        """Text that has become certain with `token`. Sets `stopped` once a stop string is complete."""
        if self.decoder is None:
            return ""
        return self._release(self.decoder.add(token))

    def flush(self) -> str:
        """What is left at the end of the answer."""
        if self.decoder is None or self.stopped:
            return ""
        text = self._release(self.decoder.flush())
        text, self.held = text + self.held, ""
        return text

    def _release(self, new: str) -> str:
        if not self.stops:
            return new
        text = self.held + new
        found = [at for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self.held = ""
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self.stops)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest proper beginning of `stop` that `text` ends with."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
