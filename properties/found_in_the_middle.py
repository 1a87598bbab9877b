"""The man in the middle as the model finds it, performed with our client and our server.

Nothing here says which messages are sent. The model without certificate-validation is asked for the shortest way on
which an attacker comes between a client and a server that exchange data, and reads it; that way is what happens. The
client with the rogue goes it to the end, the clean one until it has looked at the certificate.

The way is looked for among fewer transitions than the model has: nobody ends the connection, no message has a defect
but the one that the protection would refuse, and data is sent on once it was read. What is found is a way of the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from shakeproof.impl.http import HttpsClient, HttpsServer
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.model.composition import ATTACKER, Composition, Of, Safety, Transition, possible
from shakeproof.model.facts import Guard, all_of
from shakeproof.model.messages import Alert, ApplicationData, ClientHello, offers_several
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.roles import ROLES
from shakeproof.model.tls12 import CONNECTED
from shakeproof.model.tls12_setting import ORDER, Setting, exposed, forged, reads, spoke
from shakeproof.model.trace import Fate, Kind, Line, Step, Trace
from shakeproof.properties.adversary import SIDES, Side
from shakeproof.properties.executed import CLIENT, SERVER, title_of
from shakeproof.properties.explore import Broken, Exploration, explore
from shakeproof.properties.explored import trace_of
from shakeproof.properties.in_the_middle import (
    DATA,
    FORM,
    HELLO,
    KEYS,
    KEYS_OF,
    http_title,
    picture_of,
    readable,
    serve,
    watch_validation,
)
from shakeproof.properties.party import Application, Turn
from shakeproof.properties.performance import End, EndedError, Performance, side_of, states_of
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.tls12_models import composed

PROTECTION = "certificate-validation"

UNSEPARATED = "unseparated"
"""What an attacker between the two would break."""


@dataclass
class Way:
    """What was found: the shortest way, and where."""

    found: Exploration
    broken: Broken


@cache
def way(key_exchange: str) -> Way:
    """The shortest way for an attacker to come between the two and to read what they exchange."""
    model = narrowed(composed(Setting(key_exchange, removed=(PROTECTION,))))
    found = explore(model, stop_at_first=True)
    return Way(found, found.broken[0])


def between(model: Composition) -> Safety:
    """That nobody is between a client and a server that have exchanged data."""
    connected = [Of(side, model.column(f"{side}.state").fact[CONNECTED.name]) for side in SIDES]
    keys = [Of(side, exposed) for side in SIDES]
    data: list[Guard] = [Of(ATTACKER, reads), Of("server", spoke), *(Of(side, forged) for side in SIDES)]
    met = all_of((*connected, *keys, *data))
    assert met is not None
    sentence = "nobody stands between a client and a server that exchange data, and has the keys of both"
    return Safety(UNSEPARATED, sentence, "RFC 5246 F.1.1", ~met)


def narrowed(model: Composition) -> Composition:
    """The model with fewer transitions, and the one property that is to be broken."""
    refused = {value for change in PROTECTIONS[PROTECTION].changes for value in change.values[:1]}
    over = {
        side: {model.column(f"{side}.state").fact[state.name].bit for state in role.states if role.is_final(state)}
        for side in SIDES
        for role in (ROLES[model.machines[side]],)
    }

    def is_kept(one: Transition) -> bool:
        sent = model.packets[one.puts - 1].symbol if one.puts else one.symbol
        symbols = (one.symbol, sent)
        ends = any(f"{side}.state" == name and mask in over[side] for side in SIDES for name, mask in one.assign)
        wide = any(symbol.message is ClientHello and symbol.has(offers_several) for symbol in symbols)
        usual = one.kind == "calls" or (one.symbol.message in ORDER and one.symbol.message is not Alert)
        return usual and not ends and not wide and refused.issuperset(one.symbol.defects)

    kept = [_sends_on(one) for one in model.transitions if is_kept(one)]
    return replace(model, transitions=tuple(possible(kept, model.initial[0])), safety=(between(model),))


def _sends_on(one: Transition) -> Transition:
    """Data goes on to the other side once it was read there, and the server answers what it got."""
    before: Guard | None = None
    if one.symbol.message is ApplicationData and one.kind == "forges":
        before = Of(ATTACKER, reads) if one.machine == "server" else Of("server", spoke)
    elif one.kind == "calls" and one.machine == "server":
        before = Of("server", forged)
    return one if before is None else replace(one, guard=all_of((one.guard, before) if one.guard else (before,)))


# ------------------------------------------------------------------------------------------------------- performing


class _HttpEnd(End):
    """An end that speaks HTTP: the client tells the server its secret, and the server answers by itself."""

    def __init__(self, side: Side, application: Application, rogue: Rogue | None, seed: bytes) -> None:
        super().__init__(side, application, rogue, seed)
        if isinstance(self.tls, ServerConnection):
            self.https = HttpsServer(self.tls, serve)

    def take(self, data: bytes) -> None:
        self.https.receive_data(data)

    def begin(self) -> Turn:
        return self.do(self.https.start) if isinstance(self.https, HttpsClient) else self.do(lambda: None)

    def write(self) -> Turn:
        https = self.https
        if not isinstance(https, HttpsClient):
            return self.do(lambda: None)
        return self.do(lambda: https.request("POST", "/login", body=FORM.encode()))


@dataclass
class _Watched(Performance):
    """The same with what each end does by itself. cards: what was done during the last transition."""

    cards: list[tuple[str, str, tuple[Line, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.forger.sends_on = True
        client = self.ends["client"].tls
        assert isinstance(client, ClientConnection)
        watch_validation(client, lambda title, lines: self.cards.append((CLIENT, title, lines)))

    def make_end(self, side: Side, application: Application, rogue: Rogue | None, seed: bytes) -> End:
        return _HttpEnd(side, application, rogue, seed)

    def perform(self, transition: Transition, after: Mapping[Side, str]) -> None:
        known = dict(self.forger.read)
        super().perform(transition, after)
        for side in SIDES:
            if self.forger.read[side] != known[side]:
                self.cards.append((ATTACKER, "Read, and send on", readable(self.forger.read[side])))


@dataclass
class _Noted:
    """The steps of a picture, as they come."""

    steps: list[Step] = field(default_factory=list)
    phase: str = HELLO
    validated: bool = False

    def message(self, told: Step, seen: tuple[bytes, str], read: Mapping[Side, bytes]) -> None:
        """A message between the attacker and a side. read: the data that the attacker has read, by who sent it."""
        data, detail = seen
        side = told.receiver if told.sender == ATTACKER else told.sender
        title = told.title
        if told.message == ApplicationData.name:
            source = SERVER if told.receiver == CLIENT or told.sender == SERVER else CLIENT
            self.phase, title, detail = DATA, http_title(read[side_of(source)]), f"{told.message}, {detail}"
        elif self.validated and told.message != Alert.name and self.phase == HELLO:
            self.phase = KEYS
        made = told.fate in (Fate.FORGED, Fate.TAMPERED) and not told.protection
        self.steps.append(
            Step(
                len(self.steps) + 1, sender=told.sender, receiver=told.receiver, layer=told.layer, message=told.message,
                title=title, defect=told.defect, fate=Fate.FORGED if made else Fate.DELIVERED, detail=detail, data=data,
                protection=KEYS_OF[side] if told.protection else "", phase=self.phase, clause=SOURCES[told.message],
            )
        )  # fmt: skip

    def card(self, lane: str, title: str, lines: tuple[Line, ...]) -> None:
        """Something that one of them did by itself."""
        self.validated = self.validated or lane == CLIENT
        clause = "5280 §6.1" if lane == CLIENT else ""
        self.steps.append(
            Step(
                len(self.steps) + 1, Kind.ACTION, lane, layer="tls", title=title, lines=lines, phase=self.phase,
                clause=clause,
            )
        )  # fmt: skip


SOURCES = {message.name: message.source for message in ORDER}
"""Where each message is defined."""


def found_in_the_middle_run(suite: CipherSuite, rogue: str = "") -> Trace:
    """The way that the model found, performed: with a fault planted in the client, or with the clean one.

    Raises EndedError where it ends otherwise than with an alert.
    """
    the_way = way(suite.key_exchange.name.lower())
    found, broken = the_way.found, the_way.broken
    told = iter(trace_of(found, broken).steps)
    run = _Watched(found.model, [one for one, _ in broken.path], ROGUES[rogue] if rogue else None, suite)
    noted, allowed = _Noted(), ""
    end: EndedError | None = None
    try:
        for transition, state in broken.path:
            try:
                run.perform(transition, states_of(found, state))
            except EndedError as error:
                end = error
            if transition.kind != "loses":
                step = next(told)
                if step.defect:
                    allowed = ", ".join(run.allowed)
                noted.message(step, run.seen, run.forger.read)
            for card in run.cards:
                noted.card(*card)
            run.cards.clear()
            if end is not None:
                noted.message(*_refusal(run, end))
                break
        if end is None and not (all(map(run.shares, SIDES)) and all(run.forger.read.values())):
            raise EndedError("all of it happens, and yet the attacker has not read what the two sent")
    finally:
        run.dispose()
    searched = f"of the model without {PROTECTION} on which both sides exchange data"
    sentence = (
        f"The shortest way {searched}, {broken.depth} transitions, performed."
        if end is None
        else f"The way {searched}, as far as the client goes along."
    )
    return picture_of(noted.steps, allowed, suite, rogue, sentence)


def _refusal(run: Performance, end: EndedError) -> tuple[Step, tuple[bytes, str], Mapping[Side, bytes]]:
    """The alert with which a side ended it. Raises EndedError where there was none."""
    for side in SIDES:
        for record in run.waiting[side]:
            for item in record.seen:
                if item.symbol == end.answer:
                    step = Step(0, sender=side, receiver=ATTACKER, layer="tls", message=item.symbol.message.name)
                    return replace(step, title=title_of(item.symbol)), (record.data, item.detail), {}
    raise end
