"""The words of the language: what a program writes between its own text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Options
from radixa.lang.choices import ChoicesMethod, token_length_normalized
from radixa.lang.expressions import Begin, End, Expression, Gen, Select, turn

COLDEST = 1e-5
"""Temperatures up to this are 0."""


def gen(
    name: str | None = None,
    max_tokens: int | None = None,
    min_tokens: int | None = None,
    n: int | None = None,
    stop: str | Sequence[str] | None = None,
    stop_token_ids: Sequence[int] | None = None,
    stop_regex: str | Sequence[str] | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    top_k: int | None = None,
    min_p: float | None = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    ignore_eos: bool | None = None,
    return_logprob: bool | None = None,
    logprob_start_len: int | None = None,
    top_logprobs_num: int | None = None,
    return_text_in_logprobs: bool | None = None,
    dtype: type | str | None = None,
    choices: Sequence[str] | None = None,
    choices_method: ChoicesMethod | None = None,
    regex: str | None = None,
    json_schema: str | None = None,
    *,
    repetition_penalty: float | None = None,
    seed: int | None = None,
) -> Expression:
    """A piece that the model writes here. `name` makes its text a variable of the state.

    With `choices` it is one of them (`select`). What is left out comes from `run`. At most one of `regex`,
    `json_schema` (its JSON text) and `dtype` says what the text must be.
    """
    if choices is not None:
        return select(name, choices, 0.0 if temperature is None else temperature, choices_method)
    check_logprobs(logprob_start_len)
    given = {"regex": regex, "json_schema": json_schema, "dtype": dtype}
    constraints = [key for key, value in given.items() if value is not None]
    if len(constraints) > 1:
        raise InvalidRequest(f"gen: {' and '.join(constraints)} cannot both hold. Expected one of them.")
    return Gen(
        name,
        Options(
            max_tokens=max_tokens,
            min_tokens=min_tokens,
            n=n,
            stop=stop,
            stop_token_ids=stop_token_ids,
            stop_regex=stop_regex,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            min_p=min_p,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            repetition_penalty=repetition_penalty,
            seed=seed,
            ignore_eos=ignore_eos,
            return_logprob=return_logprob,
            top_logprobs_num=top_logprobs_num,
            return_text_in_logprobs=return_text_in_logprobs,
            dtype=dtype,
            regex=regex,
            json_schema=json_schema,
        ),
    )


def check_logprobs(start: int | None) -> None:
    """`start`: the prompt's token from which log-probabilities are wanted; only the answer's are offered."""
    if start is not None and start >= 0:
        raise InvalidRequest(
            f"logprob_start_len: {start} asks for log-probabilities of the prompt. Expected -1, or nothing: those of "
            "the answer alone are given."
        )


def gen_int(
    name: str | None = None,
    max_tokens: int | None = None,
    n: int | None = None,
    stop: str | Sequence[str] | None = None,
    **options: Any,
) -> Expression:
    """`gen` of a whole number; the variable is its text."""
    return gen(name, max_tokens, n=n, stop=stop, dtype=int, **options)


def gen_string(
    name: str | None = None,
    max_tokens: int | None = None,
    n: int | None = None,
    stop: str | Sequence[str] | None = None,
    **options: Any,
) -> Expression:
    """`gen` of a string in double quotes, as JSON writes it."""
    return gen(name, max_tokens, n=n, stop=stop, dtype=str, **options)


def select(
    name: str | None = None,
    choices: Sequence[str] | None = None,
    temperature: float = 0.0,
    choices_method: ChoicesMethod | None = None,
) -> Expression:
    """The one of `choices` that the model finds likeliest, by `choices_method` (`token_length_normalized`).

    The `temperature` may only be 0: nothing is drawn.
    """
    if temperature > COLDEST:
        raise InvalidRequest(f"select: temperature is {temperature}. Expected 0: the likeliest choice is taken.")
    if not choices or isinstance(choices, str) or not all(isinstance(c, str) and c for c in choices):
        raise InvalidRequest(f"select: choices is {choices!r}. Expected a list of one or more texts, none empty.")
    return Select(name, tuple(choices), choices_method or token_length_normalized)


def _turn(role: str, content: object) -> Expression:
    return Begin(role) if content is None else turn(role, content)


def system(expr: Expression | str | None = None) -> Expression:
    """A system turn that says `expr`; without it, only its beginning."""
    return _turn("system", expr)


def user(expr: Expression | str | None = None) -> Expression:
    return _turn("user", expr)


def assistant(expr: Expression | str | None = None) -> Expression:
    return _turn("assistant", expr)


def system_begin() -> Expression:
    return Begin("system")


def system_end() -> Expression:
    return End("system")


def user_begin() -> Expression:
    return Begin("user")


def user_end() -> Expression:
    return End("user")


def assistant_begin() -> Expression:
    return Begin("assistant")


def assistant_end() -> Expression:
    return End("assistant")
