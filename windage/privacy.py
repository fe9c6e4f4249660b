"""What must not leave the program: sampling, redaction and hashing of identifiers.

Promises: a sampled id is sampled everywhere, because the choice is a function of the id alone, so
the labels of a sampled prediction are sent and those of others are not; a hashed value is a keyed
BLAKE2b (RFC 7693), so that it cannot be looked up without the key.
Leaves to others: which fields there are (`composing`).
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from windage.values import scalar

ID: Final = "prediction_id"
"""In `hash=`: hash the ids themselves, of predictions and labels alike."""

_DIGEST_BYTES: Final = 16
_WHOLE: Final = 1 << 64


class Privacy:
    """The rules of one publisher. ValueError where they cannot be meant."""

    def __init__(
        self,
        *,
        sample: float = 1.0,
        redact: Iterable[str] = (),
        hash: Iterable[str] = (),  # noqa: A002 - the name is the public contract's
        hash_key: bytes | str | None = None,
    ) -> None:
        """`sample`: the share that is sent; names are those of features and tags."""
        if not 0 < sample <= 1:
            raise ValueError(f"sample is {sample}; it is a share above 0 and at most 1")
        if isinstance(redact, str) or isinstance(hash, str):
            raise ValueError("redact and hash are lists of names, not one text")  # noqa: TRY004
        self.sample = sample
        self._below = int(sample * _WHOLE)
        self._gone = frozenset(redact)
        self._hashed = frozenset(hash)
        self._key = hash_key.encode() if isinstance(hash_key, str) else hash_key or b""
        if self._hashed and not 16 <= len(self._key) <= hashlib.blake2b.MAX_KEY_SIZE:  # noqa: PLR2004
            raise ValueError("hash= needs hash_key= of 16 to 64 bytes, kept secret")
        both = sorted(self._gone & self._hashed)
        if both:
            raise ValueError(f"both redacted and hashed: {', '.join(both)}")
        self.touches = bool(self._gone or self._hashed - {ID})
        """Whether features and tags must be looked through."""
        self.hashes_ids = ID in self._hashed

    def takes(self, pid: str) -> bool:
        """Whether this prediction, and what belongs to it, is sent."""
        if self._below == _WHOLE:
            return True
        digest = hashlib.blake2b(pid.encode(errors="replace"), digest_size=8).digest()
        return int.from_bytes(digest) < self._below

    def identity(self, pid: str) -> str:
        """The id as sent."""
        return self.hashed(pid) if self.hashes_ids else pid

    def hashed(self, value: object) -> str:
        """32 hex digits that stand for a value."""
        text = str(value).encode(errors="replace")
        return hashlib.blake2b(text, digest_size=_DIGEST_BYTES, key=self._key).hexdigest()

    def keeps(self, name: str) -> bool:
        """Whether a feature or tag of this name may be sent at all."""
        return name not in self._gone

    def cell(self, name: str, value: Any) -> Any:  # noqa: ANN401
        """The value of a feature or tag as sent."""
        if name not in self._hashed:
            return value
        found = scalar(value)
        return None if found is None else self.hashed(found)
