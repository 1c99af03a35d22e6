"""The languages in which phones are told: a catalogue each, in locale/<code>/LC_MESSAGES/hearthbeat.po.

English is what stands in the source. Another language is one file: `make words` writes what there is to translate into
it, and it is read when it is first asked for. The files are read as they are, by the few lines below and not compiled
to .mo, because then nothing can be out of date or left unbuilt, be it after `pip install -e .` or for whoever mends a
word on the machine itself. A test holds these lines to what babel reads: babel finds what there is to translate, but
takes 33 MB of a home's memory card and ten times as long to read a file (200 ms, measured), so that homes do without.

What a catalogue lacks, and what would not fit its placeholders, is told in English: a wrong word keeps nobody untold.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Final

import structlog

from edge.phrases import Phrase, Value, words

ENGLISH: Final = "en"
LOCALE: Final = Path(__file__).with_name("locale")
# What stands between whole and tenths.
DECIMAL_POINT: Final = words(".")
_FILE: Final = "LC_MESSAGES/hearthbeat.po"
# Glucose in mg/dL of one mmol/L: its molar mass is 180.156 g/mol (C6H12O6, standard atomic weights).
MG_DL_PER_MMOL_L: Final = 18.0156
# A line of a .po file (GNU gettext manual, "The Format of PO Files"): a keyword, perhaps with an index, and a string.
_LINE: Final = re.compile(r'(?:(msgid_plural|msgid|msgstr)(?:\[(\d+)\])?\s+)?"((?:[^"\\]|\\.)*)"')
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType({"n": "\n", "t": "\t", "r": "\r"})

_log = structlog.get_logger("languages")


class Language:
    """What fills a text of ours in one language.

    `messages` are the translations by English text, each with its plural forms; `form` says which form a number takes.
    """

    def __init__(self, code: str, messages: Mapping[str, Sequence[str]], form: Callable[[int], int]) -> None:
        self.code = code
        self.messages = messages
        self._form = form
        self._point = messages.get(DECIMAL_POINT, (DECIMAL_POINT,))[0]

    def __call__(self, text: str, /, **values: Value) -> str:
        """`text`, which is English, in this language, filled with `values`."""
        return self._filled(self.messages.get(text, (text,))[0], text, values)

    def several(self, one: str, many: str, n: float, /, **values: Value) -> str:
        """The form that the number `n` takes."""
        forms = self.messages.get(one)
        english = one if n == 1 else many
        text = english if forms is None else forms[min(self._form(round(n)), len(forms) - 1)]
        return self._filled(text, english, {"n": n, **values})

    def tell(self, sentence: str) -> str:
        """A sentence in this language where it is a Phrase and the catalogue has it, else as it is."""
        if not isinstance(sentence, Phrase) or self.code == ENGLISH or sentence.template not in self.messages:
            return str(sentence)
        if sentence.many is None:
            return self(sentence.template, **sentence.values)
        values = dict(sentence.values)
        n = values.pop("n")
        return str(sentence) if isinstance(n, str) else self.several(sentence.template, sentence.many, n, **values)

    def _filled(self, text: str, english: str, values: Mapping[str, Value]) -> str:
        """`text` filled like str.format does it; where its translator has asked for what cannot be, `english`."""
        try:
            return self._parts(text, values)
        except (KeyError, ValueError) as error:
            if text == english:
                raise
            _log.warning("a translation does not fit", language=self.code, text=english, error=str(error))
            return self._parts(english, values)

    def _parts(self, text: str, values: Mapping[str, Value]) -> str:
        told = []
        for literal, name, form, _ in Formatter().parse(text):
            told.append(literal)
            if name is not None:
                told.append(self._value(values[name], form or ""))
        return "".join(told)

    def _value(self, value: Value, form: str) -> str:
        """A value as a placeholder wants it; with "mmol" (or "mmol.2" for two digits) glucose of mg/dL in mmol/L."""
        if isinstance(value, str):
            return self.tell(value)
        if form.startswith("mmol"):
            value, form = value / MG_DL_PER_MMOL_L, f"{form[4:] or '.1'}f"
        return format(value, form).replace(".", self._point)


def languages() -> list[str]:
    """The codes of all languages that phones can be told in."""
    return sorted({ENGLISH, *(path.parent.parent.name for path in LOCALE.glob(f"*/{_FILE}"))})


@cache
def language_of(code: str) -> Language:
    """A language by its code; English where there is no catalogue that can be read."""
    if code == ENGLISH:
        return Language(ENGLISH, MappingProxyType({}), lambda n: int(n != 1))
    try:
        messages = read_messages((LOCALE / code / _FILE).read_text(encoding="utf-8"))
        rule = re.search(r"plural\s*=\s*([^;\n]+)", messages.pop("", ("",))[0])
        return Language(code, MappingProxyType(messages), gettext.c2py(rule[1] if rule else "n != 1"))
    except (OSError, ValueError) as error:
        _log.error("a language cannot be told, and English is", language=code, error=str(error))
        return language_of(ENGLISH)


def read_messages(po: str) -> dict[str, tuple[str, ...]]:
    """The messages of a .po file with their translations in each plural form; the header is that of the empty message.

    What is not translated, marked as fuzzy, or obsolete is left out. Raises ValueError for what is no .po file.
    """
    return dict(_messages(po))


def _messages(po: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    texts: dict[str, str] = {}
    part, fuzzy = "", False
    for number, line in enumerate((*map(str.strip, po.split("\n")), 'msgid ""'), start=1):
        found = _LINE.fullmatch(line)
        begins = line.startswith("#") if found is None else found[1] == "msgid"
        if begins and part.startswith("msgstr"):
            forms = tuple(text for name, text in texts.items() if name.startswith("msgstr"))
            if all(forms) and not (fuzzy and texts["msgid"]):  # the header of a new file is marked as fuzzy, and holds
                yield texts["msgid"], forms
            texts, part, fuzzy = {}, "", False
        fuzzy |= line.startswith("#,") and "fuzzy" in line
        if found is not None:
            part = part if found[1] is None else f"{found[1]}{found[2] or ''}"
            texts[part] = texts.get(part, "") + re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), found[3])
        if (found is None and line and not line.startswith("#")) or (found is not None and "msgid" not in texts):
            message = f"line {number} is no line of a .po file"
            raise ValueError(message)
