"""Every model that `shakeproof check` explores, by family: a protection is taken out of the models that it concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from shakeproof.model.composition import Composition
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tcp_setting import Setting as TcpSetting
from shakeproof.model.tls12_sessions_setting import Setting as SessionsSetting
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties import tcp_models, tls12_models, tls12_sessions_models
from shakeproof.properties.tls12_sessions_models import RENEGOTIATION, TRIPLE


class _Named(Protocol):
    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=_Named)


@dataclass(frozen=True)
class Family(Generic[S]):
    """Models of one kind. settings: at that bound and without those protections; composed: the model of one."""

    settings: Callable[[int, tuple[str, ...]], Iterable[S]]
    composed: Callable[[S], Composition]

    def __call__(self, bound: int, removed: tuple[str, ...], only: Sequence[str] = ()) -> Iterator[Composition]:
        """Its models, each made when it is asked for. only: the names of those that are wanted, () for all."""
        for setting in self.settings(bound, removed):
            if not only or setting.name in only:
                yield replace(self.composed(setting), removed=removed)

    def names(self, removed: tuple[str, ...]) -> tuple[str, ...]:
        """What its models are called."""
        return tuple(setting.name for setting in self.settings(1, removed))


TLS12, FALLBACK, TCP = "tls12", "fallback", "tcp"

FAMILIES: dict[str, Family[Setting] | Family[SessionsSetting] | Family[TcpSetting]] = {
    TLS12: Family(tls12_models.settings, tls12_models.composed),
    FALLBACK: Family(tls12_models.fallback_settings, tls12_models.composed),
    RENEGOTIATION: Family(tls12_sessions_models.renegotiation_settings, tls12_sessions_models.composed),
    TRIPLE: Family(tls12_sessions_models.triple_settings, tls12_sessions_models.composed),
    TCP: Family(tcp_models.settings, tcp_models.composed),
}
"""For each family, its models with the attacker's network at that bound, without those protections."""

ALSO: Mapping[tuple[str, str], tuple[str, ...]] = {
    (TLS12, ""): (FALLBACK, RENEGOTIATION, TRIPLE),
    (TLS12, "client-auth"): (RENEGOTIATION, TRIPLE),
    (RENEGOTIATION, ""): (TRIPLE,),
    (TRIPLE, ""): (RENEGOTIATION,),
}
"""For a protection of that family which needs that part of a setting: the other families whose models have it too."""


def concerns(name: str, family: str) -> bool:
    """Whether the models of the family have the protection."""
    one = PROTECTIONS[name]
    return family == one.family or family in ALSO.get((one.family, one.needs), ())


def taken_out(removed: Sequence[str], only: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """For each family that is explored, the protections that its models are without.

    Without a protection, the families that it is named after are explored, or those that have a model of `only`; each
    is without all of them that concern it.
    """
    out: dict[str, tuple[str, ...]] = {}
    for family in FAMILIES:
        own = tuple(name for name in removed if concerns(name, family))
        named = any(PROTECTIONS[name].family == family for name in removed)
        if only:
            named = bool(own) and any(name in only for name in FAMILIES[family].names(own))
        if named or not removed:
            out[family] = own
    return out


def names(removed: Sequence[str] = ()) -> tuple[str, ...]:
    """What the models are called, that may be explored without these protections."""
    return tuple(
        name
        for family, models_of in FAMILIES.items()
        for own in (tuple(one for one in removed if concerns(one, family)),)
        if own or not removed
        for name in models_of.names(own)
    )


def models(bound: int, removed: Sequence[str] = (), only: Sequence[str] = ()) -> Iterator[Composition]:
    """The models, each made when it is asked for, without the protections that concern it. only: names of models."""
    for family, own in taken_out(removed, only).items():
        yield from FAMILIES[family](bound, own, only)
