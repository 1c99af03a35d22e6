"""Changes to hearthbeat.toml: what a hand has written stays, and what would not be right is not written."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import HearthbeatError, SettingsError, WrongUseError
from edge.settings.file import SettingsFile
from edge.settings.home import load_settings
from tests.conftest import CHECKOUT
from tests.edge.settings.test_home import GOOD, write

AS_SHIPPED = (CHECKOUT / "systemd" / "hearthbeat.toml").read_text(encoding="utf-8")
WORN = '# [[people.wearables]]\n# address = "A0:B1:C2:D3:E4:F5"\n# name = "chest strap"\n'
# The same after the first strap was added.
SHIPPED = AS_SHIPPED.replace(WORN, WORN.replace("# ", ""))
STRAP, WATCH, CUFF = "A0:B1:C2:D3:E4:F5", "C0:DE:00:00:00:02", "C0:DE:00:00:00:03"
ODD = """
contacts = [{ id = "phone", url_file = "phone.url" }]  # one line each
people = [
    { id = "anna", contacts = ["phone"], wearables = [{ address = "a0:b1:c2:d3:e4:f5" }] }, # with a comment
]
"""


def test_a_new_wearable_stands_with_its_person_and_every_other_line_stays(tmp_path: Path) -> None:
    path = write(tmp_path, SHIPPED)
    file = SettingsFile(path)
    file.add_wearable("parent", WATCH, "watch")
    file.save()
    block = f'[[people.wearables]]\naddress = "{WATCH}"\nname = "watch"\n\n'
    before, after = SHIPPED.split("# Of several wearables")
    assert path.read_text() == f"{before}{block}# Of several wearables{after}"
    assert [w.address for w in load_settings(path).people[0].wearables] == [STRAP, WATCH]


def test_the_first_wearable_is_written_into_the_file_as_it_was_shipped(tmp_path: Path) -> None:
    assert WORN in AS_SHIPPED
    path = write(tmp_path, AS_SHIPPED)
    file = SettingsFile(path)
    file.add_wearable("parent", STRAP, "strap")
    file.save()
    (person,) = load_settings(path).people
    assert [(w.address, w.name) for w in person.wearables] == [(STRAP, "strap")]
    assert all(line in path.read_text().splitlines() for line in AS_SHIPPED.splitlines())


def test_what_was_added_and_removed_again_leaves_only_a_blank_line(tmp_path: Path) -> None:
    path = write(tmp_path, SHIPPED)
    file = SettingsFile(path)
    file.add_wearable("parent", WATCH, "watch")
    file.add_shared(CUFF, "cuff", ["parent"])
    file.save()
    again = SettingsFile(path)
    again.remove_device(WATCH)
    again.remove_device(CUFF)
    again.save()
    assert path.read_text().rstrip() == SHIPPED.rstrip()


def test_a_person_without_wearables_gets_the_first_one(tmp_path: Path) -> None:
    path = write(tmp_path, SHIPPED)
    file = SettingsFile(path)
    file.add_contact("berts-phone", "berts-phone.url")
    file.add_person("bert", "Bert", ["berts-phone", "family-phone"])
    file.add_wearable("bert", WATCH, "")
    file.save()
    bert = load_settings(path).people[1]
    assert (bert.id, bert.name, bert.contacts) == ("bert", "Bert", ["berts-phone", "family-phone"])
    assert [w.address for w in bert.wearables] == [WATCH]


def test_inline_tables_stay_inline(tmp_path: Path) -> None:
    path = write(tmp_path, ODD)
    file = SettingsFile(path)
    file.add_wearable("anna", WATCH, "watch")
    file.remove_device(STRAP)
    file.save()
    assert [w.address for w in load_settings(path).people[0].wearables] == [WATCH]
    assert "# with a comment" in path.read_text()


def test_a_wearable_that_goes_is_named_in_no_order_any_more(tmp_path: Path) -> None:
    orders = f'[people.sources]\nspo2 = ["{WATCH.lower()}"]\nheart_rate = ["{STRAP}", "{WATCH}"]\n'
    wearables = f'[[people.wearables]]\naddress = "{WATCH}"\n{orders}\n# Of several wearables'
    path = write(tmp_path, SHIPPED.replace("# Of several wearables", wearables))
    file = SettingsFile(path)
    file.remove_device(WATCH)
    assert file.save().people[0].model_dump()["sources"] == {"heart_rate": [STRAP]}


def test_mode_stays_and_the_file_before_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path, SHIPPED)
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    file = SettingsFile(link)
    file.add_wearable("parent", WATCH, "")
    file.save()
    backup = tmp_path / "hearthbeat.toml.bak"
    assert link.is_symlink()
    assert backup.read_text() == SHIPPED
    assert {stat.S_IMODE(one.stat().st_mode) for one in (path, backup)} == {0o640}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["hearthbeat.toml", "hearthbeat.toml.bak", "link.toml"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file: file.add_wearable("parent", STRAP, ""), "is there twice"),
        (lambda file: file.add_wearable("parent", "strap", ""), "no Bluetooth address"),
        (lambda file: file.add_person("bert", "", ["nobody"]), "nobody"),
        (lambda file: file.add_person("Bert!", "", ["family-phone"]), "no id"),
        (lambda file: file.add_person("parent", "", ["family-phone"]), "person parent is there twice"),
        (lambda file: file.add_shared(CUFF, "cuff", ["bert"]), "bert"),
        (lambda file: file.add_wearable("bert", WATCH, ""), "people add"),
        (lambda file: file.remove_device(WATCH), "devices list"),
    ],
)
def test_what_would_not_be_right_is_not_written(
    tmp_path: Path, change: Callable[[SettingsFile], None], told: str
) -> None:
    path = write(tmp_path, SHIPPED)

    def save() -> None:
        file = SettingsFile(path)
        change(file)
        file.save()

    with pytest.raises((SettingsError, WrongUseError)) as caught:
        save()
    assert told in str(caught.value)
    assert caught.value.exit_code == 2
    assert path.read_text() == SHIPPED
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, SHIPPED)
    file = SettingsFile(path)
    file.add_wearable("parent", WATCH, "")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.settings.file.os.fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        file.save()
    assert path.read_text() == SHIPPED
    assert list(tmp_path.iterdir()) == [path]


def test_a_change_of_somebody_else_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, SHIPPED)
    file = SettingsFile(path)
    file.add_wearable("parent", WATCH, "")
    path.write_text(SHIPPED + "# mine\n")
    with pytest.raises(SettingsError, match="try again"):
        file.save()
    assert path.read_text() == SHIPPED + "# mine\n"


_KEYS = st.sampled_from(["id", "contacts", "wearables", "sources", "address", "spo2"])
_LEAVES = (
    st.booleans() | st.integers(0, 9) | st.text("aB:#[]\n\"'", max_size=4) | st.sampled_from(["anna", WATCH, CUFF])
)
_ODD = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4), max_leaves=12
)
_PEOPLE = st.lists(
    st.fixed_dictionaries({"id": st.just("anna") | _ODD}, optional={"wearables": _ODD, "sources": _ODD}), max_size=2
)


@given(
    tables=st.fixed_dictionaries(
        {}, optional={"people": _PEOPLE | _ODD, "shared": _ODD, "contacts": _ODD, "home": _ODD}
    ),
    change=st.sampled_from("wspfc"),
)
@settings(max_examples=100, deadline=None)
def test_whatever_the_file_holds_a_change_is_made_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, tables: dict[str, object], change: str
) -> None:
    path = tmp_path_factory.mktemp("home") / "hearthbeat.toml"
    path.write_text(tomlkit.dumps(tables), encoding="utf-8")
    refused = None
    try:
        file = SettingsFile(path)
        make(file, change, WATCH)
        file.save()
    except HearthbeatError as error:
        refused = error
    if refused is not None:
        assert len(str(refused).splitlines()) == 1
        assert refused.exit_code == 2


def make(file: SettingsFile, change: str, address: str) -> None:
    """One of the changes that commands make."""
    match change:
        case "w":
            file.add_wearable("anna", WATCH, "watch")
        case "s":
            file.add_shared(CUFF, "", [])
        case "p":
            file.add_person("bert", "Bert", ["annas-phone"])
        case "c":
            file.add_contact("berts-phone", "berts-phone.url")
        case _:
            file.remove_device(address)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_comment_is_ever_lost(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Comments and blank lines between any two lines, and changes in any order: each comment is there once after."""
    lines = []
    for number, line in enumerate(GOOD.splitlines()):
        lines += data.draw(st.sampled_from([[], [""], [f"# comment {number}."], ["", f"# comment {number}.", ""]]))
        lines.append(line)
    path = write(tmp_path_factory.mktemp("home"), "\n".join(lines))
    comments = sorted(line for line in lines if line.startswith("#"))
    known = tomllib.loads(path.read_text())
    file = SettingsFile(path)
    for change in data.draw(st.lists(st.sampled_from("wspfc"), max_size=6, unique=True)):
        try:
            make(file, change, data.draw(st.sampled_from([WATCH, CUFF])))
        except HearthbeatError:
            continue
    file.save()
    text = path.read_text()
    assert sorted(line for line in text.splitlines() if line.startswith("#")) == comments
    assert tomllib.loads(text)["broker"] == known["broker"]
