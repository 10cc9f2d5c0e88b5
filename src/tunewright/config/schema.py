"""The JSON Schema of tune.yaml, for editors: published as `tune.schema.json` beside this file."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

PUBLISHED = "tune.schema.json"


def json_schema() -> dict[str, Any]:
    """The published schema (2020-12)."""
    schema: dict[str, Any] = json.loads((files("tunewright.config") / PUBLISHED).read_text(encoding="utf-8"))
    return schema


def made_from_models() -> dict[str, Any]:
    """The schema of the models as they are; `json_schema` is this, as of the last release."""
    from tunewright.config.tune_file import TuneFile

    schema = _without_titles(TuneFile.model_json_schema(by_alias=True))
    # One work, as the models' own check has it.
    works = [{"required": [name]} for name in ("function", "program", "command")]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "oneOf": works}


def _without_titles(schema: Any) -> Any:
    """Without the titles that only repeat the names of keys."""
    if isinstance(schema, list):
        return [_without_titles(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_titles(part) for key, part in schema.items() if key != "title" or not isinstance(part, str)}
