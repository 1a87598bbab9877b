"""x509-limbo and BetterTLS: we answer as the corpus does, or say in limbo_adapter.ALLOWED why not.

The corpus is not part of this repository: SHAKEPROOF_LIMBO names its file (.json or .json.xz), and without it these
tests are skipped.
"""

from __future__ import annotations

import json
import lzma
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.impl.limbo_adapter import ALLOWED, validate_case

CORPUS = os.environ.get("SHAKEPROOF_LIMBO", "")

pytestmark = pytest.mark.skipif(not CORPUS, reason="SHAKEPROOF_LIMBO names no corpus file")


def load() -> list[SimpleNamespace]:
    """The cases, with the attributes that the adapter reads, as the harness names them."""
    raw = Path(CORPUS).read_bytes()
    document = json.loads(lzma.decompress(raw) if CORPUS.endswith(".xz") else raw)
    return [case(item) for item in document["testcases"]]


def case(item: dict[str, Any]) -> SimpleNamespace:
    peer, time = item.get("expected_peer_name"), item.get("validation_time")
    return SimpleNamespace(
        id=item["id"],
        expected=item["expected_result"] == "SUCCESS",
        features=frozenset(item.get("features") or ()),
        server=item["validation_kind"] == "SERVER",
        roots=item["trusted_certs"],
        intermediates=item["untrusted_intermediates"],
        leaf=item["peer_certificate"],
        time=datetime.fromisoformat(time) if time else datetime.now(UTC),
        peer=(peer["kind"], peer["value"]) if peer else None,
        key_usage=item.get("key_usage") or [],
        max_depth=item.get("max_chain_depth"),
    )


def test_every_case_is_judged_as_the_corpus_does_or_listed_with_a_reason() -> None:
    outcomes: Counter[str] = Counter()
    unlisted = []
    for item in load():
        result = validate_case(item)
        if result is None:
            outcomes["skipped"] += 1
            continue
        outcome = "agree" if result.accepted == item.expected else "false accept" if result.accepted else "false reject"
        outcomes[outcome] += 1
        if outcome != "agree" and item.id not in ALLOWED:
            unlisted.append((outcome, item.id, result.explanation))
    print(dict(outcomes))
    assert not unlisted
    assert outcomes["agree"] > outcomes["skipped"], "a corpus that is mostly skipped proves nothing"


def test_what_is_listed_still_deviates() -> None:
    """So that the list does not outlive its reasons."""
    cases = {item.id: item for item in load()}
    for identifier in ALLOWED.keys() & cases.keys():
        result = validate_case(cases[identifier])
        assert result is not None
        assert result.accepted != cases[identifier].expected


def test_the_order_of_the_intermediates_changes_no_verdict() -> None:
    for item in load():
        if "denial-of-service" in item.features:
            continue
        straight = validate_case(item)
        item.intermediates = [*reversed(item.intermediates), *item.intermediates]
        turned = validate_case(item)
        assert (straight and straight.accepted) == (turned and turned.accepted), item.id
