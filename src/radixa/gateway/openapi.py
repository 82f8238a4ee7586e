"""The server's own description, as OpenAPI 3.1: made of the table of routes and of the types that its decoders read.

Nothing is written down twice, so the description cannot say what the server does not do.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from radixa import __version__
from radixa.gateway.base import Operation, Parameter, Route
from radixa.gateway.dialects.messages.errors import MESSAGES_ERRORS, MessagesErrorEnvelope
from radixa.gateway.errors import ErrorEnvelope, ErrorShape

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/{name}"
_KEYED, _ADMIN, _BODY, _QUERY = (401, 503), (403,), (400, 408, 413), (400,)
_FORWARDED = (400, 404, 429, 502, 503, 504)
_STREAM = "text/event-stream"
_EVENT: Json = {
    "type": "object",
    "description": "Each event of the stream.",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
}
_ERRORS = {
    "400": "A field is missing, of the wrong type or out of range; `param` names it.",
    "401": "No API key, or none that works.",
    "403": "A key that may not do this.",
    "404": "There is no such model, account or key, or not for this key.",
    "408": "The body stopped coming before it was complete.",
    "409": "It contradicts what is there already.",
    "413": "The body is over the server's limit.",
    "429": "A limit is reached, or the credit used up. `retry-after` says when to come again, where that helps.",
    "4XX": "The model's provider refuses the request, and this is what it says.",
    "502": "The model's provider failed.",
    "503": "The engine, the database or the server is not ready; try again.",
    "504": "The model's provider did not answer in time.",
    "529": "The engine or the server is not ready; try again.",
}


def describe(routes: Iterable[Route]) -> Json:
    """The whole document."""
    found = [(route, method, made) for route in routes for method, made in route.methods.items()]
    schemas = _Schemas(made for _, _, made in found)
    paths: dict[str, Json] = {}
    for route, method, made in found:
        paths.setdefault(route.name, {})[method.lower()] = _operation(route, made, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Radixa",
            "version": __version__,
            "summary": "An LLM gateway and inference engine that computes a prompt prefix once.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer rx-…"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": schemas.components,
        },
    }


class _Schemas:
    """The schemas of every type that the operations name, each under a name of its own."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        types: list[Any] = [ErrorEnvelope, MessagesErrorEnvelope]
        for made in operations:
            answers = made.events.values() if made.events else [made.answer]
            types += [*made.body, *answers, *made.others.values(), *(one.kind for one in made.query)]
        found, self.components = msgspec.json.schema_components(types, ref_template=_SCHEMAS)
        self._pairs = list(zip(types, found, strict=True))

    def of(self, wanted: Any) -> Json:
        return next(schema for kind, schema in self._pairs if kind is wanted)


def _operation(route: Route, made: Operation, schemas: _Schemas) -> Json:
    summary, _, rest = (inspect.getdoc(made.handler) or "").partition("\n\n")
    module = made.handler.__module__.rpartition(".")[2]
    found: Json = {
        "operationId": f"{module}.{made.handler.__name__}",
        "summary": " ".join(summary.split()),
        "parameters": [*_path_parameters(route.name), *(_parameter(one, schemas) for one in made.query)],
        "responses": dict(_responses(route, made, schemas)),
    }
    if rest:
        found["description"] = rest
    if route.admin:
        found["description"] = f"{rest}\n\nFor administrators.".strip()
    if route.open:
        found["security"] = []
    if made.body:
        options = [schemas.of(kind) for kind in made.body]
        schema = options[0] if len(options) == 1 else {"anyOf": options}
        found["requestBody"] = {"required": made.body_required, "content": {"application/json": {"schema": schema}}}
    return found


def _path_parameters(path: str) -> Iterator[Json]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _parameter(one: Parameter, schemas: _Schemas) -> Json:
    return {"name": one.name, "in": "query", "description": one.says, "schema": schemas.of(one.kind)}


def _responses(route: Route, made: Operation, schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    if made.events:
        content = {_STREAM: {"schema": _events(made, schemas)}}
    else:
        content = {made.content_type: {"schema": schemas.of(made.answer)}}
    if made.streams:
        content[_STREAM] = {"schema": _EVENT}
    yield "200", {"description": "The answer.", "content": content}
    for status, kind in made.others.items():
        yield str(status), {"description": _ERRORS[str(status)], "content": _json(schemas.of(kind))}
    error = schemas.of(_error_type(route.errors))
    for name in _statuses(route, made):
        yield name, {"description": _ERRORS[name], "content": _json(error)}


def _events(made: Operation, schemas: _Schemas) -> Json:
    """One of those that the stream is made of, its data as JSON in a string."""
    options = []
    for name, kind in made.events.items():
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schemas.of(kind)}
        options.append(
            {**_EVENT, "properties": {"event": {"const": name}, "data": data}, "required": ["event", "data"]}
        )
    return {"anyOf": options}


def _statuses(route: Route, made: Operation) -> list[str]:
    """The errors an operation may answer with, each once."""
    found = set(made.errors)
    for holds, statuses in [
        (not route.open, _KEYED),
        (route.admin, _ADMIN),
        (bool(made.body), _BODY),
        (bool(made.query), _QUERY),
        (made.forwards, _FORWARDED),
    ]:
        found.update(statuses if holds else ())
    if route.errors is MESSAGES_ERRORS:
        found = {529 if status == 503 else status for status in found}
    return sorted([*map(str, found - made.others.keys()), *(["4XX"] if made.forwards else [])])


def _error_type(errors: ErrorShape) -> type[msgspec.Struct]:
    return MessagesErrorEnvelope if errors is MESSAGES_ERRORS else ErrorEnvelope


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
