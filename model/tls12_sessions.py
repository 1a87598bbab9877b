"""TLS 1.2 with two sessions at once: the client's table, the server's, and an attacker who is a peer of both.

Beside what it is in `tls12_composed`, the attacker has connections of its own: as a client without a certificate it
shakes hands with the server; as a server with a valid certificate for its own name it may be the one that the client
wants. None of that is a machine. Each honest side has one connection, and what the attacker can put into it follows from
`attributes` and from whether it has the keys under which that side reads. So it can hand a message through from the one
connection to the other, decrypted and encrypted again, wherever it has the keys of both.

What is computed when a message arrives: whether verify_data matches, a proof verifies, and renegotiation_info is what
the handshake before makes it. For that the network remembers three things of the two sides: how far their present
handshakes are one (`pair`), whether their master secrets are the same (`master`), and whether the verify_data are that
each has of the handshake before (`bond`). The last secret of a side is also its session.

Without `extended-master-secret` the same pre-master secret under the same randoms makes the same master secret; with it
the handshakes must be the same up to there. That is no row of a table, and so it is done in `tls12_sessions_meanings`.

What is left out, so that the model stays small. A side has one message on the way at a time: before the next it waits
until that has been handed on, or held back for good. So messages never overtake each other. Who ends a connection on an
error does so without an alert, and remembers nothing. An attacker that tampers with a hello keeps its random; one that
holds a sealed record back is not noticed, which is more than an attacker can do. The server's application says nothing,
and the client's speaks between handshakes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shakeproof.model.attributes import HASHED, KEYLESS
from shakeproof.model.clauses import Level
from shakeproof.model.composition import (
    Column,
    Composition,
    Is,
    Of,
    OnTheWay,
    Packet,
    Transition,
    codes_of,
    columns_of,
    compose_possible,
    merged,
    slot,
)
from shakeproof.model.facts import Fact, Guard, Value, all_of
from shakeproof.model.messages import (
    GRANTS,
    Alert,
    ApplicationData,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    Finished,
    by_id,
    connect,
    full,
    resumed,
    write,
)
from shakeproof.model.notation import Kind, Stay, Symbol
from shakeproof.model.protections import changed
from shakeproof.model.steps import LocalStep, beginning, live_steps
from shakeproof.model.tls12 import CONNECTED, WAIT_SERVER_HELLO
from shakeproof.model.tls12_client import client as client_role
from shakeproof.model.tls12_server import server as server_role
from shakeproof.model.tls12_sessions_meanings import ALWAYS, Meanings, Way, Ways, together
from shakeproof.model.tls12_sessions_setting import (
    BOND,
    GOT,
    KEYS,
    MASTER,
    NOTES,
    OPENS,
    PAIR,
    RECORDS,
    SEALS,
    TOLD,
    Setting,
    accept,
    alike,
    apart,
    exposed,
    forged,
    genuine,
    private,
    reconnect,
    same,
    strange,
    twinned,
    unlike,
)
from shakeproof.model.tls12_setting import (
    CLIENT,
    ORDER,
    OWNER,
    PEER,
    SERVER,
    TO_ATTACKER,
    TO_SERVER,
    WROTE,
    Assign,
    Parcel,
    Side,
    attacker,
    bits,
    nobody,
    peer,
    silent,
    spoke,
)


class _Composer:
    """Makes the transitions of a setting."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.sides: dict[str, Side] = {}
        for name, role in ((CLIENT, client_role), (SERVER, server_role)):
            self.sides[name] = Side.of(name, changed(role, setting.removed), setting.limits(name))
        self.meanings = Meanings(setting, self.sides)
        calls = {CLIENT: (connect.symbol(), write.symbol()), SERVER: ()}
        hello = ClientHello.symbol()
        self.steps = {
            name: live_steps(side.role, side.limits, calls[name], (hello,) if name == CLIENT else ())
            for name, side in self.sides.items()
        }
        self.packets: dict[Packet, int] = {}
        self.only: frozenset[Packet] | None = None

    # ------------------------------------------------------------------------------------------------ what is composed

    def compose(self) -> tuple[list[Transition], tuple[Packet, ...]]:
        """The transitions, and the packets that they speak of."""
        for name, side in self.sides.items():  # the flights are known once every step is
            for step in self.steps[name]:
                side.owes(self._flight(side, step, TO_SERVER))
                side.owes(self._flight(side, step, TO_ATTACKER))
        packets = self._listed()
        self.packets = codes_of(packets)
        out: list[Transition] = [*self._anew()] if self.setting.resume else []
        for side in self.sides.values():
            out += self._sends(side)
        for name, side in self.sides.items():
            for step in self.steps[name]:
                if step.row.kind is Kind.RECV:
                    out += self._receives(side, step)
                    out += self._forges(side, step) if self.setting.attacked else ()
                else:
                    out += self._begins(side, step)
        out += self._losses()
        return merged(out), packets  # in this order: of ways that are equally short, one is told without detours

    def _transition(
        self, kind: str, side: Side, step: LocalStep | None, symbol: Symbol, way: Way, *, takes: int = 0, puts: int = 0,
        note: str = "",
    ) -> Transition:  # fmt: skip
        own = Of(side.name, step.guard) if step is not None and step.guard is not None else None
        row = step.row.id if step is not None else ""
        first_ = side.column("state"), side.column("owes")
        where = sorted(way.where.items(), key=lambda pair: pair[0] not in first_)  # what is looked at first is its own
        return Transition(
            row, kind, side.name, symbol, tuple(where), own, all_of(way.guards), tuple(way.assign.items()), takes, puts, note
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ the network

    def _listed(self) -> tuple[Packet, ...]:
        """Everything that a side may owe, as packets."""
        found: dict[Packet, None] = {}
        for side in self.sides.values():
            for flight in side.flights:
                for sealed in (False, True) if flight else ():
                    packet = self._packet(side, flight[0], sealed=sealed)
                    if self.only is None or packet in self.only:
                        found.setdefault(packet)
        return tuple(found)

    @staticmethod
    def _packet(side: Side, parcel: Parcel, *, sealed: bool) -> Packet:
        rank = ORDER.index(parcel.symbol.message)
        return Packet(side.name, PEER[side.name], parcel.symbol, rank, sealed, parcel.about)

    def _waits(self, side: Side) -> tuple[Guard, ...]:
        """Nothing that the side has sent is on the way."""
        codes = tuple(code for packet, code in self.packets.items() if packet.sender == side.name)
        return (~OnTheWay(codes, self.setting.bound),) if codes else ()

    def _sends(self, side: Side) -> Iterator[Transition]:
        """The first message of what is owed goes into the network."""
        for flight in side.flights:
            for way, code, note in self._sent(side, flight[0]) if flight else ():
                owed = Way({side.column("owes"): side.owes(flight)}, (), {side.column("owes"): side.owes(flight[1:])})
                for one in together((owed,), (way,)):
                    yield self._transition("sends", side, None, flight[0].symbol, one, puts=code, note=note)

    def _sent(self, side: Side, parcel: Parcel) -> Iterator[tuple[Way, int, str]]:
        """How a message is sent, by what protects it; with ChangeCipherSpec the keys are switched."""
        switches = parcel.symbol.message is ChangeCipherSpec
        for seals in SEALS.values:
            code = self.packets.get(self._packet(side, parcel, sealed=seals.name == "secretly"))
            for keys in KEYS.values if switches else (None,):
                where = {side.column("seals"): seals.bit} | ({side.column("keys"): keys.bit} if keys else {})
                assign = {side.column("seals"): SEALS[RECORDS[keys]].bit} if keys else {}
                if code is not None:
                    yield Way(where, self._waits(side), assign), code, NOTES[seals.name]

    def _losses(self) -> Iterator[Transition]:
        """The attacker holds a packet back for good; who has ended leaves it unread."""
        for packet, code in self.packets.items():
            receiver, sender = self.sides[packet.receiver], self.sides[packet.sender]
            ways = [
                Way({"network.pair": pair.bit}, (), bits({"network.pair": twinned}) if lost and pair is same else {})
                for lost in (packet.symbol.message in HASHED,)
                for pair in PAIR.values
            ]
            if not self.setting.attacked:
                final = [state for state in receiver.role.states if receiver.role.is_final(state)]
                ways = [Way({receiver.column("state"): receiver.at(state)}) for state in final]
            for way in ways:
                yield self._transition("loses", sender, None, packet.symbol, way, takes=code)

    # ------------------------------------------------------------------------------------------------ what begins

    def _begins(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """A call, or a message of one's own accord: what there is to send is sent at once, else two would wait."""
        symbol, flight = step.symbol, self._flight(side, step, "")
        met = bits({"network.pair": strange})
        aspect: Ways = (Way({}, (), met),)
        if symbol.message is write:
            if step.state is not CONNECTED:
                return
            aspect = (Way(bits({side.column("wrote"): silent}), (), bits({side.column("wrote"): spoke})),)
        elif flight[0].symbol.has(by_id):  # there must be a session
            aspect = tuple(Way(bits({side.column("keys"): keys}), (), met) for keys in (private, exposed))
        kind = "sends" if step.row.kind is Kind.SEND else "calls"
        for way, code, note in self._sent(side, flight[0]):
            for one in together((self._taken(side, step),), aspect, (way,)):
                yield self._transition(kind, side, step, symbol, one, puts=code, note=note)

    def _anew(self) -> Iterator[Transition]:
        """A connection is over in order, and there is another one; the sessions stay."""
        quiet = tuple(Is(slot(number), 0) for number in range(self.setting.bound))
        ways = {name: self._reset(side, keep=True) for name, side in self.sides.items()}
        connected = {
            name: {side.column("state"): side.at(CONNECTED), side.column("owes"): 1}
            for name, side in self.sides.items()
        }
        for name, symbol in ((CLIENT, reconnect.symbol()), (SERVER, accept.symbol())):
            if self.setting.attacked:
                yield self._transition("calls", self.sides[name], None, symbol, Way(connected[name], quiet, ways[name]))
            elif name == CLIENT:  # nobody is left alone by the other
                where = connected[CLIENT] | connected[SERVER]
                yield self._transition(
                    "calls", self.sides[name], None, symbol, Way(where, quiet, ways[CLIENT] | ways[SERVER])
                )

    def _reset(self, side: Side, *, keep: bool = False) -> Assign:
        """What a side remembers of a connection when that is over; `keep` the session for another connection."""
        state = {side.column("state"): side.at(side.role.initial)} if keep else {}
        memory = {side.column(fact): mask for fact, mask in beginning(side.role, side.limits).items()}
        facts = self._history(side.name)
        forgets = {name: fact.default.bit for name, fact in facts.items() if not (keep and name.endswith(".keys"))}
        network = bits({"network.pair": strange, "network.bond": unlike})
        return state | memory | forgets | network | ({} if keep else bits({"network.master": apart}))

    # ------------------------------------------------------------------------------------------------ what comes after

    def _flight(self, side: Side, step: LocalStep, to: str) -> tuple[Parcel, ...]:
        """What the step makes owed; who ends says nothing any more."""
        if side.role.is_final(step.next):
            return ()
        return tuple(Parcel(one, about=to if one.message is ClientKeyExchange else "") for one in step.flight)

    def _taken(self, side: Side, step: LocalStep) -> Way:
        """From which state, with which memory, and into which: what the row says."""
        where = {side.column("state"): side.at(step.state), side.column("owes"): 1}
        where |= {side.column(fact): mask for fact, mask in step.where}
        assign = {side.column(fact): mask for fact, mask in step.assign}
        assign[side.column("state")] = side.at(step.next)
        return Way(where, (), assign)

    def _after(self, side: Side, step: LocalStep, origin: Value, *, intact: bool) -> Iterator[Way]:
        """What follows from having taken the step's symbol: flights, keys, whose data, what the handshake is bound to."""
        name, symbol = side.name, step.symbol
        row = self._taken(side, step)
        if side.role.is_final(step.next):
            yield from together((row,), (Way({}, (), self._reset(side)),))
            return
        owed: Ways = (Way({}, (), {side.column("owes"): side.owes(self._flight(side, step, ""))}),)
        if any(said.message is ClientKeyExchange for said in step.flight):
            own = side.column("owner")
            owed = tuple(
                Way(
                    bits({own: whose}), (),
                    {side.column("owes"): side.owes(self._flight(side, step, to))}
                    | bits({own: nobody, side.column("keys"): keys, "network.master": apart}),
                )
                for whose, keys, to in ((peer, private, TO_SERVER), (attacker, exposed, TO_ATTACKER))
            )  # fmt: skip
        more: Ways = ALWAYS
        if symbol.message is ChangeCipherSpec:
            more = tuple(
                Way(bits({side.column("keys"): keys}), (), {side.column("opens"): OPENS[RECORDS[keys]].bit})
                for keys in KEYS.values
            )
        elif symbol.message is ApplicationData and name == SERVER:
            got = side.column("got")
            more = tuple(Way(bits({got: was}), (), bits({got: TOLD[was, origin]})) for was in GOT.values)
        elif symbol.message is ClientHello and not isinstance(step.row.next, Stay):
            more = (Way({}, (), bits({side.column("owner"): nobody})),)
        elif symbol.message is Finished:  # who is the second to finish has what the other has
            second = full if name == CLIENT else resumed
            more = tuple(
                Way(
                    bits({side.column(GRANTS.name): grants}), (),
                    bits({"network.bond": alike if intact and grants is second else unlike}),
                )
                for grants in side.limits[GRANTS]
            )  # fmt: skip
        yield from together((row,), owed, more)

    # ------------------------------------------------------------------------------------------------ what is received

    def _receives(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """An honest packet arrives, and is what the step reads."""
        if not self.setting.attacked and self._needless(step):
            return
        for packet, code in self.packets.items():
            if packet.receiver != side.name:
                continue
            arrives = [way for way, symbol in self.meanings.arrives(side, packet) if symbol == step.symbol]
            if self._refused(side, step):
                arrives = [Way(way.where, way.guards) for way in arrives]
            for opens in OPENS.values:
                if arrives and packet.sealed == (opens.name == "secretly"):
                    record = Way({side.column("opens"): opens.bit})
                    origin = genuine if packet.sealed else forged
                    after = list(self._after(side, step, origin, intact=True))
                    for one in together((record,), arrives, after):
                        yield self._transition(
                            "receives", side, step, step.symbol, one, takes=code, note=NOTES[opens.name]
                        )

    @staticmethod
    def _needless(step: LocalStep) -> bool:
        """On an honest network nobody ends the connection without need, or leaves the other waiting."""
        asks = step.symbol.message is ClientHello or (step.symbol.message is Alert and step.state is WAIT_SERVER_HELLO)
        ignored = asks and isinstance(step.row.next, Stay) and not step.flight
        return ignored or (step.aborts and step.row.level is Level.MAY)

    @staticmethod
    def _refused(side: Side, step: LocalStep) -> bool:
        """Whether the symbol brings nothing: the connection ends, or goes on as if it had not come."""
        hello = step.symbol.message is ClientHello and isinstance(step.row.next, Stay)
        return hello or side.role.is_final(step.next)

    # ------------------------------------------------------------------------------------------------ the attacker

    def _forges(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """The attacker makes what the step reads, where it can."""
        symbol = step.symbol
        keyless = any(value in KEYLESS for value in symbol.named)
        needs: Ways = (Way({}, self.meanings.needs(side, symbol)),)
        made = needs if self._refused(side, step) else list(together(needs, *self.meanings.made(side, step)))
        for opens in OPENS.values:
            if opens.name == "secretly" and not keyless:
                continue
            record = Way({side.column("opens"): opens.bit})
            for one in together((record,), made, list(self._after(side, step, forged, intact=False))):
                note = "" if keyless else NOTES[opens.name]
                yield self._transition("forges", side, step, symbol, one, note=note)

    # ------------------------------------------------------------------------------------------------ columns

    @staticmethod
    def _history(name: str) -> dict[str, Fact]:
        facts = (OWNER, KEYS, SEALS, OPENS, *((WROTE,) if name == CLIENT else (GOT,)))
        return {f"{name}.{fact.name}": fact for fact in facts}

    def _facts(self) -> dict[str, tuple[Fact, int]]:
        """Every column: its fact, and the bits that it begins with."""
        facts: dict[str, tuple[Fact, int]] = {}
        for name, side in self.sides.items():
            facts[side.column("state")] = (side.state, side.at(side.role.initial))
            facts[side.column("owes")] = (side.owing, 1)
            begins = beginning(side.role, side.limits)
            facts |= {side.column(fact.name): (fact, begins[fact.name]) for fact in side.role.memory}
            facts |= {name: (fact, fact.default.bit) for name, fact in self._history(name).items()}
        return facts | {f"network.{fact.name}": (fact, fact.default.bit) for fact in (PAIR, MASTER, BOND)}

    def begins(self) -> dict[str, int]:
        """The bits that each column begins with."""
        return {name: mask for name, (_, mask) in self._facts().items()}

    def columns(self, transitions: Sequence[Transition]) -> tuple[Column, ...]:
        """The columns, each with the values that some transition gives it."""
        return columns_of(self._facts(), transitions)


def compose(setting: Setting) -> Composition:
    """The model of a setting. Its properties are in `properties.tls12_sessions_models`."""
    composer = _Composer(setting)
    transitions, packets = compose_possible(composer)
    sides = composer.sides
    quiet: list[Guard] = [Is(slot(number), 0) for number in range(setting.bound)]
    for name, side in sides.items():
        rests = side.state["closed"] | side.state["aborted"] | side.state[CONNECTED.name]
        quiet.append(Is(f"{name}.owes", 1) & Of(name, rests))
    connected = all_of(tuple(Of(name, side.state[CONNECTED.name]) for name, side in sides.items()))
    return Composition(
        setting.name, f"TLS 1.2, {setting.name}", composer.columns(transitions), (composer.begins(),), transitions, packets,
        setting.bound, done=all_of((*((connected,) if connected else ()), Of(SERVER, genuine))), over=all_of(tuple(quiet)),
        machines={name: side.role.name for name, side in sides.items()},
    )  # fmt: skip
