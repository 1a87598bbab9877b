"""What `import shakeproof as sp` offers: roles that show themselves, audits with their findings, pictures, replays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shakeproof.diagrams.figure import Figure
    from shakeproof.model.clauses import Clause
    from shakeproof.model.machine import Role
    from shakeproof.model.notation import Row, State, Symbol
    from shakeproof.properties.findings import Event, Finding, Run
    from shakeproof.replaying import Replayed

__all__ = ["FindingView", "RoleView", "RunView", "audit", "draw", "replay", "role"]


@dataclass(frozen=True)
class RoleView:
    """A role of the model. Shows as a picture in a notebook, as text elsewhere."""

    table: Role

    @property
    def name(self) -> str:
        """Such as "tls12.client"."""
        return self.table.name

    @property
    def states(self) -> tuple[State, ...]:
        """All states."""
        return self.table.states

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows of the table."""
        return self.table.rows

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The input alphabet."""
        return self.table.symbols

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """What the table quotes."""
        return tuple(self.table.quotes.clauses.values())

    @property
    def figure(self) -> Figure:
        """The state machine as a picture."""
        from shakeproof.figures import draw as draw_figure

        return draw_figure("machine", [self.name])

    def _repr_svg_(self) -> str | None:
        return self.figure._repr_svg_()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.figure._repr_mimebundle_(include, exclude)

    def __repr__(self) -> str:
        return repr(self.table)

    def __str__(self) -> str:
        return self.figure.text()


def role(name: str) -> RoleView:
    """A role by name, such as "tls12.client". Raises ValueError with what looks like it."""
    from shakeproof.exits import UsageError, choose
    from shakeproof.model.roles import ROLES

    try:
        return RoleView(ROLES[choose("role", name, ROLES)])
    except UsageError as error:
        raise ValueError(str(error)) from None


@dataclass(frozen=True)
class FindingView:
    """A finding of a run."""

    raw: Finding

    @property
    def verdict(self) -> str:
        """Such as "FAIL went-on"."""
        return self.raw.grade.value

    @property
    def clause(self) -> str:
        """The authority, such as "RFC 5246 section 7.4.9"."""
        return self.raw.clause

    @property
    def title(self) -> str:
        """One line for people."""
        return self.raw.title

    @property
    def id(self) -> str:
        """What `replay` takes."""
        return self.raw.id

    @property
    def chart(self) -> Figure:
        """The run as a sequence chart."""
        from shakeproof.diagrams.sequence import draw_trace

        return draw_trace(self.raw.trace)

    def __repr__(self) -> str:
        return f"<{self.verdict}: {self.title} ({self.clause})>"


@dataclass(frozen=True)
class RunView:
    """A finished audit."""

    raw: Run
    fail_on: str = "must"

    @property
    def findings(self) -> tuple[FindingView, ...]:
        """All findings, worst first."""
        return tuple(FindingView(finding) for finding in self.raw.findings)

    @property
    def exit_code(self) -> int:
        """As the command line ends: 0 conforming, 1 findings, 3 not tested, 130 interrupted."""
        return self.raw.exit_code(self.fail_on)

    @property
    def verdict(self) -> str:
        """CONFORMING, NOT CONFORMING, NOT TESTED or INTERRUPTED."""
        from shakeproof.reports.summary import judge_run

        return judge_run(self.raw, (), self.fail_on, today=dt.date.min).verdict

    def to_json(self) -> str:
        """The run as JSON text, format shakeproof.run/1."""
        from shakeproof import __version__
        from shakeproof.reports.json import run_to_json
        from shakeproof.reports.summary import judge_run

        return run_to_json(judge_run(self.raw, (), self.fail_on, today=dt.date.min), version=__version__)

    def save(self, path: Path | str) -> Path:
        """Write the run: as one page to a file that ends in .html, as JSON to one that ends in .json, as a whole report
        to a folder.

        Raises ValueError for a file of another kind.
        """
        from shakeproof import __version__
        from shakeproof.properties.findings import FindingConfirmed
        from shakeproof.reports.folder import FolderReport
        from shakeproof.reports.summary import judge_run

        path = Path(path)
        if path.suffix == ".json":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.to_json(), encoding="utf-8")
            return path
        if path.suffix in (".html", ".htm"):
            from shakeproof.reports.html import page_alone

            judged = judge_run(self.raw, (), self.fail_on, today=dt.date.min)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page_alone(judged, version=__version__), encoding="utf-8")
            return path
        if path.suffix and not path.is_dir():
            raise ValueError(f"can't save a run as {path.suffix}: name a file that ends in .html or .json, or a folder")
        report = FolderReport(path, seed=self.raw.seed)
        for finding in self.raw.findings:
            report(FindingConfirmed(finding))
        report.finish(judge_run(self.raw, (), self.fail_on, today=dt.date.min), version=__version__)
        return path

    def __repr__(self) -> str:
        return f"<{self.verdict}: {len(self.findings)} findings, {self.raw.seconds:.1f} s, seed {self.raw.seed}>"


def audit(
    *targets: str,
    roles: Sequence[str] = (),
    rogue: str = "",
    time_s: float = 60.0,
    seed: int = 0,
    jobs: int = 1,
    fail_on: str = "must",
    listener: Callable[[Event], None] | None = None,
) -> RunView:
    """Audit targets by name; without any, our implementation and this Python's OpenSSL.

    jobs: processes; more than one needs a script that is guarded by `if __name__ == "__main__"`. Raises ValueError for
    a name that is no target, and for one that is not on this machine: the command line asks for consent to those.
    """
    from shakeproof.properties.audit import audit as engine
    from shakeproof.properties.findings import ignore
    from shakeproof.properties.targets import find_target
    from shakeproof.properties.targets.base import TargetError

    names = targets or (("shakeproof",) if rogue else ("shakeproof", "openssl"))
    try:
        for name in names:
            if not find_target(name).is_local:
                raise ValueError(f"{name} is not on this machine; audit it with the command line and --i-am-authorized")
        run = engine(
            names,
            roles=roles,
            rogue=rogue,
            time_s=time_s,
            seed=seed,
            jobs=jobs,
            listener=listener or ignore,
            command=f"shakeproof.audit({', '.join(map(repr, names))})",
        )
    except TargetError as error:
        raise ValueError(str(error)) from error
    return RunView(run, fail_on)


def draw(
    name: str, *arguments: str, key_exchange: str = "rsa", client_auth: bool = False, resume: bool = False
) -> Figure:
    """A figure by name: "full", "key-exchange", ("machine", "tls12.client") ... Raises ValueError."""
    from shakeproof.exits import UsageError, choose
    from shakeproof.figures import KEY_EXCHANGES, Options
    from shakeproof.figures import draw as draw_figure

    try:
        chosen = choose("key exchange", key_exchange, KEY_EXCHANGES)
        exchange = next(one for one in KEY_EXCHANGES if one == chosen)
        return draw_figure(name, arguments, Options(exchange, client_auth=client_auth, resume=resume))
    except UsageError as error:
        raise ValueError(str(error)) from None


def replay(path: Path | str, *, target: str = "", rogue: str | None = None) -> Replayed:
    """Run a saved finding again: `.status` is FIXED, FAILED or ERROR.

    path: the finding's file, or its id. target, rogue: others than its own. Raises ValueError for what is no finding.
    """
    from shakeproof.exits import UsageError
    from shakeproof.replaying import replay as run
    from shakeproof.store import Store

    try:
        return run(Store().load(str(path)), target=target, rogue=rogue)
    except UsageError as error:
        raise ValueError(str(error)) from None
