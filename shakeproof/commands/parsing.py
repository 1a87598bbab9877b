"""How a command line is read: an option that is empty, or given twice, is a slip, and never silently something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from shakeproof.commands.running import code_of
from shakeproof.exits import Exit, UsageError

MAY_BE_EMPTY: Mapping[str, frozenset[str]] = {
    "serve": frozenset({"alpn"}),  # no ALPN at all
    "fetch": frozenset({"alpn"}),
    "replay": frozenset({"rogue"}),  # without the fault that the finding was made with
}
"""For each command the parameters whose empty value means something of its own."""


class StrictCommand(TyperCommand):
    """A command that takes each option once, unless it is repeatable, and none that is empty.

    Where a shell variable is not set, `--rogue "$FAULT"` would else test the clean implementation; of two values that
    contradict each other, click takes the last.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; the error of a slip is one line, as all of ours are."""
        values, _, order = self.make_parser(ctx).parse_args(args=list(args))

        def check() -> int:
            self._check(values, order)
            return Exit.OK

        code = 0 if ctx.resilient_parsing else code_of(check)
        if code:
            raise typer.Exit(code)
        return super().parse_args(ctx, args)

    def _check(self, values: Mapping[str, Any], order: Sequence[Any]) -> None:
        may_be_empty = MAY_BE_EMPTY.get(self.name or "", frozenset())
        for option, times in Counter(order).items():
            if option.param_type_name != "option":
                continue
            name, value = max(option.opts, key=len), values.get(option.name)
            if times > 1 and not option.multiple and (not option.is_flag or option.secondary_opts):
                often = "twice" if times == 2 else f"{times} times"
                names = "/".join((name, *option.secondary_opts))
                raise UsageError(f"{names} was given {often}; it is expected once")
            if "" in (value if isinstance(value, list) else [value]) and option.name not in may_be_empty:
                raise UsageError(f"{name} came with an empty value; expected {option.metavar}, or leave {name} out")
