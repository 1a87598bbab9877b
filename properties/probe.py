"""What a target takes part in, found out before it is audited: nobody configures anything by hand.

Each setup gets one honest connection with data both ways. A setup in which the target declines (it has no such suite,
no such certificate, resumes nothing, refuses to renegotiate) is not tested, and that is the reason; one in which
something goes wrong is audited, since that is what an audit is for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shakeproof.model import messages as m
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert, ApplicationData, Certificate, CertificateRequest, ClientHello, ServerHello
from shakeproof.model.notation import Symbol
from shakeproof.properties.conformance import Runner
from shakeproof.properties.conversation import Conversation, Exchange
from shakeproof.properties.courses import Course, courses, is_reached
from shakeproof.properties.findings import Grade
from shakeproof.properties.reasons import ANONYMOUS, SILENT, TRIED, broken_text, choice_text, refused_text
from shakeproof.properties.suites import honest_path, honest_prefixes
from shakeproof.properties.targets.base import LateError, Setup, Target, TargetError
from shakeproof.properties.verdicts import Problem, judge

SILENCES = 2
"""Setups in which a target says nothing at all, after which no other is tried: each costs the longest wait."""
TIME_SHARE = 0.25
"""The most of an audit's time that finding out may take."""
NO_TIME = "there was no time to find out whether it takes part"

Outcome = Literal["works", "declined", "broken", "silent"]


@dataclass(frozen=True)
class Trial:
    """One honest connection. why: what kept it from working."""

    outcome: Outcome
    why: str = ""
    answers: bool = False

    @property
    def works(self) -> bool:
        """Whether it did."""
        return self.outcome == "works"


@dataclass(frozen=True)
class Probed:
    """What a target takes part in, in one role.

    setups: to audit, in order; declined: others, with the reason; hopeless: why no honest handshake completed, "" where
    one did; takes_many: whether several connections at once are well; speaks_older: whether it also speaks a version
    before TLS 1.2; answers: whether data is answered, so that it shows what was accepted.
    """

    setups: tuple[Setup, ...]
    declined: tuple[tuple[Setup, str], ...] = ()
    hopeless: str = ""
    takes_many: bool = True
    speaks_older: bool = False
    answers: bool = True

    @property
    def text(self) -> str:
        """For people."""
        of = len(self.setups) + len(self.declined)
        if self.hopeless:
            return f"no honest handshake completed: {self.hopeless}"
        parts = [f"{len(self.setups)} of {of} setups"]
        parts.append("several connections at once" if self.takes_many else "one connection at a time")
        parts += ["versions before TLS 1.2 too"] if self.speaks_older else []
        parts += [] if self.answers else ["answers no data"]
        return ", ".join(parts)


def probe(target: Target, role: Role, seed: int, deadline: float) -> Probed:
    """Find out which setups a target takes part in. deadline: of time.monotonic.

    Raises TargetError where it can't even be started or reached.
    """
    every = target.setups(role.name)
    if not target.is_probed:
        return Probed(every, takes_many=target.takes_many)
    trials: dict[Setup, Trial] = {}
    for setup in every:
        silent = sum(trial.outcome == "silent" for trial in trials.values())
        if silent >= SILENCES and not any(trial.works for trial in trials.values()):
            trials[setup] = Trial("declined", SILENT)
        elif time.monotonic() > deadline:
            trials[setup] = Trial("declined", NO_TIME)
        else:
            began = time.monotonic()
            try:
                trials[setup] = try_setup(Runner(target, role, setup, seed))
            except LateError:
                if not trials:
                    raise
                trials[setup] = Trial("declined", NO_TIME)
            if len(trials) == 1:
                deadline += time.monotonic() - began  # how long it took to start says nothing about the others
    working = [setup for setup, trial in trials.items() if trial.works]
    if not working:
        return _hopeless(trials)
    first = Runner(target, role, working[0], seed)
    return Probed(
        tuple(setup for setup, trial in trials.items() if trial.outcome != "declined"),
        tuple((setup, trial.why) for setup, trial in trials.items() if trial.outcome == "declined"),
        takes_many=target.takes_many or _takes_many(first),
        speaks_older=role.name.endswith(".server") and _speaks_older(first),
        answers=any(trial.answers for trial in trials.values()),
    )


def _hopeless(trials: dict[Setup, Trial]) -> Probed:
    """Nothing works. Where it breaks, one setup is audited all the same: what breaks it is a finding."""
    failed = [setup for setup, trial in trials.items() if trial.outcome in ("broken", "silent")]
    shown = trials[failed[0]] if failed else next(iter(trials.values()), Trial("declined", "there is no setup to try"))
    declined = tuple((setup, trial.why) for setup, trial in trials.items() if setup not in failed[:1])
    return Probed(tuple(failed[:1]), declined, hopeless=shown.why, takes_many=False)


def try_setup(runner: Runner) -> Trial:
    """One honest connection for each course of the setup, until one works."""
    trials: list[Trial] = []
    for course in courses(runner.setup, runner.role.name):
        trials.append(_try_course(runner, course))
        if trials[-1].outcome != "declined":
            break
    return trials[-1]


def _try_course(runner: Runner, course: Course) -> Trial:
    every = ways = honest_prefixes(runner.role, course)
    if runner.setup.client_auth and runner.role.name.endswith(".client"):  # that it is asked is the tester's to see to
        asking = {place: path for place, path in ways.items() if any(one.message is CertificateRequest for one in path)}
        ways = asking or ways
    place, path = max(ways.items(), key=lambda way: (len(way[1]), way[0].state is runner.role.accepting))
    onward = honest_path(runner.role, place, course) or ()
    talk = runner.open()
    try:
        if talk.unprepared:
            return Trial("declined", talk.unprepared)
        on_the_way = {len(way): here for here, way in every.items() if way == path[: len(way)]}
        return _connect(talk, (*path, *onward), {**on_the_way, len(path): place}, runner)
    finally:
        talk.dispose()


def _connect(
    talk: Conversation, path: Sequence[Symbol], expected: Mapping[int, Configuration], runner: Runner
) -> Trial:
    """Along the path, past the places where so many symbols lead, and then data. At the first and the last of them the
    target has to be; of the others it tells why it goes no further.
    """
    exchange = talk.begin()
    problem = judge(exchange, talk.oracle)
    if problem is not None:
        return _failed(problem, exchange, talk, first=True)
    connected, strayed = False, ""
    for number, symbol in enumerate((*path, ApplicationData.symbol())):
        place, found = expected.get(number), talk.oracle.configurations
        ended = refused_text(exchange, ", as it may") if talk.oracle.is_over else ""
        if place is not None and not is_reached(runner.role, place, found, runner.setup):
            strayed = strayed or ended or f"{TRIED} {choice_text(runner.role, exchange, place, found)}"
            if number in (0, max(expected)):
                return Trial("declined", strayed)
        if ended:
            return Trial("declined", strayed or ended)
        meaningless = talk.peer.applicable(symbol)
        if meaningless:
            return Trial("declined", meaningless)
        before = talk.oracle.fork()
        exchange = talk.send(symbol)
        problem = judge(exchange, before)
        before.release()
        if problem is not None and runner.target.lone_leaf and any(_is_lone(item.symbol) for item in exchange.seen):
            if runner.role.name.endswith(".server"):
                raise TargetError(runner.target.lone_leaf)  # so it is in every setup, and nothing else would be seen
            return Trial("declined", runner.target.lone_leaf)
        if problem is not None:
            return _failed(problem, exchange, talk, first=number == 0 or connected)
        if runner.setup.client_auth and any(_is_anonymous(item.symbol) for item in exchange.seen):
            return Trial("declined", ANONYMOUS)
        connected = connected or talk.oracle.is_accepting
    return Trial("works", answers=exchange.carries_data)


def _is_anonymous(symbol: Symbol) -> bool:
    """Whether it is what a client without a certificate sends where it is asked for one (RFC 5246 section 7.4.6)."""
    return symbol.message is Certificate and symbol.has(m.empty_chain)


def _is_lone(symbol: Symbol) -> bool:
    """Whether it is a certificate without that of its issuer, which no trust anchor has issued itself."""
    return symbol.message is Certificate and symbol.has(m.missing_intermediate)


def _failed(problem: Problem, exchange: Exchange, talk: Conversation, *, first: bool) -> Trial:
    """What went wrong. first: whether a target that has no such thing says so here."""
    why = broken_text(problem)
    if problem.grade in (Grade.HANG, Grade.INCONCLUSIVE) and not talk.oracle.exercised:
        return Trial("silent", why)
    refused = exchange.stopped and not exchange.progress and not exchange.reaction.crashed
    if first and refused:
        alerts = [item.symbol for item in exchange.seen if item.symbol.message is Alert]
        version = any(alert.has(m.protocol_version) for alert in alerts)
        hint = ": it does not speak TLS 1.2" if version else ""
        return Trial("declined", refused_text(exchange, hint)) if alerts else Trial("broken", why)
    return Trial("broken", why)


def _takes_many(runner: Runner) -> bool:
    """Whether an honest connection works while another one is open."""
    try:
        other = runner.target.connect(runner.role.name, runner.setup)
    except TargetError:
        return False
    try:
        return try_setup(runner).works
    except TargetError:
        return False
    finally:
        other.dispose()


def _speaks_older(runner: Runner) -> bool:
    """Whether a ClientHello that offers no TLS 1.2 is answered with a ServerHello."""
    ways = honest_prefixes(runner.role, courses(runner.setup, runner.role.name)[0])
    start = next(place for place, path in ways.items() if not path)
    symbols = [one for one in runner.role.symbols if one.message is ClientHello and one.has(m.old_version)]
    for symbol in symbols:
        rows = runner.role.enabled(start, symbol)
        if not rows:
            continue
        talk = runner.open()
        try:
            talk.begin()
            if talk.peer.applicable(symbol):
                continue
            seen = talk.send(symbol).seen
            return any(item.symbol.message is ServerHello for item in seen)
        finally:
            talk.dispose()
    return False
