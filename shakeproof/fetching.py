"""An HTTPS client on a real socket: our own TLS and HTTP, which do no I/O, around a blocking socket with a deadline.

A response counts only when it is whole: TLS and HTTP both have to say so (RFC 5246 section 7.2.1, RFC 9112 section 8).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from shakeproof.console import visible
from shakeproof.exits import Exit, UsageError
from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import HttpsClient, Response
from shakeproof.impl.tls import AlertDescription, AlertLevel, ClientConnection
from shakeproof.impl.tls.connection import CLOSED
from shakeproof.impl.tls.events import AlertReceived, HandshakeCompleted
from shakeproof.impl.tls.sessions import Session
from shakeproof.impl.x509 import Result
from shakeproof.impl.x509.names import is_host_name
from shakeproof.refusals import circumstances, table_state

if TYPE_CHECKING:
    from shakeproof.recording import Recorder  # the tables and the mapper are much to load where no steps are wanted

READ_LENGTH = 1 << 16
LINGER_S = 1.0
"""How long the server's own end of the connection is waited for, once everything is said: closing at once could destroy
an alert of ours on its way."""
LINGER_LEAST_S = 0.05
"""For the goodbye itself, where the time of the whole run is over."""
LINGER_LENGTH = 1 << 20
"""Bytes that are read and thrown away in that time."""
HTTPS_PORT = 443

_PATH_SAFE = "/%:@!$&'()*+,;=~-._?"
"""What stands in a request target as it is (RFC 3986 sections 3.3 and 3.4); all else is percent-encoded."""


class FetchError(Exception):
    """Nothing was fetched. code: the exit code."""

    def __init__(self, text: str, code: Exit) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Url:
    """An https URL in parts. host: a host name in ASCII, or an IP address without brackets."""

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == HTTPS_PORT else f"{host}:{self.port}"


def parse_url(text: str) -> Url:
    """The parts of an https URL. Raises UsageError."""
    if "://" not in text:
        raise UsageError(f"{text!r} is no URL; write https://{text}")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise UsageError(f"{text!r} is no URL: {error}") from error
    if parts.scheme != "https":
        raise UsageError(f"{text!r}: only https is fetched here, not {parts.scheme}")
    if parts.username is not None:
        raise UsageError(f"{visible(parts.hostname or '')}: a user in the URL is not sent; leave it out")
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    query = f"?{quote(parts.query, safe=_PATH_SAFE)}" if parts.query else ""
    return Url(ascii_name(host), HTTPS_PORT if port is None else port, path + query)


def ascii_name(host: str) -> str:
    """A host name in the form of the DNS, an IP address as it is. Raises UsageError."""
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        name = host.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise UsageError(f"{host!r} is no host name: {error}") from error
    if not is_host_name(name):
        raise UsageError(f"{host!r} is no host name and no IP address")
    return name


def is_address(host: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_resolve(items: Iterable[str]) -> dict[tuple[str, int], str]:
    """Addresses by host and port, out of HOST:PORT:ADDRESS. Raises UsageError."""
    found = {}
    for item in items:
        match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]+):(\d{1,5}):(\[[^\]]+\]|[^:\[\]]+)", item)
        address = match[3].strip("[]") if match else ""
        if match is None or not is_address(address) or int(match[2]) > 65535:
            raise UsageError(f"--resolve {item!r}: expected HOST:PORT:ADDRESS, an IPv6 address in []")
        found[ascii_name(match[1]), int(match[2])] = address
    return found


class Deadline:
    """Seconds that are left of a whole run."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end_s = time.monotonic() + seconds

    @property
    def rest_s(self) -> float:
        """Seconds that are left; below zero once it is over."""
        return self._end_s - time.monotonic()

    @property
    def left_s(self) -> float:
        """Seconds that are left. Raises TimeoutError where none are."""
        left = self.rest_s
        if left <= 0:
            raise TimeoutError
        return left


def connect(url: Url, resolved: Mapping[tuple[str, int], str], deadline: Deadline) -> socket.socket:
    """A TCP connection to the server. Raises FetchError."""
    where = resolved.get((url.host, url.port), url.host)
    try:
        sock = socket.create_connection((where, url.port), deadline.left_s)
    except TimeoutError as error:
        raise _unreachable(url, where, f"no answer within {deadline.seconds:g} s") from error
    except OSError as error:
        raise _unreachable(url, where, error.strerror or str(error)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _unreachable(url: Url, where: str, why: str) -> FetchError:
    at = "" if where == url.host else f" at {where}"
    return FetchError(f"could not connect to {url.authority}{at}: {why}", Exit.NOT_TESTED)


class Exchange:
    """One request on one connection, until both sides have ended."""

    def __init__(
        self, sock: socket.socket, tls: ClientConnection, url: Url, deadline: Deadline, recorder: Recorder | None
    ) -> None:
        self.sock = sock
        self.tls = tls
        self.url = url
        self.deadline = deadline
        self.recorder = recorder
        self.https = HttpsClient(tls, url.authority)
        self.was_connected = False
        self.session: Session | None = None
        self._was_answered = False
        self._deaf: OSError | None = None

    def run(self) -> Response:
        """The whole response. Raises FetchError; the connection is over in any case."""
        title = f"GET {self.url.target} HTTP/1.1"
        if self.recorder is not None:
            self.recorder.expect(title)
        headers = (("User-Agent", "shakeproof"), ("Accept", "*/*"), ("Connection", "close"))
        try:
            self.https.start()
            self.https.request("GET", self.url.target, headers)
            return self._converse()
        except RemoteProtocolError as error:
            if self.recorder is not None and not _fatal_alert(error.events):
                self.recorder.refuse(error)
            raise self._refusal(error) from error
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            raise self._broken(error.strerror or str(error)) from error
        finally:
            self._finish()

    def _converse(self) -> Response:
        while True:
            self._send()
            data = self._receive()
            self._was_answered = self._was_answered or bool(data)
            events = self.https.receive_data(data) if data else self.https.receive_eof()
            for event in events:
                if isinstance(event, HandshakeCompleted):
                    self.was_connected = True
                    self.session = self.tls.session
                elif isinstance(event, Response):
                    if self.recorder is not None:
                        self.recorder.entitle(f"HTTP/1.1 {event.status}")
                    return event

    def _send(self) -> None:
        data = self.https.data_to_send()
        if not data or self._deaf is not None:
            return
        self.sock.settimeout(self.deadline.left_s)
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            self._deaf = error  # it closed; why, it may have said in an alert that is still to be read

    def _receive(self) -> bytes:
        self.sock.settimeout(self.deadline.left_s)
        return self.sock.recv(READ_LENGTH)

    def _finish(self) -> None:
        """Say goodbye, wait for the server's, close. Nothing that happens here changes what was fetched."""
        with contextlib.suppress(OSError, RemoteProtocolError), self.sock:
            if self.tls.is_connected:
                self.https.close()
            end = Deadline(max(LINGER_LEAST_S, min(LINGER_S, self.deadline.rest_s)))
            self.sock.settimeout(end.left_s)
            self.sock.sendall(self.https.data_to_send())
            self.sock.shutdown(socket.SHUT_WR)
            left = LINGER_LENGTH
            while left > 0 and (data := self.sock.recv(READ_LENGTH)):
                left -= len(data)
                if self.tls.state != CLOSED:
                    self.tls.receive_data(data)
                self.sock.settimeout(end.left_s)

    def _refusal(self, error: RemoteProtocolError) -> FetchError:
        alert = _fatal_alert(error.events)
        if alert is not None:
            name = alert.description.label if isinstance(alert.description, AlertDescription) else alert.description
            why = circumstances(self.tls, alert.state)
            state = table_state(alert.state)
            return FetchError(
                f"the server refused with the alert {name} in {state}{f': {why}' if why else ''}", Exit.FINDINGS
            )
        sent = f"the alert {error.alert.label}" if error.alert is not None else "no alert"
        where = f" in {table_state(error.state)}" if error.state else ""
        if isinstance(error.details, Result):
            why = f"the certificate is not trusted for {self.tls.config.server_name!r}: {error.details.explanation}"
        else:
            why = f"expected {error.expected}, got {error.got} ({error.clause})"
            if error.alert is None and not self.was_connected and (before := circumstances(self.tls, error.state)):
                why += f"; {before}"
        return FetchError(f"refused with {sent}{where}: {why}", Exit.FINDINGS)

    def _late(self) -> FetchError:
        within = f"within {self.deadline.seconds:g} s"
        if self.was_connected:
            return self._broken(f"no whole response {within}")
        said = "answered our ClientHello with nothing" if not self._was_answered else "did not finish the handshake"
        return self._unfinished(f"it {said} {within}")

    def _broken(self, why: str) -> FetchError:
        if self.was_connected:
            return FetchError(f"the response is cut off: {why}", Exit.FINDINGS)
        return self._unfinished(f"the connection broke in the handshake: {why}")

    def _unfinished(self, why: str) -> FetchError:
        """TCP is connected and TLS is not."""
        state = table_state(self.tls.state)
        return FetchError(f"connected to {self.url.authority}, but {why} (in {state})", Exit.NOT_TESTED)


def _fatal_alert(events: Sequence[object]) -> AlertReceived | None:
    fatal = [event for event in events if isinstance(event, AlertReceived) and event.level is AlertLevel.FATAL]
    return fatal[0] if fatal else None


def for_terminal(body: bytes) -> str:
    """A body as text that can't steer a terminal: line breaks and tabs stay, of other controls the escape is shown."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    return "\n".join("\t".join(visible(part) for part in line.split("\t")) for line in text.split("\n"))
