"""SHA-256 of recordings as they were read, so that a model names the data that it was made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass

import numpy as np

from training.recipe import Recording


def fingerprint(recordings: Sequence[Recording]) -> str:
    """Hexadecimal digest over all that the recordings say, in the order of their names."""
    digest = hashlib.sha256()
    for recording in sorted(recordings, key=lambda one: (one.corpus, one.name)):
        for part in _bytes(recording):
            digest.update(part)
    return digest.hexdigest()


def _bytes(value: object) -> Iterator[bytes]:
    """A value as bytes, the same on every machine; TypeError for what has no such form."""
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield np.ascontiguousarray(value).tobytes()
    elif value is None or isinstance(value, str | bool | int | float | np.generic):
        yield f"{value}\0".encode()
    elif is_dataclass(value):
        for field in fields(value):
            yield from _bytes(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _bytes(key)
            yield from _bytes(value[key])
    elif isinstance(value, Sequence):
        for one in value:
            yield from _bytes(one)
    else:
        raise TypeError(f"a {type(value).__name__} within a recording has no fingerprint")
