"""Sections out of headings and blocks, as they come."""

from __future__ import annotations

from radixa.documents.base import Section


class Outline:
    """Takes headings and blocks in the order of the document."""

    def __init__(self) -> None:
        self._above: list[tuple[int, str]] = []
        self._bare = False
        """Nothing has come under the last heading yet."""
        self._blocks: list[str] = []
        self._sections: list[Section] = []

    def heading(self, level: int, text: str) -> None:
        """What follows is under it, and no longer under those of its level or a deeper one."""
        self._close(level)
        while self._above and self._above[-1][0] >= level:
            self._above.pop()
        self._above.append((level, text))
        self._bare = True

    def block(self, text: str) -> None:
        if text.strip():
            self._blocks.append(text)
            self._bare = False

    def sections(self) -> list[Section]:
        self._close(0)
        return self._sections

    def _close(self, level: int) -> None:
        """A heading with nothing under it, not even a deeper one, is text under those above it."""
        if self._bare and self._above[-1][0] >= level:
            _, text = self._above.pop()
            self.block(text)
        if self._blocks:
            headings = tuple(text for _, text in self._above if text)
            self._sections.append(Section(headings, tuple(self._blocks)))
            self._blocks = []
