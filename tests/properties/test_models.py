"""Which models are explored, and which protections each is without."""

from __future__ import annotations

import pytest

from shakeproof.model.composition import Composition
from shakeproof.model.protections import PROTECTIONS
from shakeproof.properties.models import ALSO, FAMILIES, concerns, names, taken_out


@pytest.mark.parametrize("name", PROTECTIONS)
def test_one_protection_is_taken_out_of_its_own_family(name: str) -> None:
    assert taken_out([name]) == {PROTECTIONS[name].family: (name,)}


def test_several_protections_are_taken_out_together_where_they_concern_a_family() -> None:
    assert taken_out(["finished-check", "downgrade-signal"]) == {
        "tls12": ("finished-check",),
        "fallback": ("finished-check", "downgrade-signal"),
    }
    assert taken_out(["challenge-ack", "renegotiation-binding", "certificate-verify", "extended-master-secret"]) == {
        "tls12": ("certificate-verify",),
        "renegotiation": ("renegotiation-binding", "certificate-verify", "extended-master-secret"),
        "triple-handshake": ("renegotiation-binding", "certificate-verify", "extended-master-secret"),
        "tcp": ("challenge-ack",),
    }


def test_model_by_name_may_be_of_any_family_that_the_protection_concerns() -> None:
    assert taken_out(["finished-check"], ["tls12 rsa fallback"]) == {"fallback": ("finished-check",)}
    assert taken_out(["finished-check", "certificate-verify"], ["tls12 rsa"]) == {
        "tls12": ("finished-check", "certificate-verify"),
    }
    assert taken_out([], ["tls12 rsa honest"])["tls12"] == ()
    assert "tcp" not in names(["finished-check"])
    assert "renegotiation client-auth" in names(["finished-check"])
    assert names(["challenge-ack"]) == ("tcp",)


def test_names_of_models_are_all_different() -> None:
    assert len(set(names())) == len(names())


def content(model: Composition) -> object:
    """What the model can do."""
    return frozenset(
        (one.row, one.kind, one.machine, one.symbol.text, frozenset(one.where), frozenset(one.assign), one.takes,
         one.puts, *(part.text() if part is not None else "" for part in (one.own, one.guard)))
        for one in model.transitions
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("family", sorted({family for others in ALSO.values() for family in others}))
def test_protection_that_concerns_a_family_makes_a_difference_to_a_model_of_it(family: str) -> None:
    with_all = {model.name: content(model) for model in FAMILIES[family](1, ())}
    for name in PROTECTIONS:
        if concerns(name, family):
            assert any(content(model) != with_all[model.name] for model in FAMILIES[family](1, (name,))), name
