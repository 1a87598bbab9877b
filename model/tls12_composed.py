"""TLS 1.2 composed: the client's table, the server's table, a network, and an attacker who owns the network.

The attacker is Dolev and Yao's: it reads everything, loses, reorders and forges, and breaks no cryptography. What it
forges is made when it is delivered and never stored. Whether it can follows from the attributes of messages
(`attributes`) and from what it knows; what it knows only grows. What a message is when it arrives - a signature that
verifies, verify_data that matches, a MAC that is right - is computed then (`tls12_meanings`), from whose keys are whose,
and is never a label that somebody chose.

Besides what the tables remember, each side has a history (`tls12_setting`): whose key it accepted (`owner`), what its
secret is (`keys`), whether it seals what it sends and opens what it gets, and whether with keys of that secret. Record
keys are made when ChangeCipherSpec is taken, and stay: where it was taken before there was a secret they are of an empty
one, while verify_data is of the secret that is agreed afterwards. What the attacker has read it can then seal anew. The
two transcripts are one bit: the same so far, or not, and then never again. That bit goes on after a side has finished,
in messages that the side no longer waits for; so each side has besides whether it was so when it finished (`agrees`).
Under an ephemeral key exchange the key of a certificate is for signatures alone: without parameters of the peer's, which
a ServerKeyExchange brings, the client has nothing to make a secret of, and it is an empty one.

What is left out, so that the model stays small: a sealed record that arrives where nothing is opened yet, out of order,
or under other keys is spoiled; the attacker can put a spoiled one in its place, so nothing is lost. A fatal alert is one
packet, whatever it describes. What has ended remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from shakeproof.model.attributes import HASHED, KEYLESS
from shakeproof.model.clauses import Level
from shakeproof.model.composition import (
    KNOWN,
    Column,
    Composition,
    Is,
    Of,
    Packet,
    Transition,
    codes_of,
    columns_of,
    compose_possible,
    merged,
    slot,
)
from shakeproof.model.facts import Fact, Guard, Value, all_of
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    GRANTS,
    Alert,
    ApplicationData,
    ChangeCipherSpec,
    ClientKeyExchange,
    Finished,
    connect,
    resumed,
    write,
)
from shakeproof.model.notation import Kind, Symbol
from shakeproof.model.protections import PROTECTIONS, changed
from shakeproof.model.steps import LocalStep, beginning, live_steps
from shakeproof.model.tls12 import CONNECTED, doubtful
from shakeproof.model.tls12_client import client as client_role
from shakeproof.model.tls12_meanings import Conditions, Meanings
from shakeproof.model.tls12_server import server as server_role
from shakeproof.model.tls12_setting import (
    AGREES,
    ALERT,
    CAME,
    CLIENT,
    GOT,
    KEYS,
    NOTES,
    OPENS,
    ORDER,
    OWNER,
    PARAMETERS,
    PEER,
    READS,
    SEALS,
    SERVER,
    STREAM,
    TO_ATTACKER,
    TO_SERVER,
    TRANSCRIPT,
    WROTE,
    Assign,
    Parcel,
    Setting,
    Side,
    alike,
    altered,
    apart,
    attacker,
    awaited,
    bits,
    blind,
    clear,
    common,
    earlier,
    exposed,
    forged,
    genuine,
    illegal,
    known_keys,
    lost,
    no_keys,
    nobody,
    opening,
    opening_empty,
    peer,
    protected,
    read_by_all,
    reading,
    reads,
    same,
    sealing,
    shared_keys,
    silent,
    spoke,
    taken,
    torn,
)

HISTORY = (OWNER, PARAMETERS, KEYS, SEALS, OPENS, STREAM, WROTE, GOT, CAME, AGREES)
"""What is told of each side besides what its table remembers."""

Arrival = tuple[int, Value, Assign, Conditions, Assign]
"""The code of a packet, how its receiver reads records then, what else must be so, on which conditions it arrives as it
does, and what that brings.
"""


class Composer:
    """Makes the transitions of a setting."""

    ACCEPTED: tuple[tuple[Value, Value, str], ...] = (
        (peer, common, TO_SERVER), (attacker, exposed, TO_ATTACKER), (nobody, lost, TO_ATTACKER),
    )  # fmt: skip
    """For whose key the client accepted: who knows the secret that it encrypts to it, and for whom that is."""

    MEANINGS: type[Meanings] = Meanings
    """What says what a message is to whom it reaches."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.only: frozenset[Packet] | None = None
        self.sides = {
            side: Side.of(side, changed(role, setting.removed), setting.limits(side))
            for side, role in self.tables().items()
        }
        self.meanings = self.MEANINGS(setting)
        self._ends: dict[tuple[str, int], tuple[LocalStep, tuple[tuple[Assign, Assign], ...]]] = {}
        own = (connect.symbol(), write.symbol())
        self.steps = {name: live_steps(side.role, side.limits, own) for name, side in self.sides.items()}

    @property
    def packets(self) -> dict[Packet, int]:
        """What the network can hold, with their codes."""
        return self.meanings.packets

    def tables(self) -> dict[str, Role]:
        """The table of each side, with every protection."""
        return {CLIENT: client_role, SERVER: server_role}

    # ------------------------------------------------------------------------------------------------ what is composed

    def compose(self) -> tuple[list[Transition], tuple[Packet, ...]]:
        """The transitions, and the packets that they speak of."""
        calls: list[Transition] = []
        heard: dict[str, list[LocalStep]] = {}
        for name, side in self.sides.items():
            calls += [one for s in self.steps[name] if s.row.kind is Kind.CALL for one in self._called(side, s)]
            heard[name] = [step for step in self.steps[name] if step.row.kind is Kind.RECV]
        for side in self.sides.values():  # the flights are known once every step is
            for step in heard[side.name]:
                self._after(side, step)
        packets = self._listed()
        self.meanings.packets = codes_of(packets)
        out = [made for one in calls if (made := self._at_once(one)) is not None]
        out += [one for side in self.sides.values() for one in self._sends(side)]
        for side in self.sides.values():
            arrivals = self._arrivals(side)
            for step in heard[side.name]:
                out += self._receives(side, step, arrivals.get(step.symbol, ()))
                if self.setting.attacked:
                    out += self._forges(side, step)
        out = [told for one in out for finished in self._finishing(one) for told in self._taken_for(finished)]
        out += self._losses()
        leads = [change.values[0] for name in self.setting.removed for change in PROTECTIONS[name].changes]
        out.sort(key=lambda one: not any(one.symbol.has(value) for value in leads))
        return merged(out), packets

    def _called(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """A call of the application: data is written once.

        A client that begins when the attacker has begun with the server has a random that nobody has kept, and so nothing
        in common with the server. It might as well have begun before, and been held back; so it begins before.
        """
        name = side.name
        alone = (self._is_idle(self.sides[SERVER]),) if step.symbol.message is connect else ()
        for where, assign in self._after(side, step):
            if step.symbol.message is not write:
                yield self._transition("calls", side, step, where, alone, assign)
                continue
            where = {**where, f"{name}.wrote": silent.bit}
            assign = {**assign, f"{name}.wrote": spoke.bit}
            heard = read_by_all(name)
            if name == CLIENT:
                yield self._transition("calls", side, step, where, (~heard,), assign)
                yield self._transition("calls", side, step, where, (heard,), {**assign, "attacker.reads": reads.bit})
            else:
                yield self._transition("calls", side, step, where, (), assign)

    @staticmethod
    def _is_idle(side: Side) -> Guard:
        """The side has not begun yet, or has ended."""
        idle: Guard = Is(f"{side.name}.state", side.at(side.role.initial))
        for state in side.role.states:
            if side.role.is_final(state):
                idle |= Is(f"{side.name}.state", side.at(state))
        return idle

    def _at_once(self, one: Transition) -> Transition | None:
        """A call whose flight is one message, sent at once: two sides that both owe data would wait for each other."""
        side = self.sides[one.machine]
        owed = side.owed(dict(one.assign)[f"{side.name}.owes"])
        if len(owed) != 1:
            return one
        assign = {**dict(one.assign), f"{side.name}.owes": 1}
        code = self.packets.get(self._packet(side, owed[0]))
        if code is None:
            return None
        seals = next(value for value in SEALS.values if dict(one.where)[f"{side.name}.seals"] == value.bit)
        return replace(one, assign=tuple(assign.items()), puts=code, note=NOTES[seals])

    # ------------------------------------------------------------------------------------------------ what comes after

    def _after(self, side: Side, step: LocalStep) -> Sequence[tuple[Assign, Assign]]:
        """What must be so, and what is so afterwards: state, memory, the flight owed, and the keys made on the way.

        Asked for each packet that may be the step's symbol, and for each way to forge it: worked out once, and not to be
        changed by whoever asks.
        """
        key = (side.name, id(step))
        if key not in self._ends:
            self._ends[key] = (step, tuple(self._ends_of(side, step)))  # with the step, whose id is then no other's
        return self._ends[key][1]

    def _ends_of(self, side: Side, step: LocalStep) -> Iterator[tuple[Assign, Assign]]:
        """See `_after`."""
        name = side.name
        where = {f"{name}.{fact}": mask for fact, mask in step.where}
        assign = {f"{name}.{fact}": mask for fact, mask in step.assign}
        assign[f"{name}.state"] = side.at(step.next)
        if side.role.is_final(step.next):
            assign |= {f"{name}.{fact}": mask for fact, mask in beginning(side.role, side.limits).items()}
            assign |= bits({f"{name}.owner": nobody, f"{name}.parameters": awaited, f"{name}.agrees": alike})
        if dict(step.assign).get(GRANTS.name) == resumed.bit and not step.aborts:
            assign |= bits({f"{name}.keys": earlier})
        flight = step.flight
        if step.aborts:  # in a sound table the state says it too, so that this makes no state more
            flight = (ALERT,)
            assign |= bits({f"{name}.came": illegal})
        made: list[tuple[Assign, Assign, str]] = [({}, {}, "")]
        if any(symbol.message is ClientKeyExchange for symbol in flight):
            ephemeral = self.setting.key_exchange == "ecdhe"
            came = bits({f"{name}.parameters": taken}) if ephemeral else {}
            used = bits({f"{name}.owner": nobody, f"{name}.parameters": awaited})
            made = [
                (bits({f"{name}.owner": owner}) | came, bits({f"{name}.keys": keys}) | used, about)
                for owner, keys, about in self.ACCEPTED
            ]
            if ephemeral:
                none = bits({f"{name}.parameters": awaited})
                made.append((none, bits({f"{name}.keys": no_keys}) | used, TO_ATTACKER))
        for needs, makes, about in made:
            yield from self._owing(side, where | needs, assign | makes, flight, about)

    def _finishing(self, one: Transition) -> Iterator[Transition]:
        """The transition; where the side finishes by it, also whether its peer agrees with it then.

        It does where the Finished that is taken is the peer's own and comes after all that it covers, and both have the
        same keys and have seen the same. Whether the table compares verify_data is not asked.
        """
        state, agrees = f"{one.machine}.state", f"{one.machine}.agrees"
        there = self.sides[one.machine].at(CONNECTED)
        if dict(one.assign).get(state) != there or dict(one.where)[state] == there:
            yield one
            return
        apart_ = replace(one, assign=(*one.assign, *bits({agrees: apart}).items()))
        packet = next((packet for packet, code in self.packets.items() if code == one.takes), None)
        if packet is None or packet.symbol.message is not Finished or "network.transcript" in dict(one.assign):
            yield apart_
            return
        agreed = Of("network", same) & shared_keys()
        yield _given(replace(one, assign=(*one.assign, *bits({agrees: alike}).items())), agreed)
        yield _given(apart_, ~agreed)

    def _taken_for(self, one: Transition) -> Iterator[Transition]:
        """The transition; where the server finishes by it, the client is the owner of no certificate that was doubted."""
        own = f"{SERVER}.owner"
        if one.machine != SERVER or f"{SERVER}.agrees" not in dict(one.assign) or not self.setting.client_auth:
            yield one
            return
        doubted = Is(f"{SERVER}.requested", doubtful.bit)
        yield _given(replace(one, assign=tuple((dict(one.assign) | bits({own: nobody})).items())), doubted)
        yield _given(one, ~doubted)

    def _owing(
        self, side: Side, where: Assign, assign: Assign, flight: Sequence[Symbol], about: str
    ) -> Iterator[tuple[Assign, Assign]]:
        """With the flight owed, for each way in which its beginning may be protected."""
        name = side.name
        switches = next((n for n, symbol in enumerate(flight) if symbol.message is ChangeCipherSpec), None)
        for before in SEALS.values:
            if not flight and before is not clear:
                return
            if before is not clear and flight[0].message not in (Alert, ApplicationData):
                return  # there is one handshake, and so nothing of it follows its end
            parcels = tuple(
                Parcel(
                    symbol,
                    before is not clear or (switches is not None and number > switches),
                    about if symbol.message is ClientKeyExchange else "",
                )
                for number, symbol in enumerate(flight)
            )
            owed = {f"{name}.owes": side.owes(parcels)}
            yield (where | bits({f"{name}.seals": before}) if flight else where), assign | owed

    def _transition(
        self, kind: str, side: Side, step: LocalStep, where: Assign, guards: Conditions, assign: Assign,
        *, takes: int = 0, note: str = "",
    ) -> Transition:  # fmt: skip
        base = {f"{side.name}.state": side.at(step.state), f"{side.name}.owes": 1}
        own = Of(side.name, step.guard) if step.guard is not None else None
        return Transition(
            step.row.id, kind, side.name, step.symbol, tuple((base | where).items()), own, all_of(guards),
            tuple(assign.items()), takes, note=note,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ the network

    def _listed(self) -> tuple[Packet, ...]:
        """Everything that a side may owe, as packets."""
        found: dict[Packet, None] = {}
        for side in self.sides.values():
            for flight in side.flights:
                if flight and (self.only is None or self._packet(side, flight[0]) in self.only):
                    found.setdefault(self._packet(side, flight[0]))
        return tuple(found)

    def _packet(self, side: Side, parcel: Parcel) -> Packet:
        rank = ORDER.index(parcel.symbol.message)
        return Packet(side.name, PEER[side.name], parcel.symbol, rank, parcel.sealed, parcel.about)

    def _sends(self, side: Side) -> Iterator[Transition]:
        """The first message of what is owed goes into the network, where there is room."""
        name = side.name
        for flight in side.flights:
            if not flight or self._packet(side, flight[0]) not in self.packets:
                continue
            code = self.packets[self._packet(side, flight[0])]
            for where, assign, note in protected(name, flight[0]):
                where = {f"{name}.owes": side.owes(flight)} | where
                assign |= {f"{name}.owes": side.owes(flight[1:])}
                yield Transition(
                    "", "sends", name, flight[0].symbol, tuple(where.items()), None, None, tuple(assign.items()),
                    puts=code, note=note,
                )  # fmt: skip

    def _losses(self) -> Iterator[Transition]:
        """The attacker takes a packet out of the network; who has ended leaves it unread."""
        for packet, code in self.packets.items():
            assign: Assign = {}
            if packet.symbol.message in HASHED:
                assign |= bits({"network.transcript": altered})
            if packet.sealed:
                assign |= bits({f"{packet.receiver}.stream": torn})
            receiver = self.sides[packet.receiver]
            for state in receiver.role.states:
                if self.setting.attacked or receiver.role.is_final(state):
                    yield Transition(
                        "", "loses", packet.sender, packet.symbol, ((f"{receiver.name}.state", receiver.at(state)),), None, None,
                        tuple(assign.items()), takes=code, note=NOTES[sealing if packet.sealed else clear],
                    )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ what is received

    def _arrivals(self, side: Side) -> dict[Symbol, list[Arrival]]:
        """What each packet to the side may be when it arrives, by what it then says."""
        out: dict[Symbol, list[Arrival]] = {}
        for packet, code in self.packets.items():
            if packet.receiver == side.name:
                usual = opening if packet.sealed else reading
                sealed = bits({f"{packet.sender}.seals": sealing}) if packet.sealed else {}
                for guards, symbol, gained in self.meanings.arrives(side, packet):
                    out.setdefault(symbol, []).append((code, usual, sealed, guards, gained))
                for guards, symbol, gained in (
                    self.meanings.arrives(side, packet, anew=True) if self.setting.attacked else ()
                ):
                    out.setdefault(symbol, []).append((code, opening_empty, {}, guards, gained))
        return out

    def _receives(self, side: Side, step: LocalStep, arrivals: Sequence[Arrival]) -> Iterator[Transition]:
        """An honest packet arrives, and is what the step reads."""
        if not self.setting.attacked and step.aborts and step.row.level is Level.MAY:
            return  # an honest network, and nobody who ends the connection without need
        for code, opens, sealed, guards, gained in arrivals:
            record = bits({f"{side.name}.opens": opens}) | sealed
            note = KNOWN if opens is opening_empty else NOTES[sealing if opens is opening else clear]
            for (where, assign), (made, switched) in product(
                self._after(side, step), self._switched(side, step, opens)
            ):
                effects = gained | assign | switched | self._taken(side, step, genuine)
                if step.aborts:
                    effects = {k: v for k, v in gained.items() if k == "network.transcript"} | assign
                yield self._transition(
                    "receives", side, step, record | where, (*guards, *made), effects, takes=code, note=note
                )

    def _switched(self, side: Side, step: LocalStep, opens: Value) -> Iterator[tuple[Conditions, Assign]]:
        """How records are read once ChangeCipherSpec was taken: keys are made then, of the secret that there is, and stay.

        Where a row of the table takes it there is a secret; where it is taken before its place, and the state stays,
        there may be none.
        """
        column, empty = f"{side.name}.opens", Is(f"{side.name}.keys", no_keys.bit)
        if step.symbol.message is not ChangeCipherSpec or step.aborts or opens is opening_empty:
            yield (), {}
        elif step.next is not step.state:
            yield (), bits({column: opening})
        else:
            yield (empty,), bits({column: opening_empty})
            yield (~empty,), bits({column: opening})

    def _taken(self, side: Side, step: LocalStep, origin: Value) -> Assign:
        """What it means that the step's symbol was taken, and not refused."""
        name, symbol = side.name, step.symbol
        if step.aborts:
            return {}
        if symbol.message is ApplicationData or any(value in KEYLESS for value in symbol.named):
            return bits({f"{name}.got": origin})
        return {}

    # ------------------------------------------------------------------------------------------------ the attacker

    def _forges(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        """The attacker makes what the step reads, where it can."""
        name, symbol = side.name, step.symbol
        gained = {} if step.aborts else self.meanings.made(side, symbol)
        if symbol.message in HASHED and step.state is not CONNECTED:  # there, the one handshake is over
            gained |= bits({"network.transcript": altered})
        needs = self.meanings.needs(side, symbol)
        keyless = any(value in KEYLESS for value in symbol.named)
        for opens in OPENS.values:
            keys: Conditions = (known_keys(name),) if opens is opening and not keyless else ()
            for (where, assign), (made, switched) in product(
                self._after(side, step), self._switched(side, step, opens)
            ):
                yield self._transition(
                    "forges", side, step, bits({f"{name}.opens": opens}) | where, (*needs, *keys, *made),
                    gained | assign | switched | self._taken(side, step, forged),
                    note=KNOWN if opens is not reading and not keyless else "",
                )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ columns

    def _facts(self) -> dict[str, tuple[Fact, int]]:
        """Every column: its fact, and the bits that it begins with."""
        facts: dict[str, tuple[Fact, int]] = {}
        for name, side in self.sides.items():
            facts[f"{name}.state"] = (side.state, side.at(side.role.initial))
            facts[f"{name}.owes"] = (side.owing, 1)
            first_ = beginning(side.role, side.limits)
            facts |= {f"{name}.{fact.name}": (fact, first_[fact.name]) for fact in side.role.memory}
            facts |= {f"{name}.{fact.name}": (fact, fact.default.bit) for fact in HISTORY}
        return facts | {"network.transcript": (TRANSCRIPT, same.bit), "attacker.reads": (READS, blind.bit)}

    def begins(self) -> dict[str, int]:
        """The bits that each column begins with."""
        return {name: mask for name, (_, mask) in self._facts().items()}

    def columns(self, transitions: Sequence[Transition]) -> tuple[Column, ...]:
        """The columns, each with the values that some transition gives it."""
        return columns_of(self._facts(), transitions)


def _given(one: Transition, guard: Guard) -> Transition:
    """The transition where that holds besides."""
    return replace(one, guard=guard if one.guard is None else one.guard & guard)


def compose(setting: Setting, kind: type[Composer] = Composer) -> Composition:
    """The model of a setting, made by a composer of that kind. Its properties are in `properties.tls12_models`."""
    composer = kind(setting)
    transitions, packets = compose_possible(composer)
    columns = composer.columns(transitions)
    names = {side.name: side.state for side in composer.sides.values()}
    quiet: list[Guard] = [Is(slot(number), 0) for number in range(setting.bound)]
    for name, fact in names.items():
        ended = Of(name, fact["closed"] | fact["aborted"])
        quiet.append(Is(f"{name}.owes", 1) & (ended | (Of(name, fact["connected"]) & Of(name, spoke))))
    done = all_of(tuple(Of(n, names[n][CONNECTED.name]) & Of(n, genuine) for n in names))
    return Composition(
        setting.name, f"TLS 1.2, {setting.name.removeprefix('tls12 ')}", columns, (composer.begins(),), transitions, packets,
        setting.bound, done=done, over=all_of(tuple(quiet)),
        machines={side.name: side.role.name for side in composer.sides.values()},
    )  # fmt: skip
