"""From options to the configuration of TLS connections: what `serve` and `fetch` have in common, and serve's sites."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from shakeproof.commands.running import say_error
from shakeproof.console import visible
from shakeproof.exits import UsageError, choose
from shakeproof.impl.tls import ClientConnection, Credential, ServerConfig, ServerConnection
from shakeproof.impl.tls.config import ClientAuthentication, Renegotiation, Site
from shakeproof.impl.tls.records import MAX_PLAINTEXT
from shakeproof.impl.tls.sessions import SessionCache
from shakeproof.impl.tls.signatures import authentication_of_key
from shakeproof.impl.tls.suites import DEFAULT_SUITES, SUITES_BY_NAME, CipherSuite
from shakeproof.impl.tls.tickets import TicketKeys
from shakeproof.impl.x509 import Validator, verifier_for_tls
from shakeproof.impl.x509.names import is_host_name
from shakeproof.material import client_validator, load_anchors, load_credential, subjects

if TYPE_CHECKING:
    from shakeproof.properties.rogues import Rogue

HTTP = "http/1.1"
VERSIONS = ("1.2",)
MULTIPLEXED = ("h2", "h3")
"""Application protocols that we don't speak, so that negotiating them could only end badly."""
ALPN_MOST = 255
"""Bytes of one protocol's name (RFC 7301 section 3.1)."""

AUTHENTICATION: tuple[ClientAuthentication, ...] = get_args(ClientAuthentication)
RENEGOTIATION: tuple[Renegotiation, ...] = get_args(Renegotiation)
SITE_KEYS = ("cert", "key", "alpn", "client-ca", "client-auth")


# ------------------------------------------------------------------------------------------------------ single options


def listed(text: str) -> list[str]:
    """The items of a list with commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def chosen_suites(text: str) -> tuple[CipherSuite, ...]:
    """The cipher suites of a list, in its order; the defaults where it is empty. Raises UsageError."""
    if not text:
        return DEFAULT_SUITES
    names = dict.fromkeys(choose("cipher suite", name.upper(), SUITES_BY_NAME) for name in listed(text))
    if not names:
        raise UsageError("--suites is empty; name at least one cipher suite, or leave it out")
    return tuple(SUITES_BY_NAME[name] for name in names)


def chosen_protocols(text: str) -> tuple[str, ...]:
    """The application protocols of a list, in its order. Raises UsageError."""
    names = listed(text)
    for name in names:
        if name in MULTIPLEXED:
            raise UsageError(f"{name!r} can't be offered: only HTTP/1.1 is spoken here ({HTTP})")
        if not (name.isascii() and name.isprintable() and len(name) <= ALPN_MOST):
            raise UsageError(f"{name!r} is no name of an application protocol: at most {ALPN_MOST} printable letters")
    return tuple(dict.fromkeys(names))


def check_versions(text: str) -> None:
    """Raise UsageError unless the versions are those that there are."""
    for version in listed(text):
        bare = version.lower().removeprefix("tls").lstrip("v ")
        if bare not in VERSIONS:
            raise UsageError(f"there is no version {version!r} here: TLS 1.2 is the only one that is implemented (1.2)")


def check_fragment(length: int) -> None:
    """Raise UsageError where records can't be that long."""
    if not 1 <= length <= MAX_PLAINTEXT:
        raise UsageError(f"--max-fragment {length} is out of range; a record holds 1 to {MAX_PLAINTEXT} bytes")


def chosen_rogue(name: str, role: str) -> Rogue | None:
    """The rogue of that name, None for "". Raises UsageError where there is none, or none for that role."""
    from shakeproof.properties.rogues import ROGUES

    if not name:
        return None
    rogue = ROGUES[choose("rogue", name, ROGUES, hint="`shakeproof list rogues` says what each does.")]
    if not rogue.is_of_tls:
        raise UsageError(rogue.elsewhere)
    if role not in rogue.roles:
        other = "fetch" if role.endswith("server") else "serve"
        raise UsageError(f"the rogue {name!r} is no fault of {role}; it is one of {rogue.roles[0]}: shakeproof {other}")
    return rogue


def plant(rogue: Rogue | None, connection: ClientConnection | ServerConnection) -> None:
    """Give this one connection the rogue's fault."""
    if rogue is not None and rogue.connection is not None:
        rogue.connection(connection)


def planted(rogue: Rogue | None, validator: Validator) -> Validator:
    """The validator, with the rogue's fault where it is one of validators."""
    if rogue is not None and rogue.validator is not None:
        rogue.validator(validator)
    return validator


class KeyLog:
    """Appends lines to an NSS key log file, which only its owner can read when it is new. Raises UsageError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="ascii")
        except OSError as error:
            raise UsageError(f"--key-log {path}: can't be written to ({error.strerror}); name another file") from error

    def __call__(self, line: str) -> None:
        """One line, at once: a capture may be read while the connection is open."""
        if self._file.closed:
            return
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            say_error(f"--key-log {visible(str(self.path))}: {error.strerror}; no more secrets are written")
            with contextlib.suppress(OSError):
                self._file.close()

    def close(self) -> None:
        """No more lines."""
        self._file.close()


# ---------------------------------------------------------------------------------------------------------------- sites


@dataclass
class SiteOptions:
    """What a site is told: files by name, as they were given."""

    certificates: list[Path] = field(default_factory=list)
    keys: list[Path] = field(default_factory=list)
    protocols: tuple[str, ...] | None = None
    client_ca: Path | None = None
    client_auth: str = ""


def parse_site(text: str) -> tuple[str, SiteOptions]:
    """Name and options of `NAME,cert=FILE,key=FILE,alpn=NAME,client-ca=FILE,client-auth=HOW`. Raises UsageError."""
    name, *rest = (part.strip() for part in text.split(","))
    if not is_host_name(name.lower()):
        raise UsageError(f"--site {text!r}: expected a host name first, got {name!r}: NAME,cert=FILE,key=FILE ...")
    options = SiteOptions()
    for part in rest:
        key, equals, value = part.partition("=")
        choose("key of --site", key, SITE_KEYS)
        if not equals or not value:
            raise UsageError(f"--site {name}: {key} has no value; write {key}=VALUE")
        if key == "cert":
            options.certificates.append(Path(value))
        elif key == "key":
            options.keys.append(Path(value))
        elif key == "alpn":
            options.protocols = (*(options.protocols or ()), *chosen_protocols(value))
        elif key == "client-ca":
            options.client_ca = Path(value)
        else:
            options.client_auth = value
    return name.lower(), options


def make_site(
    options: SiteOptions,
    *,
    fallback: Callable[[], Sequence[Credential]],
    protocols: tuple[str, ...],
    rogue: Rogue | None,
    where: str = "",
) -> Site:
    """The site that these options describe. fallback: its credentials where it names none; protocols: likewise.

    where: how messages begin, "" for the default site. Raises UsageError.
    """
    if options.keys and len(options.keys) != len(options.certificates):
        raise UsageError(
            f"{where}{len(options.certificates)} certificate files and {len(options.keys)} key files: each needs its "
            f"own, in the same order; or none, where the file of the certificate holds the key too"
        )
    keys: Sequence[Path | None] = options.keys or [None] * len(options.certificates)
    pairs = zip(options.certificates, keys, strict=True)
    credentials = [load_credential(certificate, key) for certificate, key in pairs] or list(fallback())
    wanted = options.client_auth or ("require" if options.client_ca is not None else "none")
    authentication = cast("ClientAuthentication", choose("client authentication", wanted, AUTHENTICATION))
    if authentication != "none" and options.client_ca is None:
        ca = "add client-ca=FILE" if where else "name a --client-ca"
        raise UsageError(f"{where}client authentication {authentication!r} needs the CAs to trust: {ca}")
    anchors = load_anchors(options.client_ca).der if options.client_ca is not None else ()
    judged = authentication != "none"
    return Site(
        credentials=credentials,
        alpn=options.protocols if options.protocols is not None else protocols,
        client_authentication=authentication,
        verify_client=verifier_for_tls(planted(rogue, client_validator(anchors))) if judged else None,
        client_authorities=subjects(anchors) if judged else (),
    )


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What the server is told besides its sites."""

    suites: tuple[CipherSuite, ...] = DEFAULT_SUITES
    renegotiation: Renegotiation = "refuse"
    session_ids: bool = True
    tickets: bool = True
    max_fragment: int = MAX_PLAINTEXT
    key_log: Callable[[str], None] | None = None


def server_config(default: Site, sites: dict[str, Site], options: ServerOptions) -> ServerConfig:
    """The configuration of every connection of the server. Raises UsageError where no handshake could succeed."""
    for name, site in {"": default, **sites}.items():
        held = {authentication_of_key(credential.private_key) for credential in site.credentials}
        if not any(suite.authentication in held for suite in options.suites):
            kinds = " and ".join(sorted(str(kind) for kind in held))
            whose = f"--site {name}: its certificates" if name else "the certificates"
            raise UsageError(f"{whose} have {kinds} keys, and none of the cipher suites is for those")
    return ServerConfig(
        credentials=default.credentials,
        alpn=default.alpn,
        client_authentication=default.client_authentication,
        verify_client=default.verify_client,
        client_authorities=default.client_authorities,
        sites=sites,
        suites=options.suites,
        renegotiation=options.renegotiation,
        sessions=SessionCache() if options.session_ids else None,
        ticket_keys=TicketKeys() if options.tickets else None,
        max_fragment=options.max_fragment,
        key_log=options.key_log,
    )
