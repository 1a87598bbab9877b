"""Named properties: what must hold in every run, whoever is on the network.

A property that does not hold raises a `PropertyViolation`, of a class of its own: Hypothesis compares failures by
class, so that shrinking stays on one bug. The checks here look at ledgers, in which whoever watches both ends
of a connection writes down what each end sent, accepted and agreed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.model.messages import ApplicationData, Certificate, Finished, ServerHello, ServerKeyExchange, resumed
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.findings import Grade
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.tls12 import Observation
from shakeproof.properties.verdicts import Problem

CLIENT_FOLLOWS_TABLE = "client-follows-table"
SERVER_FOLLOWS_TABLE = "server-follows-table"
TCP_FOLLOWS_TABLE = "tcp-follows-table"
DATA_INTACT = "data-intact"
SERVER_AUTHENTICATED = "server-authenticated"
NOTHING_IN_THE_CLEAR = "nothing-in-the-clear"
AGREEMENT = "agreement"
COMPLETION = "completion"
CLEAN_FAILURE = "clean-failure"
OFF_PATH_HARMLESS = "off-path-harmless"
CHAIN_JUDGED = "chain-judged"
CHAIN_UNMOVED = "chain-unmoved"
CHAIN_CLOCK = "chain-clock"
CHAIN_DAMAGE = "chain-damage"
CHAIN_BUDGET = "chain-budget"
CHAIN_AGREED = "chain-agreed"

PROPERTIES: dict[str, str] = {
    CLIENT_FOLLOWS_TABLE: "whatever reaches it, our client answers as the table tls12.client allows",
    SERVER_FOLLOWS_TABLE: "whatever reaches it, our server answers as the table tls12.server allows",
    TCP_FOLLOWS_TABLE: "whatever reaches it, our TCP answers as the table tcp allows",
    DATA_INTACT: "application data arrives exactly once, in order and unaltered, or the connection fails",
    SERVER_AUTHENTICATED: "a client sends application data only to a server that it has authenticated",
    NOTHING_IN_THE_CLEAR: "nobody sends anything in the clear after ChangeCipherSpec",
    AGREEMENT: "two sides that both finish agree on keys, cipher suite and every message of the handshake",
    COMPLETION: "where nobody attacks, every run ends with the response delivered",
    CLEAN_FAILURE: "an endpoint raises nothing but RemoteProtocolError, whatever reaches it",
    OFF_PATH_HARMLESS: "whoever does not see a connection can neither close nor alter it (reading rfc5961)",
    CHAIN_JUDGED: "a chain is accepted if one path of it has no defect, else refused for exactly the defects it has",
    CHAIN_UNMOVED: "certificates that are sent besides, in whatever order, change no verdict",
    CHAIN_CLOCK: "a clock that crosses the end of a validity period changes what is said of that period, and no more",
    CHAIN_DAMAGE: "an octet changed in a certificate of the only path is a defect",
    CHAIN_BUDGET: "the search for a path ends within its budget of signatures",
    CHAIN_AGREED: "the verdict is cryptography's, but for a list of differences with their reasons",
}
"""Every property by name, with what it says."""


class PropertyViolation(AssertionError):  # noqa: N818  # the word of the field
    """A property does not hold: what came, what was expected, and where that stands.

    property: its name; clause: the section that demands it; sentence: the quoted sentence, "" where there is none;
    judged: the state and the message of the one input that was judged, where there is one; then title, input, expected
    and got are as a finding has them.
    """

    judged: tuple[str, str] | None = None
    title = input = expected = got = ""

    def __init__(self, text: str, *, property: str, clause: str = "", sentence: str = "") -> None:
        self.text, self.property, self.clause, self.sentence = text, property, clause, sentence
        where = f"\n{clause}: {sentence}" if sentence else (f" ({clause})" if clause else "")
        super().__init__(f"{property}: {text}{where}")


class WentOn(PropertyViolation):
    """It went on after something that forbids it."""


class RefusedValid(PropertyViolation):
    """It refused what is legal."""


class WrongOutput(PropertyViolation):
    """It sent what no possible state allows."""


class Deviated(PropertyViolation):
    """It stopped, or ignored what is forbidden, but not as the table demands."""


class Crashed(PropertyViolation):
    """It raised something else than a RemoteProtocolError."""


class Hung(PropertyViolation):
    """It owes an answer and gives none."""


class Distinguished(PropertyViolation):
    """It answers differently what must be answered alike."""


class Unadvised(PropertyViolation):
    """It does not do what a standard recommends, or has no limit where we expect one."""


class NotIntact(PropertyViolation):
    """Application data was lost, repeated, reordered or altered, and nobody noticed."""


class NotAuthenticated(PropertyViolation):
    """Application data went to a server that was not authenticated."""


class InTheClear(PropertyViolation):
    """Something was sent in the clear after ChangeCipherSpec."""


class Disagreed(PropertyViolation):
    """Both sides finished, and do not agree."""


class Swayed(PropertyViolation):
    """Somebody who does not see the connection closed or altered it."""


class Incomplete(PropertyViolation):
    """Nobody attacked, and the run did not end well."""


_BY_GRADE: dict[Grade, type[PropertyViolation]] = {
    Grade.CRASH: Crashed,
    Grade.HANG: Hung,
    Grade.WENT_ON: WentOn,
    Grade.REFUSED_VALID: RefusedValid,
    Grade.WRONG_OUTPUT: WrongOutput,
    Grade.DISTINGUISHES: Distinguished,
    Grade.DEVIATION: Deviated,
    Grade.WARNING: Unadvised,
}


def grade_of(found_as: str) -> str:
    """The grade of a violation, by the name of its class; for those that no audit grades, what they say."""
    for grade, kind in _BY_GRADE.items():
        if kind.__name__ == found_as:
            return grade.value
    return "FAIL property"


def follows_table(role: str) -> str:
    """The property that says that an endpoint in that role follows its table."""
    return CLIENT_FOLLOWS_TABLE if role.endswith("client") else SERVER_FOLLOWS_TABLE


def violation_of(problem: Problem, role: str) -> PropertyViolation | None:
    """What a verdict on one step means as a violation; None for grades that accuse nobody."""
    kind = _BY_GRADE.get(problem.grade)
    if kind is None:
        return None
    exchange = problem.exchange
    came = f"got {exchange.symbol.text}" if exchange.symbol is not None else "made a call"
    expected = problem.expected or " or ".join(exchange.expected) or "nothing"
    followed = f"; {problem.why}" + (f" ({problem.how})" if problem.how else "")
    text = f"{role} in {exchange.state} {came}, expected {expected}, but it sent {exchange.got}{followed}"
    name = CLEAN_FAILURE if kind is Crashed else follows_table(role)
    clause = problem.clause
    violation = kind(
        text, property=name, clause=clause.reference if clause else "", sentence=clause.sentence if clause else ""
    )
    if exchange.symbol is not None:
        violation.judged = (exchange.state, exchange.symbol.message.name)
        violation.input, violation.expected = exchange.symbol.text, expected
        violation.title = f"{exchange.symbol.text} in {exchange.state}: {problem.why}"
        violation.got = f"{exchange.got}; afterwards: {problem.why} ({problem.how})" if problem.how else exchange.got
    return violation


# ------------------------------------------------------------------------------------------------------------- ledgers


@dataclass
class Ledger:
    """What one end did, as far as somebody who watches everything can tell.

    written: what its application wrote; accepted: what it gave to its application; heard: what reached it, as it can
    tell; said: what it sent; key_log: what it logged; suite, transcript: as it has them; finished: it completed the
    handshake; rounds: how many it completed; ended: the peer's close_notify came; switched: it sent ChangeCipherSpec;
    knows: the server had proved itself to it before, in the session that it offers to resume.
    """

    side: str
    written: bytearray = field(default_factory=bytearray)
    accepted: bytearray = field(default_factory=bytearray)
    heard: list[Symbol] = field(default_factory=list)
    key_log: list[str] = field(default_factory=list)
    suite: CipherSuite | None = None
    transcript: tuple[bytes, ...] = ()
    finished: bool = False
    rounds: int = 0
    ended: bool = False
    switched: bool = False
    knows: bool = False

    @property
    def masters(self) -> list[str]:
        """The master secret of the last handshake that it completed, as it was logged."""
        return self.key_log[: self.rounds][-1:] if self.rounds else self.key_log[-1:]


def check_intact(receiver: Ledger, sender: Ledger) -> None:
    """What the receiver's application got is the beginning of what the sender's wrote; all of it after close_notify."""
    got, wrote = bytes(receiver.accepted), bytes(sender.written)
    if not wrote.startswith(got):
        at = next((i for i, (a, b) in enumerate(zip(got, wrote, strict=False)) if a != b), len(wrote))
        raise NotIntact(
            f"the {receiver.side} accepted {len(got)} bytes of application data that differ from what the "
            f"{sender.side} wrote from byte {at} on; expected exactly what was written, or a connection that fails",
            property=DATA_INTACT,
            clause="RFC 5246 section 6.2.3",
        )
    if receiver.ended and len(got) < len(wrote):
        raise NotIntact(
            f"the {receiver.side} took close_notify for the end of the data after {len(got)} of {len(wrote)} bytes; "
            "expected a fatal alert, because records are missing",
            property=DATA_INTACT,
            clause="RFC 5246 section 7.2.1",
        )


_PROVED_BY = {
    Certificate: "RFC 5246 section 7.4.2",
    ServerKeyExchange: "RFC 8422 section 5.4",
    Finished: "RFC 5246 section 7.4.9",
}
"""Where it stands what each proof of the server is worth."""


def check_authenticated(client: Ledger, said: Sequence[Observation]) -> None:
    """Application data leaves the client only after a sound chain, sound parameters and a matching Finished; where a
    session is resumed, after Finished alone, which nobody else could make.
    """
    if not any(item.symbol.message is ApplicationData for item in said):
        return
    proofs = [symbol for symbol in client.heard if symbol.message in (Certificate, ServerKeyExchange, Finished)]
    bad = next((symbol for symbol in proofs if symbol.defects), None)
    hellos = [symbol for symbol in client.heard if symbol.message is ServerHello]
    needed: tuple[Message, ...] = (Certificate, Finished)
    if client.knows and any(symbol.has(resumed) for symbol in hellos):
        needed = (Finished,)
    missing = [m.name for m in needed if all(symbol.message is not m for symbol in proofs)]
    if bad is None and not missing:
        return
    wrong = f"it had accepted {bad.text}" if bad is not None else f"there had been no {missing[0]}"
    raise NotAuthenticated(
        f"the client sent application data although {wrong}; expected a fatal alert instead of data",
        property=SERVER_AUTHENTICATED,
        clause=_PROVED_BY.get(bad.message if bad is not None else Finished, ""),
    )


def check_nothing_in_the_clear(ledger: Ledger, said: Sequence[Observation]) -> None:
    """Every record after the ChangeCipherSpec is protected."""
    for item in said:
        if ledger.switched and item.keys is Keys.NONE:
            raise InTheClear(
                f"the {ledger.side} sent {item.symbol.text} in the clear after its ChangeCipherSpec; expected only "
                "protected records",
                property=NOTHING_IN_THE_CLEAR,
                clause="RFC 5246 section 7.1",
            )
        if item.symbol.message.name == "ChangeCipherSpec":
            ledger.switched = True


def check_agreement(client: Ledger, server: Ledger) -> None:
    """Where both have finished, and as often: the same keys, the same suite, the same messages."""
    if not (client.finished and server.finished) or client.rounds != server.rounds:
        return
    for what, ours, theirs in (
        ("master secret", client.masters, server.masters),
        ("cipher suite", client.suite, server.suite),
        ("transcript", client.transcript, server.transcript),
    ):
        if ours != theirs:
            raise Disagreed(
                f"both sides finished, and have another {what} each; expected a failed handshake on one side at least",
                property=AGREEMENT,
                clause="RFC 5246 section 7.4.9",
            )


def check_completion(client: Ledger, server: Ledger) -> None:
    """Nobody attacked: both finished, and all data arrived."""
    for ledger in (client, server):
        if not ledger.finished:
            raise Incomplete(
                f"nobody attacked, and the {ledger.side} did not finish the handshake; expected a connection",
                property=COMPLETION,
                clause="RFC 5246 section 7.3",
            )
    for receiver, sender in ((server, client), (client, server)):
        if receiver.accepted != sender.written:
            raise Incomplete(
                f"nobody attacked, and the {receiver.side} got {len(receiver.accepted)} of {len(sender.written)} bytes "
                f"that the {sender.side} wrote; expected all",
                property=COMPLETION,
                clause="RFC 5246 section 10",
            )
