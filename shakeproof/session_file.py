"""A client's session in a file, so that another run can resume it. It holds a secret: only its owner can read it.

A session stands for a certificate that was accepted when it began. So it is resumed only for the same name at the same
server, and only if that certificate would be accepted now, too.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from shakeproof.exits import UsageError
from shakeproof.impl.tls.config import ValidationOutcome
from shakeproof.impl.tls.sessions import Session
from shakeproof.impl.tls.suites import SUITES_BY_NAME

FORMAT = "shakeproof.session/1"
SIZE_MOST = 1 << 20


@dataclass(frozen=True)
class SavedSession:
    """A session, and whose it is: the server's authority and the name that its certificate was accepted for."""

    authority: str
    name: str
    session: Session

    def fits(
        self,
        authority: str,
        name: str,
        verify: Callable[[Sequence[bytes], str, datetime], ValidationOutcome],
        now: datetime,
    ) -> bool:
        """Whether it may be resumed with that server, under that name, now."""
        mine = (self.authority, self.name) == (authority, name)
        return mine and self.session.is_fresh(now) and verify(self.session.peer_certificates, name, now).accepted


def load(path: Path) -> SavedSession | None:
    """The session in a file; None where there is no file yet. Raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_MOST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"--session-file {path}: can't be read: {error.strerror}") from error
    try:
        found = json.loads(data)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT!r}")
        return SavedSession(_text(found["authority"]), _text(found["name"]), _session(found["session"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"--session-file {path}: no saved session ({type(error).__name__}: {error}); name another, or delete it"
        ) from error


def save(path: Path, saved: SavedSession) -> None:
    """Write it in one go. Raises UsageError."""
    session = saved.session
    text = json.dumps(
        {
            "format": FORMAT,
            "authority": saved.authority,
            "name": saved.name,
            "session": {
                "suite": session.suite.name,
                "master_secret": session.master_secret.hex(),
                "extended_master_secret": session.extended_master_secret,
                "encrypt_then_mac": session.encrypt_then_mac,
                "server_name": session.server_name,
                "alpn": session.alpn,
                "peer_certificates": [der.hex() for der in session.peer_certificates],
                "session_id": session.session_id.hex(),
                "ticket": session.ticket.hex(),
                "lifetime_s": session.lifetime_s,
                "created": session.created.isoformat(),
            },
        },
        indent=1,
    )
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text + "\n")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise UsageError(f"--session-file {path}: can't be written ({error.strerror}); name another file") from error


def _session(found: dict[str, Any]) -> Session:
    created = datetime.fromisoformat(_text(found["created"]))
    if created.tzinfo is None:
        raise ValueError("a time without a time zone")
    if not isinstance(found["lifetime_s"], int):
        raise ValueError("lifetime_s is a whole number")
    return Session(
        suite=SUITES_BY_NAME[_text(found["suite"])],
        master_secret=bytes.fromhex(found["master_secret"]),
        extended_master_secret=found["extended_master_secret"] is True,
        encrypt_then_mac=found["encrypt_then_mac"] is True,
        server_name=None if found["server_name"] is None else _text(found["server_name"]),
        alpn=None if found["alpn"] is None else _text(found["alpn"]),
        peer_certificates=tuple(bytes.fromhex(item) for item in found["peer_certificates"]),
        session_id=bytes.fromhex(found["session_id"]),
        ticket=bytes.fromhex(found["ticket"]),
        lifetime_s=found["lifetime_s"],
        created=created,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {type(value).__name__}")
    return value
