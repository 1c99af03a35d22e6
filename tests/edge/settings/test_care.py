"""[people.care]: what is right is understood, what is nonsense is refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.alerts.care import Escalation
from edge.errors import SettingsError
from edge.notices import Severity
from edge.settings.home import load_settings
from tests.fakes.alert_house import FAMILY

EXAMPLE = Path(__file__).parents[3] / "systemd" / "hearthbeat.toml"


def written(folder: Path, care: str) -> Path:
    path = folder / "hearthbeat.toml"
    path.write_text(FAMILY.replace('carers = ["carla", "dora"]', care), encoding="utf-8")
    return path


def test_the_example_is_understood_with_its_lines_on(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    begins, ends = text.index("# [people.care]"), text.index("# One block per wearable")
    lines = re.sub("^# ", "", text[begins:ends], flags=re.MULTILINE)
    contact = '[[contacts]]\nid = "neighbour-phone"\nurl = "json://127.0.0.1:9"\n'
    path = tmp_path / "hearthbeat.toml"
    path.write_text(f"{text[:begins]}{lines}\n{text[ends:]}\n{contact}", encoding="utf-8")
    changed, usual = (load_settings(one).people[0].cared_for for one in (path, EXAMPLE))
    assert changed.carers == ("neighbour-phone",)
    assert changed.rights["neighbour-phone"].snooze is None
    assert (changed.own, changed.countdown_s) == (usual.own, usual.countdown_s), "what it shows are the defaults"
    assert changed.escalations == {Severity.CRITICAL: Escalation(300.0, 3), Severity.WARNING: Escalation(1800.0, 0)}


def test_without_care_the_first_contact_is_the_persons_own_and_nobody_is_told_again(tmp_path: Path) -> None:
    care = load_settings(written(tmp_path, "")).people[0].cared_for
    assert (care.own, care.contacts, care.carers) == (("anna",), ("anna", "bert"), ())
    assert care.escalations == {}
    assert care.countdown_s == 60.0


def test_carers_bring_an_escalation_that_suits_a_family(tmp_path: Path) -> None:
    care = load_settings(written(tmp_path, 'carers = ["dora", "carla"]')).people[0].cared_for
    assert care.carers == ("dora", "carla")
    assert care.escalations == {Severity.CRITICAL: Escalation(300.0, 3), Severity.WARNING: Escalation(1800.0, 0)}


def test_escalation_can_be_set_and_switched_off(tmp_path: Path) -> None:
    text = 'carers = ["dora"]\ncritical = { after_min = 2, again = 1 }\nwarning = { after_min = 0 }'
    care = load_settings(written(tmp_path, text)).people[0].cared_for
    assert care.escalations == {Severity.CRITICAL: Escalation(120.0, 1)}


@pytest.mark.parametrize(
    ("care", "told"),
    [
        ('carers = ["nobody"]', "names carer nobody, which is not among [[contacts]]"),
        ('carers = ["bert"]', "names carer bert, which is told at once"),
        ('carers = ["carla", "carla"]', "carers names carla twice"),
        ('own = ["carla"]', "names own phone carla, which is not among the person's contacts"),
        ("critical = { after_min = -1 }", "people.1.care.critical.after_min"),
        ("critical = { after_min = 0.5 }", "leaves no time to answer"),
        ("warning = { after_min = 2000 }", "people.1.care.warning.after_min"),
        ("warning = { after_min = nan }", "people.1.care.warning.after_min"),
        ("warning = { after_min = 5, again = 100 }", "people.1.care.warning.again"),
        ("info = { after_min = 5 }", "people.1.care.info: unknown field"),
        ("fall_countdown_s = 5", "leaves no time to answer"),
        ("fall_countdown_s = 3600", "people.1.care.fall_countdown_s"),
        ('rights = [{ contact = "neighbour" }]', "gives rights to neighbour, which is neither contact nor carer"),
        ('rights = [{ contact = "bert", snooze = "all" }]', "people.1.care.rights.1.snooze"),
        ('rights = [{ contact = "bert" }, { contact = "bert" }]', "rights names bert twice"),
        ('carer = ["carla"]', "people.1.care.carer: unknown field"),
    ],
)
def test_nonsense_is_refused_in_one_line(tmp_path: Path, care: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, care))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
