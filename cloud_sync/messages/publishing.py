"""The published form of the messages: docs/messages/v1.schema.json and docs/messages.md, made from the models.

python -m cloud_sync.messages.publishing docs
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from cloud_sync.messages.examples import EXAMPLES
from cloud_sync.messages.making import payload_of
from cloud_sync.messages.parsing import BODIES
from cloud_sync.messages.topics import OF_A_PERSON, OF_THE_HOME, VERSION, Kind, Topic
from edge.readings import CHANNELS

SCHEMA_FILE: Final = f"messages/v{VERSION}.schema.json"
PAGE_FILE: Final = "messages.md"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEMPLATE: Final = Path(__file__).with_name("page.md")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of every kind's payload; `$defs` has each by its name."""
    references, defined = models_json_schema([(body, "validation") for body in BODIES.values()])
    return {
        "$schema": _DIALECT,
        "$id": f"urn:hearthbeat:messages:v{VERSION}",
        "title": f"Hearthbeat's messages, version {VERSION}",
        "description": "A payload as JSON, once opened and inflated; `topics` says which of $defs its topic asks for.",
        "topics": {kind.value: references[BODIES[kind], "validation"]["$ref"] for kind in Kind},
        "anyOf": [references[body, "validation"] for body in BODIES.values()],
        **defined,
    }


def page() -> str:
    """The documentation, in Markdown."""
    defined = schema()["$defs"]
    kinds = "\n".join(line for kind in Kind for line in _kind(kind, defined))
    parts = "\n".join(line for name in _parts(defined) for line in _part(name, defined))
    text = _TEMPLATE.read_text(encoding="utf-8")
    for mark, filling in {"TOPICS": _topics(), "CHANNELS": _channels(), "KINDS": kinds, "PARTS": parts}.items():
        text = text.replace(f"<!-- {mark} -->", filling.strip())
    return text


def _topics() -> str:
    lines = ["| topic | what it tells |", "|---|---|"]
    for kind in Kind:
        places = [Topic("HOME", kind, "PERSON")] if kind in OF_A_PERSON else []
        places += [Topic("HOME", kind)] if kind in OF_THE_HOME else []
        said = " ".join((BODIES[kind].__doc__ or "").split("\n\n")[0].split())
        lines += [
            f"| `{str(place).replace('HOME', '<home>').replace('PERSON', '<person>')}` | {said} |" for place in places
        ]
    return "\n".join(lines)


def _channels() -> str:
    lines = ["| channel | unit | values are told to | range |", "|---|---|---|---|"]
    for channel, facts in CHANNELS.items():
        digits = max(0, round(-math.log10(facts.resolution)))
        lines.append(f"| `{channel.value}` | {facts.unit} | {10.0**-digits:g} | {facts.low:g} to {facts.high:g} |")
    return "\n".join(lines)


def _kind(kind: Kind, defined: Mapping[str, Any]) -> Iterator[str]:
    body = BODIES[kind]
    yield f"### {kind.value}"
    yield ""
    yield _described(body.__doc__ or "")
    yield ""
    yield from _table(defined[body.__name__], defined)
    yield ""
    yield "```json"
    yield payload_of(EXAMPLES[kind]).decode()
    yield "```"
    yield ""


def _part(name: str, defined: Mapping[str, Any]) -> Iterator[str]:
    definition = defined[name]
    yield f"### {name}"
    yield ""
    yield _described(definition.get("description", ""))
    yield ""
    yield from _table(definition, defined)
    yield ""


def _parts(defined: Mapping[str, Any]) -> list[str]:
    bodies = {body.__name__ for body in BODIES.values()}
    return [name for name, definition in defined.items() if name not in bodies and "properties" in definition]


def _described(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()


def _table(definition: Mapping[str, Any], defined: Mapping[str, Any]) -> Iterator[str]:
    yield "| field | type | what it is |"
    yield "|---|---|---|"
    needed = definition.get("required", [])
    for name, field in definition["properties"].items():
        optional = "" if name in needed or name == "v" else ", optional"
        yield f"| `{name}` | {_type(field, defined)}{optional} | {field.get('title', '')} |"


def _type(field: Mapping[str, Any], defined: Mapping[str, Any]) -> str:
    def told(inner: Mapping[str, Any]) -> str:
        return _type(inner, defined)

    match field:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            is_table = "properties" in defined[name] or name == "Channel"
            found = f"[{name}](#{name.lower()})" if is_table else told(defined[name])
        case {"enum": values}:
            found = ", ".join(f"`{value}`" for value in values)
        case {"anyOf": choices}:
            found = " or ".join(told(choice) for choice in choices)
        case {"type": "array", "items": items}:
            found = f"array of {told(items)}"
        case {"type": "object"}:
            (values,) = field.get("patternProperties", {"": field.get("additionalProperties")}).values()
            found = f"object: {told(field.get('propertyNames', {'type': 'string'}))} → {told(values)}"
        case _:
            found = str(field.get("const", field.get("format", field.get("type", "string"))))
    return found


def write(folder: Path) -> None:
    """Write schema and page into `folder`."""
    (folder / SCHEMA_FILE).parent.mkdir(parents=True, exist_ok=True)
    (folder / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    (folder / PAGE_FILE).write_text(page(), encoding="utf-8")


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
