"""The verdict on a certificate chain as JSON: `shakeproof.verify/1`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shakeproof.impl.x509 import Result
from shakeproof.impl.x509.certificate import Malformed, parse, printable

SCHEMA = "shakeproof.verify/1"


def chain_to_json(result: Result, *, name: str | None, time: datetime, reading: str, sent: Sequence[bytes]) -> str:
    """The whole verdict.

    certificate_index: 0 is the leaf, counted along the path; null where no certificate is at fault. sent: the chain as
    it was presented; of a certificate of the path, `sent` is its place there, null for a trust anchor of the user.
    """
    places = {der: place for place, der in reversed(list(enumerate(sent)))}
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "accepted": result.accepted,
        "name": name,
        "time": time.isoformat(),
        "reading": reading,
        "alert": result.alert or None,
        "sent": len(sent),
        "path": [{"index": index, "sent": places.get(der), **_facts(der)} for index, der in enumerate(result.path)],
        "defects": [
            {
                "defect": found.defect.name,
                "certificate_index": found.certificate_index,
                "subject": found.subject,
                "clause": found.clause,
                "explanation": found.explanation,
            }
            for found in result.defects
        ],
        "trace": [
            {
                "check": step.number,
                "name": step.name,
                "certificate_index": step.certificate_index,
                "outcome": step.outcome.value,
                "text": step.text,
                "clause": step.clause,
            }
            for step in result.trace
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=True)


def _facts(der: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = {"sha256": hashlib.sha256(der).hexdigest()}
    try:
        certificate = parse(der)
    except Malformed:
        return facts
    return {
        **facts,
        "subject": printable(certificate.x509.subject.rfc4514_string()),
        "issuer": printable(certificate.x509.issuer.rfc4514_string()),
        "serial": f"{certificate.serial:x}",
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
    }
