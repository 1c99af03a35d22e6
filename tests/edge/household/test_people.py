"""`hearthbeat people`: nights and NEWS2 from the store, and one line where the person is unknown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edge.clock import SystemClock
from edge.errors import WrongUseError
from edge.household.people import news2_of, nights_of, show_news2, show_nights
from edge.readings import Channel, Quality, Reading
from edge.settings.home import Settings, load_settings
from edge.signals.news2 import Response, Spo2Scale, Vital
from edge.signals.night_baseline import judge_nights
from edge.store.store import Batch, Store
from edge.watches.nights import night_bounds
from edge.watches.vitals import news2_fields, stored_vitals
from tests.edge.settings.test_home import GOOD
from tests.edge.store.samples import START, sample
from tests.edge.watches.test_nights import USUAL, verdicts_of


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "hearthbeat.toml"
    path.write_text(GOOD, encoding="utf-8")
    (tmp_path / "state").mkdir()
    return load_settings(path)


@pytest.fixture
def path(settings: Settings) -> Path:
    return settings.home.state_directory / "hearthbeat.db"


def pulse(until: float, minutes: int, bpm: float, quality: Quality = Quality.GOOD) -> list[Reading]:
    times = np.arange(until - 60.0 * minutes + 1.0, until, 1.0).tolist()
    return [sample(Channel.HEART_RATE, at, bpm, quality) for at in times]


def text(show: object, *shown: object) -> str:
    console = Console(file=io.StringIO(), width=160)
    show(*shown, console)  # type: ignore[operator]
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_person_who_does_not_live_here_is_refused(settings: Settings) -> None:
    with pytest.raises(WrongUseError, match="use anna"):
        nights_of(settings, "bert")


def test_before_the_first_night_there_is_nothing_and_no_store_is_made(settings: Settings, path: Path) -> None:
    assert nights_of(settings, "anna") == []
    assert news2_of(settings, "anna", {}, Spo2Scale.ONE).score is None
    assert not path.exists()
    assert "no night is known yet" in text(show_nights, [])


def test_last_night_comes_from_the_store(settings: Settings, path: Path) -> None:
    today = datetime.fromtimestamp(SystemClock().wall(), UTC).astimezone().date()
    start, end = night_bounds(today - timedelta(days=1))
    times = np.arange(start + 30.0, end, 60.0)
    readings = [
        sample(Channel.HEART_RATE, at, bpm)
        for at, bpm in zip(times.tolist(), np.resize([54.0, 55.0, 56.0], times.size).tolist(), strict=True)
    ]
    with Store(path) as store:
        store.commit(Batch(readings=readings))
    verdict = nights_of(settings, "anna")[0]
    assert verdict.night.resting_bpm == pytest.approx(55.0, abs=0.5)
    assert verdict.reason == "0 earlier nights are known, 7 are needed"


def test_people_read_why_a_night_is_not_known() -> None:
    shown = text(show_nights, judge_nights(verdicts_of([*USUAL, None, 64.0, 64.0])))
    assert "no heart rate was measured" in shown
    assert "6 earlier nights are known, 7 are needed" in shown
    assert "high, as in the nights before" in shown
    assert (
        "Resting heart rate last night was 64, usually 55 (53 to 64 over the last 11 nights; 1 night missing)." in shown
    )


def test_the_pulse_is_that_of_the_last_minutes(path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(readings=[*pulse(START - 300.0, 10, 150.0), *pulse(START, 5, 72.0)]))
        assert stored_vitals(store, "anna", START).pulse == pytest.approx(72.0)
        assert stored_vitals(store, "anna", START + 240.0).pulse is None, "one minute of five, of a strap"
        assert stored_vitals(store, "anna", START + 4000.0).pulse is None
        assert stored_vitals(store, "bert", START).pulse is None


def test_the_pulse_of_a_single_measurement_counts_for_an_hour(path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(readings=[sample(Channel.HEART_RATE, START - 1800.0, 95.0)]))
        assert stored_vitals(store, "anna", START).pulse == pytest.approx(95.0)
        assert stored_vitals(store, "anna", START + 3600.0).pulse is None


def test_pain_08_the_pulse_of_a_table_is_no_pulse(path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(readings=pulse(START, 5, 72.0, Quality.NO_CONTACT)))
        assert stored_vitals(store, "anna", START).pulse is None


def test_what_the_other_wearables_measured_lately_counts(path: Path) -> None:
    with Store(path) as store:
        store.commit(
            Batch(
                readings=[
                    sample(Channel.TEMPERATURE, START - 1800.0, 38.5),
                    sample(Channel.SYSTOLIC, START - 3700.0, 120.0),
                    *[
                        sample(Channel.SPO2, START - at, spo2)
                        for at, spo2 in ((900.0, 80.0), (120.0, 95.0), (60.0, 85.0), (30.0, 94.0))
                    ],
                    sample(Channel.SPO2, START - 10.0, 60.0, Quality.NO_CONTACT),
                ]
            )
        )
        vitals = stored_vitals(store, "anna", START)
        assert vitals.temperature == pytest.approx(38.5)
        assert vitals.spo2 == pytest.approx(94.0), "one slip is not the newest word"
        assert vitals.systolic is None, "more than an hour ago"
        assert stored_vitals(store, "anna", START + 3600.0).temperature is None


def test_pain_11_a_record_that_a_wrong_clock_has_stamped_is_not_of_now(path: Path) -> None:
    now = START + 7200.0
    with Store(path) as store:
        unsure = sample(Channel.SYSTOLIC, now - 60.0, 85.0, Quality.TIME_UNSURE)
        store.commit(Batch(readings=[sample(Channel.SYSTOLIC, now - 1200.0, 120.0), unsure]))
        assert stored_vitals(store, "anna", now).systolic == 120.0


def test_what_is_measured_by_hand_comes_first(settings: Settings, path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(readings=pulse(SystemClock().wall() - 1.0, 5, 72.0)))
    worn = news2_of(settings, "anna", {"temperature": 38.5, "pulse": None}, Spo2Scale.ONE)
    assert (worn.score, worn.parts[Vital.PULSE], worn.is_partial) == (1, 0, True)
    counted = news2_of(settings, "anna", {"pulse": 135.0, "spo2": 93.0}, Spo2Scale.TWO)
    assert (counted.score, counted.response) == (3, Response.LOW_MEDIUM)
    assert counted.missing[Vital.SPO2].startswith("93 %")


def test_a_partial_score_says_so_in_json_and_in_words(settings: Settings) -> None:
    scored = news2_of(settings, "anna", {"temperature": 39.5}, Spo2Scale.ONE)
    fields = news2_fields(scored)
    assert (fields["score"], fields["partial"], fields["at_most"], fields["response"]) == (2, True, 19, None)
    assert fields["missing"]["pulse"] == "not measured"
    shown = text(show_news2, scored)
    assert "at least 2" in shown
    assert "temperature: 2" in shown
    assert "pulse: missing, not measured" in shown
    assert news2_fields(news2_of(settings, "anna", {}, Spo2Scale.ONE))["score"] is None
