"""The figures by name: where each comes from. `diagrams` draws and knows no protocol; here is what it draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shakeproof.diagrams.figure import Figure
from shakeproof.exits import UsageError, choose
from shakeproof.model.trace import Trace

if TYPE_CHECKING:
    from shakeproof.scenes import KeyExchangeName

KEY_EXCHANGES: tuple[KeyExchangeName, ...] = ("rsa", "ecdhe")


@dataclass(frozen=True)
class Options:
    """What can be asked of a figure. theme: None for one SVG that follows the reader's."""

    key_exchange: KeyExchangeName = "rsa"
    theme: str | None = None


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn. takes: its arguments, as the command line spells them."""

    sentence: str
    draw: Callable[[Sequence[str], Options], Figure]
    takes: str = ""


def draw_full(options: Options = Options()) -> Figure:
    """The whole interaction, TCP to teardown."""
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.scenes import https_trace

    return draw_trace(https_trace(options.key_exchange), theme=options.theme)


def _part(title: str, keys: Sequence[str], subtitle: Mapping[str, str]) -> Callable[[Sequence[str], Options], Figure]:
    def draw(arguments: Sequence[str], options: Options) -> Figure:
        from shakeproof.diagrams.sequence import draw_trace
        from shakeproof.scenes import https_trace, part

        _takes(title, arguments, 0)
        said = subtitle.get(options.key_exchange, "")
        return draw_trace(part(https_trace(options.key_exchange), title, keys, said), theme=options.theme)

    return draw


def _full(arguments: Sequence[str], options: Options) -> Figure:
    _takes("full", arguments, 0)
    return draw_full(options)


def draw_role(name: str, *, coverage: Mapping[str, int] | None = None, theme: str | None = None) -> Figure:
    """The state machine of a role. coverage: row id -> how often it was executed. Raises UsageError."""
    from shakeproof.diagrams.machine import draw_machine
    from shakeproof.diagrams.machines import picture_of
    from shakeproof.model.roles import ROLES

    return draw_machine(picture_of(ROLES[choose("role", name, ROLES)], coverage=coverage), theme=theme)


def _machine(arguments: Sequence[str], options: Options) -> Figure:
    _takes("machine ROLE", arguments, 1, "`shakeproof list roles` has them")
    return draw_role(arguments[0], theme=options.theme)


def _trace(arguments: Sequence[str], options: Options) -> Figure:
    from shakeproof.diagrams.sequence import draw_trace

    _takes("trace FILE", arguments, 1, "a finding's .json in a report folder, or a saved trace")
    return draw_trace(load_trace(Path(arguments[0])), theme=options.theme)


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
    wanted = "no argument" if count == 0 else f"{count} argument"
    raise UsageError(f"draw {name}: takes {wanted}, {came}{f': {hint}' if hint else ''}")


RSA_SECRET = {
    "rsa": "RSA key transport: only the private key of the server opens the pre-master secret.",
    "ecdhe": "ECDHE: the certificate's key signs, ephemeral keys agree on the pre-master secret.",
}

FIGURES: dict[str, Drawing] = {
    "full": Drawing("the whole interaction, TCP to encrypted HTTP to teardown", _full),
    "key-exchange": Drawing(
        "pre-master secret to session keys, Finished both ways", _part("Session key exchange", ["keys"], RSA_SECRET)
    ),
    "tcp-handshake": Drawing(
        "SYN, SYN-ACK, ACK with the states of both sides", _part("TCP three-way handshake", ["tcp"], {})
    ),
    "data-exchange": Drawing("encrypted request and response", _part("Encrypted data exchange", ["data"], {})),
    "machine": Drawing("the state machine of a role", _machine, "ROLE"),
    "trace": Drawing("any executed run, such as a finding", _trace, "FILE"),
}


def draw(name: str, arguments: Sequence[str] = (), options: Options = Options()) -> Figure:
    """The figure of that name. Raises UsageError."""
    return FIGURES[choose("figure", name, FIGURES)].draw(arguments, options)


def everything() -> list[tuple[str, tuple[str, ...]]]:
    """Name and arguments of every figure that needs no file."""
    from shakeproof.model.roles import ROLES

    plain = [(name, ()) for name, drawing in FIGURES.items() if not drawing.takes]
    return [*plain, *(("machine", (role,)) for role in ROLES)]
