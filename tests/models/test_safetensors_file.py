"""What we write is safetensors, and rounds to bfloat16 as torch does."""

from __future__ import annotations

from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import numpy.typing as npt
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radixa.models.safetensors_file import to_bfloat16, write_tensors


@settings(deadline=None)
@given(arrays.arrays(np.uint32, st.integers(1, 50)))
def test_rounds_to_bfloat16_as_torch_does(bits: npt.NDArray[np.uint32]) -> None:
    values = bits.view(np.float32)
    ours = torch.from_numpy(to_bfloat16(values).view(np.int16)).view(torch.bfloat16).float()
    theirs = torch.from_numpy(values.copy()).bfloat16().float()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_library_reads_what_we_write(dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    tensors = {
        "b": rng.standard_normal((3, 5)).astype(np.float32),
        "a": rng.standard_normal((7,)).astype(np.float32),
        "transposed": rng.standard_normal((4, 6)).astype(np.float32).T,
    }
    shapes = {name: values.shape for name, values in tensors.items()}
    write_tensors(tmp_path / "x.safetensors", shapes, ([t[:2], t[2:]] for t in tensors.values()), dtype)
    found = safetensors.torch.load_file(tmp_path / "x.safetensors")
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        assert found[name].dtype == getattr(torch, dtype)
        assert torch.equal(found[name], torch.from_numpy(np.ascontiguousarray(values)).to(found[name].dtype))


def test_a_tensor_of_another_shape_than_announced(tmp_path: Path) -> None:
    values = [[np.zeros((2, 2), dtype=np.float32)]]
    with pytest.raises(ValueError, match=r"x has 4 elements, announced was \(3, 2\)"):
        write_tensors(tmp_path / "x.safetensors", {"x": (3, 2)}, values, "float32")
