"""English sentences that know the words and the numbers they were made of, so that they can be told in any language.

Where something is found, its sentence is made: in English, for logs, JSON and the command line, where it is text like
any other. A phone may speak another language; `edge.notify.languages` looks up a Phrase's `template` in a catalogue and
fills it anew. Only literal templates are looked up, so that a test can find them all in the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

# What fills a template: text (which may be a Phrase itself) or a number. A template says in its own way how it is to be
# written: "{value:.0f}".
Value = str | float


class Phrase(str):
    """A text that was made of `template`, or of `many` where there is one and `values["n"]` is not 1."""

    __slots__ = ("many", "template", "values")
    template: str
    many: str | None
    values: Mapping[str, Value]

    def __new__(cls, text: str, template: str, values: Mapping[str, Value], many: str | None = None) -> Self:
        """A Phrase that reads `text` in English."""
        made = super().__new__(cls, text)
        made.template, made.values, made.many = template, values, many
        return made

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, Value], str | None]:  # type: ignore[override]
        """What a copy is made of."""
        return str(self), self.template, dict(self.values), self.many


def words(text: str) -> str:
    """The same text, which is in the catalogues because it stands here: for tables that are told later."""
    return text


def phrase(template: str, /, **values: Value) -> Phrase:
    """The template filled with `values`, which str.format takes."""
    return Phrase(template.format(**values), template, values)


def several(one: str, many: str, /, n: float, **values: Value) -> Phrase:
    """`one` filled where n is 1, else `many`; other languages have more forms, and choose by `n`."""
    filled = {"n": n, **values}
    return Phrase((one if n == 1 else many).format(**filled), one, filled, many)


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: "a", "a and b", "a, b and c"."""
    if not names:
        return ""
    *others, last = names
    if not others:
        return last
    first, *more = others
    for name in more:
        first = phrase("{some}, {name}", some=first, name=name)
    return phrase("{some} and {last}", some=first, last=last)


def in_turn(sentences: Sequence[str]) -> str:
    """Whole sentences, one after the other."""
    told, *more = sentences
    for sentence in more:
        told = phrase("{told} {sentence}", told=told, sentence=sentence)
    return told


def packed(sentence: str) -> dict[str, object] | None:
    """A text for JSON: null unless it is a Phrase."""
    if not isinstance(sentence, Phrase):
        return None
    values = {
        name: {"text": str(value), **(packed(value) or {})} if isinstance(value, Phrase) else value
        for name, value in sentence.values.items()
    }
    return {"of": sentence.template, "with": values, **({} if sentence.many is None else {"many": sentence.many})}


def unpacked(text: str, fields: dict[str, Any] | None) -> str:
    """What `packed` has packed, which reads `text` in English; the mere text where it holds nothing."""
    if fields is None:
        return text
    values = {
        name: unpacked(value["text"], value) if isinstance(value, dict) else value
        for name, value in fields["with"].items()
    }
    return Phrase(text, fields["of"], values, fields.get("many"))
