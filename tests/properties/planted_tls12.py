"""Faults of one side each in the composed TLS 1.2, so that each half of a property has one that only it finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import pytest

from shakeproof.model.clauses import MUST
from shakeproof.model.composition import Composition, Is, Transition
from shakeproof.model.facts import Guard
from shakeproof.model.messages import (
    ApplicationData,
    Record,
    ServerHelloDone,
    bad_mac,
    empty,
    mismatch,
    one,
    write,
)
from shakeproof.model.notation import STAY, Pattern, Row, State, call, sends
from shakeproof.model.protections import PROTECTIONS, Change, Protection
from shakeproof.model.tls12 import (
    CONNECTED,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_FINISHED,
    WAIT_SERVER_HELLO_DONE,
    WAIT_SERVER_KEY_EXCHANGE,
    older,
)
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_setting import CLIENT, PEER, SERVER, Setting, earlier
from shakeproof.properties.explore import Exploration, explore
from shakeproof.properties.tls12_models import composed

RSA, ECDHE, RESUMED = Setting("rsa"), Setting("ecdhe"), Setting("rsa", resume=True)
ASKED, FALLEN = Setting("rsa", client_auth=True), Setting("rsa", fallback=True)


@dataclass(frozen=True)
class Planted:
    """A fault. changes: rows as a protection that is taken out changes them; called: a row of the client's more;
    spoil: what is made of the composition; only: where the fault shows, elsewhere all is as without it.
    """

    setting: Setting
    changes: tuple[Change, ...] = ()
    called: Row | None = None
    spoil: Callable[[Composition], Composition] = lambda model: model
    only: Guard | None = None

    def model(self) -> Composition:
        """The model with the fault."""
        with pytest.MonkeyPatch.context() as patch:
            if self.changes:
                patch.setitem(PROTECTIONS, "planted", Protection("planted", "", "", self.changes))
            if self.called is not None:
                more = replace(client, lines=(self.called, *client.lines))
                patch.setattr("shakeproof.model.tls12_composed.client_role", more)
            made = composed(replace(self.setting, removed=("planted",) if self.changes else ()))
        sound, model = composed(self.setting), self.spoil(made)
        if self.only is None:
            return model
        known = {_key(one) for one in sound.transitions}
        assert any(_key(one) not in known for one in model.transitions)
        return replace(
            model,
            transitions=tuple(
                each if _key(each) in known else replace(each, guard=_and(each.guard, self.only))
                for each in model.transitions
            ),
        )


def _key(one: Transition) -> object:
    guards = tuple(part.text() if part is not None else "" for part in (one.own, one.guard))
    return one.kind, one.machine, one.symbol.text, frozenset(one.where), guards, frozenset(one.assign)


def _and(guard: Guard | None, more: Guard) -> Guard:
    return more if guard is None else guard & more


def lacking(name: str, *sides: str) -> tuple[Change, ...]:
    """What a protection changes, of these sides alone."""
    roles = {f"tls12.{side}" for side in sides or (CLIENT, SERVER)}
    changes = tuple(change for change in PROTECTIONS[name].changes if change.role in roles)
    assert changes
    return changes


def at(model: Composition, side: str, state: State) -> tuple[str, int]:
    """The pair of the column and its bits that has the side in the state."""
    return f"{side}.state", model.column(f"{side}.state").fact[state.name].bit


def goes_on_after_its_alert(side: str) -> Callable[[Composition], Composition]:
    """The side sends a fatal alert where a Finished is wrong, and stays where it is."""

    def spoil(model: Composition) -> Composition:
        there = at(model, side, WAIT_FINISHED)
        wrong = [
            each for each in model.transitions
            if each.machine == side and each.symbol.has(mismatch) and there in each.where
        ]  # fmt: skip
        assert wrong
        kept = ("owes", "network", "came")
        stays = [
            replace(each, assign=tuple(pair for pair in each.assign if any(part in pair[0] for part in kept)))
            for each in wrong
        ]
        return replace(model, transitions=(*(each for each in model.transitions if each not in wrong), *stays))

    return spoil


def swallows_what_is_illegal(side: str) -> Callable[[Composition], Composition]:
    """The side passes over every message that it refuses, and goes on as if it had not come."""

    def spoil(model: Composition) -> Composition:
        aborted = f"{side}.state", model.column(f"{side}.state").fact["ABORTED"].bit

        def swallowed(each: Transition) -> Transition:
            if aborted not in each.assign:
                return each
            kept = tuple(pair for pair in each.assign if "network" in pair[0] or "came" in pair[0])
            return replace(each, assign=kept)

        swallowing = tuple(map(swallowed, model.transitions))
        assert swallowing != model.transitions
        return replace(model, transitions=swallowing)

    return spoil


def change_without_key_exchange(model: Composition) -> Composition:
    """The server takes ChangeCipherSpec instead of ClientKeyExchange for the one before Finished: `unguarded-ccs`."""
    states = model.column(f"{SERVER}.state").fact
    there = at(model, SERVER, WAIT_CHANGE_CIPHER_SPEC)
    waiting = f"{SERVER}.state", states["WAIT_CLIENT_KEY_EXCHANGE"].bit
    early = [
        replace(each, where=tuple(waiting if pair == there else pair for pair in each.where))
        for each in model.transitions
        if each.symbol.has(one) and there in each.where and at(model, SERVER, WAIT_FINISHED) in each.assign
    ]
    assert early
    return replace(model, transitions=(*model.transitions, *early))


def data_where_finished_is_awaited(side: str) -> tuple[Change, ...]:
    """The side takes a record, whoever made it, as data where it awaits Finished."""
    taken = Change(
        f"tls12.{side}", Record, (bad_mac,), (WAIT_FINISHED,), CONNECTED, Pattern(ApplicationData), stays=True
    )
    return (taken,)


KEPT = Is(f"{SERVER}.keys", earlier.bit)
OLDER = {side: Is(f"{side}.version", older.bit) & ~Is(f"{PEER[side]}.version", older.bit) for side in PEER}
"""The side has an older version, and its peer has not."""

FAULTS: dict[str, Planted] = {
    "the client takes any chain": Planted(RSA, lacking("certificate-validation")),
    "the client needs no ServerKeyExchange": Planted(ECDHE, (
        Change("tls12.client", ServerHelloDone, (empty,), (WAIT_SERVER_KEY_EXCHANGE,), WAIT_SERVER_HELLO_DONE,
               ServerHelloDone[empty]),
    )),
    "the server needs no ClientKeyExchange": Planted(RSA, spoil=change_without_key_exchange),
    "neither side compares verify_data": Planted(RSA, lacking("finished-check")),
    "neither side compares verify_data in a session that is resumed": Planted(
        RESUMED, lacking("finished-check"), only=KEPT,
    ),
    "the client compares no verify_data": Planted(RESUMED, lacking("finished-check", CLIENT)),
    "the server compares no verify_data": Planted(RSA, lacking("finished-check", SERVER)),
    "the client needs no ChangeCipherSpec": Planted(RSA, lacking("message-order", CLIENT)),
    "the server needs no ChangeCipherSpec": Planted(RSA, lacking("message-order", SERVER)),
    "the client looks at no MAC": Planted(RSA, lacking("record-mac", CLIENT)),
    "the server looks at no MAC": Planted(RSA, lacking("record-mac", SERVER)),
    "the server looks at no MAC in a session that is resumed": Planted(
        RESUMED, lacking("record-mac", SERVER), only=KEPT,
    ),
    "the client takes data before Finished": Planted(RSA, data_where_finished_is_awaited(CLIENT)),
    "the server takes data before Finished": Planted(RSA, data_where_finished_is_awaited(SERVER)),
    "the client goes on after its alert": Planted(RESUMED, spoil=goes_on_after_its_alert(CLIENT)),
    "the server goes on after its alert": Planted(RSA, spoil=goes_on_after_its_alert(SERVER)),
    "the client passes over what it refuses": Planted(RSA, spoil=swallows_what_is_illegal(CLIENT)),
    "the server passes over what it refuses": Planted(RSA, spoil=swallows_what_is_illegal(SERVER)),
    "the server takes any chain": Planted(ASKED, lacking("client-certificate-validation")),
    "the server verifies no proof": Planted(ASKED, lacking("certificate-verify")),
    "the server takes no notice of a fallback": Planted(FALLEN, lacking("downgrade-signal")),
    "neither side compares verify_data, and the client's version is older": Planted(
        FALLEN, lacking("finished-check"), only=OLDER[CLIENT],
    ),
    "neither side compares verify_data, and the server's version is older": Planted(
        FALLEN, lacking("finished-check"), only=OLDER[SERVER],
    ),
    "both sides make keys of nothing": Planted(RSA, lacking("ccs-after-keys")),
    "the client writes before its ChangeCipherSpec": Planted(
        RESUMED, called=call(WAIT_CHANGE_CIPHER_SPEC, write, STAY, sends(ApplicationData), MUST("10")),
    ),
}  # fmt: skip
"""Each fault, of one side where it can be, by what it is."""


@cache
def explored(fault: str) -> Exploration:
    """All that is reached with the fault."""
    return explore(FAULTS[fault].model())
