"""Trying a sink without telling it anything: whether it could be told.

Promises: nothing is sent that could be taken for an alert; an Alertmanager is asked for its status,
any other sink is connected to, its certificate checked, and left again.
Leaves to others: printing (commands).
"""

from urllib.parse import urlsplit

from schemas.config_sinks import Sink
from streams.sinks.alertmanager import alerts_url
from streams.sinks.call import Call
from streams.sinks.caller import Caller, CallError
from streams.sinks.webhook import authorization

_DEFAULT_PORTS = {"https": 443, "http": 80}


async def doubt(sink: Sink) -> str | None:
    """Why a sink could not be told now; None if nothing is known against it."""
    try:
        async with Caller(sink) as caller:
            if sink.type == "alertmanager":
                return await _status(sink, caller)
            parts = urlsplit(sink.url)
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
            await caller.touch(parts.hostname or "", port, tls=parts.scheme == "https")
    except CallError as error:
        return str(error)
    except OSError:
        return "sinks.ca cannot be read"
    return None


async def _status(sink: Sink, caller: Caller) -> str | None:
    url = alerts_url(sink.url).removesuffix("alerts") + "status"
    headers = {}
    if sink.token is not None:
        headers = authorization(sink.username, sink.token.get_secret_value())
    answer = await caller.make(Call(url=url, body=b"", method="GET", headers=headers))
    return None if answer.status == 200 else f"answered {answer.status}"  # noqa: PLR2004 - OK
