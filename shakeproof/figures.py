"""The figures by name: where each comes from. `diagrams` draws and knows no protocol; here is what it draws."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shakeproof.diagrams.figure import Figure
from shakeproof.exits import UsageError, choose
from shakeproof.model.trace import Trace

if TYPE_CHECKING:
    from shakeproof.properties.targets.base import Setup
    from shakeproof.scenes import KeyExchangeName

KEY_EXCHANGES: tuple[KeyExchangeName, ...] = ("rsa", "dhe", "ecdhe")


@dataclass(frozen=True)
class Options:
    """What can be asked of a figure.

    theme: None for one SVG that follows the reader's; client_auth, resume: whether the client is authenticated, whether
    a session is resumed; coverage: a report folder or its run.json.
    """

    key_exchange: KeyExchangeName = "rsa"
    theme: str | None = None
    client_auth: bool = False
    resume: bool = False
    coverage: str = ""

    @property
    def setup(self) -> Setup:
        """The same for an executed run. Raises UsageError where they exclude each other."""
        from shakeproof.properties.targets.base import Setup

        if self.client_auth and self.resume:
            raise UsageError(
                "--client-auth, --resume: a resumption has no certificates, so the client is not asked for one; "
                "give one of the two"
            )
        return Setup(client_auth=self.client_auth, session="id" if self.resume else "")


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn.

    takes: its arguments, as the command line spells them; trace: the run behind it, with all its bytes, where there is
    one that can be captured; reads: the options that change it.
    """

    sentence: str
    draw: Callable[[Sequence[str], Options], Figure]
    takes: str = ""
    trace: Callable[[Sequence[str], Options], Trace] | None = None
    reads: frozenset[str] = frozenset()


HANDSHAKE = frozenset({"key_exchange", "client_auth", "resume"})


def draw_full(options: Options = Options()) -> Figure:
    """The whole interaction, TCP to teardown."""
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.scenes import https_trace

    return draw_trace(https_trace(options.key_exchange, options.setup), theme=options.theme)


def _part(title: str, keys: Sequence[str], subtitle: Mapping[str, str]) -> Callable[[Sequence[str], Options], Figure]:
    def draw(arguments: Sequence[str], options: Options) -> Figure:
        from shakeproof.diagrams.sequence import draw_trace
        from shakeproof.scenes import https_trace, part

        _takes(title, arguments, 0)
        said = subtitle.get("resume" if options.resume else options.key_exchange, "")
        whole = https_trace(options.key_exchange, options.setup)
        return draw_trace(part(whole, title, keys, said), theme=options.theme)

    return draw


def _full(arguments: Sequence[str], options: Options) -> Figure:
    _takes("full", arguments, 0)
    return draw_full(options)


def _full_run(arguments: Sequence[str], options: Options) -> Trace:
    from shakeproof.scenes import https_capture

    _takes("full", arguments, 0)
    return https_capture(options.key_exchange, options.setup)


def _client_server(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.scenes import client_server_trace

    _takes("client-server", arguments, 0)
    return draw_trace(client_server_trace(options.key_exchange, options.setup), theme=options.theme)


def _data_exchange(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.scenes import data_exchange_trace

    _takes("data-exchange", arguments, 0)
    return draw_trace(data_exchange_trace(options.key_exchange), theme=options.theme)


def _stack(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.stack import draw_stack
    from shakeproof.scenes import https_stack

    _takes("stack", arguments, 0)
    return draw_stack(https_stack(options.key_exchange), theme=options.theme)


def _mitm(name: str, rogue: str) -> Callable[[Sequence[str], Options], Figure]:
    def draw(arguments: Sequence[str], options: Options) -> Figure:
        from shakeproof.diagrams.sequence import draw_trace
        from shakeproof.scenes import mitm_trace

        _takes(name, arguments, 0)
        return draw_trace(mitm_trace(rogue, options.key_exchange), theme=options.theme)

    return draw


def _certificate_validation(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.flow_chart import draw_flow
    from shakeproof.scenes import certificate_flow, executed_flow, validated

    if not arguments:
        return draw_flow(certificate_flow(), theme=options.theme)
    return draw_flow(executed_flow(validated(_defects(arguments))), theme=options.theme)


def _defects(arguments: Sequence[str]) -> list[str]:
    """The defects of the chain to validate: "sound" for none."""
    from shakeproof.scenes import chain_defects

    known = ["sound", *chain_defects()]
    return [found for found in (choose("defect", each, known) for each in arguments) if found != "sound"]


def _hostile(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.scenes import hostile_trace

    _takes("hostile", arguments, 0)
    return draw_trace(hostile_trace(), theme=options.theme)


def _hostile_run(arguments: Sequence[str], options: Options) -> Trace:
    from shakeproof.scenes import hostile_capture

    _takes("hostile", arguments, 0)
    return hostile_capture()


def draw_role(name: str, *, coverage: Mapping[str, int] | None = None, theme: str | None = None) -> Figure:
    """The state machine of a role. coverage: row id -> how often it was executed. Raises UsageError."""
    from shakeproof.diagrams.machine import draw_machine
    from shakeproof.diagrams.machines import picture_of
    from shakeproof.model.roles import ROLES

    return draw_machine(picture_of(ROLES[choose("role", name, ROLES)], coverage=coverage), theme=theme)


def _machine(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.machines import coverage_of, covered, read_run

    _takes("machine ROLE", arguments, 1, "`shakeproof list roles` has them")
    if not options.coverage:
        return draw_role(arguments[0], theme=options.theme)
    from shakeproof.diagrams.machine import draw_machine
    from shakeproof.model.roles import ROLES

    run = read_run(Path(options.coverage))
    coverage_of(run, choose("role", arguments[0], ROLES))
    return draw_machine(covered(ROLES[arguments[0]], run), theme=options.theme)


def _diff(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.compare import compare
    from shakeproof.diagrams.machine import draw_machine
    from shakeproof.machines import machine

    _takes("diff A B", arguments, 2, "each a role, ROLE:ROGUE, a saved machine, a finding, or a run's report folder")
    one = machine(arguments[0])
    return draw_machine(compare(one, machine(arguments[1], beside=arguments[0])), theme=options.theme)


def _trace(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.sequence import draw_trace

    return draw_trace(_saved_run(arguments, options), theme=options.theme)


def _saved_run(arguments: Sequence[str], options: Options) -> Trace:
    _takes("trace FILE", arguments, 1, "a finding's .json in a report folder, or a saved trace")
    return load_trace(Path(arguments[0]))


def load_trace(path: Path) -> Trace:
    """The trace in a file: a saved trace, or a saved finding's. Raises UsageError."""
    from shakeproof.store import FORMAT, SIZE_MOST, finding_from_json

    try:
        if path.stat().st_size > SIZE_MOST:
            raise UsageError(f"{path}: larger than any saved trace ({SIZE_MOST} bytes)")
        text = path.read_text(encoding="utf-8")
        return finding_from_json(text).finding.trace if f'"format": "{FORMAT}"' in text[:200] else Trace.from_json(text)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a saved trace: not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}") from error


def _takes(name: str, arguments: Sequence[str], count: int, hint: str = "") -> None:
    if len(arguments) == count:
        return
    came = f"{len(arguments)} came ({', '.join(arguments)})" if arguments else "none came"
    wanted = "no argument" if count == 0 else f"{count} argument{'s' * (count > 1)}"
    raise UsageError(f"draw {name}: takes {wanted}, {came}{f': {hint}' if hint else ''}")


SECRETS = {
    "rsa": "RSA key transport: only the private key of the server opens the pre-master secret.",
    "dhe": "DHE: the certificate's key signs, ephemeral keys agree on the pre-master secret.",
    "ecdhe": "ECDHE: the certificate's key signs, ephemeral keys agree on the pre-master secret.",
    "resume": "Resumption: no key exchange, new session keys from the master secret of an earlier connection.",
}

ROGUE = "certificate-unchecked"

FIGURES: dict[str, Drawing] = {
    "client-server": Drawing(
        "client and server exchange requests over HTTPS", _client_server, reads=frozenset({"key_exchange"})
    ),
    "stack": Drawing(
        "HTTP over TLS over TCP over IP, with the nesting of the data", _stack, reads=frozenset({"key_exchange"})
    ),
    "tcp-handshake": Drawing(
        "SYN, SYN-ACK, ACK with the states of both sides", _part("TCP three-way handshake", ["tcp"], {})
    ),
    "certificate-validation": Drawing(
        "the flow of path and name validation; with a chain's defects (or sound): executed",
        _certificate_validation, "[DEFECT ...]",
    ),
    "mitm": Drawing(
        "the man in the middle that the model finds, against a client that skips certificate validation "
        f"(rogue {ROGUE})",
        _mitm("mitm", ROGUE), reads=frozenset({"key_exchange"}),
    ),
    "mitm-defeated": Drawing(
        "the same attack against the client that validates", _mitm("mitm-defeated", ""),
        reads=frozenset({"key_exchange"}),
    ),
    "key-exchange": Drawing(
        "pre-master secret to session keys, Finished both ways", _part("Session key exchange", ["keys"], SECRETS),
        reads=HANDSHAKE,
    ),
    "data-exchange": Drawing(
        "encrypted request and response", _data_exchange,
        reads=frozenset({"key_exchange"}),
    ),
    "full": Drawing(
        "the whole interaction, TCP to encrypted HTTP to teardown", _full, trace=_full_run, reads=HANDSHAKE
    ),
    "hostile": Drawing("lost, late, replayed, forged and tampered messages", _hostile, trace=_hostile_run),
    "machine": Drawing(
        "the state machine of a role; with --coverage RUN, how often each row ran", _machine, "ROLE",
        reads=frozenset({"coverage"}),
    ),
    "diff": Drawing("what two machines do differently", _diff, "A B"),
    "trace": Drawing("any executed run, such as a finding", _trace, "FILE", _saved_run),
}  # fmt: skip


def draw(name: str, arguments: Sequence[str] = (), options: Options = Options()) -> Figure:
    """The figure of that name. Raises UsageError."""
    return FIGURES[chosen(name)].draw(arguments, options)


def chosen(name: str, known: Iterable[str] = FIGURES) -> str:
    """`name`, where it is a figure's. Raises UsageError with what looks like it, or what draws the file that it is."""
    is_file = Path(name).suffix == ".json" or Path(name).is_file()
    return choose(
        "figure", name, known, hint=f"For a file: shakeproof draw trace {shlex.quote(name)}" if is_file else ""
    )


def captured(name: str, arguments: Sequence[str] = (), options: Options = Options()) -> bytes:
    """The run behind the figure as a pcapng file. Raises UsageError where there is none, or it has no bytes."""
    from shakeproof.reports.pcapng import capture

    trace = FIGURES[chosen(name)].trace
    if trace is None:
        raise UsageError(f"draw {name}: no run to capture; pcapng is for {', '.join(captures())}")
    try:
        return capture(trace(arguments, options))
    except ValueError as error:
        raise UsageError(f"{' '.join(['draw', name, *arguments])}: {error}") from error


def captures() -> list[str]:
    """The figures that can be written as pcapng."""
    return [name for name, drawing in FIGURES.items() if drawing.trace is not None]


def everything() -> list[tuple[str, tuple[str, ...]]]:
    """Name and arguments of every figure that needs no file."""
    from shakeproof.model.roles import ROLES

    plain = [(name, ()) for name, drawing in FIGURES.items() if not drawing.takes or drawing.takes.startswith("[")]
    executed = [("certificate-validation", (name,)) for name in ("sound", "expired")]
    return [*plain, *executed, *(("machine", (role,)) for role in ROLES)]
