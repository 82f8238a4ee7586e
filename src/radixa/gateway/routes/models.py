"""`GET /v1/models` and `/v1/models/{id}`."""

from __future__ import annotations

from typing import Any

from radixa.gateway.base import Response, json_response, operation
from radixa.gateway.catalogue import Offer
from radixa.gateway.catalogue.retiring import retired, today
from radixa.gateway.request import Request
from radixa.gateway.shapes.base import Listed
from radixa.gateway.shapes.models import ModelShape
from radixa.gateway.state import Gateway
from radixa.gateway.usage import price_body


@operation(answer=Listed[ModelShape])
async def index(gateway: Gateway, request: Request) -> Response:
    """Every model on offer that this key may use, the engine's own first."""
    offers = filter(lambda offer: request.identity.may_use(offer.id), gateway.catalogue.offers())
    return json_response({"object": "list", "data": [_body(offer, gateway) for offer in offers]})


@operation(answer=ModelShape, errors=(404,))
async def show(gateway: Gateway, request: Request) -> Response:
    """One model."""
    request.identity.check_model(request.argument)
    return json_response(_body(gateway.catalogue.resolve(request.argument), gateway))


def _body(offer: Offer, gateway: Gateway) -> dict[str, Any]:
    return {
        "id": offer.id,
        "object": "model",
        "created": gateway.started,
        "owned_by": offer.provider,
        "radixa": {
            "provider": offer.provider,
            "served_by": offer.served_by,
            "prices_usd_per_mtok": price_body(offer.prices),
            "limits": {"rpm": offer.limits.rpm, "tpm": offer.limits.tpm},
            "context": offer.context,
            "shutdown_date": offer.shutdown_date,
            "retires": offer.retires,
            "retired": retired(offer, today()),
            "successor": offer.successor,
        },
    }
