"""x509-limbo and BetterTLS: we answer as the corpus does, or say in tests.limbo_adapter.ALLOWED why not.

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

from shakeproof.impl.x509 import Result
from tests.limbo_adapter import ALLOWED, judge

CORPUS = os.environ.get("SHAKEPROOF_LIMBO", "")
STACKS = ("cryptography", "openssl_strict", "gnutls", "golang")

CORE_LEAST = 0.97
"""Of the core cases without optional features, the part in which we agree."""

pytestmark = pytest.mark.skipif(not CORPUS, reason="SHAKEPROOF_LIMBO names no corpus file")


def read(path: Path) -> Any:
    raw = path.read_bytes()
    return json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)


def case(item: dict[str, Any]) -> SimpleNamespace:
    """A case with the attributes that the adapter reads, as the harness names them."""
    peer, time = item.get("expected_peer_name"), item.get("validation_time")
    return SimpleNamespace(
        id=item["id"],
        expected=item["expected_result"] == "SUCCESS",
        features=frozenset(item.get("features") or ()),
        soft=bool(item.get("soft")),
        server=item["validation_kind"] == "SERVER",
        roots=item["trusted_certs"],
        intermediates=item["untrusted_intermediates"],
        leaf=item["peer_certificate"],
        crls=item.get("crls") or [],
        eku=item.get("extended_key_usage") or [],
        peer_names=[(name["kind"], name["value"]) for name in item.get("expected_peer_names") or ()],
        time=datetime.fromisoformat(time) if time else datetime.now(UTC),
        peer=(peer["kind"], peer["value"]) if peer else None,
        key_usage=item.get("key_usage") or [],
        max_depth=item.get("max_chain_depth"),
    )


@pytest.fixture(scope="module")
def judged() -> list[tuple[SimpleNamespace, Result | None]]:
    """Every case with our verdict, None where it is skipped."""
    return [(item, judge(item)) for item in map(case, read(Path(CORPUS))["testcases"])]


Judged = list[tuple[SimpleNamespace, Result | None]]


def wrong(judged: Judged) -> list[str]:
    return [item.id for item, result in judged if result is not None and result.accepted != item.expected]


def test_every_case_is_judged_as_the_corpus_does_or_listed_with_a_reason(judged: Judged) -> None:
    outcomes: Counter[str] = Counter()
    for item, result in judged:
        if result is None:
            outcomes["skipped"] += 1
        elif result.accepted == item.expected:
            outcomes["agree"] += 1
        else:
            outcomes["listed" if item.id in ALLOWED else item.id] += 1
    assert set(outcomes) <= {"skipped", "agree", "listed"}
    assert outcomes["skipped"] * 10 < outcomes["agree"], "a corpus that is mostly skipped proves nothing"


def test_what_is_listed_still_deviates(judged: Judged) -> None:
    """So that the list does not outlive its reasons."""
    assert ALLOWED.keys() & {item.id for item, _ in judged} <= set(wrong(judged))


def test_path_building_and_hard_name_constraints_have_no_wrong_verdict(judged: Judged) -> None:
    hard = [(item, result) for item, result in judged if item.id.startswith("bettertls") and not item.soft]
    assert hard
    assert all(result is not None for _, result in hard)
    assert wrong(hard) == []


def test_the_core_without_optional_features_agrees_nearly_whole(judged: Judged) -> None:
    core = [(item, result) for item, result in judged if not item.id.startswith("bettertls") and not item.features]
    assert len(wrong(core)) <= (1 - CORE_LEAST) * len(core)


def test_where_four_stacks_agree_with_the_corpus_so_do_we(judged: Judged) -> None:
    beside = Path(CORPUS).with_name("limbo_dev_reference_verdicts.json.xz")
    if not beside.exists():
        pytest.skip(f"no verdicts of other stacks beside {CORPUS}")
    verdicts = read(beside)
    consensus = [
        (item, result)
        for item, result in judged
        if not item.id.startswith("bettertls")
        and all(verdicts[item.id].get(stack, [""])[0] == verdicts[item.id]["expected"] for stack in STACKS)
    ]
    assert consensus
    assert all(result is not None for _, result in consensus)
    assert wrong(consensus) == []


@pytest.mark.slow
def test_the_order_of_the_intermediates_changes_no_verdict(judged: Judged) -> None:
    for item, result in judged:
        if "denial-of-service" in item.features or not item.intermediates:
            continue
        turned = SimpleNamespace(**vars(item))
        turned.intermediates = [*reversed(item.intermediates), *item.intermediates]
        again = judge(turned)
        assert (again and again.accepted) == (result and result.accepted), item.id
