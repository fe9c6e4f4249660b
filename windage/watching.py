"""A predict function that publishes each of its calls.

Promises: the function returns and raises what it did before; what goes wrong with publishing is
counted and stays here.
Leaves to others: publishing.
"""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from windage.values import UnreadableError, row

Read = Callable[[Mapping[str, Any], Any], Mapping[str, Any] | None]
"""From the arguments by name, and the answer (None where it raised), to keywords of `prediction`;
None: publish nothing."""

Failed = Callable[[Exception, str], None]

ANSWERS = frozenset({"prediction", "score", "probabilities", "id", "tags"})
"""Keys that are taken from an answer that is a mapping."""


def watch(
    publish: Callable[..., Any],
    failed: Failed,
    predict: Callable[..., Any] | None,
    read: Read | None,
) -> Any:  # noqa: ANN401 - the function, or a decorator of one
    """The decorator behind `Publisher.watch`; coroutine functions stay ones."""
    if predict is None:
        return lambda function: watch(publish, failed, function, read)
    import functools  # noqa: PLC0415 - slow to import, and asked for once
    import inspect  # noqa: PLC0415

    signature = inspect.signature(predict)

    def fields(args: Any, kwargs: Any, answer: Any, since: float, error: str | None) -> Any:  # noqa: ANN401
        """Keywords of `prediction`; None for nothing, or where they cannot be had."""
        try:
            bound = signature.bind(*args, **kwargs).arguments
            said = (read or usual)(bound, answer)
            if said is None:
                return None
        except Exception as problem:  # noqa: BLE001 - a wrong `read` must not break predicting
            failed(problem, "watch")
            return None
        taken = 1000 * (perf_counter() - since)
        return {"features": None, "latency_ms": taken, "error": error, **said}

    if inspect.iscoroutinefunction(predict):

        @functools.wraps(predict)
        async def watched_async(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            since = perf_counter()
            try:
                answer = await predict(*args, **kwargs)
            except Exception as error:
                await _settled(publish, fields(args, kwargs, None, since, type(error).__name__))
                raise
            await _settled(publish, fields(args, kwargs, answer, since, None))
            return answer

        return watched_async

    @functools.wraps(predict)
    def watched(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        since = perf_counter()
        try:
            answer = predict(*args, **kwargs)
        except Exception as error:
            if (said := fields(args, kwargs, None, since, type(error).__name__)) is not None:
                publish(**said)
            raise
        if (said := fields(args, kwargs, answer, since, None)) is not None:
            publish(**said)
        return answer

    return watched


def usual(arguments: Mapping[str, Any], answer: Any) -> Mapping[str, Any]:  # noqa: ANN401
    """What is published unless `read` says otherwise.

    Features are the first argument that has names (not `self`), or else all arguments by name.
    """
    features: Any = None
    for name, value in arguments.items():
        if name in ("self", "cls"):
            continue
        try:
            features = row(value)
            break
        except UnreadableError:
            continue
    if features is None:
        features = {k: v for k, v in arguments.items() if k not in ("self", "cls")}
    return {"features": features, **answered(answer)}


def answered(answer: Any) -> Mapping[str, Any]:  # noqa: ANN401
    """What an answer says: a mapping by its keys, a pair as prediction and score, else itself."""
    if isinstance(answer, Mapping):
        return {key: value for key, value in answer.items() if key in ANSWERS}
    if isinstance(answer, tuple) and len(answer) == 2:  # noqa: PLR2004 - a pair
        return {"prediction": answer[0], "score": answer[1]}
    return {"prediction": answer}


async def _settled(publish: Callable[..., Any], said: Any) -> None:  # noqa: ANN401
    """Publish with a publisher of either kind."""
    if said is not None:
        made = publish(**said)
        if hasattr(made, "__await__"):
            await made
