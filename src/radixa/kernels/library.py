"""The compiled operations as a C library: `c/cpu.c`, built by `setup.py` where there is a compiler, loaded by ctypes.

It runs on the threads torch already has. Two OpenMP runtimes in one process spin on the same cores and ruin each
other, so the library links to none: it is given the entry point of torch's own, and without that it runs on the calling
thread.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

from radixa.core.errors import RadixaError

_POINTER = ctypes.c_void_p
_INT = ctypes.c_int
_INT64 = ctypes.c_int64
_FLOAT = ctypes.c_float

_SIGNATURES = {
    "radixa_attend": [_POINTER] * 7 + [_FLOAT, _INT],
    "radixa_rms_norm": [_INT] + [_POINTER] * 4 + [_INT64, _INT64, _FLOAT, _INT],
    "radixa_rope_store": [_POINTER] * 10 + [_FLOAT, _INT],
    "radixa_silu_mul": [_INT, _POINTER, _POINTER, _INT64, _INT64, _INT],
    "radixa_product": [_POINTER] * 5 + [_INT],
}

INSTRUCTION_SETS = ("generic", "avx2", "avx512", "avx512_bf16")
"""What `choose` may answer, in the order of its limits."""


@cache
def load_library() -> ctypes.CDLL | None:
    """The library, on torch's threads and set to the best instruction set of this processor; None where not built."""
    path = library_path()
    if path is None:
        return None
    try:
        library = ctypes.CDLL(str(path))
    except OSError:
        # Built for another system, as in a folder shared by two: as good as not built.
        return None
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name, None)
        if function is None:
            raise RadixaError(f"{path} was built from older sources: it has no {name}; build it again (`make install`)")
        function.argtypes, function.restype = arguments, None
    library.radixa_choose.restype = ctypes.c_char_p
    library.radixa_use_team.argtypes, library.radixa_use_team.restype = [_POINTER], None
    library.radixa_product_width.argtypes, library.radixa_product_width.restype = [_INT], _INT64
    library.radixa_use_team(_team())
    choose(library)
    return library


def library_path() -> Path | None:
    """Where the library lies, if it was built."""
    return next(Path(__file__).parent.glob("_cpu*.so"), None)


def choose(library: ctypes.CDLL, limit: str = INSTRUCTION_SETS[-1]) -> str:
    """Use the best instruction set of this processor, none beyond `limit`; its name."""
    name: bytes = library.radixa_choose(INSTRUCTION_SETS.index(limit))
    return name.decode()


def _team() -> int | None:
    """The address of `GOMP_parallel` in the OpenMP runtime that torch has loaded, if it has."""
    import torch

    home = Path(torch.__file__).parent
    for folder in (home / "lib", home.parent / "torch.libs"):
        for path in folder.glob("libgomp*.so*"):
            runtime = ctypes.CDLL(str(path))
            return ctypes.cast(runtime.GOMP_parallel, _POINTER).value
    return None
