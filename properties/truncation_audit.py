"""What a client program makes of data that may be cut off, as far as its exit status tells.

What an application is told of the end of the data can't be seen from outside. But a program that ends with its
connection says with its exit status whether all went well. Where it is 0 after a response that close_notify ends, and 0
too where the transport ends behind that response with no close_notify, the program takes for whole what may be cut off;
unless its status tells nothing, so that it must not be 0 where a record that nobody can have sent follows the same
response, nor where the handshake is to be refused.

The response has no length, so that nothing but the end of the connection says where it ends. It is a warning, no
failure: "must" is in lower case in RFC 5246 section 7.2.1, RFC 9112 section 9.8 states without a keyword that such a
response is complete only with a closure alert, and the status is the program's word, not that of its TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.messages import Record, bad_mac, untrusted
from shakeproof.model.notation import Symbol
from shakeproof.model.trace import Step
from shakeproof.properties.chain_audit import word_for
from shakeproof.properties.confirmation import confirm
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.conversation import TRANSPORT_END, Conversation
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.reasons import way_text
from shakeproof.properties.suites import CLOSE_NOTIFY, DATA, Word, truncations, whole
from shakeproof.properties.targets.base import Setup, Target
from shakeproof.properties.tasks import Found, Partial, Said
from shakeproof.properties.verdicts import Problem

EXITED = "exited"
"""What the check is named by, after its row."""
RESPONSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"
"""Of no length: it ends where the connection does."""
UNENDED = "the target does not end with its connection, so that no exit status tells what it made of the data"
EARLY = "the target ends the connection itself when it has the response: it waits for no end of the data"
REQUIRED = "another exit status than after a close_notify: data may be missing"


@dataclass(frozen=True)
class Control:
    """A connection whose exit status is known where the status tells anything.

    word, behind: what is sent before the transport ends; what: in words; succeeds: whether the status is to be 0.
    """

    word: Word
    behind: tuple[Symbol, ...]
    what: str
    succeeds: bool


class StatusRunner(Runner):
    """Runs words whose data only the end of the connection ends, and reads the exit status of the program."""

    def open(self, record: bool = False) -> Conversation:
        talk = super().open(record)
        talk.peer.context.options = replace(talk.peer.context.options, application_data=RESPONSE)
        return talk

    def run(self, word: Word, *, record: bool = False) -> Outcome:
        """Run the word, which ends with the transport, and judge the exit status."""
        talk = self.open(record)
        try:
            return self._ended(word, talk)
        finally:
            talk.dispose()

    def _ended(self, word: Word, talk: Conversation) -> Outcome:
        refused = self.prefix_fails(word, talk)
        if refused is not None:
            return Outcome(unreached=way_text(refused), conversation=talk)
        exchange = self.send_last(word, talk)
        if isinstance(exchange, Outcome):
            return exchange
        if exchange.stopped:
            return Outcome(untold=EARLY, conversation=talk, exchange=exchange)
        end = talk.end()
        end = replace(end, rows=tuple(self.role.enabled(word.configuration, CLOSE_NOTIFY)))
        if end.reaction.crashed:
            return Outcome(Problem(Grade.CRASH, end, "it died", reading=EXITED), conversation=talk, exchange=end)
        status = talk.endpoint.exit_status()
        if status is None:
            return Outcome(untold=UNENDED, conversation=talk, exchange=end)
        said = f"ended with exit status {status}"
        for at in _ends(talk.steps):
            talk.steps[at] = replace(talk.steps[at], detail=f"the target {said}")
        if status:
            return Outcome(conversation=talk, exchange=end, observed=(said,))
        problem = Problem(
            Grade.WARNING, end, f"{said}, as after a close_notify: data that may be cut off passes for all there is",
            reading=EXITED, authority=self.truncation, required=REQUIRED,
        )  # fmt: skip
        return Outcome(problem, conversation=talk, exchange=end, observed=(said,))

    def status_after(self, control: Control) -> tuple[int | None, str]:
        """The exit status after the control's inputs and the transport's end; None and why, where there is none."""
        talk = self.open()
        try:
            refused = self.prefix_fails(control.word, talk)
            if refused is not None:
                return None, way_text(refused)
            over = False
            for symbol in (control.word.symbol, *control.behind):
                meaningless = EARLY if over else talk.peer.applicable(symbol)
                if meaningless:
                    return None, meaningless
                over = talk.send(symbol).stopped
            talk.end()
            return talk.endpoint.exit_status(), UNENDED
        finally:
            talk.dispose()


def is_heard(target: Target, role: str, before: tuple[Setup, ...]) -> bool:
    """Whether exit statuses are read in the setup: of programs that are clients, in the first one."""
    return target.is_probed and target.has_exit_status and role.endswith(".client") and not before


def is_shown_by_status(word: Word) -> bool:
    """Whether what the application is told behind the word is for exit statuses to show."""
    return word.symbol == DATA and word.ends


def hear_status(runner: Runner, deadline: float, partial: Partial, say: Callable[[Said], None]) -> None:
    """Learn whether the exit status tells anything, and what it tells of data that may be cut off; once a task."""
    word = _truncation(runner.role, runner.setup)
    if word is None:
        return
    if not partial.heard:
        if monotonic() > deadline:
            partial.leave_beside(word.cell)
            return
        partial.unheard, finding = _heard(runner, word)
        partial.heard = True
        partial.words += not partial.unheard
        if finding is not None:
            partial.findings.append(finding)
            say(Found(partial.task, finding))
    if partial.unheard:
        partial.leave_beside(word.cell, partial.unheard)


def _heard(runner: Runner, word: Word) -> tuple[str, Finding | None]:
    """Why nothing could be heard, "" where it could; and the finding, where there is one."""
    one = StatusRunner(runner.target, runner.role, runner.setup, runner.seed)
    sound, *others = controls(runner.role, runner.setup, word)
    why = _says_nothing(one, sound)
    if why:
        return why, None
    outcome = one.run(word)
    if outcome.problem is None:
        return outcome.untold or outcome.unreached, None
    # Whoever exits with another status here minds; of one that does not, it has to be seen that it ever does.
    why = next(filter(None, (_says_nothing(one, control) for control in others)), "")
    return why, told(confirm(one, word, outcome.problem)) if not why else None


def _truncation(role: Role, setup: Setup) -> Word | None:
    """The word whose data is all that comes before the end of the transport."""
    return next((word for word in truncations(role, whole(role, setup)) if is_shown_by_status(word)), None)


def controls(role: Role, setup: Setup, word: Word) -> tuple[Control, ...]:
    """What shows whether the exit status tells anything about the end of that word's data."""
    forged = next(one for one in role.symbols if one.message is Record and one.has(bad_mac))
    alien = word_for(role, setup, untrusted)
    found = (
        Control(word, (CLOSE_NOTIFY,), "a response that close_notify ends", succeeds=True),
        Control(word, (forged,), "a response with a forged record behind it", succeeds=False),
    )
    if alien is None:
        return found
    return (*found, Control(alien, (), "a chain that leads to no trust anchor", succeeds=False))


def _says_nothing(runner: StatusRunner, control: Control) -> str:
    """Why the exit status of the target tells nothing; "" where it is as it has to be after the control."""
    status, why = runner.status_after(control)
    if status is None:
        return why
    if (status == 0) is not control.succeeds:
        return f"the exit status of the target tells nothing: it is {status} after {control.what}"
    return ""


def told(finding: Finding) -> Finding:
    """The finding, which says what the exit status was, and marks where it shows; it is about a recommendation."""
    steps = list(finding.trace.steps)
    got = finding.got
    for at in _ends(steps):
        got = steps[at].detail or got
        steps[at] = replace(steps[at], verdict=finding.grade.value, note=f"required: {REQUIRED}", clause=finding.clause)
    return replace(
        finding,
        title=f"no close_notify behind the data: {finding.title.partition(': ')[2]}",
        got=got,
        level=Level.SHOULD.value,
        trace=replace(finding.trace, steps=tuple(steps)),
    )


def _ends(steps: Sequence[Step]) -> list[int]:
    """Where the transport ends; what the target says after it may follow."""
    return [at for at, step in enumerate(steps) if step.message == TRANSPORT_END]


def is_of_status(finding: Finding) -> bool:
    """Whether the finding rests on an exit status."""
    return finding.check.endswith(f"-{EXITED.upper()}")
