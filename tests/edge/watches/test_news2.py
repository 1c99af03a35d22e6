"""The alert of a high NEWS2 score: told once, told again when graver, over only when all was measured again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edge.notices import Alert, AlertState, Severity
from edge.readings import Channel
from edge.recorder import Recorder
from edge.settings.home import PersonSettings
from edge.signals.news2 import News2, Vitals, news2
from edge.store.store import Batch, Store
from edge.watches.news2 import COOL_DOWN_S, LOOK_EVERY_S, News2Watch, news2_alert
from tests.edge.store.samples import sample
from tests.fakes.clock import ManualClock

NOW = 1_800_000_000.0
ANNA = PersonSettings.model_validate({"id": "anna", "contacts": ["phone"]})


def scored(spo2: float | None = None, systolic: float | None = None, temperature: float | None = None) -> News2:
    return news2(Vitals(spo2=spo2, systolic=systolic, temperature=temperature))


def test_what_is_known_at_least_is_told_and_names_what_is_missing() -> None:
    assert news2_alert("anna", scored(91.0), NOW, None) is None, "one red value has a rule of its own"
    raised = news2_alert("anna", scored(91.0, 95.0), NOW, None)
    assert raised is not None
    assert (raised.severity, raised.explanation.numbers["score"]) == (Severity.WARNING, 5.0)
    assert "at least 5" in raised.explanation.sentence


def test_pain_17_a_graver_score_is_a_graver_turn() -> None:
    raised = news2_alert("anna", scored(91.0, 95.0), NOW, None)
    graver = news2_alert("anna", scored(91.0, 85.0, 39.5), NOW + 600.0, raised)
    assert raised is not None
    assert graver is not None
    assert (graver.id, graver.severity) == (raised.id, Severity.CRITICAL)
    assert news2_alert("anna", scored(91.0, 85.0, 39.5), NOW + 900.0, graver) is None


def test_pain_09_what_is_missing_is_no_all_clear() -> None:
    raised = news2_alert("anna", scored(91.0, 95.0), NOW, None)
    assert news2_alert("anna", scored(), NOW + 7200.0, raised) is None
    assert news2_alert("anna", scored(97.0), NOW + 7200.0, raised) is None, "the blood pressure is not known"
    cleared = news2_alert("anna", scored(97.0, 125.0), NOW + 7200.0, raised)
    assert cleared is not None
    assert cleared.state is AlertState.CLEARED


def test_pain_18_between_two_episodes_there_is_a_rest() -> None:
    raised = news2_alert("anna", scored(91.0, 95.0), NOW, None)
    assert raised is not None
    over = replace(raised, state=AlertState.CLEARED, cleared_at=NOW + 60.0)
    assert news2_alert("anna", scored(91.0, 95.0), NOW + 120.0, over) is None
    assert news2_alert("anna", scored(91.0, 95.0), NOW + COOL_DOWN_S, over) is not None


async def test_pain_14_it_is_told_once_over_restarts_and_ends_when_switched_off(tmp_path: Path) -> None:
    clock, told = ManualClock(NOW), list[Alert]()
    with Store(tmp_path / "hearthbeat.db") as store:
        for channel, value in ((Channel.SPO2, 90.0), (Channel.SYSTOLIC, 88.0)):
            store.commit(Batch(readings=[sample(channel, NOW - 60.0, value)]))
        recorder = Recorder(store, clock=clock, interval_s=6.0)

        async def say(_: PersonSettings, alert: Alert) -> None:
            told.append(alert)
            await recorder.say(alert, (), ())

        for _ in range(3):
            watch = News2Watch(store, recorder, clock, say)
            await watch.look([ANNA])
            await watch.look([ANNA])
            await clock.advance(LOOK_EVERY_S)
            assert watch.is_fresh(told[0])
        await News2Watch(store, recorder, clock, say).look([ANNA.model_copy(update={"news2": False})])
        await recorder.close()
    assert [alert.state for alert in told] == [AlertState.RAISED, AlertState.CLEARED]
