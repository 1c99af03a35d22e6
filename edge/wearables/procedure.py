"""What a profile does with a wearable beside listening: steps that it asks for and the link carries out.

A procedure is a generator, so that a profile stays pure: it yields a step, and is sent what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

# How long a wearable may take for an answer. Our choice: a third of the 30 s after which an ATT transaction, and with
# it the whole connection, is over (Core Specification 5.4, volume 3, part F, 3.3.3).
ANSWER_WITHIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Write:
    """Write `payload`, and send back the next value that `answer` notifies or indicates within `within_s`.

    Without an `answer` the write's own confirmation is enough, and b"" is sent back. A payload that tells the time is
    made when it is written, of the seconds since 1970.
    """

    characteristic: str
    payload: bytes | Callable[[float], bytes]
    answer: str | None = None
    within_s: float = ANSWER_WITHIN_S


@dataclass(frozen=True, slots=True)
class Read:
    """Read a characteristic, and send back its value."""

    characteristic: str


@dataclass(frozen=True, slots=True)
class Next:
    """Send back one further value of a control point: of an answer that is told in several, or a late one."""

    characteristic: str
    within_s: float = ANSWER_WITHIN_S


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait on the clock, and send back b""."""

    seconds: float


Step = Write | Read | Next | Pause

# Whatever the wearable refuses is thrown in as a RefusedError. A procedure that doesn't catch it ends: that is logged
# and counted, and the link goes on with what streams. It must let GeneratorExit through: the connection is gone.
Procedure = Generator[Step, bytes, None]
