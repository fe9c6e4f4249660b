"""Signatures of Standard Webhooks (standardwebhooks.com): id, time and body, by HMAC-SHA256.

Promises: with several keys there is a signature of each, so a receiver may still hold the old one.
Leaves to others: which keys there are (`schemas.config_sinks`).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence


def sign(keys: Sequence[bytes], id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The three headers; `seconds` since 1970, when it is sent."""
    content = b"%b.%d.%b" % (id.encode(), seconds, body)
    digests = [hmac.new(key, content, hashlib.sha256).digest() for key in keys]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(one).decode()}" for one in digests),
    }
