"""What holds for every command: help with an example, exit codes, one line on failure, and a quick start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from radixa import __version__
from radixa.cli import app as application
from radixa.core.errors import ModelError

from .conftest import Radixa

COMMANDS = (
    "serve",
    "chat",
    "demo",
    "bench",
    "replay",
    "tree",
    "top",
    "explain",
    "pull",
    "models",
    "keys",
    "accounts",
    "usage",
    "docs",
    "config",
)
HEAVY = ("torch", "numpy", "transformers", "sqlalchemy", "uvicorn", "aiohttp", "rich", "textual", "asyncio", "msgspec")


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from leaves(child, (*path, name))
        else:
            yield (*path, name)


COMMAND: Any = typer.main.get_command(application.app)
ALL = sorted(leaves(COMMAND))


def test_the_commands_are_those_of_the_readme(radixa: Radixa) -> None:
    assert {path[0] for path in ALL} == set(COMMANDS)
    found = radixa("--help")
    assert found.code == 0
    assert all(f"  {name} " in found.out for name in COMMANDS)


def groups(command: Any) -> Iterator[str]:
    return (name for name, child in command.commands.items() if hasattr(child, "commands"))


@pytest.mark.parametrize("path", [*ALL, *((name,) for name in groups(COMMAND))], ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...], radixa: Radixa) -> None:
    found = radixa(*path, "--help")
    assert found.code == 0
    assert "Example:" in found.out
    assert " ".join(("radixa", *path)) in " ".join(found.out.split("Example:")[1].split())


def test_version(radixa: Radixa) -> None:
    assert radixa("--version").out == f"radixa {__version__}\n"


def test_the_start_imports_nothing_heavy() -> None:
    code = f"import sys, radixa.cli.app; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing-of-that-name"],
        ["serve", "--port", "70000"],
        ["serve", "--no-such-option"],
        ["bench", "chatbot", "nothing"],
        ["bench", "engine", "--batch", "0"],
        ["bench", "engine", "--dtype", "float8"],
        ["bench", "engine", "--workload", "knitting"],
        ["keys", "revoke"],
        ["chat", "--max-tokens", "none"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_2(arguments: list[str], radixa: Radixa) -> None:
    found = radixa(*arguments)
    assert found.code == 2
    assert found.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["tree", "--url", "http://127.0.0.1:9"], "no server answers at http://127.0.0.1:9"),
        (["chat", "--url", "http://127.0.0.1:9"], "no server answers at http://127.0.0.1:9"),
        (["models", "--url", "nowhere"], "'nowhere' is no address of a server"),
        (["tree", "--url", "http://[::1"], "'http://[::1' is no address of a server"),
        (["tree", "--url", "http://host:99999"], "'http://host:99999' is no address of a server"),
        (["demo", "--out", "/proc/x"], "--out /proc/x: cannot make it: No such file or directory; expected a folder"),
        (["serve", "no-such-model"], "no model 'no-such-model'"),
        (["keys", "list", "--url", "http://127.0.0.1:9"], "no server answers"),
        (["keys", "list", "--account", "nobody"], "There is no account 'nobody'"),
        (["keys", "revoke", "key_0"], "There is no key 'key_0'"),
        (["pull", "no-such-model"], "no model 'no-such-model'"),
        (["config", "show", "--config", "absent.toml"], "cannot read the configuration absent.toml"),
        (["serve", "--config", "absent.toml"], "cannot read the configuration absent.toml"),
        (["serve", "--host", "0.0.0.0", "--no-auth"], "--no-auth on 0.0.0.0: refused"),
        (["replay", "absent.jsonl"], "absent.jsonl"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_failure_is_1_and_one_line(arguments: list[str], reason: str, radixa: Radixa) -> None:
    found = radixa(*arguments)
    assert found.code == 1
    assert found.out == ""
    assert found.err.count("\n") == 1
    assert found.err.startswith("radixa: ")
    assert reason in found.err


def break_pull(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*arguments: object, **keywords: object) -> None:
        raise error

    monkeypatch.setattr("radixa.core.loading.load", fail)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModelError("the file\nis broken"), "radixa: the file is broken\n"),
        (PermissionError(13, "Permission denied", "/etc/x"), "radixa: Permission denied: /etc/x\n"),
        (KeyError("a\nb"), "radixa: unexpected KeyError: 'a\\nb' (set RADIXA_DEBUG=1 to see where)\n"),
    ],
)
def test_no_traceback(error: Exception, line: str, radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    break_pull(monkeypatch, error)
    found = radixa("pull")
    assert (found.code, found.err) == (1, line)


@pytest.mark.parametrize("variable", ["RADIXA_HOME", "RADIXA_MODELS"])
def test_a_folder_that_cannot_be_names_its_variable(
    radixa: Radixa, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "/proc/nope")
    monkeypatch.setenv("RADIXA_ENGINE_DTYPE", "float32")  # which is faster would be measured for seconds
    found = radixa("pull")
    assert found.code == 1
    assert found.err.splitlines()[-1].startswith("radixa: No such file or directory: /proc/nope")
    assert f"({variable} = /proc/nope: expected a folder that can be made, read and written)" in found.err


def test_a_traceback_for_whoever_asks(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    break_pull(monkeypatch, KeyError("bug"))
    monkeypatch.setenv("RADIXA_DEBUG", "1")
    with pytest.raises(KeyError, match="bug"):
        radixa("pull")


def test_ctrl_c_is_130(radixa: Radixa, monkeypatch: pytest.MonkeyPatch) -> None:
    break_pull(monkeypatch, KeyboardInterrupt())  # type: ignore[arg-type]
    found = radixa("pull")
    assert found.code in (1, 130)
    assert "Traceback" not in found.err


def test_a_reader_that_leaves_ends_it_quietly(tmp_path: Path) -> None:
    command = f"{sys.executable} -m radixa config show | head -1; exit ${{PIPESTATUS[0]}}"
    environment = {"RADIXA_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
