"""Which weights a folder holds, as a short name."""

from __future__ import annotations

import hashlib
from pathlib import Path


def identity(folder: Path) -> str:
    """A name that changes when the model in `folder` does: its own, and a digest of its configuration and of the
    sizes and times of its weight files. Reading hundreds of megabytes at every start would take longer than it says.
    """
    digest = hashlib.blake2b((folder / "config.json").read_bytes(), digest_size=16)
    for file in sorted(folder.glob("*.safetensors")):
        stat = file.stat()
        digest.update(f"\0{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return f"{folder.name}-{digest.hexdigest()}"
