"""One word on one fresh connection: endpoint, scripted peer and oracle, stepped together.

One step is one input, then all output until the target is quiet. Every output is classified and shown to the oracle;
what the oracle does not allow is kept apart as unexplained, for `verdicts` to grade.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    Alert,
    ApplicationData,
    closure,
    fatal,
)
from shakeproof.model.notation import Abort, Kind, Message, Row, State, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.trace import Fate, Lane, Step, Trace, number_steps
from shakeproof.properties.courses import first_course
from shakeproof.properties.delivery import writes
from shakeproof.properties.demands import binding_first, demanded, meaning_of
from shakeproof.properties.mapper.hypotheses import WEAK_KEYS, KeyHypothesis
from shakeproof.properties.mapper.sessions import Session
from shakeproof.properties.mapper.tls12 import Observation, Peer
from shakeproof.properties.suites import Delivery, honest_prefixes
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target

TARGET, TESTER = "target", "tester"

TRANSPORT_END = "end of the transport"
"""How a step is called that is the end of the connection below TLS."""
ENDS = {"orderly": "an orderly end", "truncated": "a truncation"}
"""What an application can be told when the data ends, in words."""


@dataclass(frozen=True)
class Exchange:
    """One step: what went in, what the table says of it, what came out, and what of that the table does not allow.

    settled: quiet is allowed at the end; closes_rightly: the connection is open, or may be closed now; ends: the input
    ends the connection by every row that reads it; refusable: by a row, the target may refuse it.
    """

    symbol: Symbol | None
    state: str
    rows: tuple[Row, ...]
    expected: tuple[str, ...]
    reaction: Reaction
    seen: tuple[Observation, ...]
    unexplained: tuple[Observation, ...]
    settled: bool
    closes_rightly: bool
    ends: bool = False
    refusable: bool = False

    @property
    def forbidden(self) -> bool:
        """Whether the input was the peer's fault by every row that reads it."""
        return bool(self.rows) and all(row.is_violation for row in self.rows)

    @property
    def progress(self) -> tuple[Observation, ...]:
        """The unexplained outputs that are no alerts."""
        return tuple(item for item in self.unexplained if item.symbol.message is not Alert)

    @property
    def stopped(self) -> bool:
        """Whether the target ended the connection."""
        return self.reaction.closed or any(is_final_alert(item.symbol) for item in self.seen)

    @property
    def carries_data(self) -> bool:
        """Whether application data was accepted or sent in this step."""
        return bool(self.reaction.delivered) or any(item.symbol.message is ApplicationData for item in self.seen)

    @property
    def symbol_text(self) -> str:
        """What went in, in words."""
        return self.symbol.text if self.symbol is not None else "nothing"

    @property
    def got(self) -> str:
        """What came out, in words."""
        parts = [
            text if (times := len(list(same))) == 1 else f"{text} {times} times"
            for text, same in groupby(item.symbol.text for item in self.seen)
        ]
        if self.reaction.delivered:
            parts.append(f"accepted {len(self.reaction.delivered)} bytes of application data")
        if self.reaction.crashed:
            parts.append(f"died: {self.reaction.crashed}")
        if self.reaction.hung:
            parts.append(self.reaction.hung)
        if self.symbol is None and self.reaction.end:
            parts.append(f"told its application of {ENDS[self.reaction.end]}")
        if self.reaction.closed:
            parts.append("closed")
        return ", ".join(parts) or ("nothing" if self.reaction.exact else "nothing in time")


WAITS_LIMIT = 200
"""How often more is asked for in one step: a flight in pieces of some bytes each needs as many."""


def _both(first: Reaction, more: Reaction) -> Reaction:
    """Two reactions to one input, as one."""
    return replace(
        more,
        data=first.data + more.data,
        delivered=first.delivered + more.delivered,
        exact=first.exact and more.exact,
        note=more.note or first.note,
    )


def is_final_alert(symbol: Symbol) -> bool:
    """Whether the symbol is an alert that ends the connection."""
    return symbol.message is Alert and (symbol.has(fatal) or symbol.has(closure))


@dataclass
class Conversation:
    """A connection under test. unprepared: why there is no session to resume, where the setup wants one."""

    target: Target
    role: Role
    setup: Setup
    seed: bytes
    record: bool = False
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unprepared = ""
        self.endpoint: Endpoint = self.target.connect(self.role.name, self.setup)
        try:
            session = self._resumable() if self.setup.session else None
            self.peer = self._peer(self.seed, session)
            self.oracle = Oracle(self.role)
        except BaseException:
            self.endpoint.dispose()  # nobody else has it yet
            raise

    def _peer(self, seed: bytes, session: Session | None) -> Peer:
        side: Literal["client", "server"] = "client" if self.role.name.endswith(".server") else "server"
        setup = self.setup
        return Peer(
            side,
            key_exchange=setup.key_exchange,
            certificate_key=setup.certificate_key,
            bulk=setup.bulk,
            seed=seed,
            anchors=None if self.target.has_factory_certificate else (),
            encrypt_then_mac=setup.encrypt_then_mac,
            extended_master_secret=setup.extended_master_secret,
            gives=setup.session,
            session=session,
        )

    def _resumable(self) -> Session | None:
        """Make a session by an honest first connection, judged by nobody, and take the same application's next one."""
        peer, first = self._peer(self.seed + b", before", None), self.endpoint
        ways = honest_prefixes(self.role, first_course(self.setup, self.role.name))
        path = next(way for place, way in ways.items() if place.state is self.role.accepting)
        said = peer.classify(first.start().data)
        for symbol in path:
            said += peer.classify(first.feed(peer.concretise(symbol)).data)
        session = peer.session
        if peer.role == "server":  # a client that gets no response may think that all of the connection failed
            first.feed(peer.concretise(ApplicationData.symbol()))
        first.feed(peer.concretise(Alert.symbol(closure)))
        first.dispose()
        if session is not None and self.setup.session == "ticket" and not session.ticket:
            session = None  # it can be resumed by its id, which is another setup
        following = first.again() if session is not None else None
        if session is None:
            last = said[-1].symbol.text if said else "nothing"
            self.unprepared = (
                f"an honest first connection gave no session by {self.setup.session}, so that none can be resumed; "
                f"the last that the target sent was {last}"
            )
        elif following is None:
            self.unprepared = (
                "a session was made, but there is no way to have the same application connect again, and resume it"
            )
        else:
            self.endpoint = following
        return session

    def begin(self) -> Exchange:
        """Open the connection."""
        before = self.oracle.state_text
        return self._react(None, before, (), self.endpoint.start())

    def send(self, symbol: Symbol, *, counts: bool = True, fragment: int = 0) -> Exchange:
        """Send one symbol. counts: whether the tester goes on as one who had sent it, and not as if it was ignored;
        fragment: bytes of plaintext in a record, 0 for as many as fit.
        """
        self.target.check_time()
        before, phase = self.oracle.state_text, self._phase() if self.record else ""
        data = self.peer.concretise(symbol, counts=counts, fragment=fragment or None)
        rows = self.oracle.receive(symbol)
        if self.record:
            self._note_input(symbol, data, rows, before, phase)
        return self._react(symbol, before, rows, self.endpoint.feed(data))

    def deliver(self, flight: Sequence[tuple[Symbol, Delivery]]) -> tuple[Exchange, Oracle] | str:
        """Send several symbols in a row, as they are to travel; the answers are looked at together.

        Gives the step of the first symbol that must be refused, else of the last one, with the oracle as it was before
        that symbol, to be released; or why one of them says nothing there. It is refusable where one of them is.
        """
        pieces: list[bytes] = []
        first: tuple[Symbol, str, tuple[Row, ...], Oracle] | None = None
        refusable = False
        for symbol, way in flight:
            meaningless = self.peer.applicable(symbol)
            if meaningless:
                return meaningless
            before, phase, earlier = self.oracle.state_text, self._phase(), self.oracle.fork()
            pieces.append(self.peer.concretise(symbol, fragment=way.fragment or None))
            rows = self.oracle.receive(symbol)
            refusable = refusable or any(isinstance(row.next, Abort) for row in rows)
            if self.record:
                self._note_input(symbol, pieces[-1], rows, before, phase)
                self.steps[-1] = replace(self.steps[-1], detail=(self.steps[-1].detail + way.text).strip())
            if first is None or not all(row.is_violation for row in first[2]):
                if first is not None:
                    first[3].release()
                first = (symbol, before, rows, earlier)
            else:
                earlier.release()
        assert first is not None
        reaction = Reaction()
        for data in writes(pieces, [way for _, way in flight]):
            more = self.endpoint.feed(data)
            reaction = replace(
                more, data=reaction.data + more.data, delivered=reaction.delivered + more.delivered,
                exact=reaction.exact and more.exact,
            )  # fmt: skip
            if more.closed or more.crashed or more.hung:
                break
        symbol, before, rows, earlier = first
        return replace(self._react(symbol, before, rows, reaction), refusable=refusable), earlier

    def flood(self, symbol: Symbol, times: int) -> Exchange:
        """Send one symbol so many times, to no one's judgement; what came of it all."""
        before, phase = self.oracle.state_text, self._phase()
        rows = tuple(row for here in self.oracle.configurations for row in self.role.enabled(here, symbol))
        data = b"".join(self.peer.concretise(symbol) for _ in range(times))
        reaction = self.endpoint.feed(data)
        if not reaction.exact and not reaction.closed:  # a close that came late shows when more is sent
            reaction = self.endpoint.feed(self.peer.concretise(symbol))
        seen = tuple(self.peer.classify(reaction.data)) if reaction.data else ()
        if self.record:
            self._note_input(symbol, data, rows, before, phase)
            self.steps[-1] = replace(self.steps[-1], detail=f"{times} times")
            for item in seen:
                self._note_output(item, before, rows, True, phase)
        return Exchange(symbol, before, rows, (), reaction, seen, (), True, True)

    def call(self, message: Message) -> Exchange | None:
        """Make the application's call on the target; None where it offers no way."""
        before = self.oracle.state_text
        reaction = self.endpoint.call(message.name)
        if reaction is None:
            return None
        rows = self.oracle.call(message)
        return self._react(None, before, rows, reaction)

    def end(self) -> Exchange:
        """The transport ends. No row reads that: whoever wants it judged looks at what the application is told."""
        before, phase = self.oracle.state_text, self._phase()
        reaction = self.endpoint.end()
        seen = tuple(self.peer.classify(reaction.data)) if reaction.data else ()
        if self.record:
            step = Step(len(self.steps) + 1, sender=TESTER, receiver=TARGET, message=TRANSPORT_END, phase=phase)
            told = f"its application is told of {ENDS[reaction.end]}" if reaction.end else ""
            self.steps.append(replace(step, layer="tcp", before={TARGET: before}, detail=told))
            for item in seen:
                self._note_output(item, before, (), True, phase)
        return Exchange(None, before, (), (), reaction, seen, (), True, True)

    def _react(self, symbol: Symbol | None, state: str, rows: tuple[Row, ...], reaction: Reaction) -> Exchange:
        expected = self.oracle.expected()
        forbidden = bool(rows) and all(row.is_violation for row in rows)
        seen: list[Observation] = []
        unexplained: list[Observation] = []
        more = reaction
        for _ in range(WAITS_LIMIT):
            for item in self.peer.classify(more.data) if more.data else ():
                before, phase = (self.oracle.state_text, self._phase()) if self.record else ("", "")
                # What is said after the last word decides nothing: some stacks add a close_notify to a fatal alert.
                after = item.symbol.message is Alert and any(is_final_alert(earlier.symbol) for earlier in seen)
                allowed = after or self.oracle.send(item.symbol)
                seen.append(item)
                if not allowed:
                    unexplained.append(item)
                if self.record:
                    self._note_output(item, before, rows, allowed, phase)
            settled = self.oracle.quiet()
            # Silence where an answer is due is believed only after asking once more. What comes of something forbidden
            # may be silence: what follows grades that.
            if settled or forbidden or unexplained or reaction.closed or reaction.crashed or reaction.hung:
                break
            more = self.endpoint.wait()
            reaction = _both(reaction, more)
            if not more.data:
                break
        rightly = not reaction.closed or self.oracle.may_close()
        if self.record and ((not forbidden and not unexplained and not settled) or reaction.hung):
            self._mark_missing(expected, reaction)
        ends = bool(rows) and all(isinstance(row.next, State) and self.role.is_final(row.next) for row in rows)
        refusable = any(isinstance(row.next, Abort) for row in rows)
        return Exchange(
            symbol, state, rows, expected, reaction, tuple(seen), tuple(unexplained), settled, rightly, ends, refusable
        )

    def role_reads(self, symbol: Symbol) -> bool:
        """Whether the table has a row of its own for the symbol here, in some possibility."""
        return any(not row.is_rest for here in self.oracle.configurations for row in self.role.enabled(here, symbol))

    def assume(self, oracle: Oracle, keys: KeyHypothesis) -> None:
        """Go on as if things stood as this oracle says, under these keys."""
        self.oracle.release()
        self.oracle = oracle
        self.peer.assume(keys)
        if self.record:
            at = max(index for index, step in enumerate(self.steps) if step.sender == TESTER)
            # The table demands a stop here; the chart goes on with the state that the hypothesis says.
            self.steps[at] = replace(self.steps[at], after={TARGET: oracle.state_text})

    def dispose(self) -> None:
        """Free what the connection holds."""
        self.endpoint.dispose()
        self.oracle.release()

    # ------------------------------------------------------------------------------------------------------ recording

    def _note_input(self, symbol: Symbol, data: bytes, rows: tuple[Row, ...], before: str, phase: str) -> None:
        defects = tuple(value.name.upper() for value in symbol.defects)
        forged = bool(rows) and all(row.is_violation for row in rows)
        sent = self.peer.sent
        self.steps.append(
            Step(
                len(self.steps) + 1,
                sender=TESTER,
                receiver=TARGET,
                layer=self.role.name.split(".")[0],
                message=symbol.message.name,
                facts=symbol.shown,
                defect=defects,
                fate=Fate.FORGED if forged else Fate.DELIVERED,
                detail=meaning_of(symbol) or (sent.detail if sent else ""),
                data=data,
                protection=sent.protection if sent else "",
                phase=phase,
                before={TARGET: before},
                after={TARGET: self.oracle.state_text},
                row=rows[0].id if rows else "",
                clause=binding_first(rows[0].clauses)[0].short if forged and rows[0].clauses else symbol.message.source,
                note=f"required: {demanded(rows[:1], self.role.name)}" if forged else "",
            )
        )

    def _note_output(
        self, item: Observation, before: str, rows: tuple[Row, ...], allowed: bool, phase: str = ""
    ) -> None:
        self.steps.append(
            Step(
                len(self.steps) + 1,
                sender=TARGET,
                receiver=TESTER,
                layer=self.role.name.split(".")[0],
                message=item.symbol.message.name,
                facts=item.symbol.shown,
                detail=item.detail,
                data=item.data,
                protection=item.protection,
                phase=phase or self._phase(),
                before={TARGET: before},
                after={TARGET: self.oracle.state_text},
                row=rows[0].id if rows else "",
                clause=item.symbol.message.source,
                verdict="" if allowed else "not allowed",
                note="" if allowed else _required(rows, self.role.name),
            )
        )

    def _mark_missing(self, expected: tuple[str, ...], reaction: Reaction) -> None:
        """The last step is where an answer is due that did not come: silence has no step of its own."""
        if not self.steps:
            return
        rows = [row for row in self.role.rows if row.id == self.steps[-1].row]
        came = f"the connection {'was closed' if reaction.closed else 'stays open'}; "
        if reaction.hung:
            came = f"{reaction.hung}; "
        due = _required(rows, self.role.name) or f"required: {' or '.join(expected) or 'to go on'}"
        self.steps[-1] = replace(self.steps[-1], verdict="the answer is missing", note=came + due)

    def _phase(self) -> str:
        phase = self.role.phase_of(self.oracle.states[0])
        return phase.key if phase else ""

    def trace(self, title: str, subtitle: str = "") -> Trace:
        """The conversation as a trace."""
        is_client = self.role.name.endswith(".client")
        lanes = (
            Lane(TARGET, self.target.name, self.role.title, "client" if is_client else "server"),
            Lane(TESTER, "tester", "plays the peer", "tester"),
        )
        return Trace(
            title,
            lanes if is_client else lanes[::-1],
            number_steps(self.steps),
            self.role.phases,
            subtitle,
            secrets=tuple(self.peer.key_log),
            meta={"role": self.role.name, "target": self.target.name, "setup": self.setup.text, **weak_in(self.steps)},
        )


def _required(rows: Sequence[Row], role: str) -> str:
    """What the table wants instead, with the clause that says so."""
    if not rows:
        return ""
    cited = f" ({binding_first(rows[0].clauses)[0].short})" if rows[0].clauses else ""
    return f"required: {demanded(rows, role)}{cited}"


def weak_in(steps: Iterable[Step]) -> dict[str, list[str]]:
    """For a trace's `meta`: the keys among those of the steps that anybody can compute."""
    used = {step.protection for step in steps}
    found = [keys.label for keys in WEAK_KEYS if keys.label in used]
    return {"weak": found} if found else {}


def calls_of(role: Role) -> tuple[Message, ...]:
    """The application's calls that the role's table reads, other than the one that opens."""
    named = {row.pattern.message: None for row in role.rows if row.kind is Kind.CALL}
    return tuple(message for message in named if message.name != "connect")
