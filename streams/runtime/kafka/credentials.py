"""Credentials of a connection as Faust takes them.

Leaves to others: what a connection is allowed to be (`connection`).
"""

from typing import Any

import faust

from streams.runtime.kafka.connection import Connection


def credentials(connection: Connection) -> Any:  # noqa: ANN401 - Faust publishes no types
    """Faust's credentials; None is plaintext, which `connection` has allowed."""
    context = connection.ssl_context()
    if connection.mechanism == "OAUTHBEARER":
        return faust.OAuthCredentials(oauth_cb=connection.oauth_callback(), ssl_context=context)
    if connection.mechanism is not None:
        return faust.SASLCredentials(
            username=connection.username,
            password=connection.password,
            mechanism=connection.mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None
