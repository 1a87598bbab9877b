"""TCP composed: two ends with the same table, a network that loses, reorders and duplicates, an attacker beside the path.

The steps of an end are those of the rows of `tcp`. What a segment is to its receiver - the next one expected, old, ahead
in the window, outside it; whether what it acknowledges was sent - is computed when it arrives, from the numbers of both
(`tcp_setting`, `tcp_ends`), and is never a label that somebody chose.

The network holds at most `bound` segments. One that is delivered may stay, and so comes again, as often as it likes. An
answer that finds no room is lost. At any time a segment of an earlier incarnation of the connection may arrive.

The attacker sees nothing and sends what it likes in anybody's name: it knows addresses and ports. It guesses a number
within a window, but neither two at once nor an exact one, unless initial sequence numbers are predictable: then it knows
all. What answers it goes to the peer. What changes nothing wherever it arrives is not sent; nor is what a side without
a connection answers with a number of the attacker's choice, which the attacker may as well send itself.

Left out: windows of zero and those that shrink, urgent data, timestamps, delayed acknowledgments, keep-alives, the user
timeout, ABORT, and a SYN that opens a connection anew out of TIME-WAIT. Of what comes ahead of its turn, a FIN is kept
and the attacker's text; the rest is dropped, and sent again.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from shakeproof.model.composition import (
    Column,
    Composition,
    Is,
    Of,
    OnTheWay,
    Packet,
    Transition,
    codes_of,
    slot,
)
from shakeproof.model.facts import Fact, Guard, Value, all_of
from shakeproof.model.gathered import Gatherer
from shakeproof.model.machine import Role
from shakeproof.model.notation import Kind, Symbol
from shakeproof.model.tcp_ends import Did, Ends
from shakeproof.model.tcp_segments import (
    CLOSED,
    LISTEN,
    SYN_SENT,
    Segment,
    active_open,
    ahead,
    ancient,
    bare,
    beyond,
    data,
    duplicate,
    expected,
    fin,
    no_ack,
    old,
    outside,
    rst,
    syn,
)
from shakeproof.model.tcp_setting import (
    ATTACKERS,
    CHOSEN,
    CLIENT,
    ENDED,
    HELD,
    KIND,
    NETWORK,
    OLD,
    PEER,
    SERVER,
    SPACE,
    End,
    Number,
    Setting,
    Wire,
    going,
    lossy,
    pretended,
    unknown,
)

OLD_DUPLICATE = "an old duplicate"


class Edge(NamedTuple):
    """What an end may do: the kind of a transition, the end before, what it does, the segment that it takes out of the
    network, and whether that is none since it is of an earlier incarnation.
    """

    kind: str
    before: End
    did: Did
    took: Wire | None = None
    duplicate: bool = False

    @property
    def changes(self) -> bool:
        """Whether anything comes of it."""
        return self.did.after != self.before or self.did.sent is not None


class Composer:
    """Makes the transitions of a setting."""

    def __init__(self, setting: Setting, role: Role | None = None) -> None:
        self.setting = setting
        self.ends = Ends(setting, role)
        # Ends by number, segments by bit: without protections there are thousands of pairs, each with what may be on the way.
        self._lines: dict[tuple[str, End], tuple[int, ...]] = {}
        self._ends: dict[str, list[End]] = {side: [] for side in PEER}
        self._numbers: dict[str, dict[End, int]] = {side: {} for side in PEER}
        self._wires: dict[str, dict[int, Wire]] = {side: {} for side in PEER}
        self._bits: dict[tuple[str, Wire], int] = {}
        self._found: dict[tuple[str, int, int | None], list[tuple[int, int, bool]]] = {}
        self.edges: dict[str, dict[Edge, None]] = {side: {} for side in PEER}
        self._explore()
        self._forget_useless()
        self.packets = self._listed()
        self.codes = codes_of(tuple(self.packets.values()))
        self.states = Fact("state", {s.name.lower().replace("-", "_"): s.sentence for s in self.ends.role.states})

    # ------------------------------------------------------------------------------------------------ what may happen

    def _explore(self) -> None:
        """Every edge that the two ends can come to together, whatever the network keeps of all that was sent before."""
        begin = (self._number(CLIENT, self.ends.begin(CLIENT)), self._number(SERVER, self.ends.begin(SERVER)))
        there = {begin: 0}  # for each pair of ends, what may be on the way: a bit for each segment
        looked: dict[tuple[int, int], int] = {}
        leads: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
        queue = dict.fromkeys(there)
        while queue:
            client, server = pair = next(iter(queue))
            del queue[pair]
            on_the_way = there[pair]
            fresh = on_the_way & ~looked.get(pair, 0)
            goals = leads.setdefault(pair, {})
            for side, own, other in ((CLIENT, client, server), (SERVER, server, client)):
                takes: list[int | None] = [None] if pair not in looked else []
                takes += [bit for bit in self._wires[PEER[side]] if fresh & bit]
                for bit in takes:
                    for after, puts, waits in self._leads(side, own, bit):
                        if waits and self._ends[PEER[side]][other].state is CLOSED:
                            continue
                        goal = (after, other) if side == CLIENT else (other, after)
                        goals[goal] = goals.get(goal, 0) | puts
            looked[pair] = on_the_way
            for goal, bits in goals.items():
                before = there.get(goal)
                there[goal] = (before or 0) | on_the_way | bits
                if there[goal] != before:
                    queue[goal] = None

    def _number(self, side: str, end: End) -> int:
        """Ends are compared often: by number."""
        if end not in self._numbers[side]:
            self._numbers[side][end] = len(self._ends[side])
            self._ends[side].append(end)
        return self._numbers[side][end]

    def _leads(self, side: str, own: int, took: int | None) -> list[tuple[int, int, bool]]:
        """Where the edges of an end lead, what they send, and whether they wait for the other side to listen."""
        key = (side, own, took)
        if key not in self._found:
            end = self._ends[side][own]
            edges = (
                self._own_edges(side, end) if took is None else self._takes(side, end, self._wires[PEER[side]][took])
            )
            self._found[key] = []
            for edge in edges:
                self.edges[side].setdefault(edge)
                puts = 0
                if edge.did.sent is not None:
                    puts = self._bits.setdefault((side, edge.did.sent), 1 << len(self._bits))
                    self._wires[side][puts] = edge.did.sent
                self._found[key].append((self._number(side, edge.did.after), puts, self._waits(edge)))
        return self._found[key]

    def _takes(self, side: str, end: End, wire: Wire) -> Iterator[Edge]:
        yield from (Edge("receives", end, did, wire) for did in self.ends.receive(side, end, wire, genuine=True))

    def _own_edges(self, side: str, end: End) -> Iterator[Edge]:
        for did in self.ends.own(side, end):
            sends = did.sent is not None and did.symbol.message.kind is not Kind.CALL
            yield Edge("sends" if sends else "calls", end, did)
        from_nowhere = [Edge("forges", end, did) for did in self._forged(side, end)] if self.setting.attacked else []
        from_nowhere += [Edge("receives", end, did, duplicate=True) for did in self._duplicates(side, end)]
        yield from (edge for edge in from_nowhere if edge.changes)

    def _duplicates(self, side: str, end: End) -> Iterator[Did]:
        """Segments of an earlier incarnation of the connection."""
        peer = PEER[side]
        last = self.setting.texts + 1
        seen = Number(f"{OLD} {side}", last)
        wires = [Wire(data, Number(f"{OLD} {peer}", 1), seen), Wire(fin, Number(f"{OLD} {peer}", last), seen)]
        wires += [Wire(bare, Number(f"{OLD} {peer}", last), seen), Wire(rst, Number(f"{OLD} {peer}", last))]
        if self.setting.old_syns:
            wires.append(Wire(syn, Number(f"{OLD} {peer}", 0), None if peer == CLIENT else Number(f"{OLD} {side}", 1)))
        for wire in wires:
            yield from self.ends.receive(side, end, wire, genuine=False)

    # ------------------------------------------------------------------------------------------------ the attacker

    def _forged(self, side: str, end: End) -> Iterator[Did]:
        """What the attacker sends in the peer's name."""
        if end.irs is unknown:
            if end.state in (LISTEN, SYN_SENT):
                yield from self.ends.receive(side, end, Wire(syn, Number(ATTACKERS, 0)), genuine=False)
        else:
            for symbol in self._guesses(end.irs is pretended):
                yield from self.ends.read(side, end, symbol, genuine=False)
        exact: list[Number | None] = [None]
        if self.setting.known_numbers:
            exact += [end.own(side, at) for at in range(end.una, end.nxt + 1)]
        for ack in exact if end.state is not CLOSED else ():
            for control in (rst, syn, bare, data, fin):
                for seq in self._known(side, end, control):
                    yield from self.ends.receive(side, end, Wire(control, seq, ack), genuine=False)

    @staticmethod
    def _guesses(knows_sequence: bool) -> Iterator[Symbol]:
        """What is sent with numbers that are not known: in all, one that lies within a window. knows_sequence: it is
        the attacker's own.
        """
        for control in (rst, syn, bare, data, fin):
            for sequence in (ahead, outside, old, *([expected] if knows_sequence else ())):
                for acknowledgment in (no_ack,) if control in (rst, syn) else (no_ack, ancient, beyond, duplicate):
                    if sequence is not ahead or acknowledgment is not duplicate or knows_sequence:
                        yield Segment.symbol(control, sequence, acknowledgment)

    def _known(self, side: str, end: End, control: Value) -> Iterator[Number]:
        """Numbers that the attacker knows the end to expect, or, of a SYN, to have accepted: they follow from its own, or
        can be predicted.
        """
        if end.irs is unknown and self.setting.known_numbers:
            yield Number(ATTACKERS, 0)
        elif end.irs is pretended or self.setting.known_numbers:
            yield end.theirs(side, end.rcv)
            if control is syn:
                yield end.theirs(side, 0)

    # ------------------------------------------------------------------------------------------------ the network

    def _forget_useless(self) -> None:
        """Segments that change nothing wherever they arrive are not sent."""
        while True:
            sent = {side: {e.did.sent for e in self.edges[side] if e.did.sent is not None} for side in PEER}
            useful = {PEER[side]: {e.took for e in self.edges[side] if e.took and e.changes} for side in PEER}
            if all(sent[side] <= useful[side] for side in PEER):
                return
            for side, peer in PEER.items():
                kept: dict[Edge, None] = {}
                for edge in self.edges[side]:
                    if edge.took is not None and edge.took not in useful[peer]:
                        continue
                    left = edge if edge.did.sent in useful[side] else edge._replace(did=edge.did._replace(sent=None))
                    if left.took is not None or left.changes:
                        kept.setdefault(left)
                self.edges[side] = kept

    def _listed(self) -> dict[tuple[str, Wire], Packet]:
        """Everything that the network may hold."""
        out: dict[tuple[str, Wire], Packet] = {}
        for side, peer in PEER.items():
            for wire in dict.fromkeys(e.did.sent for e in self.edges[side] if e.did.sent is not None):
                out[side, wire] = Packet(side, peer, wire.symbol, len(out), about=wire.text)
        return out

    def transitions(self) -> Iterator[Transition]:
        """The transitions of both ends, and the losses."""
        for side in PEER:
            gatherer = Gatherer([self.line(side, end) for end in self.known(side)], tuple(self.facts(side)))
            alike: dict[object, dict[Edge, None]] = {}
            for edge in self.edges[side]:
                key = (edge.kind, edge.did.row, edge.did.symbol.message, edge.took, edge.did.sent, edge.duplicate)
                alike.setdefault(key, {}).setdefault(edge)
            for edges in alike.values():
                first = next(iter(edges))
                moves = {self.line(side, e.before): self.line(side, e.did.after) for e in edges}
                for where, assign in gatherer.gather(moves):
                    yield from self._made(side, first, tuple(where.items()), tuple(assign.items()))
        for packet, code in self.codes.items():
            yield Transition(
                "", "loses", packet.sender, packet.symbol, ((NETWORK, lossy.bit),), takes=code, note=packet.about
            )

    def _made(
        self, side: str, edge: Edge, where: tuple[tuple[str, int], ...], assign: tuple[tuple[str, int], ...]
    ) -> Iterator[Transition]:
        """Transitions: what is taken may stay in the network, and what finds no room there is lost."""
        puts = self.codes[self.packets[side, edge.did.sent]] if edge.did.sent is not None else 0
        takes = self.codes[self.packets[PEER[side], edge.took]] if edge.took is not None else 0
        full: Guard = ~Is(slot(self.setting.bound - 1), 0)
        waits = (~Of(PEER[side], self.states["closed"]),) if self._waits(edge) else ()
        note = OLD_DUPLICATE if edge.duplicate else ""

        def made(*guards: Guard, takes: int = 0, puts: int = 0) -> Transition:
            return Transition(
                edge.did.row, edge.kind, side, edge.did.symbol, where, None, all_of(guards), assign, takes, puts, note
            )

        if takes:
            stays = OnTheWay((takes,), self.setting.bound)
            yield made(takes=takes, puts=puts)
            if puts and assign:
                yield made(stays, full)
            if puts or assign:
                yield made(stays, puts=puts)
        else:
            yield made(*waits, puts=puts)
            if puts and assign and edge.kind not in ("calls", "sends"):
                yield made(full)

    @staticmethod
    def _waits(edge: Edge) -> bool:
        """Nobody connects before the other side listens."""
        return edge.did.symbol.message is active_open

    # ------------------------------------------------------------------------------------------------ columns

    def known(self, side: str) -> dict[End, None]:
        """What an end can come to."""
        begin = self.ends.begin(side)
        return dict.fromkeys((begin, *(end for edge in self.edges[side] for end in (edge.before, edge.did.after))))

    @cached_property
    def _facts(self) -> dict[str, dict[str, Fact]]:
        return {side: self._columns_of(side) for side in PEER}

    def facts(self, side: str) -> dict[str, Fact]:
        """The columns of a side."""
        return self._facts[side]

    def _columns_of(self, side: str) -> dict[str, Fact]:
        own = {"state": self.states, **{fact.name: fact for fact in self.ends.role.memory}, **self.setting.numbers}
        own |= {fact.name: fact for fact in (CHOSEN, SPACE, HELD, ENDED)}
        return {f"{side}.{name}": fact for name, fact in own.items()}

    def line(self, side: str, end: End) -> tuple[int, ...]:
        """The bits of each column of a side."""
        if (side, end) not in self._lines:
            counted = {"snd_una": end.una, "snd_nxt": end.nxt, "rcv_nxt": end.rcv, "wrote": end.wrote, "got": end.got}
            bits = {"state": self.states[end.state.name.lower().replace("-", "_")].bit, **dict(end.memory)}
            bits |= {name: 1 << number for name, number in counted.items()}
            bits |= {value.fact.name: value.bit for value in (end.iss, end.irs, end.held, end.ended)}
            self._lines[side, end] = tuple(bits[name.partition(".")[2]] for name in self.facts(side))
        return self._lines[side, end]

    def begins(self) -> dict[str, int]:
        """The bits that each column begins with."""
        out = {NETWORK: lossy.bit}
        for side in PEER:
            out |= zip(self.facts(side), self.line(side, self.ends.begin(side)), strict=True)
        return out

    def columns(self) -> Iterator[Column]:
        """The columns, each with the values that some end has."""
        for side in PEER:
            lines = [self.line(side, end) for end in self.known(side)]
            for (name, fact), masks in zip(self.facts(side).items(), zip(*lines, strict=True), strict=True):
                yield Column(name, fact, tuple(dict.fromkeys(masks)))
        yield Column(NETWORK, KIND, (lossy.bit,))


def compose(setting: Setting, role: Role | None = None) -> Composition:
    """The model of a setting, without its properties. role: another table than the setting's, for tests."""
    made = Composer(setting, role)
    over: list[Guard] = []
    done: list[Guard] = []
    for side in PEER:
        closed, listens = (Of(side, made.states[state.name.lower()]) for state in (CLOSED, LISTEN))
        got = setting.numbers["got"].values
        ended = closed & ~Of(side, going)
        over.append(ended | listens | Of(side, got[setting.wrong]))
        done.append(ended & Of(side, got[setting.end]))
    return Composition(
        setting.name, f"TCP, {setting.name.removeprefix('tcp ')}", tuple(made.columns()), (made.begins(),),
        tuple(made.transitions()), tuple(made.packets.values()), setting.bound, done=all_of(tuple(done)),
        over=all_of(tuple(over)), machines=dict.fromkeys(PEER, made.ends.role.name), layer="tcp",
    )  # fmt: skip
