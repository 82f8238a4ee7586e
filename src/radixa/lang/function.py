"""`@function`: a program, and the ways to run it."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

from radixa.core.errors import InvalidRequest
from radixa.lang.base import Backend, Options, Prompt
from radixa.lang.batch import Work, run_all
from radixa.lang.current import inside
from radixa.lang.default import backend_or_default
from radixa.lang.executor import Executor
from radixa.lang.state import State
from radixa.lang.tracing import HOLE, LEAST_CHARACTERS, Trace, traced, warm_common_prefix
from radixa.lang.viewing import view_after_run
from radixa.lang.words import check_logprobs


@overload
def function(func: Callable[..., Any], /) -> Function: ...
@overload
def function(func: None = None, /) -> Callable[[Callable[..., Any]], Function]: ...
def function(func: Callable[..., Any] | None = None, /) -> Function | Callable[[Callable[..., Any]], Function]:
    """Make a program of a function whose first parameter is `s`, the state it writes to.

    A function without `s` stays an ordinary function that returns its own value.
    """
    return Function if func is None else Function(func)


class Function:
    """A decorated function. Calling it runs it; called with a state, it goes on in that state."""

    def __init__(self, func: Callable[..., Any], bound: Mapping[str, Any] | None = None) -> None:
        functools.update_wrapper(self, func)
        self.func = func
        self._bound = dict(bound or {})
        parameters = list(inspect.signature(func).parameters.values())
        self.takes_state = bool(parameters) and parameters[0].name == "s"
        self.arg_names = [parameter.name for parameter in parameters[1 if self.takes_state else 0 :]]
        self._needed = [p.name for p in parameters if p.default is p.empty and p.name in self.arg_names]

    def bind(self, **arguments: Any) -> Function:
        """The same program with some of its arguments given."""
        unknown = [name for name in arguments if name not in self.arg_names]
        if unknown:
            raise InvalidRequest(
                f"{self.func.__name__} has no parameter {unknown[0]!r}; it has: {', '.join(self.arg_names) or 'none'}."
            )
        return Function(self.func, {**self._bound, **arguments})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.takes_state:
            with inside(None, None):
                return self.func(*args, **{**self._bound, **kwargs})
        if args and isinstance(args[0], State):
            return self.func(*args, **{**self._bound, **kwargs})
        return self.run(*args, **kwargs)

    def run(
        self,
        *args: Any,
        max_new_tokens: int = 128,
        min_new_tokens: int | None = None,
        n: int = 1,
        stop: str | Sequence[str] | None = None,
        stop_token_ids: Sequence[int] | None = None,
        stop_regex: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        top_k: int = -1,
        min_p: float = 0.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        ignore_eos: bool = False,
        return_logprob: bool | None = None,
        logprob_start_len: int | None = None,
        top_logprobs_num: int | None = None,
        return_text_in_logprobs: bool | None = None,
        stream: bool = False,
        backend: Backend | None = None,
        use_thread: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Run the program once; its state, which may still be at work when this returns.

        The options hold for every `gen` that does not say otherwise; all other keywords are the program's arguments.
        `stream`: the program itself runs in a thread as well, and answers can be read as they grow. Without
        `use_thread` everything happens in the caller's thread.
        """
        options = run_options(
            max_new_tokens=max_new_tokens,
            min_new_tokens=min_new_tokens,
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
            ignore_eos=ignore_eos,
            return_logprob=return_logprob,
            logprob_start_len=logprob_start_len,
            top_logprobs_num=top_logprobs_num,
            return_text_in_logprobs=return_text_in_logprobs,
        )
        arguments = self._arguments(args, kwargs)
        if not self.takes_state:
            with inside(backend, None):
                return self.func(**arguments)
        return self._start(arguments, options, backend_or_default(backend), stream=stream, use_thread=use_thread)

    @overload
    def run_batch(
        self, batch_kwargs: Sequence[Any], *, generator_style: Literal[False] = False, **options: Any
    ) -> list[Any]: ...
    @overload
    def run_batch(
        self, batch_kwargs: Sequence[Any], *, generator_style: Literal[True], **options: Any
    ) -> Iterator[Any]: ...
    def run_batch(
        self,
        batch_kwargs: Sequence[Any],
        *,
        backend: Backend | None = None,
        num_threads: int | Literal["auto"] = "auto",
        progress_bar: bool = False,
        generator_style: bool = False,
        **options: Any,
    ) -> list[Any] | Iterator[Any]:
        """Run the program once for each of `batch_kwargs` (dicts of arguments, or tuples of them in order).

        The finished states in that order: a list, or with `generator_style` one after the other as they are there. Of
        a program that failed the state holds the error (`state.error()`). The beginning that the first two programs
        share is computed once before. `options` are those of `run`.
        """
        arguments = [
            self._arguments((), given) if isinstance(given, Mapping) else self._arguments(tuple(given), {})
            for given in batch_kwargs
        ]
        if not arguments:
            return iter(()) if generator_style else []
        asked = backend_or_default(backend) if self.takes_state else backend
        if self.takes_state and len(arguments) > 1:
            assert asked is not None
            warm_common_prefix(self.func, arguments, asked)
        defaults = run_options(**options)
        work: list[Work] = [functools.partial(self._finished, given, asked, defaults) for given in arguments]
        found = run_all(work, num_threads, progress_bar)
        return found if generator_style else list(found)

    def trace(self, *, backend: Backend | None = None, **kwargs: Any) -> Trace:
        """What it writes before its first answer. Arguments that are left out stay open: the text ends before them."""
        self._check_state("traced")
        given = {**self._bound, **kwargs}
        arguments = {**given, **{name: HOLE for name in self._needed if name not in given}}
        return traced(self.func, arguments, backend_or_default(backend))

    def cache(self, backend: Backend | None = None) -> Trace:
        """Compute what every run begins with, and keep it."""
        asked = backend_or_default(backend)
        found = self.trace(backend=asked)
        if len(found.text) >= LEAST_CHARACTERS:
            asked.warm(Prompt(found.text))
        return found

    # ---- inside

    def _arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        if len(args) > len(self.arg_names):
            raise InvalidRequest(
                f"{self.func.__name__} takes {len(self.arg_names)} arguments beside its state, but got {len(args)}."
            )
        return {**self._bound, **dict(zip(self.arg_names, args, strict=False)), **kwargs}

    def _check_state(self, what: str) -> None:
        if not self.takes_state:
            raise InvalidRequest(f"{self.func.__name__} cannot be {what}: its first parameter is not s.")

    def _start(
        self, arguments: dict[str, Any], options: Options, backend: Backend, *, stream: bool, use_thread: bool
    ) -> State:
        state = State(Executor(backend, options, stream=stream, threaded=use_thread))
        if stream and use_thread:
            state.executor.body_thread = 0
            body = functools.partial(self._body, state, arguments, keeps_error=True)
            threading.Thread(target=body, daemon=True, name=f"radixa-{self.func.__name__}").start()
        else:
            self._body(state, arguments, keeps_error=False)
        return state

    def _body(self, state: State, arguments: dict[str, Any], *, keeps_error: bool) -> None:
        """Run the function itself. `keeps_error`: what it raises is raised where its state is read."""
        executor = state.executor
        if executor.body_thread is not None:
            executor.body_thread = threading.get_ident()
        try:
            with inside(executor.backend, state):
                state.ret_value = self.func(state, **arguments)
        except Exception as error:
            executor.fail(error)
            if not keeps_error:
                raise
        finally:
            executor.end()
        view_after_run(state)

    def _finished(self, arguments: dict[str, Any], backend: Backend | None, options: Options) -> Any:
        """One program of a batch, to its end."""
        if not self.takes_state:
            with inside(backend, None):
                return self.func(**arguments)
        state = State(Executor(backend_or_default(backend), options))
        self._body(state, arguments, keeps_error=True)
        state.sync()
        return state


def run_options(
    *,
    max_new_tokens: int = 128,
    min_new_tokens: int | None = None,
    logprob_start_len: int | None = None,
    temperature: float = 1.0,
    **others: Any,
) -> Options:
    """The options of a run as those of a `gen`."""
    check_logprobs(logprob_start_len)
    return Options(max_tokens=max_new_tokens, min_tokens=min_new_tokens, temperature=temperature, **others)
