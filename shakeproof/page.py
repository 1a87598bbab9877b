"""What `shakeproof serve` answers: a small page that says what was negotiated. Every byte of the peer's is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator

from cryptography import x509

from shakeproof.console import visible
from shakeproof.impl.http import Request, Response
from shakeproof.impl.tls import NamedGroup, Negotiated, ServerConfig, SignatureScheme

METHODS = ("GET", "HEAD")
DATA_PREFIX = "/bytes/"
DATA_MOST = 1 << 20
"""Bytes of `/bytes/N`: enough for 64 records, and few enough for every connection to ask for it at once."""
SHOWN_MOST = 200
"""Characters of one value of the peer's that are shown."""

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    # Were an escape missing after all, nothing in the page would run or load.
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Server", "shakeproof"),
)

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:44em;color-scheme:light dark}"
_STYLE += "th{text-align:left;padding-right:1.5em;font-weight:normal}td{font-family:monospace;overflow-wrap:anywhere}"


def answer(request: Request, negotiated: Negotiated, config: ServerConfig) -> Response:
    """The response to a request on a connection with these parameters, of a server with these sites."""
    if is_misdirected(request, negotiated.server_name, config):
        return _problem(421, "Misdirected Request")
    if request.method not in METHODS:
        return _problem(405, "Method Not Allowed", ("Allow", ", ".join(METHODS)))
    path = request.target.partition("?")[0]
    if path.startswith(DATA_PREFIX):
        size = path.removeprefix(DATA_PREFIX)
        if not (size.isascii() and size.isdigit() and len(size) <= len(str(DATA_MOST)) and int(size) <= DATA_MOST):
            return _problem(404, "Not Found")
        return Response(200, (("Content-Type", "application/octet-stream"), *HEADERS[1:]), pattern(int(size)))
    return Response(200, HEADERS, page(request, negotiated).encode("utf-8"))


def is_misdirected(request: Request, server_name: str | None, config: ServerConfig) -> bool:
    """Whether the request is for another site than the one that the handshake was with.

    "Application server implementations that rely upon these names being the same MUST check" (RFC 6066 section 11.1):
    else whoever shook hands with a site that asks for no certificate could have the pages of one that does. A name
    that is no site's is the default site's, where nobody minds unless that one asks for more.
    """
    host, here = wanted_host(request), (server_name or "").lower()
    if host == here:
        return False
    if host in config.sites:
        return True
    return here in config.sites and config.client_authentication == "require"


def wanted_host(request: Request) -> str:
    """The host that a request is for, in lower case, without its port (RFC 9112 section 3.3)."""
    scheme, mark, rest = request.target.partition("://")
    absolute = mark and scheme.lower() in ("http", "https")
    hosts = [value for name, value in request.headers if name == "host"]
    authority = rest.partition("/")[0] if absolute else (hosts or [""])[0]
    host, colon, port = authority.strip().rpartition(":")
    return (host if colon and (not port or port.isdigit()) else authority.strip()).lower().removesuffix(".")


def pattern(size: int) -> bytes:
    """That many bytes, which repeat with a period that divides no power of two: a record lost or doubled shows."""
    period = bytes(range(251))
    return (period * (size // len(period) + 1))[:size]


def _problem(status: int, title: str, *headers: tuple[str, str]) -> Response:
    return Response(status, (*HEADERS, *headers), _document(title, "").encode("ascii"))


def page(request: Request, negotiated: Negotiated) -> str:
    """The page itself."""
    rows = "".join(f"<tr><th>{_safe(name)}<td>{_safe(value)}\n" for name, value in facts(negotiated))
    asked = f"<p>{_safe(request.method)} {_safe(request.target)}\n"
    return _document("It holds.", f"{asked}<table>\n{rows}</table>\n")


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>shakeproof: {title}</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{title}</h1>\n{body}</html>\n"
    )


def facts(negotiated: Negotiated) -> Iterator[tuple[str, str]]:
    """What was negotiated, as names and values for people."""
    yield "version", "TLS 1.2"
    yield "cipher suite", str(negotiated.suite)
    if negotiated.group is not None:
        yield "group", _name(NamedGroup, negotiated.group)
    if negotiated.signature_algorithm is not None:
        yield "signature", _name(SignatureScheme, negotiated.signature_algorithm)
    yield "server name", negotiated.server_name if negotiated.server_name is not None else "(none)"
    yield "application protocol", negotiated.alpn if negotiated.alpn is not None else "(none)"
    yield "extended master secret", _yes(negotiated.extended_master_secret)
    yield "encrypt-then-MAC", _yes(negotiated.encrypt_then_mac)
    yield "secure renegotiation", _yes(negotiated.secure_renegotiation)
    yield "resumed", _yes(negotiated.resumed)
    if negotiated.client_certificates:
        yield "client certificate", subject_of(negotiated.client_certificates[0])


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _name(kind: type[NamedGroup] | type[SignatureScheme], code: int) -> str:
    try:
        return kind(code).name.lower()
    except ValueError:
        return str(code)


def subject_of(der: bytes) -> str:
    """The subject of a certificate that was accepted, as text."""
    try:
        return x509.load_der_x509_certificate(der).subject.rfc4514_string() or "(no subject)"
    except ValueError:
        return "(unreadable)"


def _safe(text: str) -> str:
    """A text of anyone's for HTML, cut, without control characters."""
    shown = text if len(text) <= SHOWN_MOST else text[:SHOWN_MOST] + " ..."
    return html.escape(visible(shown))
