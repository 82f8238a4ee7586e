"""A multi-step agent: tools in the prompt, an observation appended at every step, and one branch in each task."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from radixa.bench.base import Codec, Scenario, Thread
from radixa.bench.texts import fit
from radixa.core.base import Message


@dataclass(frozen=True, slots=True)
class Size:
    """Lengths in tokens of the serving model."""

    tools: int
    tasks: int
    steps: int
    observation: int
    answer: int


SIZES = {
    "full": Size(tools=1000, tasks=8, steps=8, observation=120, answer=32),
    "reduced": Size(tools=1000, tasks=2, steps=4, observation=120, answer=16),
}

_RULES = (
    "You are a maintenance agent for a fleet of web services. You work in steps: read the last observation, choose one "
    "tool, and answer with a single line `tool(argument=value)`. Never call two tools in one step. Read before you "
    "write, and undo what made things worse. When the task is done, answer `finish(summary=...)`. These are the tools:"
)
_TOOLS = (
    ("list_services", "Names, versions and owners of all services in a region.", "region"),
    ("read_log", "The newest lines of a service's log, at most 200, newest last.", "service lines:integer"),
    ("search_log", "Lines of a log that match a pattern, with the time of each.", "service pattern"),
    ("read_file", "A file of a service's repository at a revision.", "path revision"),
    ("edit_file", "Replace one passage of a file by another and return the difference.", "path old new"),
    ("run_tests", "Run the tests under a folder and return the names of those that fail.", "folder timeout_s:integer"),
    ("query_metrics", "A time series of one metric of a service, a value a minute.", "service metric minutes:integer"),
    ("restart", "Restart one instance of a service and wait until it is ready.", "service instance:integer"),
    ("scale", "Change the number of instances of a service.", "service instances:integer"),
    ("roll_back", "Return a service to an earlier version, one instance at a time.", "service version"),
    ("open_ticket", "File a ticket for a team, with a title and what was observed.", "team title text"),
    ("ask_person", "Ask the person on call a question and wait for the answer.", "question"),
    ("read_config", "The configuration of a service as it runs now, secrets left out.", "service"),
    ("set_config", "Set one value of a service's configuration; it holds after a restart.", "service name value"),
    ("read_queue", "Length and age of the oldest message of a queue.", "queue"),
    ("drain", "Take an instance out of rotation and wait until its requests have ended.", "service instance:integer"),
)
"""Name, description, and arguments: strings, except where a type is named."""
_SERVICES = ("checkout", "search", "mailer", "thumbnails", "ledger", "sessions", "inventory", "gateway")
_SYMPTOMS = (
    "answers slowly since the release of this morning",
    "loses about one request in two hundred",
    "has restarted four times in the last hour",
    "fills its disk and nobody knows with what",
)
_EVENTS = (
    "worker {n} took {ms} ms for a request of {kb} kB and closed it with status {status}",
    "pool of connections at {n} of 64, oldest idle for {ms} ms",
    "garbage collection paused instance {n} for {ms} ms after {kb} kB were allocated",
    "cache answered {n} of 100 look-ups, {kb} kB held, eviction took {ms} ms",
    "queue holds {n} messages of {kb} kB together, the oldest waits for {ms} ms",
    "health check of instance {n} answered {status} after {ms} ms",
)


def build(codec: Codec, seed: int, size: Size) -> Scenario:
    """Each task is `steps` steps; a branch takes the second half of them another way from the half-way state."""
    chance = random.Random(f"agent {seed}")
    system = Message("system", fit([_RULES, *_tool_texts()], size.tools, codec, "\n"))
    threads = []
    for index in range(size.tasks):
        service = _SERVICES[index % len(_SERVICES)]
        task = f"Task {index + 1}: the service {service} {chance.choice(_SYMPTOMS)}. Find out why and mend it."
        steps = [_observation(chance, service, task if step == 0 else "", size, codec) for step in range(size.steps)]
        threads.append(Thread(f"task-{index + 1}", (system,), tuple(steps)))
        shared = size.steps // 2
        other = [_observation(chance, service, "", size, codec) for _ in range(size.steps - shared)]
        threads.append(Thread(f"task-{index + 1}-branch", (), tuple(other), f"task-{index + 1}", shared))
    return Scenario("agent", "Multi-step agent", tuple(threads), size.answer)


def _tool_texts() -> list[str]:
    """The tools as OpenAI's API describes functions."""
    texts = []
    for name, description, arguments in _TOOLS:
        typed = [argument.partition(":") for argument in arguments.split()]
        properties = {argument: {"type": kind or "string"} for argument, _, kind in typed}
        parameters = {"type": "object", "properties": properties, "required": list(properties)}
        function = {"name": name, "description": description, "parameters": parameters}
        texts.append(json.dumps({"type": "function", "function": function}))
    return texts


def _observation(chance: random.Random, service: str, task: str, size: Size, codec: Codec) -> str:
    lines = [task or f"Observation from {service}:"]
    second = chance.randrange(60)
    for _ in range(size.observation):
        event = chance.choice(_EVENTS).format(
            n=chance.randrange(100),
            ms=chance.randrange(5, 5000),
            kb=chance.randrange(1, 900),
            status=chance.choice((200, 200, 200, 429, 500, 503)),
        )
        second += chance.randrange(1, 9)
        lines.append(f"{10 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} {service} {event}")
    return fit(lines, size.observation, codec, "\n")
