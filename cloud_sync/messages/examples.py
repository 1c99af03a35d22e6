"""One message of each kind, for the documentation; of nobody."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from cloud_sync.messages.bodies import (
    AlertMessage,
    AssessmentsMessage,
    Columns,
    DayMessage,
    ExplanationPart,
    FaultMessage,
    Figures,
    HourMessage,
    Message,
    MinutesMessage,
    ModelMessage,
    ResultMessage,
    RiskFigures,
    StatusMessage,
)
from cloud_sync.messages.health import DevicePart, DevicesMessage, HealthMessage, OutboxPart
from cloud_sync.messages.topics import Kind
from edge.notices import AlertState, Severity
from edge.readings import Channel

_HOUR: Final = 1_780_012_800.0
_RR: Final = Figures(
    n=4213, coverage=0.97, artefacts=31, mean=832.4, sd=61.2, min=547, p5=741, p50=829, p95=938, max=1122
)
_HEART_RATE: Final = Figures(n=3571, coverage=0.99, mean=72.1, sd=5.3, min=54, p5=64, p50=72, p95=81, max=110)


def _id(number: int) -> UUID:
    return UUID(f"6e035857-7af5-8630-b297-0000000000{number:02d}")


EXAMPLES: Final[Mapping[Kind, Message]] = MappingProxyType(
    {
        Kind.MINUTES: MinutesMessage(
            id=_id(1),
            runs=[[29_666_880, 2], [29_666_883, 1]],
            revisions=[1, 1, 2],
            channels={
                Channel.HEART_RATE: Columns(
                    n=[60, 58, 60],
                    coverage=[1.0, 0.97, 1.0],
                    mean=[71.2, 70.8, 73.5],
                    sd=[1.1, 0.9, 2.4],
                    min=[69, 69, 70],
                    p5=[70, 69, 70],
                    p50=[71, 71, 73],
                    p95=[73, 72, 78],
                    max=[74, 73, 79],
                ),
                Channel.TEMPERATURE: Columns(n=[None, 1, None], mean=[None, 36.62, None], p50=[None, 36.62, None]),
            },
        ),
        Kind.HOUR: HourMessage(
            id=_id(2),
            start=_HOUR,
            end=_HOUR + 3600.0,
            revision=1,
            channels={Channel.HEART_RATE: _HEART_RATE, Channel.RR_INTERVAL: _RR},
        ),
        Kind.DAY: DayMessage(
            id=_id(3),
            start=_HOUR - 7200.0,
            end=_HOUR + 79_200.0,
            revision=2,
            channels={Channel.HEART_RATE: _HEART_RATE},
            gone=[Channel.ACCELERATION],
            date="2026-05-29",
            zone="Europe/Berlin",
        ),
        Kind.ASSESSMENTS: AssessmentsMessage(
            id=_id(4),
            start=_HOUR,
            end=_HOUR + 3600.0,
            revision=1,
            risks={
                "atrial_fibrillation": RiskFigures(
                    windows=236,
                    assessed=229,
                    without={"good heartbeats cover #% of the time, #% are needed": 7},
                    coverage=0.96,
                    p5=0.004,
                    p50=0.011,
                    p95=0.062,
                    max=0.213,
                    models=["1.2.0"],
                )
            },
        ),
        Kind.ALERT: AlertMessage(
            id=_id(5),
            alert=UUID("4a1c7de2-93c7-8a55-b8f4-6c8b1f0f2a11"),
            kind="atrial_fibrillation",
            severity=Severity.WARNING,
            state=AlertState.RAISED,
            turn="acknowledged",
            since=_HOUR + 412.0,
            opened_at=_HOUR + 1012.0,
            acknowledged_at=_HOUR + 1100.0,
            explanation=ExplanationPart(
                sentence="For 10 minutes the time from beat to beat varied by 31 %.",
                numbers={"variation_percent": 31.0},
            ),
        ),
        Kind.DEVICES: DevicesMessage(
            id=_id(6),
            at=_HOUR + 3600.0,
            devices=[
                DevicePart(
                    device="d-q7m2w5abcd",
                    link="streaming",
                    worn=True,
                    battery_percent=80.0,
                    last_heard_at=_HOUR + 3599.0,
                    link_losses=2,
                    malformed_packets=0,
                    coverage=0.98,
                )
            ],
        ),
        Kind.FAULT: FaultMessage(
            id=_id(7),
            fault=UUID("b1f0c2d4-0c7e-8f0a-9d3e-1d2c3b4a5f60"),
            kind="no_data",
            person="p-k3j9x2abcd",
            count=1,
            severity=Severity.WARNING,
            state=AlertState.RAISED,
            since=_HOUR + 100.0,
            opened_at=_HOUR + 1000.0,
            sentence="It is in reach but says nothing. Take it off, put it on again, or charge it.",
        ),
        Kind.HEALTH: HealthMessage(
            id=_id(8),
            at=_HOUR + 3600.0,
            version="0.1.0",
            uptime_s=864_000.0,
            running_s=86_400.0,
            disk_free_mb=24_511.0,
            disk_total_mb=29_711.0,
            memory_available_mb=612.0,
            memory_total_mb=971.0,
            memory_daemon_mb=81.0,
            temperature_c=51.5,
            outbox=OutboxPart(
                waiting=1, parked=0, lost=0, made={"2026-05-28": {"alert": 2, "fault": 1, "summary": 98}}
            ),
            models={"atrial_fibrillation": "1.2.0", "fall": None},
            faults=["no_data"],
        ),
        Kind.STATUS: StatusMessage(online=True, at=_HOUR),
        Kind.MODEL: ModelMessage(
            id=_id(10),
            package="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            risk="atrial_fibrillation",
            version="1.3.0",
            state="shadow",
            at=_HOUR,
            figures={"windows": 5312, "alike": 5297},
        ),
        Kind.RESULT: ResultMessage(
            id=_id(9),
            command=UUID("0b2a64b6-0f4e-4d2f-8c1b-50a6c1c0d9aa"),
            key="clinic",
            do="acknowledge",
            outcome="obeyed",
            at=_HOUR + 1100.0,
        ),
    }
)
