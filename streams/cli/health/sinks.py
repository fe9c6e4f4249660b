"""Checks of sinks, a line each for `windage doctor`.

Promises: no sink is sent anything.
Leaves to others: trying (`streams.sinks.probe`), printing (`doctor`).
"""

import asyncio
from urllib.parse import urlsplit

from schemas.config import Config
from streams.cli.health.check import Check


def sinks(config: Config) -> list[Check]:
    """Whether each sink could be told, and whether any alert would be told to nobody."""
    if not config.sinks:
        return []
    from streams.sinks.probe import doubt

    async def doubts() -> list[str | None]:
        return list(await asyncio.gather(*(doubt(sink) for sink in config.sinks.values())))

    checks = []
    for (name, sink), wrong in zip(config.sinks.items(), asyncio.run(doubts()), strict=True):
        host = urlsplit(sink.url).netloc
        check, told = f"sink {name}", ", ".join(sink.told)
        if wrong is None:
            checks.append(Check(check=check, state="ok", found=f"{host} answers; told of {told}"))
            continue
        todo = "what is for it waits in the log, and becomes a dead letter when tried too often"
        checks.append(
            Check(
                check=check,
                state="fail",
                found=f"{host}: {wrong}",
                todo=todo,
                unreachable=True,
            )
        )
    return [*checks, *_untold(config)]


def _untold(config: Config) -> list[Check]:
    """Alerts without a route reach no sink where every sink is named by one."""
    told = {name for name, sink in config.sinks.items() if "alerts" in sink.told}
    catch_all = {
        name
        for name, model in config.models.items()
        if any(
            route.sink is not None
            and (route.class_, route.severity, route.segment, route.signal) == (None,) * 4
            for route in model.policy.routes
        )
    }
    if not told or told - config.named_sinks() or catch_all >= set(config.models):
        return []
    missing = ", ".join(sorted(set(config.models) - catch_all))
    return [
        Check(
            check="routes",
            state="warn",
            found=f"alerts of {missing} that match no route are told to no sink",
            todo="add a last route with only a sink, or a sink that no route names",
        )
    ]
