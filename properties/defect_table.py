"""What a stack makes of each defect of a certificate in a handshake: verdict and alert, beside what is demanded.

Each defect is a word of the suites; here they run by themselves, so that the answer to each can be shown, also where
it is the right one. Where the standards leave the verdict open, or only recommend one, the table says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    CHAIN,
    Alert,
    Certificate,
    CertificateVerify,
    ServerKeyExchange,
    accompanied,
    broken_chain,
    empty_chain,
    forged_signature,
    trusted,
    unproven,
    wrong_key_type,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.suites import Word, whole
from shakeproof.properties.targets.base import Target

SOUND = (Certificate.symbol(trusted), Certificate.symbol(trusted, accompanied))
"""The controls: whoever refuses the first refuses everything, and the second is to be accepted too."""

IN_PROCESS = ("shakeproof", "openssl")
"""The stacks of which the table is always at hand."""

OF_NO_CHAIN = (empty_chain, broken_chain, wrong_key_type)
"""Defects of the message, or of the choice of a certificate, and not of a chain."""


@dataclass(frozen=True)
class Answer:
    """What a target made of one defect.

    defect: its name in capitals, as findings have it; accepted: it went on; alert: the name of the alert, "" for none;
    grade: the verdict of an audit, "" where it does as demanded; level: of the row that demands it; clause: its
    authority, "" for none.
    """

    target: str
    role: str
    defect: str
    accepted: bool
    alert: str
    grade: str
    level: str
    clause: str

    @property
    def sentence(self) -> str:
        """The answer in words."""
        verdict = "accepted" if self.accepted else f"refused with {self.alert or 'no alert'}"
        if self.grade:
            return f"{verdict} · {self.grade} · {self.level} · {self.clause}"
        if self.level == Level.MAY.value:
            return f"{verdict} · left to the {self.role.partition('.')[2]} · {self.clause}"
        return f"{verdict} · as it {'should' if self.level == Level.SHOULD.value else 'must'} · {self.clause}"


def symbols_of(role: Role) -> list[Symbol]:
    """The sound chain, each defect of a chain, and the proof that does not verify."""
    defects: list[Value] = [value for value in CHAIN.defects if value not in OF_NO_CHAIN]
    server = role.name.endswith("server")
    proof = CertificateVerify.symbol(unproven) if server else ServerKeyExchange.symbol(forged_signature)
    return [*SOUND, *(Certificate.symbol(value) for value in defects), proof]


def answers(target: Target, role_name: str, seed: int = 0) -> Iterator[Answer]:
    """What the target makes of each defect, in the first setup in which it says anything."""
    role = ROLES[role_name]
    wanted = dict.fromkeys(symbols_of(role))
    for setup in target.setups(role_name):
        words = [word for word in whole(role, setup) if word.symbol in wanted and is_expected(role, word)]
        if not words:
            continue
        runner = Runner(target, role, setup, seed)
        for word in words:
            if word.symbol not in wanted:
                continue
            outcome = runner.run(word)
            if not outcome.unreached and not outcome.meaningless:
                del wanted[word.symbol]
                yield answer_of(target, role, word, outcome)


def is_expected(role: Role, word: Word) -> bool:
    """Whether the message itself is expected there, so that only what is wrong with it can be objected to."""
    rows = role.enabled(word.configuration, word.symbol.message.symbol())
    return any(not row.is_violation for row in rows)


def answer_of(target: Target, role: Role, word: Word, outcome: Outcome) -> Answer:
    """One answer."""
    assert outcome.exchange is not None
    name = ", ".join(value.name.upper() for value in word.symbol.defects) or "(none: sound)"
    if word.symbol.message is Certificate and word.symbol.has(accompanied):
        name = "(none: sound, and accompanied)"
    if word.symbol.message is not Certificate:
        name = f"{word.symbol.message.name} {name}"
    alerts = [item.symbol for item in outcome.exchange.seen if item.symbol.message is Alert]
    values = [value.name for symbol in alerts for value in symbol.message.facts[1].values if symbol.has(value)]
    problem = outcome.problem
    rows = problem.exchange.rows if problem is not None and problem.exchange.rows else outcome.exchange.rows
    row = rows[0]
    clauses = role.quotes.resolve(row.authority, role.name) if row.authority is not None else ()
    return Answer(
        target.name,
        role.name,
        name,
        accepted=not outcome.exchange.stopped,
        alert=values[0] if values else "",
        grade=problem.grade.value if problem is not None else "",
        level=row.level.value,
        clause=clauses[0].reference if clauses else "",
    )
