"""`POST /v1/embeddings`: OpenAI's, answered by whichever upstream the model has, and billed by what it read."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from radixa.core.base import GenerateChunk
from radixa.core.errors import InvalidRequest
from radixa.gateway.accounting import Use
from radixa.gateway.base import Response, operation, served_by
from radixa.gateway.decode import BodyDecoder
from radixa.gateway.dialects.splice import spliced
from radixa.gateway.meter import Meter
from radixa.gateway.request import Request
from radixa.gateway.state import Gateway
from radixa.providers.base import EmbedRequest

MOST_INPUTS = 2048

Text = Annotated[str, Meta(min_length=1)]
TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Tokens = Annotated[list[TokenId], Meta(min_length=1)]


class EmbeddingsBody(msgspec.Struct, frozen=True):
    """What every provider understands of a body; what else it holds goes on to those of OpenAI's kind."""

    input: Text | Annotated[list[Text | TokenId | Tokens], Meta(min_length=1)]
    model: str | None = None
    dimensions: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: str | None = None


_decode = BodyDecoder(EmbeddingsBody)


@operation(body=(EmbeddingsBody,), forwards=True)
async def create(gateway: Gateway, request: Request) -> Response:
    """The vectors of all inputs. No other model stands in for one that fails: its vectors would mean other things."""
    raw = await request.body(gateway.config.server.max_body_bytes)
    body = await _decode.read(raw)
    _check(body.input)
    offer = gateway.offer(request, body.model)
    provider = gateway.provider(offer)
    request.watch()
    account = await gateway.accounting.open(request, offer, Use("embeddings", len(raw)))
    with account:
        found = await provider.embed(EmbedRequest(request.id, offer.target, raw))
    meter = Meter(offer, request.started, 1, sent_bytes=len(raw))
    meter.note(GenerateChunk(index=0, finish_reason="stop", usage=found.usage))
    account.settle(meter, 200)
    headers = (*served_by(offer.served_by), *account.headers())
    return Response(spliced(found.body, {"usage": meter.body()}), headers=headers)


def _check(given: str | list[str | int | list[int]]) -> None:
    """What the types alone do not exclude: inputs of several kinds in one array, and too many of them."""
    if isinstance(given, str):
        return
    kinds = {type(item) for item in given}
    if len(kinds) > 1:
        raise InvalidRequest(
            "Invalid 'input': it mixes kinds. Expected a string, an array of strings, an array of token ids, or an "
            "array of such arrays.",
            param="input",
            code="invalid_type",
        )
    if int not in kinds and len(given) > MOST_INPUTS:
        raise InvalidRequest(
            f"Invalid 'input': array too long. Expected at most {MOST_INPUTS} inputs, but got {len(given)}.",
            param="input",
            code="array_above_max_length",
        )
