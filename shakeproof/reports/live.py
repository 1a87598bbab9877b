"""Progress on a terminal: a bar for each part of a run; where the output is no terminal, a line now and then."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
from rich.table import Column

SAY_EVERY_S = 5.0
"""Where the output is no terminal, a line this often: enough for a log, and a CI sees that it lives."""

BAR_WIDTH = 24
"""Columns: leaves room for the counts on a terminal of 100."""


class LiveReport:
    """Shows how far a run is, while it is a context. tail: what stands behind a bar; clock: seconds, monotonic."""

    def __init__(self, out: Console, tail: ProgressColumn, clock: Callable[[], float]) -> None:
        self.out, self.clock = out, clock
        self.live = out.is_terminal
        self.progress = Progress(
            TextColumn("  {task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=BAR_WIDTH),
            tail,
            console=out,
            disable=not self.live,
        )
        self._said = clock()

    def __enter__(self) -> Self:
        if self.live:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.progress.stop()

    def says_now(self) -> bool:
        """Whether the last line is long enough ago for another one, which then counts as said."""
        now = self.clock()
        if now - self._said < SAY_EVERY_S:
            return False
        self._said = now
        return True
