from __future__ import annotations

import ast
import copy
import io
import json
import pickle
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po
from hypothesis import given, settings
from hypothesis import strategies as st

import edge
from edge import phrases
from edge.notify import languages
from edge.notify.languages import Language, language_of, read_messages
from edge.phrases import Phrase, in_turn, listed, packed, phrase, several, unpacked, words

SOURCE = Path(edge.__file__).parent
KEYWORDS = {"_": None, "phrase": None, "words": None, "several": (1, 2)}
OTHERS = [code for code in languages.languages() if code != languages.ENGLISH]


@cache
def speaking() -> dict[Path, str]:
    """The modules that tell anything."""
    sources = {path: path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    return {path: text for path, text in sources.items() if "edge.phrases" in text or "edge.notify.languages" in text}


@pytest.fixture(scope="module", name="used_texts")
def fixture_used_texts() -> dict[str, str]:
    """Every text that the source marks, with all its plural forms in one."""
    found: dict[str, str] = {}
    for path in [*speaking(), Path(phrases.__file__), Path(languages.__file__)]:
        for _, text, _, _ in extract_from_file("python", path, keywords=KEYWORDS, comment_tags=()):
            forms = (text,) if isinstance(text, str) else text
            found[forms[0]] = " ".join(forms)
    return found


def fields(text: str) -> set[tuple[str, str]]:
    return {(name, form or "") for _, name, form, _ in Formatter().parse(text) if name is not None}


@cache
def catalogue(code: str) -> dict[str, tuple[str, ...]]:
    return read_messages((languages.LOCALE / code / "LC_MESSAGES/hearthbeat.po").read_text(encoding="utf-8"))


def test_there_is_chinese() -> None:
    assert languages.languages() == ["en", "zh"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_of_a_phone_is_translated(code: str, used_texts: dict[str, str]) -> None:
    missing = set(used_texts) - set(catalogue(code))
    assert not missing, f"run `make words` and translate what is empty in {code}"
    left_over = set(catalogue(code)) - set(used_texts) - {""}
    assert not left_over, "run `make words`"


@pytest.mark.parametrize("code", OTHERS)
def test_every_translation_has_the_placeholders_of_its_text(code: str, used_texts: dict[str, str]) -> None:
    for text, forms in catalogue(code).items():
        known = fields(used_texts.get(text, ""))
        for form in forms if text else ():
            assert {name for name, _ in fields(form)} == {name for name, _ in known}, text
            other = {(name, how) for name, how in fields(form) - known if not how.startswith("mmol")}
            assert not other, f"{text}: a number is written in another way"
            assert form.count("\n") == text.count("\n")


def test_texts_are_looked_up_only_where_they_can_be_found() -> None:
    """No f-string is marked, and none is told as `language_of(x)("…")`: the catalogues are made of `_("…")`."""
    for path, source in speaking().items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                called = ast.unparse(node.func)
                assert not called.startswith("language_of("), f"{path}:{node.lineno}"
                marked = called in KEYWORDS or called.endswith(".several")
                assert not (marked and isinstance(node.args[0], ast.JoinedStr)), f"{path}:{node.lineno}"


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")) | st.sampled_from('\n\t"\\{}#\u2028\x85'), min_size=1
)


@settings(max_examples=50, deadline=None)
@given(messages=st.dictionaries(TEXT, TEXT, max_size=6), more=st.dictionaries(TEXT, st.tuples(TEXT, TEXT), max_size=3))
def test_a_catalogue_is_read_as_babel_reads_it(messages: dict[str, str], more: dict[str, tuple[str, str]]) -> None:
    written = Catalog(locale="de")
    for text, told in messages.items():
        written.add(text, told)
    for text, forms in more.items():
        written.add((text, f"{text}s"), forms)
    file = io.BytesIO()
    write_po(file, written)
    expected = {
        message.id if isinstance(message.id, str) else message.id[0]: message.string
        if isinstance(message.string, tuple)
        else (message.string,)
        for message in read_po(io.BytesIO(file.getvalue()))
        if message.id and not message.fuzzy
    }
    found = read_messages(file.getvalue().decode())
    found.pop("", None)
    assert found == expected


@pytest.mark.parametrize("code", OTHERS)
def test_our_catalogues_are_what_babel_reads(code: str) -> None:
    path = languages.LOCALE / code / "LC_MESSAGES/hearthbeat.po"
    read = read_po(io.BytesIO(path.read_bytes()), locale=code)
    assert {message.id if isinstance(message.id, str) else message.id[0] for message in read if message.id} == {
        text for text in catalogue(code) if text
    }
    assert read.num_plurals == max(len(forms) for forms in catalogue(code).values())
    assert not read.obsolete


def test_what_is_not_ready_is_told_in_english() -> None:
    po = """
msgid "Empty"
msgstr ""

#, fuzzy
msgid "Guessed"
msgstr "Geraten"

#~ msgid "Gone"
#~ msgstr "Weg"

msgid ""
"Long "
"text"
msgstr "Langer Text"
"""
    assert read_messages(po) == {"Long text": ("Langer Text",)}


@pytest.mark.parametrize(
    "po",
    [
        "msgstr",
        'msgstr "no text before it"',
        '"nothing"',
        "msgid 1",
        "<html>",
        'msgid "a" + "b"',
        'msgid "a\\"',
        'msgctxt "unknown"',
    ],
)
def test_what_is_no_catalogue_is_refused_with_its_line(po: str) -> None:
    with pytest.raises(ValueError, match="line 1 "):
        read_messages(po)


@pytest.fixture(name="polish")
def fixture_polish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of a language with three plural forms, and a place for it."""
    shutil.copytree(languages.LOCALE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "pl/LC_MESSAGES/hearthbeat.po"
    path.parent.mkdir(parents=True)
    path.write_text(
        r"""
#, fuzzy
msgid ""
msgstr ""
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);\n"

msgid "{n:.0f} minute"
msgid_plural "{n:.0f} minutes"
msgstr[0] "{n:.0f} minuta"
msgstr[1] "{n:.0f} minuty"
msgstr[2] "{n:.0f} minut"

msgid "."
msgstr ","

msgid "{value:.1f} °C"
msgstr "{value:.1f} °C"

msgid "{value:.0f} %"
msgstr "{value:d} {what}"
""",
        encoding="utf-8",
    )
    monkeypatch.setattr(languages, "LOCALE", tmp_path)
    language_of.cache_clear()
    yield path
    language_of.cache_clear()


def test_another_language_is_one_file(polish: Path) -> None:
    assert languages.languages() == ["en", "pl", "zh"]
    told = [language_of("pl").tell(several("{n:.0f} minute", "{n:.0f} minutes", n)) for n in (1, 2, 5, 22)]
    assert told == ["1 minuta", "2 minuty", "5 minut", "22 minuty"]
    assert language_of("pl").tell(phrase("{value:.1f} °C", value=36.9)) == "36,9 °C"


def test_a_translation_that_does_not_fit_is_told_in_english(polish: Path) -> None:
    assert language_of("pl").tell(phrase("{value:.0f} %", value=97.0)) == "97 %"


def test_a_language_whose_file_is_damaged_is_told_in_english(polish: Path) -> None:
    polish.write_text("<html>", encoding="utf-8")
    assert language_of("pl").tell(phrase("{value:.0f} %", value=97.0)) == "97 %"
    polish.write_bytes(b"\xff\xfe")
    language_of.cache_clear()
    assert language_of("pl")("Thank you") == "Thank you"


def test_a_language_nobody_has_is_told_in_english() -> None:
    assert language_of("xx")("Thank you") == "Thank you"


def test_a_phrase_is_told_in_another_language_with_all_that_it_is_made_of() -> None:
    told = in_turn(
        (
            phrase(
                "It sends, but nothing of {what}. See that it sits well, then switch it off and on again.",
                what=listed([phrase(words("heartbeats")), phrase(words("movement")), "x"]),
            ),
            phrase("Until then a fall would go unseen."),
        )
    )
    assert told.startswith("It sends, but nothing of heartbeats, movement and x. See that")
    assert language_of("zh").tell(told) == (
        "它仍在发送数据，但没有心跳、活动和x。请检查佩戴是否到位，然后关机再开机。在此之前，若跌倒将无法发现。"
    )
    assert language_of("en").tell(told) == told


def test_glucose_is_told_in_the_unit_of_the_language() -> None:
    value = phrase("{value:.0f} mg/dL", value=70.0)
    assert value == "70 mg/dL"
    assert language_of("zh").tell(value) == "3.9 mmol/L（70 mg/dL）"


VALUES = st.text() | st.floats(allow_nan=False, allow_infinity=False)


@given(value=VALUES, n=st.integers(0, 1000), name=st.text())
def test_a_phrase_survives_the_store(value: str | float, n: int, name: str) -> None:
    inner = phrase("{name}'s", name=name)
    made = several("{n} of {value} {inner}", "{n} times {value} {inner}", n, value=value, inner=inner)
    back = unpacked(str(made), packed(made))
    assert isinstance(back, Phrase)
    assert (back, back.template, back.many, dict(back.values)) == (made, made.template, made.many, dict(made.values))
    assert packed(back) == packed(made)


def test_a_phrase_can_be_copied_and_sent_to_another_process() -> None:
    made = several("{n} {what}", "{n} {what}s", 3, what=phrase("{size:.0f} m", size=2.0))
    for twin in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert (twin, packed(twin)) == (made, packed(made))
    assert json.loads(json.dumps({"sentence": made})) == {"sentence": "3 2 ms"}


def test_text_that_is_no_phrase_is_stored_as_it_is_and_told_as_it_is() -> None:
    assert packed("Written by an older version.") is None
    assert unpacked("Written by an older version.", None) == "Written by an older version."
    assert language_of("zh").tell("Written by an older version.") == "Written by an older version."


def test_a_phrase_of_another_version_is_told_by_its_english_sentence() -> None:
    other = Phrase("No longer said at all 3.", "No longer said at all {n}.", {"n": 3.0})
    assert language_of("zh").tell(other) == "No longer said at all 3."


@given(name=st.text())
def test_what_fills_a_text_is_no_template_itself(name: str) -> None:
    told = Language("en", {}, lambda _: 0)("{name}: low oxygen", name=f"{{{name}}}")
    assert told == f"{{{name}}}: low oxygen"
