"""Whether a payload is what docs/messages/v1.schema.json says, by a library that knows nothing of our models."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from cloud_sync.messages import Kind
from cloud_sync.messages.publishing import SCHEMA_FILE

_DOCS = Path(__file__).parents[2] / "docs"


@cache
def _validator(kind: Kind) -> jsonschema.Draft202012Validator:
    published = json.loads((_DOCS / SCHEMA_FILE).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator({"$ref": published["topics"][kind], "$defs": published["$defs"]})


def validate(kind: Kind, fields: dict[str, Any]) -> None:
    """Raises jsonschema.ValidationError where `fields` are no payload of that kind."""
    _validator(kind).validate(fields)
