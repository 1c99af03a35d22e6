"""What leaves the house, word for word: summaries, assessments, alerts, faults and health, as JSON.

docs/messages.md tells every topic and field; it is made from the models here. People and wearables appear by pseudonyms
only. Whatever has an id has the same id whenever the same thing is told again, so that a receiver can drop repeats.
"""

from cloud_sync.messages.making import (
    Home,
    alert,
    assessment_summary,
    day_summary,
    fault,
    hour_summary,
    minute_summaries,
    status,
    status_topic,
)
from cloud_sync.messages.parsing import Received, parse
from cloud_sync.messages.topics import VERSION, Kind, Topic

__all__ = [
    "VERSION",
    "Home",
    "Kind",
    "Received",
    "Topic",
    "alert",
    "assessment_summary",
    "day_summary",
    "fault",
    "hour_summary",
    "minute_summaries",
    "parse",
    "status",
    "status_topic",
]
