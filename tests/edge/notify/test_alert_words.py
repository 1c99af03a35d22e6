"""Every alert that can be is told whole, in each language, with what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.house_faults import BrokerSight, HouseFaults, HouseSight
from edge.alerts.limits import DEFAULTS as LIMITS
from edge.alerts.points import Point
from edge.alerts.sights import WearableSight
from edge.alerts.thresholds import Threshold, ThresholdRule
from edge.alerts.vital_rules import DEFAULTS
from edge.alerts.wearable_faults import WearableFaults
from edge.bluetooth.trouble import RadioState, RadioStatus
from edge.notices import Alert, AlertState, FaultKind, Severity
from edge.notify.alert_words import OTHER_CRITICAL, WORDS
from edge.notify.fault_words import FAULT_WORDS
from edge.notify.languages import language_of, languages
from edge.notify.texts import alert_text, fault_text, still_so
from edge.phrases import Phrase
from edge.readings import Channel, Explanation, Risk, Window
from edge.signals import atrial_fibrillation, fall, hypoglycaemia, sleep_apnoea
from edge.signals.news2 import Vitals, news2
from edge.signals.night_baseline import Night, judge_nights
from edge.store.assessments import read_explanation, write_explanation
from edge.store.store import Batch, Store
from edge.watches.news2 import NEWS2
from edge.watches.nights import RESTING_HEART_RATE

AT = 1_780_000_000.0
KINDS = [*Risk, RESTING_HEART_RATE, NEWS2, *(rule.name for rule in DEFAULTS)]
# What stays Latin in a Chinese text: names, units, and what is called so in Chinese, too.
LATIN = {"Ann", "Hearthbeat", "NEWS", "mmol", "mmHg", "URL", "frozen", "min", "timedatectl"}
COMMANDS = {"sudo", "systemctl", "restart", "hearthbeat", "web", "alerts", "notify", "test"}


def raised_by(rule: ThresholdRule) -> Alert:
    """The alert that values well beyond the rule's limit raise."""
    threshold = Threshold(rule, "anna")
    beyond = rule.threshold + (7.0 if rule.above is not None else -7.0)
    for minute in range(200):
        at = AT + 60.0 * minute
        alert = threshold.push(Point(at, beyond, 60.0, resting=True), at)
        if alert is not None:
            return alert
    raise AssertionError(rule.name)


def cleared_by(rule: ThresholdRule) -> Alert:
    threshold = Threshold(rule, "anna", raised_by(rule))
    for minute in range(200, 500):
        alert = threshold.push(Point(AT + 60.0 * minute, rule.clear, 60.0, resting=True), AT + 60.0 * minute)
        if alert is not None:
            return alert
    raise AssertionError(rule.name)


def risk_sentences() -> dict[str, list[Explanation]]:
    """What is said of windows of noise, whatever a model would think of them."""
    chance = np.random.default_rng(5)
    rr = chance.uniform(500.0, 1100.0, 30)
    beats = Window("anna", Risk.ATRIAL_FIBRILLATION, AT, AT + rr.sum() / 1000.0, rr, np.zeros(30, bool), 1.0)
    mg = chance.normal((0.0, 0.0, 1000.0), 300.0, (6 * 25, 3))
    moved = Window("anna", Risk.FALL, AT, AT + 6.0, mg, np.zeros(len(mg), bool), 1.0)
    steps = chance.uniform(800.0, 1000.0, (450, 2))
    asleep = Window("anna", Risk.SLEEP_APNOEA, AT, AT + 900.0, steps, np.zeros(450, bool), 1.0)
    usual = {
        "irregularity_percent": 3.0,
        "blow_g": 1.2,
        "turn_degrees": 5.0,
        "movement_mg": 60.0,
        "swing_bpm": 5.0,
        "glucose_mg_dl": 130.0,
    }
    sugars = [([90.0] * 4), ([80.0, 85.0, 90.0, 95.0]), ([95.0, 90.0, 80.0, 75.0]), ([70.0, 68.0, 66.0, 60.0])]
    glucose = [
        hypoglycaemia.explain(
            Window("anna", Risk.HYPOGLYCAEMIA, AT, AT + 1200.0, np.array(sugar), np.zeros(4, bool), 1.0), usual, None
        )
        for sugar in sugars
    ]
    return {
        Risk.ATRIAL_FIBRILLATION: [
            atrial_fibrillation.explain(beats, usual, part) for part in (None, (AT + 3.0, AT + 8.0))
        ],
        Risk.FALL: [fall.explain(moved, usual, None)],
        Risk.SLEEP_APNOEA: [sleep_apnoea.explain(asleep, usual, None)],
        Risk.HYPOGLYCAEMIA: glucose,
    }


def night_sentences() -> list[Explanation]:
    nights = [Night(AT + 86_400.0 * day, AT + 86_400.0 * day + 36_000.0, 9.0, 55.0, None) for day in range(9)]
    nights += [replace(nights[-1], resting_bpm=None, reason=None), replace(nights[-1], resting_bpm=66.0)]
    return [Explanation(verdict.sentence) for verdict in judge_nights(nights) if verdict.night.resting_bpm is not None]


def news2_sentences() -> list[Explanation]:
    some = Vitals(spo2=90.0, pulse=135.0, temperature=39.5)
    whole = Vitals(20.0, 90.0, False, 85.0, 140.0, None, 39.5)
    scored = (some, whole, Vitals(pulse=135.0, systolic=120.0), Vitals(spo2=97.0), Vitals())
    return [Explanation(news2(vitals).sentence) for vitals in scored]


def people_alerts() -> list[Alert]:
    """Alerts of every kind that Hearthbeat raises of itself, with sentences that it makes."""
    found = [alert for rule in DEFAULTS for alert in (raised_by(rule), cleared_by(rule))]
    base = replace(found[0], kind="", opened_at=AT + 60.0, since=AT)
    told = {**risk_sentences(), RESTING_HEART_RATE: night_sentences(), NEWS2: news2_sentences()}
    return found + [replace(base, kind=kind, explanation=why) for kind, whys in told.items() for why in whys]


def house_alerts() -> list[Alert]:
    """A fault of every kind, with sentences that the looks make."""
    sight = HouseSight(
        AT,
        0.0,
        radio="NN",
        synchronised=True,
        models={"fall": "NN"},
        stores={"backup": "NN"},
        free_bytes=1_000_000,
        contacts={"daughter": "NN"},
        channels={"daughter": "NN"},
        buttons="NN",
    )
    faults = []
    for broker in (
        BrokerSight(connected=False, error="NN", refuses=True, taken=0, waiting=3),
        BrokerSight(connected=False, error=None, refuses=False, taken=0, waiting=3),
        BrokerSight(connected=True, error=None, refuses=False, taken=0, waiting=3),
    ):
        looks = HouseFaults()
        for hour in range(10):
            later = replace(sight, monotonic=3600.0 * hour, wall=AT + 3600.0 * hour + 900.0 * (hour == 9))
            faults += looks.look(replace(later, broker=broker, synchronised=hour < 2 or broker.connected)).wrong
    worn = WearableSight("AA", "anna", True, False, 5.0, {Channel.RR_INTERVAL: AT}, {Channel.HEART_RATE: 60.0}, 4000.0)
    strap = replace(worn, worn=True, battery_percent=80.0)
    fresh = replace(strap, address="BB", heard={}, values={})
    for one in (worn, strap, replace(strap, in_reach=False), replace(strap, trouble="NN"), fresh):
        watch = WearableFaults()
        critical = {"anna": [Channel.RR_INTERVAL]}
        for look in range(3000):
            at = AT + 60.0 * look
            sends = look < 300 and bool(one.heard)
            seen = replace(one, heard={**one.heard, Channel.HEART_RATE: at}) if sends else one
            people = {"anna": LIMITS}
            found = watch.look(at, 60.0, [seen], people, radio_works=True, is_night=False, critical=critical)
            faults += found.wrong if look % 500 == 499 or look == 250 else []
    base = replace(raised_by(DEFAULTS[0]), since=AT, opened_at=AT, subject="x")
    return [
        replace(base, kind=fault.kind, severity=fault.severity, explanation=Explanation(fault.sentence))
        for fault in {(fault.kind, fault.sentence): fault for fault in faults}.values()
    ]


PEOPLE, HOUSE = people_alerts(), house_alerts()


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("alert", [*PEOPLE, *HOUSE], ids=lambda alert: f"{alert.kind}-{alert.state}")
def test_what_hearthbeat_says_is_told_whole_in_each_language(alert: Alert, language: str) -> None:
    stored = replace(alert, explanation=read_explanation(write_explanation(alert.explanation, with_phrase=True)))
    text = fault_text(stored, ["Ann "], language, UTC) if stored.subject else alert_text(stored, "Ann ", language, UTC)
    assert not re.search(r"[{}]|\bnan\b|None", text.title + text.body)
    assert 0 < len(text.title) < 70
    assert text.guidance in text.body
    if language == "zh":
        left = set(re.findall(r"[A-Za-z]{3,}", text.title + text.body)) - LATIN - COMMANDS
        assert not left, text.body
    else:
        assert alert.explanation.sentence in text.body or alert.state is AlertState.CLEARED


def test_the_examples_are_of_every_kind_and_each_can_be_told_in_another_language() -> None:
    assert {alert.kind for alert in PEOPLE} == set(KINDS)
    assert {alert.kind for alert in HOUSE} | {FaultKind.COMMANDS} == set(FaultKind)
    assert all(isinstance(alert.explanation.sentence, Phrase) for alert in (*PEOPLE, *HOUSE))


def test_every_kind_has_words_and_advice_of_its_own() -> None:
    assert set(WORDS) == set(KINDS)
    assert set(FAULT_WORDS) == set(FaultKind)
    assert all(known.guidance for known in WORDS.values())


@given(
    kind=st.sampled_from([*KINDS, "warm", "my rule"]),
    severity=st.sampled_from(Severity),
    state=st.sampled_from(AlertState),
    language=st.sampled_from(languages()),
    name=st.text(min_size=1),
)
def test_every_kind_severity_and_state_says_who_when_and_what_to_do(
    kind: str, severity: Severity, state: AlertState, language: str, name: str
) -> None:
    why = Explanation("It was so and so.")
    cleared = AT + 600.0 if state is AlertState.CLEARED else None
    alert = Alert("a", "anna", kind, severity, state, AT, AT + 60.0, cleared, why)
    text = alert_text(alert, name, language, UTC)
    assert text.title.startswith(name)
    assert re.search(r"2\d:\d\d", text.body), "when"
    if state is AlertState.RAISED:
        assert why.sentence in text.body
        assert text.body.endswith(text.guidance)
        assert text.guidance
    if state is AlertState.RAISED and (severity is Severity.CRITICAL or kind in {Risk.FALL, "glucose_very_low"}):
        number = "112" if language == "en" else "120"
        calm = {Risk.SLEEP_APNOEA, RESTING_HEART_RATE, "systolic_high", "diastolic_high"}
        assert number in text.guidance or kind in calm
    assert still_so(text.title, language).endswith(text.title)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("kind", ["blood_glucose_low", "blood_glucose_very_low", "glucose_very_low"])
def test_nobody_whose_glucose_is_low_is_told_to_wait(kind: str, language: str) -> None:
    (rule,) = [rule for rule in DEFAULTS if rule.name == kind]
    body = alert_text(raised_by(rule), "Anna", language, UTC).body
    rest, sugar = ("rest", "sugar") if language == "en" else ("休息", "糖")
    assert rest not in body
    assert sugar in body


@pytest.mark.parametrize("kind", ["temperature_high", "systolic_very_high", "diastolic_very_high", "systolic_low"])
def test_pain_18_a_single_measurement_is_told_to_be_made_again(kind: str) -> None:
    (rule,) = [rule for rule in DEFAULTS if rule.name == kind]
    text = alert_text(raised_by(rule), "Anna", zone=UTC)
    assert "in one measurement" in text.body
    assert "measure again" in text.guidance


def test_what_is_critical_by_default_says_when_to_call_for_help() -> None:
    critical = [rule.name for rule in DEFAULTS if rule.severity is Severity.CRITICAL]
    for guidance in (OTHER_CRITICAL, *(WORDS[kind].guidance for kind in (*critical, Risk.FALL, NEWS2))):
        assert re.search(r"[Cc]all {emergency} at once", guidance)


@pytest.mark.parametrize("text", [*(known for one in WORDS.values() for known in (one.guidance, one.cleared_body))])
def test_nobody_is_promised_anything(text: str) -> None:
    for claim in ("you are fine", "nothing to worry", "all is well", "diagnos", "healthy", "safe now"):
        assert claim not in text.lower()


def test_an_alert_is_told_in_chinese_after_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path / "store.db") as store:
        store.commit(Batch(alerts=[PEOPLE[0], replace(HOUSE[0], id="fault")]))
    with Store(tmp_path / "store.db") as store:
        told, fault = sorted(store.alerts.open_alerts(), key=lambda alert: alert.subject)
    assert alert_text(told, "Anna", "zh", UTC).body == alert_text(PEOPLE[0], "Anna", "zh", UTC).body
    assert fault_text(fault, ["x"], "zh", UTC).body == fault_text(HOUSE[0], ["x"], "zh", UTC).body
    assert told.explanation == PEOPLE[0].explanation, "and reads the same in English"


def test_what_mends_the_radio_is_told_in_the_language_of_the_phone() -> None:
    status = RadioStatus(RadioState.OFF, AT, "org.bluez.Error.NotReady")
    sight = HouseSight(AT, 0.0, radio=status.why, radio_mend=status.mend)
    (fault,) = (found for found in HouseFaults().look(sight).wrong if found.kind is FaultKind.BLUETOOTH)
    assert "switch Bluetooth on" in fault.sentence
    assert "请开启蓝牙" in language_of("zh").tell(fault.sentence)


def test_an_alert_that_an_older_version_has_stored_is_told_by_its_sentence() -> None:
    old = '{"sentence": "RR intervals varied by 31 %.", "numbers": {}, "part": null}'
    alert = replace(PEOPLE[0], explanation=read_explanation(old))
    assert "RR intervals varied by 31 %." in alert_text(alert, "Anna", "zh", UTC).body


def test_a_name_is_no_template() -> None:
    assert alert_text(PEOPLE[0], "{why}", "zh", UTC).title.startswith("{why}")
