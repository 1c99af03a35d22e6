"""The topics: hearthbeat/v1/<home>/<kind> and hearthbeat/v1/<home>/<person>/<kind>."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.errors import MessageError, Refused

VERSION: Final = 1
_ROOT: Final = "hearthbeat"
# Longer than any topic of ours can be: two ids of 32 and the longest kind.
_LONGEST: Final = 128
# Ids as the settings and the pseudonyms have them (edge.settings.home): nothing that a path or log could trip over.
_IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


class Kind(StrEnum):
    """What a message tells; the last levels of its topic."""

    MINUTES = "summary/minute"
    HOUR = "summary/hour"
    DAY = "summary/day"
    ASSESSMENTS = "assessment/hour"
    ALERT = "alert"
    DEVICES = "devices"
    FAULT = "fault"
    HEALTH = "health"
    STATUS = "status"
    RESULT = "command/result"
    MODEL = "model"


# What is told of one person, and of the home; devices that several people use belong to the home.
OF_A_PERSON: Final = frozenset({Kind.MINUTES, Kind.HOUR, Kind.DAY, Kind.ASSESSMENTS, Kind.ALERT, Kind.DEVICES})
OF_THE_HOME: Final = frozenset({Kind.DEVICES, Kind.FAULT, Kind.HEALTH, Kind.STATUS, Kind.RESULT, Kind.MODEL})


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic says; `person` is None where the message tells of the home."""

    home: str
    kind: Kind
    person: str | None = None

    def __str__(self) -> str:
        place = self.home if self.person is None else f"{self.home}/{self.person}"
        return f"{_ROOT}/v{VERSION}/{place}/{self.kind}"

    @classmethod
    def parse(cls, text: str) -> Topic:
        """Read a topic; raises MessageError for one that is not ours, of another version or of an unknown kind."""
        if len(text) > _LONGEST:
            raise _refused(Refused.TOPIC, f"the topic has {len(text)} characters", text[:_LONGEST])
        root, _, rest = text.partition("/")
        version, _, rest = rest.partition("/")
        home, _, rest = rest.partition("/")
        if root != _ROOT or not _IDENTIFIER.fullmatch(home):
            raise _refused(Refused.TOPIC, "this is no topic of a home", text)
        if version != f"v{VERSION}":
            raise _refused(Refused.VERSION, f"version {version!r} is not known here", text)
        if rest in OF_THE_HOME:
            return cls(home, Kind(rest))
        person, _, kind = rest.partition("/")
        if kind not in OF_A_PERSON or not _IDENTIFIER.fullmatch(person):
            raise _refused(Refused.KIND, "no such kind of message is known", text)
        return cls(home, Kind(kind), person)


def _refused(reason: Refused, what: str, topic: str) -> MessageError:
    return MessageError(reason, what, where=ascii(topic), mend="update whichever of the two is older")
