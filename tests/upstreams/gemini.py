"""A stand-in for Gemini's API: generateContent, streamGenerateContent, countTokens, batchEmbedContents.

It answers deterministically, keeps what prompts began with (implicit caching, from 2,048 tokens on), signs its tool
calls and, for models of the third generation, refuses a conversation in which a call comes back without its signature.
A token is four bytes. What the last text says decides the answer:

- `BLOCK` in it: the prompt is refused (`promptFeedback`); `SAFETY`: the answer ends with that reason;
- tools and no result yet: calls of the first tool, two with `TWICE` in it;
- else: `You said: ` and the text, or `The tool said: ` and its result.
"""

from __future__ import annotations

import base64
from typing import Any, Literal

import msgspec
from aiohttp import web

from tests.upstreams.base import Fault, StandIn

KEY = "gemini-key"
MINIMUM = 2_048
"""Tokens of the shortest prefix that is kept."""
_TOKEN = 4
_FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"}

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode


class GeminiStandIn(StandIn):
    def __init__(self) -> None:
        super().__init__()
        self.prompts: list[bytes] = []
        """What was computed so far, in order: the implicit cache."""
        self.usage_at: Literal["all", "first", "split", "none"] = "all"
        """Which events of a stream say the usage; of a `split` one the last says nothing of the cache."""

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/{version:v1|v1beta}/models/{model}:{method}", self._called)]

    def error_body(self, status: int) -> bytes:
        return _encode(_error(status, f"The request ended with {status}."))

    def error_event(self) -> bytes:
        return _event(_error(503, "The model is overloaded."))

    async def _called(self, request: web.Request) -> web.StreamResponse:
        recorded = await self.record(request)
        fault = self.next_fault()
        if recorded.headers.get("x-goog-api-key") != KEY or "key" in request.query:
            return _refusal(400, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
        body, model, method = recorded.json, request.match_info["model"], request.match_info["method"]
        match method:
            case "generateContent" | "streamGenerateContent":
                return await self._generate(request, fault, model, body, stream=method.startswith("stream"))
            case "countTokens":
                inner = body["generateContentRequest"]
                if inner.pop("model") != f"models/{model}":
                    return _refusal(400, "The model does not match.")
                return await self.answer(request, fault, whole=_encode({"totalTokens": _tokens(_prompt(inner))}))
            case "batchEmbedContents":
                return await self.answer(request, fault, whole=_encode(self._embed(model, body)))
        return _refusal(404, f"models/{model} is not found for API version v1beta.")

    # ---- generating

    async def _generate(
        self, request: web.Request, fault: Fault | None, model: str, body: Json, *, stream: bool
    ) -> web.StreamResponse:
        wrong = _wrong(model, body)
        if wrong:
            return _refusal(400, wrong)
        if stream and request.query.get("alt") != "sse":
            return _refusal(400, "Expected alt=sse.")
        usage, candidates = self._answered(model, body)
        if fault is not None and fault.kind == "lie":
            usage = msgspec.json.decode(fault.usage) if fault.usage else None
        if not stream:
            whole = _whole(model, candidates)
            if usage is not None:
                whole["usageMetadata"] = usage
            return await self.answer(request, fault, whole=_encode(whole))
        return await self.answer(request, fault, events=self._events(model, candidates, usage))

    def _answered(self, model: str, body: Json) -> tuple[Json | None, list[Json]]:
        """Usage, and the answers with all their parts; none where the prompt is refused."""
        prompt = _prompt(body)
        cached = self._cached(prompt)
        self.prompts.append(prompt)
        usage: Json = {"promptTokenCount": _tokens(prompt)}
        if cached:
            usage["cachedContentTokenCount"] = cached
            usage["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": cached}]
        config = body.get("generationConfig", {})
        if "BLOCK" in _last_text(body):
            return usage | {"totalTokenCount": usage["promptTokenCount"]}, []
        candidates = [_candidate(body, config, index, model) for index in range(config.get("candidateCount", 1))]
        said = sum(_tokens(_encode(part)) for one in candidates for part in one["parts"] if not part.get("thought"))
        thought = sum(_tokens(_encode(part)) for one in candidates for part in one["parts"] if part.get("thought"))
        usage["candidatesTokenCount"] = said
        if thought:
            usage["thoughtsTokenCount"] = thought
        return usage | {"totalTokenCount": usage["promptTokenCount"] + said + thought}, candidates

    def _cached(self, prompt: bytes) -> int:
        """Tokens of the longest prefix that was computed before; 0 below the minimum."""
        longest = 0
        for known in self.prompts:
            common = next((i for i, (a, b) in enumerate(zip(known, prompt, strict=False)) if a != b), None)
            longest = max(longest, min(len(known), len(prompt)) if common is None else common)
        found = min(longest // _TOKEN, _tokens(prompt) - 1)
        return found if found >= MINIMUM else 0

    def _events(self, model: str, candidates: list[Json], usage: Json | None) -> list[bytes]:
        """A part an event, texts in two; the reason to end comes with the last of each answer."""
        pieces: list[Json] = []
        for one in candidates:
            parts = [piece for part in one["parts"] for piece in _halves(part)]
            for number, part in enumerate(parts):
                piece = {"content": {"role": "model", "parts": [part]}, "index": one["index"]}
                if number == len(parts) - 1:
                    piece["finishReason"] = one["finishReason"]
                    if "logprobsResult" in one:
                        piece["logprobsResult"] = one["logprobsResult"]
                pieces.append({"candidates": [piece], "modelVersion": model, "responseId": "r"})
        if not candidates:
            pieces.append({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": model})
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            if usage is None or self.usage_at == "none" or (self.usage_at == "first" and number):
                continue
            final = last or self.usage_at == "first"
            piece["usageMetadata"] = usage if final else usage | {"candidatesTokenCount": number}
            if last and self.usage_at == "split":
                piece["usageMetadata"] = {k: v for k, v in usage.items() if not k.startswith("cache")}
        return [_event(piece) for piece in pieces]

    def _embed(self, model: str, body: Json) -> Json:
        texts = [one["content"]["parts"][0]["text"] for one in body["requests"]]
        assert all(one["model"] == f"models/{model}" for one in body["requests"])
        assert len(texts) <= 100
        sizes = [one.get("outputDimensionality", 3) for one in body["requests"]]
        vectors = [
            {"values": [len(text) + i / 4 for i in range(size)]} for text, size in zip(texts, sizes, strict=True)
        ]
        answer: Json = {"embeddings": vectors}
        if self.usage_at != "none":
            answer["usageMetadata"] = {"promptTokenCount": sum(_tokens(text.encode()) for text in texts)}
        return answer


def _wrong(model: str, body: Json) -> str:
    """What the API would refuse; empty where it is well."""
    unknown = set(body) - _FIELDS
    if unknown:
        return f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
    if not body.get("contents"):
        return "GenerateContentRequest.contents: contents is not specified"
    for place, content in enumerate(body["contents"]):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if not content["parts"] or any(part.get("text") == "" for part in content["parts"]):
            return "GenerateContentRequest.contents: contents.parts must not be empty."
        if content["role"] not in ("user", "model"):
            return "Please use a valid role: user, model."
        if calls:
            after = body["contents"][place + 1]["parts"] if place + 1 < len(body["contents"]) else []
            results = [part for part in after if "functionResponse" in part]
            if len(results) != len(calls):
                return "Please ensure that the number of function response parts is equal to the number of call parts."
            if model.startswith("gemini-3") and not _is_ours(calls[0].get("thoughtSignature", "")):
                return "Function call is missing a thought_signature in functionCall parts."
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    if ("thinkingBudget" in thinking) == model.startswith("gemini-3") and len(thinking) > 1:
        return "Thinking budget and level are of different models."
    return ""


def _candidate(body: Json, config: Json, index: int, model: str) -> Json:
    parts: list[Json] = []
    if config.get("thinkingConfig", {}).get("includeThoughts"):
        parts.append({"text": "Let me think about that.", "thought": True, "thoughtSignature": _signature("thought")})
    said, reason = _last_text(body), "STOP"
    results = [part["functionResponse"] for part in body["contents"][-1]["parts"] if "functionResponse" in part]
    if results:
        parts.append({"text": f"The tool said: {results[0]['response'].get('output', results[0]['response'])}"})
    elif body.get("tools") and body.get("toolConfig") != {"functionCallingConfig": {"mode": "NONE"}}:
        name = body["tools"][0]["functionDeclarations"][0]["name"]
        for number in range(2 if "TWICE" in said else 1):
            call: Json = {"functionCall": {"name": name, "args": {"text": said, "number": number}}}
            if number == 0:
                call["thoughtSignature"] = _signature(f"{name}?")
            parts.append(call)
    else:
        text = f"You said: {said}"
        most = config.get("maxOutputTokens")
        if most is not None and _tokens(text.encode()) > most:
            text, reason = text[: most * _TOKEN], "MAX_TOKENS"
        if "SAFETY" in said:
            reason = "SAFETY"
        parts.append({"text": text})
    candidate: Json = {"index": index, "parts": parts, "finishReason": reason}
    if config.get("responseLogprobs"):
        beside = [{"token": "You", "logProbability": -0.25}, {"token": "Yo", "logProbability": -2.5}]
        candidate["logprobsResult"] = {
            "chosenCandidates": [{"token": "You", "tokenId": 7, "logProbability": -0.25}],
            "topCandidates": [{"candidates": beside[: config.get("logprobs", 0)]}],
        }
    return candidate


def _whole(model: str, candidates: list[Json]) -> Json:
    if not candidates:
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": model}
    made = []
    for one in candidates:
        found = {"content": {"role": "model", "parts": one["parts"]}, **one}
        del found["parts"]
        made.append(found)
    return {"candidates": made, "modelVersion": model, "responseId": "r"}


def _halves(part: Json) -> list[Json]:
    text = part.get("text", "")
    if part.get("thought") or len(text) < 2:
        return [part]
    return [{"text": text[: len(text) // 2]}, {"text": text[len(text) // 2 :]}]


def _prompt(body: Json) -> bytes:
    """All that is computed before the answer, in the order of the model: instruction, tools, contents."""
    return _encode([body.get("systemInstruction"), body.get("tools"), body["contents"]])


def _last_text(body: Json) -> str:
    parts = body["contents"][-1]["parts"]
    return " ".join(part["text"] for part in parts if "text" in part)


def _tokens(text: bytes) -> int:
    return -(-len(text) // _TOKEN)


def _signature(of: str) -> str:
    """What only this server makes: base64 with all its signs."""
    return base64.b64encode(b"\xfb\xff" + of.encode()).decode()


def _is_ours(signature: str) -> bool:
    """Either base64 is taken, as by anything of Google's that reads JSON."""
    if signature == "skip_thought_signature_validator":
        return True
    return base64.b64decode(signature.replace("-", "+").replace("_", "/"))[:2] == b"\xfb\xff"


def _error(status: int, message: str, reason: str = "") -> Json:
    name = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": status, "message": message, "status": name.get(status, "INTERNAL"), "details": details}}


def _refusal(status: int, message: str, reason: str = "") -> web.Response:
    return web.Response(status=status, body=_encode(_error(status, message, reason)), content_type="application/json")


def _event(body: Json) -> bytes:
    """Google ends lines with CRLF."""
    return b"data: " + _encode(body) + b"\r\n\r\n"
