"""A plugin for pytest: audits as tests of a user's own repository.

    @pytest.mark.shakeproof(target="127.0.0.1:8443", role="server")
    def test_our_server_conforms() -> None:
        ...                                  # runs after the audit, which fails the test where it finds something

    def test_staging(shakeproof_staging):    # one fixture for each [tool.shakeproof.targets.NAME], and one for each
        assert shakeproof_staging.verdict == "CONFORMING"      # of ours: shakeproof_openssl, shakeproof_shakeproof

    def test_two(shakeproof_audit):          # any target, any arguments of the mark
        assert shakeproof_audit("openssl", role="client").exit_code == 0

It collects nothing by itself. An audit runs once for each set of arguments, in the process of the test that asks for
it, and writes a report into a folder of its own, so that several processes (pytest-xdist) do not meet. What could not
be tested fails: it is never success. Nothing heavy is imported before an audit runs.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shakeproof.config import Settings, load, seconds
from shakeproof.exits import UsageError, choose

if TYPE_CHECKING:
    from shakeproof.properties.findings import Finding, Run
    from shakeproof.reports.summary import Judgement

MARK = "shakeproof"
MARK_TEXT = (
    "shakeproof(target, role='both', time='20s', seed=0, rogue='', fail_on='must'): audit the target before the test "
    "runs, and fail it where there are findings"
)
DEFAULT_TIME = "20s"
"""Of one audit: a test suite has several, and every cell of an ordinary stack is run in it."""
OWN = ("shakeproof", "openssl")
"""Targets of ours that have a fixture."""
FAIL_ON = ("must", "deviation", "never")
FINDINGS_MOST = 5
"""Findings shown whole in a failing test: the report has all."""


@dataclass(frozen=True)
class Asked:
    """What an audit is of: the arguments of the mark."""

    target: str
    role: str = "both"
    time: str = DEFAULT_TIME
    seed: int = 0
    rogue: str = ""
    fail_on: str = "must"


@dataclass(frozen=True)
class Audited:
    """An audit that ran. folder: where its report is; files: what stands in it."""

    asked: Asked
    folder: Path
    files: tuple[str, ...]
    judgement: Judgement = field(repr=False)

    @property
    def run(self) -> Run:
        """All that came of it."""
        return self.judgement.run

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What counts, worst first: neither accepted findings nor notes."""
        return self.judgement.open

    @property
    def verdict(self) -> str:
        """CONFORMING, NOT CONFORMING or NOT TESTED."""
        return self.judgement.verdict

    @property
    def exit_code(self) -> int:
        """As the command line ends: 0 conforming, 1 findings, 3 not tested."""
        return int(self.judgement.exit_code)

    @property
    def text(self) -> str:
        """The verdict, and each finding that counts with its chart, for people."""
        return _text(self)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of all audits of a session."""
    group = parser.getgroup("shakeproof", "audits of protocol stacks (shakeproof)")
    group.addoption("--shakeproof-target", metavar="TARGET", default="", help="audit this instead of what marks name")
    group.addoption("--shakeproof-time", metavar="TIME", default="", help=f"budget of each audit ({DEFAULT_TIME})")
    group.addoption("--shakeproof-seed", metavar="N", type=int, default=None, help="seed of each audit (0)")
    group.addoption("--shakeproof-fail-on", metavar="LEVEL", default="", help="must, deviation or never")
    group.addoption(
        "--shakeproof-report", metavar="DIR", default="shakeproof-report", help="folder for the reports of audits"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, and the fixtures of the user's own targets."""
    config.addinivalue_line("markers", MARK_TEXT)
    _check_options(config)
    session = _Session(config)
    config.stash[_KEY] = session
    fixtures = _fixtures([*OWN, *session.names])
    config.pluginmanager.register(fixtures, "shakeproof-fixtures")


def _check_options(config: pytest.Config) -> None:
    """Raise pytest.UsageError for an option that can't be, also where no test asks for an audit."""
    options = config.option
    try:
        if options.shakeproof_time:
            seconds(options.shakeproof_time)
        if options.shakeproof_fail_on:
            choose("value of --shakeproof-fail-on", options.shakeproof_fail_on, FAIL_ON)
    except UsageError as error:
        raise pytest.UsageError(f"--shakeproof: {error}") from error


class _Session:
    """The audits of one process."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.done: dict[Asked, Audited] = {}
        self.settings = Settings()
        self.wrong = ""
        try:
            self.settings = load(config.rootpath)
        except UsageError as error:
            self.wrong = str(error)  # said by the test that asks for an audit: other tests have nothing to do with it

    @property
    def names(self) -> list[str]:
        return list(self.settings.targets)

    def asked(self, target: str, given: dict[str, Any]) -> Asked:
        """What is asked for: options of the command line over the mark over the file. Raises UsageError."""
        if self.wrong:
            raise UsageError(self.wrong)
        options = self.config.option
        for name in given:
            choose("argument of the shakeproof mark", name, [item.name for item in fields(Asked)])
        filed = {name.replace("-", "_"): value for name, value in self.settings.options.items()}
        values = {name: filed[name] for name in ("role", "seed", "fail_on") if name in filed} | given
        for name in ("time", "seed", "fail_on"):
            said = getattr(options, f"shakeproof_{name}")
            if said not in ("", None):
                values[name] = said
        if "time" not in values:
            values["time"] = filed.get("time", DEFAULT_TIME)
        target = options.shakeproof_target or target
        if not isinstance(target, str) or not target:
            raise UsageError("the shakeproof mark needs a target: @pytest.mark.shakeproof(target=...)")
        try:
            seed = int(values.pop("seed", 0))
        except (TypeError, ValueError):
            raise UsageError(f"the seed of {target} is no whole number") from None
        asked = Asked(target, seed=seed, **{name: str(value) for name, value in values.items()})
        choose("value of fail_on", asked.fail_on, FAIL_ON)
        seconds(asked.time)
        return asked

    def audit(self, asked: Asked) -> Audited:
        """The audit, run once. Raises UsageError."""
        if asked not in self.done:
            self.done[asked] = _run(self.settings, asked, self._folder(asked))
        return self.done[asked]

    def _folder(self, asked: Asked) -> Path:
        """One for each audit of each process."""
        worker = getattr(self.config, "workerinput", {}).get("workerid", "")
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{asked.target}-{asked.role}").strip("-.")[:60]
        digest = hashlib.sha256(repr(asked).encode()).hexdigest()[:6]
        folder = self.config.rootpath / str(self.config.option.shakeproof_report)
        return folder / "-".join(part for part in (name, digest, worker) if part)


_KEY: pytest.StashKey[_Session] = pytest.StashKey()


def _run(settings: Settings, asked: Asked, folder: Path) -> Audited:
    from shakeproof import __version__
    from shakeproof.commands.audit import both, check_rogue, check_target, roles_of
    from shakeproof.doctor import facts
    from shakeproof.properties.audit import audit
    from shakeproof.properties.findings import Event, FindingConfirmed
    from shakeproof.properties.targets.base import TargetError
    from shakeproof.reports.folder import FolderReport
    from shakeproof.reports.summary import judge_run
    from shakeproof.store import SavedFinding, Store

    name = settings.connect(asked.target)
    roles = roles_of(asked.role)
    check_target(settings, name, authorized=False, roles=roles)
    if asked.rogue:
        check_rogue(asked.rogue)
    given = {"--role": asked.role if asked.role != "both" else "", "--rogue": asked.rogue, "--time": asked.time}
    words = [word for option, value in given.items() if value for word in (option, value)]
    report = FolderReport(folder, seed=asked.seed, rogue=asked.rogue, settings=settings.path)
    store = Store()

    def keep(event: Event) -> None:
        if isinstance(event, FindingConfirmed):
            store.save(SavedFinding(event.finding, asked.seed, asked.rogue))

    try:
        run = audit(
            [name],
            roles=roles,
            rogue=asked.rogue,
            time_s=seconds(asked.time),
            seed=asked.seed,
            jobs=1,  # pytest-xdist has processes of its own, and a worker could not import the user's main module
            listener=both(keep, report),
            command=f"shakeproof {shlex.join(['audit', asked.target, *words])}",
        )
    except TargetError as error:
        raise UsageError(str(error)) from error
    if run.interrupted:
        raise KeyboardInterrupt
    run.facts = facts()
    judgement = judge_run(run, settings.accepting([name]), asked.fail_on)
    report.finish(judgement, version=__version__)
    if report.errors:
        raise report.errors[0]
    return Audited(asked, folder, tuple(report.files), judgement)


def _text(audited: Audited) -> str:
    import io

    from shakeproof.console import console
    from shakeproof.reports.names import named
    from shakeproof.reports.terminal import print_findings, role_line, verdict_lines

    file, names = io.StringIO(), audited.judgement.names
    out = console(file)
    for role in audited.run.roles:
        out.print(f"{named(names, role.target)} {role.role}  {role_line(role, names)}")
    shown = [finding for finding in audited.findings if audited.judgement.fails(finding)] or list(audited.findings)
    print_findings(out, shown[:FINDINGS_MOST], audited.folder, names)
    if len(shown) > FINDINGS_MOST:
        out.print(f"and {len(shown) - FINDINGS_MOST} more findings, in the report")
    for line in verdict_lines(audited.judgement):
        out.print(line)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------------------- fixtures


def _attach(item: pytest.Item, audited: Audited) -> None:
    """Say in the test's report where the files are: of the findings that count, and of the whole run."""
    wanted = {finding.id for finding in audited.findings}
    names = [name for name in audited.files if name.split(".")[0] in wanted or name in ("index.html", "run.json")]
    files = [str(audited.folder / name) for name in names]
    item.user_properties.append(("shakeproof_report", str(audited.folder / "index.html")))
    item.add_report_section("call", "shakeproof", "\n".join(["the report's files:", *files]))


def _audited(config: pytest.Config, target: str, given: dict[str, Any]) -> Audited:
    """The audit; fails the test, in one line, where it is not asked for rightly."""
    session = config.stash[_KEY]
    wrong = ""
    try:
        return session.audit(session.asked(target, given))
    except UsageError as error:
        wrong = str(error)
    pytest.fail(f"shakeproof: {wrong}", pytrace=False)


def _asked_by(request: pytest.FixtureRequest, target: str, given: dict[str, Any]) -> Audited:
    audited = _audited(request.config, target, given)
    if isinstance(request.node, pytest.Item):
        _attach(request.node, audited)
    return audited


@pytest.fixture
def shakeproof_audit(request: pytest.FixtureRequest) -> Callable[..., Audited]:
    """`shakeproof_audit(target, role=..., time=..., seed=..., rogue=..., fail_on=...)`: an audit, whatever it finds."""

    def run(target: str, **given: Any) -> Audited:
        return _asked_by(request, target, given)

    return run


def _fixtures(names: list[str]) -> object:
    """A plugin with one fixture for each target."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        found[f"shakeproof_{re.sub(r'[^A-Za-z0-9]+', '_', name)}"] = _fixture(name)
    return type("ShakeproofFixtures", (), found)()


def _fixture(name: str) -> Any:
    def audited(self: object, request: pytest.FixtureRequest) -> Audited:
        return _asked_by(request, name, {})

    audited.__doc__ = f"An audit of {name}, whatever it finds."
    return pytest.fixture(name=f"shakeproof_{re.sub(r'[^A-Za-z0-9]+', '_', name)}")(audited)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Before a marked test runs: the audit that its mark asks for."""
    for mark in item.iter_markers(MARK):
        given = dict(mark.kwargs)
        target = given.pop("target", mark.args[0] if mark.args else "")
        audited = _audited(item.config, target, given)
        _attach(item, audited)
        if audited.exit_code:
            pytest.fail(audited.text, pytrace=False)
    return (yield)
