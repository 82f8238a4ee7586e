"""Names of OpenTelemetry's semantic conventions, those for generative AI among them.

Written out here, since that part of them has no stable module to be imported from.
"""

from __future__ import annotations

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
RESPONSE_MODEL: Final = "gen_ai.response.model"
FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
CONVERSATION: Final = "gen_ai.conversation.id"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - these tokens are no secret

TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105
SERVER_DURATION: Final = "gen_ai.server.request.duration"
SERVER_TTFT: Final = "gen_ai.server.time_to_first_token"
SERVER_TPOT: Final = "gen_ai.server.time_per_output_token"
HTTP_DURATION: Final = "http.server.request.duration"

METHOD: Final = "http.request.method"
STATUS: Final = "http.response.status_code"
ROUTE: Final = "http.route"
ERROR: Final = "error.type"

REQUEST_ID: Final = "radixa.request_id"
ACCOUNT: Final = "radixa.account_id"
KEY: Final = "radixa.key_id"
COST: Final = "radixa.cost_nano_usd"

OPERATIONS: Final = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/messages": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
"""What a route does, as the conventions call it."""
PROVIDERS: Final = {"gemini": "gcp.gemini"}
"""Providers that they call by another name than we do."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER_METHOD: Final = "_OTHER"
