"""A validator's verdict, told to the certificate table: what it found is the answer to each question of the table.

A validator reports every defect of a chain, each with the certificate at fault, and so does not stop where the table
does. Here its findings are put in the table's order, certificate by certificate, by the numbers of the checks and the
names of the defects, which both share. `verdict` says whether the table allows what the validator decided: it accepts
only where nothing has to be refused, and refuses only where something may be.

Validators also find what the table does not ask: `BEYOND` says what, and why an implementation may refuse for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509

from shakeproof.impl.x509 import Result
from shakeproof.impl.x509.checks import Outcome
from shakeproof.model import certificate_checks as checks
from shakeproof.model.certificate import certificate
from shakeproof.model.facts import ModelError, Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Abort, Row, State, Symbol

OF_AN_ISSUER = {"ISSUER_EXPIRED": checks.expired, "ISSUER_NOT_YET_VALID": checks.not_yet_valid}
"""Names that say with the defect whose it is -> the table's value: there, the certificate at hand says it."""


@dataclass(frozen=True)
class Beyond:
    """What a defect is that the table has no question for. phase: of the table, where it would belong."""

    phase: str
    why: str


BEYOND = {
    "EMPTY": Beyond("path", "there is no certificate to validate: a row of the TLS client"),
    "LEAF_IS_CA": Beyond("leaf", "the web's profile of the leaf, which section 6.1 does not look at"),
    "PROFILE": Beyond("form", "what section 4 tells issuers besides, and section 6.1 advises against checking"),
}
OF_THE_ANCHOR = Beyond("path", "the trust anchor's own certificate is no part of the path that section 6.1 checks")

ABOUT_THE_PATH = (checks.CHECK_SEARCH, checks.CHECK_CANDIDATES, checks.CHECK_ANCHOR)
LENGTH_MOST = 100
"""Certificates of one path that are told to the table; a validator's own bound is far below."""

Faults: TypeAlias = dict[tuple[int | None, Value], str]
"""Certificate and defect -> what the validator said of it."""


@dataclass(frozen=True)
class Told:
    """One answer. index: the certificate at hand, 0 the leaf, None for the path; row: what the table does with it.

    value: the defect that the validator found, None where it found none; text: what it said of it.
    """

    state: State
    index: int | None
    symbol: Symbol
    rows: tuple[Row, ...]
    value: Value | None = None
    text: str = ""

    @property
    def must_refuse(self) -> bool:
        """Whether the table leaves nothing but refusal."""
        return all(isinstance(row.next, Abort) for row in self.rows)

    @property
    def may_refuse(self) -> bool:
        """Whether the table allows to refuse."""
        return any(isinstance(row.next, Abort) for row in self.rows)

    @property
    def alerts(self) -> tuple[str, ...]:
        """The alerts that the table allows where it is refused, this project's own first."""
        return next((tuple(a.name for a in row.next.alerts) for row in self.rows if isinstance(row.next, Abort)), ())


def value_of(name: str) -> Value | None:
    """The table's value for a validator's defect; None for one that it has no question for. Raises ModelError."""
    found = OF_AN_ISSUER.get(name) or checks.DEFECTS.get(name.lower())
    if found is None and name not in BEYOND:
        raise ModelError(f"{name} is no defect of the certificate table, and BEYOND does not say what it is instead")
    return found


def told(result: Result, role: Role = certificate) -> Iterator[Told]:
    """Each question of the table with the validator's answer, up to where nothing is asked any more."""
    found: Faults = {}
    for defect in result.defects:
        value = value_of(defect.defect.name)
        if value is not None:
            of_path = any(value in checks.CHECK_OF[state].values for state in ABOUT_THE_PATH)
            found.setdefault((None if of_path else defect.certificate_index, value), defect.explanation)
    asks_status = any(step.number == 24 and step.outcome is not Outcome.NOT_RUN for step in result.trace)
    call = checks.validate.symbol(checks.asked if asks_status else checks.unasked)
    here = _after(role, role.start, call)
    index = top_of(result)
    for _ in range(LENGTH_MOST * len(checks.ASKS)):
        state = here.state
        if state not in checks.ASKS:
            return
        at = None if state in ABOUT_THE_PATH else index
        value, text = _fault(role, here, found, at)
        symbol = _symbol(state, result, at, value)
        rows = tuple(role.enabled(here, symbol))
        yield Told(state, at, symbol, rows, value, text)
        onward = next((row for row in rows if not isinstance(row.next, Abort)), None)
        if onward is None:
            return
        here = role.apply(onward, here, symbol)[0]
        if here.state is checks.CHECK_ENCODING and at is not None:
            index = at - 1
    raise ModelError(f"the table is not done after {LENGTH_MOST} certificates: the chain has {len(result.path)}")


def top_of(result: Result) -> int:
    """The index of certificate 1: the highest below the trust anchor; the leaf's where the path has nothing else."""
    given = [step.certificate_index for step in result.trace if step.certificate_index is not None]
    top = max([len(result.path) - 1, *given, 0])
    anchored = any(step.number == 7 and step.outcome is Outcome.PASSED for step in result.trace)
    return max(top - 1, 0) if anchored else top


def _after(role: Role, here: Configuration, symbol: Symbol) -> Configuration:
    return role.apply(role.enabled(here, symbol)[0], here, symbol)[0]


def _fault(role: Role, here: Configuration, found: Faults, at: int | None) -> tuple[Value | None, str]:
    """What the validator found wrong there; of several, what has to be refused comes first."""
    message = checks.ASKS[here.state]
    values = [value for (index, value) in found if index == at and value.fact in message.facts]
    if not values:
        return None, ""
    forced = [v for v in values if all(isinstance(r.next, Abort) for r in role.enabled(here, message.symbol(v)))]
    chosen = (forced or values)[0]
    return chosen, found[at, chosen]


def _symbol(state: State, result: Result, index: int | None, value: Value | None) -> Symbol:
    """The answer. Whether certificates came that are of no use, a result does not say: either way it goes on."""
    said = [value] if value is not None else []
    if state is checks.CHECK_ISSUER_NAME and value is None:
        said = [checks.issuer if index else checks.leaf, _issued(result.path, index or 0)]
    return checks.ASKS[state].symbol(*said)


def _issued(path: Sequence[bytes], index: int) -> Value:
    """Whether the certificate issued itself; one that can't be read did not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what `cryptography` tolerates today, a negative serial number for one
        try:
            found = x509.load_der_x509_certificate(path[index])
            return checks.self_issued if found.issuer == found.subject else checks.by_another
        except (ValueError, IndexError):
            return checks.by_another


def beyond(result: Result) -> list[tuple[Beyond, str]]:
    """The validator's reasons that the table has no question for, each with what the validator said."""
    top = top_of(result)
    return [
        (BEYOND.get(defect.defect.name, OF_THE_ANCHOR), defect.explanation)
        for defect in result.defects
        if value_of(defect.defect.name) is None or (defect.certificate_index or 0) > top
    ]


def verdict(result: Result, role: Role = certificate) -> str:
    """Why the table does not allow what the validator decided, or the alert it chose; "" where it does."""
    answers = list(told(result, role))
    refused = next((answer for answer in answers if answer.must_refuse), None)
    if result.accepted:
        return f"accepted in spite of {refused.symbol.text} in {refused.state.name}" if refused else ""
    refusable = [answer for answer in answers if answer.may_refuse]
    if beyond(result):
        return ""
    if not refusable:
        return f"refused ({result.explanation}), and the table has nothing to refuse"
    # The first defect ends validation in the table; a validator that goes on may speak of a later one.
    allowed = {alert for answer in refusable for alert in answer.alerts} | _later_alerts(result, role)
    if result.alert not in allowed:
        return f"refused with {result.alert}; the table allows {', '.join(sorted(allowed))}"
    return ""


def _later_alerts(result: Result, role: Role) -> set[str]:
    """The alerts of all that the validator found, wherever the table would have stopped."""
    values = [value_of(defect.defect.name) for defect in result.defects]
    rows = [row for row in role.rows for value in values if value in row.pattern.guards]
    return {alert.name for row in rows if isinstance(row.next, Abort) for alert in row.next.alerts}
