"""Asking a target: what it answers to a word, in the abstract outputs that a machine is learned from.

Time decides nothing. Where the kernel shows that a target is quiet, its silence is a fact; where only a timer says so,
or a busy machine let it be too slow, the same word is asked again on a fresh connection, until that is known or the
same came often enough. Where an answer that was believed turns out to be another one, all that was concluded from it is
to be concluded again: see `CorrectedError`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aalpy import SUL

from shakeproof.model.messages import Alert, ApplicationData, closure
from shakeproof.model.notation import Symbol
from shakeproof.properties.conformance import Runner
from shakeproof.properties.conversation import Exchange, is_final_alert

CLOSED, ORDERLY, CRASHED = "closed", "closed in order", "crashed"
DATA, NOTHING, MEANINGLESS = "data", "nothing", "says nothing here"

ALIKE = 2
"""So often the same has to come where only a timer tells that it is all: each costs a connection."""
ASKED_MOST = 6
"""So often a word is asked whose answers are not known or not the same: thrice what it takes at best."""

Letters = tuple[str, ...]


class CutError(Exception):
    """Words or time are used up, or the target does not repeat itself: says which."""


class CorrectedError(Exception):
    """An answer that was believed was not the whole one; the right one is known now."""


def said(exchange: Exchange, *, sees_data: bool) -> str:
    """The abstract output of a step. sees_data: whether data that is accepted can be told from data that is not."""
    if exchange.reaction.crashed:
        return CRASHED
    sent = exchange.symbol
    names = [
        item.symbol.message.name
        for item in exchange.seen
        if item.symbol.message is not ApplicationData
        and not (item.symbol.message is Alert and (exchange.stopped or is_final_alert(item.symbol)))
    ]
    takes = exchange.carries_data and sent is not None and sent.message is ApplicationData
    # A close_notify of its own accord is no refusal; as an answer to an alert it is what ends the connection anyway.
    alerts = [item.symbol for item in exchange.seen if is_final_alert(item.symbol)]
    asked = sent is not None and sent.message is Alert
    orderly = bool(alerts) and not asked and all(alert.has(closure) for alert in alerts)
    end = "" if not exchange.stopped else ORDERLY if orderly else CLOSED
    return as_output(names, takes=takes and sees_data, end=end)


def as_output(names: Sequence[str], *, takes: bool, end: str) -> str:
    """An abstract output as text: the messages sent, whether data was taken, and how the connection ended."""
    parts = [*names, *([DATA] if takes else []), *([end] if end else [])]
    return ", ".join(parts) or NOTHING


def ends(outputs: Sequence[str]) -> bool:
    """Whether the connection is over behind these outputs."""
    return any(output.rpartition(", ")[2] in (CLOSED, ORDERLY, CRASHED) for output in outputs)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came behind some letters. times: how often, where only a timer tells that it is whole, else 0."""

    text: str
    times: int = 0

    @property
    def is_believed(self) -> bool:
        """Whether it needs no further asking."""
        return not self.times or self.times >= ALIKE


class System(SUL):  # type: ignore[misc]
    """The target as AALpy asks it: a word is a fresh connection, and what was asked once is known.

    What comes behind the end of a connection is not sent: that closed is closed is checked by a complete suite.
    """

    def __init__(self, runner: Runner, letters: Sequence[Symbol], deadline: float, words_most: int) -> None:
        super().__init__()
        self.runner, self.deadline, self.words_most = runner, deadline, words_most
        self.symbols = {symbol.text: symbol for symbol in letters}
        self.words = 0
        self.sees_data = runner.target.secrets_seen or runner.role.name.endswith(".server")
        self._known: dict[Letters, Answer] = {}
        self._told: set[Letters] = set()
        self._unprepared = ""

    @property
    def timed(self) -> int:
        """How many of the answers that were built on rest on a timer."""
        return sum(self._known[letters].times > 0 for letters in self._told if letters in self._known)

    def pre(self) -> None:
        """AALpy's seam; words are asked whole."""

    def post(self) -> None:
        """AALpy's seam; words are asked whole."""

    def step(self, letter: Any) -> Any:
        """AALpy's seam; words are asked whole."""
        raise NotImplementedError

    def query(self, word: Iterable[str]) -> list[str]:
        """The outputs to a word, one for each letter. Raises CorrectedError where one that was told was not right."""
        letters = tuple(word)
        self.num_queries += 1
        for _ in range(ASKED_MOST):
            known = self._from_known(letters)
            if known is not None:
                return known
            self._ask(letters)
        known = self._from_known(letters)
        if known is None:
            if self._unprepared:
                raise CutError(self._unprepared)
            at = next(at for at in range(1, len(letters) + 1) if not self._is_believed(letters[:at]))
            raise CutError(
                f"the target takes its time: {' · '.join(letters[:at])} was asked {ASKED_MOST} times, with no answer "
                "that is known to be whole, or that came twice"
            )
        return known

    def _is_believed(self, letters: Letters) -> bool:
        return letters in self._known and self._known[letters].is_believed

    def _from_known(self, letters: Letters) -> list[str] | None:
        out: list[str] = []
        told: list[Letters] = []
        for length in range(1, len(letters) + 1):
            if out and ends(out):
                out.append(NOTHING)
                continue
            if not self._is_believed(letters[:length]):
                return None
            told.append(letters[:length])
            out.append(self._known[letters[:length]].text)
        self._told.update(told)
        return out

    def _ask(self, letters: Letters) -> None:
        if self.words >= self.words_most:
            raise CutError(f"{self.words_most} words were used up")
        if time.monotonic() > self.deadline:
            raise CutError("the time was used up")
        self.words += 1
        talk = self.runner.open()
        try:
            self._unprepared = talk.unprepared
            if talk.unprepared:
                return
            # What comes too late for its own step comes with a later one: from the first guess on all is one.
            exact = talk.begin().reaction.exact
            for length, letter in enumerate(letters, 1):
                symbol = self.symbols[letter]
                if talk.peer.applicable(symbol):
                    answer = MEANINGLESS
                else:
                    exchange = talk.send(symbol)
                    exact = exact and exchange.reaction.exact
                    answer = said(exchange, sees_data=self.sees_data)
                if not self._note(letters[:length], answer, exact=exact) or ends([answer]):
                    return
        finally:
            talk.dispose()

    def _note(self, letters: Letters, text: str, *, exact: bool) -> bool:
        """An answer came. Whether the connection shows more: not where it said something else than is known."""
        known = self._known.get(letters)
        if known is None or known.text == text:
            times = 0 if exact or (known is not None and not known.times) else known.times + 1 if known else 1
            self._known[letters] = Answer(text, times)
            return True
        if not known.times:
            if not exact:
                return False
            raise CutError(f"the target does not repeat itself: {' · '.join(letters)} gave {known.text}, then {text}")
        if not exact and known.times > 1:
            self._known[letters] = Answer(known.text, known.times - 1)
            return False
        for longer in [each for each in self._known if each[: len(letters)] == letters]:
            del self._known[longer]
        self._known[letters] = Answer(text, 0 if exact else 1)
        if letters in self._told:
            self._told.clear()
            raise CorrectedError(f"{' · '.join(letters)} gave {known.text}, and now {text}")
        return True
