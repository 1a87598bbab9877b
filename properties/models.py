"""Every model that `shakeproof check` explores, by family: a protection is taken out of the models of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from shakeproof.model.composition import Composition
from shakeproof.model.protections import PROTECTIONS
from shakeproof.properties.tcp_models import tcp_models
from shakeproof.properties.tls12_models import fallback_models, tls12_models
from shakeproof.properties.tls12_sessions_models import RENEGOTIATION, TRIPLE, renegotiation_models, triple_models

FAMILIES: dict[str, Callable[[int, tuple[str, ...]], Iterator[Composition]]] = {
    "tls12": tls12_models,
    "fallback": fallback_models,
    RENEGOTIATION: renegotiation_models,
    TRIPLE: triple_models,
    "tcp": tcp_models,
}
"""For each family, its models with the attacker's network at that bound, without those protections."""


def models(bound: int, removed: Sequence[str] = ()) -> Iterator[Composition]:
    """The models, each made when it is asked for; without a protection, those of its family alone."""
    for name, family in FAMILIES.items():
        own = tuple(one for one in removed if PROTECTIONS[one].family == name)
        if own or not removed:
            yield from (replace(model, removed=own) for model in family(bound, own))
