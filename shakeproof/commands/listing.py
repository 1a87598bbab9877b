"""`shakeproof list`: the names that other commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.text import Text

from shakeproof.commands.running import running
from shakeproof.config import Settings
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

Entry = tuple[str, str]
Lister = Callable[[Settings, str], Iterator[Entry]]


def _roles(_: Settings, __: str) -> Iterator[Entry]:
    from shakeproof.model.roles import ROLES

    for name, role in ROLES.items():
        counts = f"{len(role.states)} states, {len(role.rows)} rows, {len(role.symbols)} symbols"
        yield name, f"{role.title}: {counts}{f' (partial: {role.partial})' if role.partial else ''}"


def _properties(_: Settings, __: str) -> Iterator[Entry]:
    from shakeproof.properties.safety import PROPERTIES

    yield from PROPERTIES.items()


def _targets(settings: Settings, _: str) -> Iterator[Entry]:
    from shakeproof.properties.targets import NAMES
    from shakeproof.properties.targets.bundled import PROGRAMS
    from shakeproof.properties.targets.program import version_of

    yield from NAMES.items()
    there = [program for program in PROGRAMS.values() if not program.missing]
    with ThreadPoolExecutor() as pool:  # a virtual machine takes half a second to say its version
        versions = dict(zip((program.name for program in there), pool.map(version_of, there), strict=True))
    for name, program in PROGRAMS.items():
        sides = " and ".join(role.rpartition(".")[2] for role in program.roles)
        if name in versions:
            yield name, f"{program.title}, {sides}: {versions[name].partition(' (')[0] or 'installed'}"
        else:
            yield name, f"{program.title}, {sides}: not installed · {program.install}"
    for name, target in settings.targets.items():
        what = f"starts {target.start}" if target.start else ""
        where = f"at {target.connect}" if what and target.connect else target.connect
        yield name, f"{' '.join(part for part in (what, where) if part)} (from {settings.path})"


def _figures(_: Settings, __: str) -> Iterator[Entry]:
    from shakeproof.figures import FIGURES

    for name, figure in FIGURES.items():
        yield f"{name} {figure.takes}".rstrip(), figure.sentence


def _rogues(_: Settings, __: str) -> Iterator[Entry]:
    from shakeproof.properties.rogues import ROGUES

    for name, rogue in ROGUES.items():
        yield name, rogue.fault


def _protections(_: Settings, __: str) -> Iterator[Entry]:
    """What `check --without` takes out, and what that makes possible."""
    from shakeproof.model.protections import PROTECTIONS

    for name, protection in PROTECTIONS.items():
        yield name, f"{protection.sentence} · without it: {protection.attack}"


def _defects(_: Settings, __: str) -> Iterator[Entry]:
    """Each defect of a certificate in a handshake, and what our implementation and OpenSSL make of it."""
    from shakeproof.properties.defect_table import IN_PROCESS, answers
    from shakeproof.properties.targets import find_target

    for name in IN_PROCESS:
        target = find_target(name)
        for role in target.roles:
            for answer in answers(target, role):
                yield f"{answer.target} {answer.role} {answer.defect}", answer.sentence


def _clauses(_: Settings, role: str) -> Iterator[Entry]:
    from shakeproof.explain import clauses

    if role == "tcp":
        yield from _requirements()
        return
    ordered = sorted(clauses().items(), key=lambda item: (item[0].rfc, _section(item[0].section), item[0].word))
    for clause, rows in ordered:
        own = [row for row in rows if not role or row.role_name == role]
        if own or not role:
            yield clause.key, f"{len(own)} rows · {clause.sentence or '(not quoted)'}"


def _requirements() -> Iterator[Entry]:
    """What RFC 9293 requires on the wire, how each is covered, and how many are."""
    from shakeproof.model.tcp_checklist import REQUIREMENTS, summary

    for each in REQUIREMENTS:
        yield each.id, f"{each.section} · {each.text} · {each.cover}"
    yield "", summary()


def _section(number: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (1000, part) for part in number.split(".")]


LISTS: dict[str, Lister] = {
    "roles": _roles,
    "properties": _properties,
    "targets": _targets,
    "figures": _figures,
    "rogues": _rogues,
    "clauses": _clauses,
    "defects": _defects,
    "protections": _protections,
}

What = Annotated[str, typer.Argument(metavar="|".join(LISTS), help="What to list.")]
RoleName = Annotated[
    str,
    typer.Option(
        "--role", metavar="ROLE", help="For clauses: those of this role; for tcp, what RFC 9293 requires on the wire."
    ),
]


def list_names(context: typer.Context, what: What, role: RoleName = "") -> None:
    """The names that other commands take."""
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    running(_list)(settings, what, role)


def _list(settings: Settings, what: str, role: str) -> int:
    from shakeproof.model.roles import ROLES

    lister = LISTS[choose("list", what, LISTS)]
    if role and lister is not _clauses:
        raise UsageError(f"--role goes with `shakeproof list clauses`, not with {what}.")
    if role:
        choose("role", role, ROLES)
    entries = list(lister(settings, role))
    out = console()
    width = max((len(name) for name, _ in entries), default=0)
    for name, sentence in entries:
        out.print(Text(f"{visible(name):<{width}}", style="bold").append(f"  {visible(sentence)}", style="not bold"))
    return Exit.OK
