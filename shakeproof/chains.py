"""Certificate chains to be judged: cut from a PEM file, or taken from a server's Certificate message.

What a file of the user's does not hold is a UsageError; what is wrong with a certificate in it is the validator's to
say, so that nothing is parsed here.
"""

from __future__ import annotations

import base64
import binascii
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shakeproof.exits import Exit, UsageError
from shakeproof.fetching import HTTPS_PORT, READ_LENGTH, Deadline, FetchError, Url, ascii_name, connect
from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConfig, ClientConnection
from shakeproof.impl.x509.certificate import Malformed, parse
from shakeproof.material import read_file

CERTIFICATE = "CERTIFICATE"
CRL = "X509 CRL"
_LABELS = {CERTIFICATE: ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"), CRL: ("X509 CRL",)}
_BOUNDARY = re.compile(r"^-----(BEGIN|END) ([A-Z0-9 ]+)-----[ \t]*$", re.MULTILINE)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

CERTIFICATES_MOST = 1 << 12
"""Blocks of one file that are cut out: a whole system's trust anchors are some 150."""


def read_blocks(path: Path, wanted: str) -> tuple[bytes, ...]:
    """The contents of all PEM blocks of a kind, in the order of the file, at least one. Raises UsageError.

    wanted: CERTIFICATE or CRL. Text and blocks of other kinds between them are passed over.
    """
    text = read_file(path).removeprefix(BYTE_ORDER_MARK).decode("latin-1").replace("\r\n", "\n").replace("\r", "\n")
    found, others = [], []
    boundaries = list(_BOUNDARY.finditer(text))
    for number, begin in enumerate(boundaries):
        if begin[1] == "END":
            # Passed over, the block before it would be missing, and the next certificate taken for the leaf.
            if not number or boundaries[number - 1][1] == "END":
                raise UsageError(
                    f"{path}: malformed PEM: an -----END {begin[2]}----- without its -----BEGIN {begin[2]}-----"
                )
            continue
        end = boundaries[number + 1] if number + 1 < len(boundaries) else None
        if begin[2] not in _LABELS[wanted]:
            others.append(begin[2])
            continue
        if end is None or end[1] != "END" or end[2] != begin[2]:
            raise UsageError(
                f"{path}: malformed PEM: a -----BEGIN {begin[2]}----- without its -----END {begin[2]}-----"
            )
        found.append(_decoded(path, text[begin.end() : end.start()]))
        if len(found) > CERTIFICATES_MOST:
            raise UsageError(f"{path}: more than {CERTIFICATES_MOST} {wanted} blocks")
    if not found:
        raise UsageError(f"{path}: {_nothing(text, others, wanted)}")
    return tuple(found)


def read_anchors(path: Path) -> tuple[bytes, ...]:
    """The trust anchors of a PEM file. One that cannot be read would silently trust less: UsageError."""
    blocks = read_blocks(path, CERTIFICATE)
    for number, der in enumerate(blocks, start=1):
        try:
            parse(der)
        except Malformed as error:
            raise UsageError(f"{path}: trust anchor {number} cannot be read: {error}") from error
    return blocks


def _decoded(path: Path, body: str) -> bytes:
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{path}: malformed PEM: what stands in a block is not base64 ({error})") from error
    if not der:
        raise UsageError(f"{path}: malformed PEM: a block is empty")
    return der


def _nothing(text: str, others: Sequence[str], wanted: str) -> str:
    what = "a certificate" if wanted == CERTIFICATE else "a CRL"
    expected = f"expected {what} in PEM (-----BEGIN {wanted}-----)"
    if not text.strip():
        return f"{expected}, the file is empty"
    if others:
        return f"{expected}, found only {', '.join(dict.fromkeys(others))}"
    if text.startswith("\x30\x82") or "\0" in text:
        tool = "x509" if wanted == CERTIFICATE else "crl"
        return f"{expected}, found binary data; if it is DER, openssl {tool} -inform der makes PEM of it"
    return f"{expected}, found none"


# --------------------------------------------------------------------------------------------------------- a server's


@dataclass
class _Shown:
    """Takes the place of the validator: keeps the chain, judges nothing, and refuses, so that the handshake ends."""

    chain: tuple[bytes, ...] | None = None
    accepted = False
    alert = "certificate_unknown"

    def __call__(self, chain: Sequence[bytes], name: str, time: datetime) -> _Shown:
        self.chain = tuple(chain)
        return self


def parse_server(text: str) -> Url:
    """HOST:PORT or HOST, an IPv6 address in brackets. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if not colon or (text.count(":") > 1 and not host.endswith("]")):
        host, port = text, str(HTTPS_PORT)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--connect {text!r}: expected HOST:PORT with a port from 1 to 65535")
    return Url(ascii_name(host), int(port), "/")


def shown_chain(server: Url, name: str, deadline: Deadline) -> tuple[bytes, ...]:
    """The chain that a server shows to our own TLS client, leaf first; the handshake ends there. Raises FetchError.

    name: asked for by SNI.
    """
    shown = _Shown()
    tls = ClientConnection(ClientConfig(server_name=name, verify=shown))
    try:
        with connect(server, {}, deadline) as sock:
            _until_shown(sock, tls, shown, deadline)
    except RemoteProtocolError as error:
        # A leaf that is no certificate ends the handshake before anyone is asked about it; it was shown all the same.
        shown.chain = shown.chain or tls.negotiated.peer_certificates or None
        if shown.chain is None:
            text = f"{server.authority} shows no chain: expected {error.expected}, got {error.got}; we speak TLS 1.2"
            raise FetchError(text, Exit.NOT_TESTED) from error
    except TimeoutError as error:
        raise FetchError(f"{server.authority}: no chain within {deadline.seconds:g} s", Exit.NOT_TESTED) from error
    except OSError as error:
        raise FetchError(f"{server.authority}: {error.strerror or error} in the handshake", Exit.NOT_TESTED) from error
    if shown.chain is None:
        raise FetchError(f"{server.authority} closed before it showed a chain", Exit.NOT_TESTED)
    return shown.chain


def _until_shown(sock: socket.socket, tls: ClientConnection, shown: _Shown, deadline: Deadline) -> None:
    tls.start()
    try:
        while shown.chain is None:
            sock.settimeout(deadline.left_s)
            sock.sendall(tls.data_to_send())
            data = sock.recv(READ_LENGTH)
            if not data:
                return
            tls.receive_data(data)
    finally:
        alert = tls.data_to_send()
        if alert:
            sock.sendall(alert)
