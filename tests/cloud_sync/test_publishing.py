"""What is published of the messages is what is sent."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cloud_sync.messages import Kind
from cloud_sync.messages.examples import EXAMPLES
from cloud_sync.messages.making import payload_of
from cloud_sync.messages.publishing import PAGE_FILE, SCHEMA_FILE, page, schema, schema_text
from tests.fakes.schema import validate

DOCS = Path(__file__).parents[2] / "docs"
MAKE_ANEW = "run: python -m cloud_sync.messages.publishing docs"


def test_the_schema_in_docs_is_that_of_the_models() -> None:
    assert (DOCS / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text(), MAKE_ANEW


def test_the_page_in_docs_is_that_of_the_models() -> None:
    assert (DOCS / PAGE_FILE).read_text(encoding="utf-8") == page(), MAKE_ANEW


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_an_example_that_the_schema_takes(kind: Kind) -> None:
    fields = json.loads(payload_of(EXAMPLES[kind]))
    validate(kind, fields)
    for damaged in (fields | {"v": 2}, fields | {"surprise": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validate(kind, damaged)


def test_every_field_has_a_title() -> None:
    for name, definition in schema()["$defs"].items():
        for field, facts in definition.get("properties", {}).items():
            assert facts.get("title"), f"{name}.{field}"
