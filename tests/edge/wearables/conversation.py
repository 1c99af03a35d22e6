"""The link's part of a procedure, without a radio."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import RefusedError
from edge.wearables.procedure import Procedure, Step

REFUSED = RefusedError("refused", where="wearable", mend="nothing")


def converse(procedure: Procedure, wearable: Callable[[Step], bytes | RefusedError], most: int = 1000) -> list[Step]:
    """Carry out a procedure, at most so many steps of it; the steps that were asked for. What it raises comes out."""
    steps: list[Step] = []
    try:
        step = next(procedure)
        while len(steps) < most:
            steps.append(step)
            came = wearable(step)
            step = procedure.throw(came) if isinstance(came, RefusedError) else procedure.send(came)
    except StopIteration:
        pass
    finally:
        procedure.close()
    return steps
