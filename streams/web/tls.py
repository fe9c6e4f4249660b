"""TLS of our own HTTP servers, all of them alike.

Promises: with a `client_ca` nobody is heard who does not show one of its certificates.
Leaves to others: where a server may listen without it (`schemas.config_links`).
"""

import ssl

from schemas.config_links import Tls


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The context of a server; OSError (SSLError is one) if a file cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
