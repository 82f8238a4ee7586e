"""The gateway prepares models, renders prompts and makes tokens without torch, numpy or transformers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.models.gguf_files import random_weights, write_gguf

PROGRAM = """
import sys
from pathlib import Path
from radixa.core.base import Message
from radixa.models.chat_template import load_chat_template
from radixa.models.load import open_folder, random_config
from radixa.models.prepare import prepare
from radixa.models.probe import choose_dtype
from radixa.models.tokenizer import load_tokenizer

folder = prepare(sys.argv[1], dtype="bfloat16")
assert folder == open_folder(folder.path)
tokenizer = load_tokenizer(folder.path)
text = load_chat_template(folder.path).render([Message("user", "hello")])
assert tokenizer.decode([2, *memoryview(tokenizer.encode(text)).cast("i")]) == "user: hello"
assert random_config("random:llama-3-8b").layers == 32
print(" ".join(sorted({"torch", "numpy", "gguf", "safetensors", "transformers", "huggingface_hub"} & set(sys.modules))))
"""


def test_a_prepared_model_needs_no_heavy_import(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", random_weights(), kind="Q8_0")
    environment = {"RADIXA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "m.gguf")]
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert again.stdout.strip() == ""
