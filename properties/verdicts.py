"""Verdicts: what a step says about a target.

A step that the oracle allows is fine. Otherwise the grade depends on what the input was and what came of it (the table
of grades is in ARCHITECTURE.md). Where only what follows can grade a step, its problem is pending.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shakeproof.model.clauses import Clause, Level
from shakeproof.model.facts import Value
from shakeproof.model.messages import Alert, Certificate
from shakeproof.model.notation import Abort, Row
from shakeproof.model.oracle import Oracle
from shakeproof.properties.conversation import Exchange
from shakeproof.properties.demands import binding_first
from shakeproof.properties.findings import Grade

ALERTS = "7.2"
"""RFC 5246's section on alerts: it says how a fault is answered, and is named only where no other clause is."""

AFTERWARDS = "afterwards"
"""What checks of inputs behind the end of a connection are named by."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a step, before it is confirmed.

    pending: only what follows can grade it. how: the hypothesis that fits what followed, for the title. reading: the
    reading of ours that it is a problem by, where no RFC says so, or what else the check is named by. authority,
    required: what it rests on, and what had to come, where that is not what the row says.
    """

    grade: Grade
    exchange: Exchange
    why: str
    how: str = ""
    pending: bool = False
    reading: str = ""
    authority: Clause | None = None
    required: str = ""

    @property
    def expected(self) -> str:
        """What had to come, in words; "" where no row says so."""
        return self.required or (self.row.outcome if self.row else "")

    @property
    def row(self) -> Row | None:
        """The row that was broken."""
        return self.exchange.rows[0] if self.exchange.rows else None

    @property
    def check(self) -> str:
        """The stable id: the row's code; for `rest` with the message that it was about."""
        row = self.row
        if row is None:
            return "HONEST-HANDSHAKE"
        symbol = self.exchange.symbol
        code = f"{row.code}-{symbol.message.name.upper()}" if row.is_rest and symbol else row.code
        return f"{code}-{self.reading.upper()}" if self.reading else code

    @property
    def clause(self) -> Clause | None:
        """The clause that was broken, one that binds the target if there is one; where only the alert is another one,
        the clause that names the alert.
        """
        if self.authority is not None:
            return self.authority
        clauses = self.row.clauses if self.row else ()
        if self.grade is not Grade.WRONG_OUTPUT:  # what it sends, clauses for senders bind it to
            clauses = tuple(binding_first(clauses))
        if self.grade is Grade.DEVIATION and self.exchange.stopped and self.row is not None:
            alerts = [alert.name for alert in alerts_of((self.row,))]
            naming = [clause for clause in clauses if any(alert in clause.sentence for alert in alerts)]
            if naming:
                return naming[0]
            clauses = tuple(sorted(clauses, key=lambda clause: not clause.section.startswith(ALERTS)))
            return next((clause for clause in clauses if clause.sentence), clauses[0] if clauses else None)
        return next(iter(telling(clauses)), clauses[0] if clauses else None)


def telling(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Those that say what a fault is. An alert's own section says how it is answered, which binds the target too."""
    return tuple(clause for clause in clauses if clause.sentence and not clause.section.startswith(ALERTS))


def judge(exchange: Exchange, before: Oracle) -> Problem | None:
    """What is wrong with the step; None where nothing is. before: the oracle as it was before the input."""
    problem = _judge(exchange, before)
    return problem if problem is None or problem.pending else by_level(problem)


def by_level(problem: Problem) -> Problem:
    """A recommendation that is not followed is a warning, whatever came of it, if it is known that anything did: but
    that it dies or hangs, which nothing recommends.
    """
    rows = problem.exchange.rows
    if problem.exchange.reaction.crashed or problem.exchange.reaction.hung:
        return problem
    advice = bool(rows) and all(row.level is Level.SHOULD for row in rows)
    return replace(problem, grade=Grade.WARNING) if advice and problem.grade is not Grade.INCONCLUSIVE else problem


def _judge(exchange: Exchange, before: Oracle) -> Problem | None:
    if exchange.reaction.crashed:
        return Problem(Grade.CRASH, exchange, "it died")
    if exchange.reaction.hung:
        return Problem(Grade.HANG, exchange, exchange.reaction.hung)
    if exchange.symbol is not None and not exchange.rows:
        return None
    if exchange.forbidden:
        return _judge_forbidden(exchange, before)
    if exchange.progress:
        return Problem(
            Grade.WRONG_OUTPUT, exchange, f"sent {exchange.progress[0].symbol.text}, which is not allowed here"
        )
    if exchange.unexplained or not exchange.closes_rightly:
        bare = exchange.got == "closed"
        ended = "closed without an alert" if bare else f"with {exchange.got}"
        if exchange.ends:
            how = "closed the connection without an alert" if bare else f"ended the connection, but with {exchange.got}"
            return Problem(Grade.DEVIATION, exchange, how)
        if exchange.refusable:
            return Problem(Grade.DEVIATION, exchange, f"refused it, as it may, but {ended}")
        return Problem(Grade.REFUSED_VALID, exchange, "refused a legal input")
    if not exchange.settled:
        if exchange.reaction.exact:
            return Problem(Grade.HANG, exchange, "owes an answer and gives none")
        return Problem(Grade.INCONCLUSIVE, exchange, "no answer in time; silence that only a timer tells from slowness")
    return None


def _judge_forbidden(exchange: Exchange, before: Oracle) -> Problem | None:
    if exchange.reaction.delivered:
        return Problem(Grade.WENT_ON, exchange, "accepted application data")
    if exchange.progress:
        if explains(before, exchange):
            return Problem(Grade.DEVIATION, exchange, "ignored it", pending=not exchange.stopped)
        if is_about_certificate(exchange) and not exchange.carries_data:
            return Problem(
                Grade.DEVIATION, exchange, "went on, short of application data", pending=not exchange.stopped
            )
        return Problem(Grade.WENT_ON, exchange, f"answered with {exchange.progress[0].symbol.text}")
    if not exchange.unexplained and exchange.settled:
        return None
    if exchange.stopped:
        alerts = [item.symbol for item in exchange.seen if item.symbol.message is Alert]
        why = f"stopped with {alerts[0].text}" if alerts else "closed without an alert"
        return Problem(Grade.DEVIATION, exchange, why)
    return Problem(Grade.DEVIATION, exchange, "stayed silent", pending=True)


def afterwards(ended: Exchange, exchange: Exchange) -> Problem | None:
    """What is wrong with the answer to an input behind the end of the connection: closed is closed.

    ended: the step that ended it. A further alert is no answer: it lets nothing happen.
    """
    said = [item.symbol for item in exchange.seen if item.symbol.message is not Alert]
    if exchange.reaction.crashed:
        why, grade = "it died, after the end of the connection", Grade.CRASH
    elif exchange.reaction.hung:
        why, grade = f"{exchange.reaction.hung}, after the end of the connection", Grade.HANG
    elif exchange.reaction.delivered:
        why, grade = "accepted application data after the end of the connection", Grade.WENT_ON
    elif said:
        why, grade = f"answered with {said[0].text} after the end of the connection", Grade.WENT_ON
    else:
        return None
    shown = replace(exchange, rows=ended.rows)
    return Problem(grade, shown, why, reading=AFTERWARDS, required="nothing: the connection is over")


def is_about_certificate(exchange: Exchange) -> bool:
    """Whether the input's defect is one of a certificate: some stacks check it after Finished."""
    return exchange.symbol is not None and exchange.symbol.message is Certificate and bool(exchange.symbol.defects)


def explains(before: Oracle, exchange: Exchange) -> bool:
    """Whether all that came out fits what was allowed before the input."""
    other = before.fork()
    fits = all(other.send(item.symbol) for item in exchange.seen if item.symbol.message is not Alert)
    other.release()
    return fits


def alerts_of(rows: tuple[Row, ...]) -> tuple[Value, ...]:
    """The alerts that the rows allow."""
    return tuple(alert for row in rows if isinstance(row.next, Abort) for alert in row.next.alerts)
