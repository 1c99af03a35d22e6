"""Ids of hearthbeat.toml: they become MQTT topic levels, file names and the subjects of log lines."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

# No separators, no wildcards of topic levels (MQTT 5.0, 4.7.1).
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        message = f"{value!r} is no id: use up to 32 of a-z, 0-9, - and _"
        raise ValueError(message)
    return value


Identifier = Annotated[str, AfterValidator(_identifier)]
