"""A Polar wearable whose streams have been started, without a radio."""

from __future__ import annotations

from types import MappingProxyType

from edge.wearables.polar_control import Answer, OpCode, Response, Setting, encode_features, encode_response
from edge.wearables.polar_pmd import CONTROL_POINT, DATA, MeasurementType
from edge.wearables.polar_session import PROFILE
from edge.wearables.procedure import Read, Step, Write
from edge.wearables.profile import Session
from tests.edge.wearables.conversation import converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE

_SETTINGS = MappingProxyType({Setting.SAMPLE_RATE: (50,)})
_NO_SETTINGS: MappingProxyType[Setting, tuple[int, ...]] = MappingProxyType({})


def streaming(*kinds: MeasurementType) -> Session:
    """A session that has started these streams, at 50 samples a second."""

    def wearable(step: Step) -> bytes:
        if isinstance(step, Read):
            return encode_features(kinds)
        assert isinstance(step, Write)
        assert isinstance(step.payload, bytes)
        op_code, kind = step.payload[:2]
        settings = _SETTINGS if op_code == OpCode.SETTINGS and kind != MeasurementType.PPI else _NO_SETTINGS
        return encode_response(Response(op_code, kind, Answer.SUCCESS, settings=settings))

    session = PROFILE.session(SOURCE, {})
    procedure = session.opening(RECEIVED_AT, [CONTROL_POINT, DATA])
    assert procedure is not None
    converse(procedure, wearable)
    return session
