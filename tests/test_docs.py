"""What the documentation says is there is there, and its examples run."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from radixa.cli.app import app
from radixa.core.config import Config
from radixa.core.loading import SECTIONS, load

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
EMPTY = {
    "server.cors_origins": "none",
    "telemetry.otlp_endpoint": "none",
    "store.url": "SQLite in the data folder",
    "cache.disk_folder": "`kv` in the cache folder",
    "cache.events": "none",
    "cache.events_replay": "none",
}
"""What an empty setting means."""
PLACES = r"(?:src|tests|docs|benchmarks)/[\w./-]*\w|\.ci/run"


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def command_lines(name: str) -> Iterator[list[str]]:
    """Every `radixa …` line of the shell blocks, as words."""
    for block in blocks(name, "sh"):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name == "radixa":
                yield words[1:]


def find(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, and the words after it."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        assert words, f"{command.name} alone is no command"
        assert words[0] in command.commands, f"there is no command {words[0]!r}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("name", NAMES)
def test_commands_and_their_options_exist(name: str) -> None:
    for words in command_lines(name):
        command, rest = find(words)
        known = {option for parameter in command.params for option in parameter.opts}
        used = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert used <= known, f"radixa {shlex.join(words)}"


def test_the_readme_says_where_the_command_is_before_it_uses_it() -> None:
    """`make install` puts `radixa` into `.venv`, which no shell looks into by itself."""
    lines = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    activated = next(i for i, line in enumerate(lines) if line.startswith("source .venv/bin/activate"))
    used = [i for i, line in enumerate(lines) if "radixa " in line.partition("#")[0]]
    assert activated < min(used)
    assert "source .venv/bin/activate" in (ROOT / "docs" / "serve.md").read_text("utf-8")


def test_the_korean_readme_says_what_the_english_one_does() -> None:
    """Sections, tables, lists, code, links and figures; its words are its own."""
    both = ("README.md", "README.ko.md")
    texts = [(ROOT / name).read_text("utf-8") for name in both]
    for shape in (r"^#+ ", r"^\| ", r"^- \*\*", r"^!\["):
        english, korean = (len(re.findall(shape, text, re.MULTILINE)) for text in texts)
        assert english == korean, shape
    assert blocks(both[0], "python") == blocks(both[1], "python")
    # Comments are translated.
    english, korean = (
        [shlex.split(line, comments=True) for block in blocks(name, "sh") for line in block.splitlines()]
        for name in both
    )
    assert english == korean
    english, korean = ([link for link in re.findall(r"\]\(([^)]+)\)", text) if link not in both] for text in texts)
    assert english == korean
    prose = [re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE) for text in texts]
    english, korean = (set(re.findall(r"`([^`\n]+)`", text)) for text in prose)
    assert english == korean
    # What is a word in one language may be a digit in the other, but no figure is lost, and none is made up.
    english, korean = (Counter(re.findall(r"\d+(?:[.,]\d+)*", text)) for text in texts)
    assert english <= korean
    assert {figure for figure in korean if not figure.isdecimal()} <= set(english)


def test_there_are_commands_to_check() -> None:
    assert sum(len(list(command_lines(name))) for name in NAMES) > 30


@pytest.mark.parametrize("name", NAMES)
def test_files_and_targets_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    made_by_commands = {"benchmarks/results"}
    for place in set(re.findall(PLACES, text)) - made_by_commands:
        assert (ROOT / place).exists(), place
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text("utf-8")):
        if not link.startswith("https://"):
            assert (ROOT / name).parent.joinpath(link).exists(), link


def test_every_setting_is_described() -> None:
    text = (ROOT / "docs/configuration.md").read_text("utf-8")
    table = dict(re.findall(r"^\| (`[a-z_.`, ]+`) \| ([^|]+) \|", text, re.MULTILINE))
    described = {name for names in table for name in re.findall(r"`([a-z_.]+)`", names)}
    settings = {name: value for name, value, _ in load(environ={}).rows()}
    assert described == set(settings)
    for names, defaults in table.items():
        for name, default in zip(re.findall(r"`([a-z_.]+)`", names), defaults.strip().split(", "), strict=True):
            value = settings[name]
            shown = "" if value == () else str(value).lower() if isinstance(value, bool) else str(value)
            assert default == (shown or EMPTY[name]), name


@pytest.mark.parametrize("name", NAMES)
def test_settings_named_elsewhere_exist(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for section in SECTIONS:
        fields = getattr(Config(), section).__struct_fields__
        for field in re.findall(rf"\[{section}\] (\w+)", text) + re.findall(rf"RADIXA_{section.upper()}_(\w+)", text):
            assert field.lower() in fields, f"[{section}] {field}"


@pytest.mark.parametrize("name", NAMES)
def test_configuration_examples_are_read(name: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(name, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, "utf-8")
        assert load(file, environ={}).config != Config(), "an example that sets nothing"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_python_examples_run(tmp_path: Path) -> None:
    """Each file's examples one after the other, against a server as the README starts it."""
    from radixa.lang.serving import started

    ran = 0
    with started("smollm2", sandbox=True) as server:
        for name in NAMES:
            found: dict[str, Any] = {}
            for block in blocks(name, "python"):
                shown = io.StringIO()
                with contextlib.redirect_stdout(shown):
                    exec(compile(block.replace("http://127.0.0.1:8000", server.url), name, "exec"), found)
                assert shown.getvalue().strip(), f"{name} printed nothing"
                ran += 1
    assert ran >= 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_readme_tells_the_truth_about_its_example() -> None:
    """The second question's prompt begins with the first one's, and the saving is said."""
    from radixa.lang.serving import started

    shown = io.StringIO()
    with started("smollm2", sandbox=True) as server, contextlib.redirect_stdout(shown):
        code = blocks("README.md", "python")[0].replace("http://127.0.0.1:8000", server.url)
        exec(compile(code, "README.md", "exec"), {})
    counts = re.findall(r"(\d+) prompt tokens, (\d+) of them cached", shown.getvalue())
    (first, first_cached), (second, cached) = [(int(a), int(b)) for a, b in counts]
    assert first_cached == 0
    assert first <= cached < second
    saved = re.findall(r"saved (\S+)", shown.getvalue())
    assert float(saved[0]) == 0
    assert float(saved[1]) > 0
