"""HTTPS: HTTP/1.1 over a TLS connection, client and server, without I/O. h11 does the framing.

`receive_data` and `receive_eof` give TLS's events, with application data turned into `Request` or `Response`. h11's
errors become RemoteProtocolError (the peer's fault; TLS is closed in good order) or LocalProtocolError (the caller's).

Source: RFC 9112 sections 6, 8 and 9 (framing, incomplete messages, keep-alive); RFC 5246 section 7.2.1 (truncation).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import h11

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls.client import ClientConnection
from shakeproof.impl.tls.connection import START, Connection
from shakeproof.impl.tls.events import ApplicationDataReceived, CloseNotifyReceived, Event
from shakeproof.impl.tls.server import ServerConnection

Headers = tuple[tuple[str, str], ...]

MAX_BODY_LENGTH = 1 << 24
"""Bytes of one body that are kept: what a test sends is far shorter, and a peer must not be able to fill the memory."""
MAX_HEAD_LENGTH = 1 << 16
"""Bytes of one request line or status line with its headers; servers commonly take 8 to 64 KiB."""

BODILESS_STATUSES = frozenset({204, 304})
INCOMPLETE = "RFC 9112 section 8"
SYNTAX = "RFC 9112 section 2.2"


@dataclass(frozen=True)
class Request(Event):
    """A whole request. Names of headers in lower case as received, in order."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True)
class Response(Event):
    """A whole response. Names of headers in lower case as received, in order."""

    status: int
    headers: Headers = ()
    body: bytes = b""


class Https(ABC):
    """What client and server share."""

    def __init__(self, tls: Connection, role: type[h11.CLIENT] | type[h11.SERVER]) -> None:
        self.tls = tls
        self.http = h11.Connection(role, max_incomplete_event_size=MAX_HEAD_LENGTH)
        self._body = bytearray()
        self._peer_ended = False

    @property
    def is_open(self) -> bool:
        """Whether bytes from the peer still matter."""
        return self.tls.is_open

    def receive_data(self, data: bytes) -> list[Event]:
        """Takes bytes from the transport. Raises RemoteProtocolError, with the events before it in `error.events`."""
        return self._receive(lambda: self.tls.receive_data(data))

    def receive_eof(self) -> list[Event]:
        """The transport ended. Raises RemoteProtocolError where that is a truncation."""
        return self._receive(self.tls.receive_eof)

    def data_to_send(self) -> bytes:
        """Everything that is queued for the transport."""
        return self.tls.data_to_send()

    def close(self) -> None:
        """Closes TLS in good order. Raises LocalProtocolError where nothing is open."""
        self.tls.close()

    def _receive(self, call: Callable[[], Sequence[Event]]) -> list[Event]:
        events: list[Event] = []
        fault: RemoteProtocolError | None = None
        try:
            tls_events: Sequence[object] = call()
        except RemoteProtocolError as error:
            fault = error
            tls_events = error.events
        try:
            for event in tls_events:
                if isinstance(event, ApplicationDataReceived):
                    self._feed(event.data, events)
                elif isinstance(event, Event):
                    events.append(event)
                    if isinstance(event, CloseNotifyReceived):
                        self._feed(b"", events)
            self.after_events(events)
            if fault is None and not self.tls.is_open:
                self.check_complete()
        except RemoteProtocolError as error:
            fault = fault or error
        if fault is not None:
            fault.events = tuple(events)
            raise fault
        return events

    def _feed(self, data: bytes, events: list[Event]) -> None:
        """Gives bytes to h11, b"" for the peer's close_notify, and takes what they complete."""
        if self._peer_ended:
            return
        self._peer_ended = data == b""
        self.proceed(events, data)

    def proceed(self, events: list[Event], data: bytes | None = None) -> None:
        """Takes what h11 can complete now, with these bytes if any. Raises RemoteProtocolError."""
        try:
            if data is not None:
                self.http.receive_data(data)
            self.take_messages(events)
        except h11.RemoteProtocolError as error:
            self.answer_fault(error)
            raise self.fault("a well-formed and complete HTTP/1.1 message", str(error), SYNTAX) from error

    @abstractmethod
    def take_messages(self, events: list[Event]) -> None:
        """Takes whole messages from h11."""

    @abstractmethod
    def answer_fault(self, error: h11.RemoteProtocolError) -> None:
        """What is sent on the peer's fault."""

    def after_events(self, events: list[Event]) -> None:
        """What follows on a batch of events."""
        return

    def check_complete(self) -> None:
        """At the end of TLS no message may be half-way."""
        return

    def append_body(self, data: bytes) -> None:
        """Collects a body, which is bounded."""
        if len(self._body) + len(data) > MAX_BODY_LENGTH:
            raise self.fault(
                f"a body of at most {MAX_BODY_LENGTH} bytes", f"{len(self._body) + len(data)}", "RFC 9112 section 6"
            )
        self._body += data

    def take_body(self) -> bytes:
        """The body that was collected."""
        body = bytes(self._body)
        self._body.clear()
        return body

    def fault(self, expected: str, got: str, clause: str) -> RemoteProtocolError:
        """The peer's fault in HTTP: no alert fits, TLS itself is sound, so it is closed in good order."""
        state = str(self.http.their_state)
        if self.tls.is_connected:
            self.tls.close()
        return RemoteProtocolError(None, expected=expected, got=got, clause=clause, state=f"HTTP {state}")

    def send(self, *events: h11.Event) -> None:
        """Sends HTTP events over TLS. Raises LocalProtocolError where they are not allowed now."""
        try:
            data = b"".join([self.http.send(event) or b"" for event in events])
        except h11.LocalProtocolError as error:
            raise LocalProtocolError(f"HTTP does not allow this now: {error}") from error
        if data:
            self.tls.send_application_data(data)


class HttpsClient(Https):
    """A client that sends one request at a time and keeps the connection alive between them.

    host: for the Host header. A request that is made before the handshake is complete waits for it.
    """

    def __init__(self, tls: ClientConnection, host: str) -> None:
        super().__init__(tls, h11.CLIENT)
        self.client = tls
        self.host = host
        self._waiting: Request | None = None
        self._outstanding = False
        self._head: h11.Response | None = None

    def start(self) -> None:
        """Queues the ClientHello."""
        self.client.start()

    def request(
        self, method: str, target: str = "/", headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Sends a request, or keeps it until the handshake is complete.

        Raises LocalProtocolError while another is outstanding and where the connection is closed.
        """
        if self._outstanding:
            raise LocalProtocolError("a request is outstanding; wait for its Response")
        if not (self.tls.is_connected or self._handshaking):
            raise LocalProtocolError(f"the connection is {self.tls.state}; open a new one")
        self._outstanding = True
        self._waiting = Request(method, target, tuple(headers), body)
        if self.tls.is_connected:
            self._send_waiting()

    @property
    def _handshaking(self) -> bool:
        return self.tls.state == START or self.tls.state.startswith("WAIT_")

    def _send_waiting(self) -> None:
        request = self._waiting
        if request is None:
            return
        self._waiting = None
        names = {name.lower() for name, _ in request.headers}
        headers = list(request.headers)
        if "host" not in names:
            headers.insert(0, ("Host", self.host))
        if request.body and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(request.body))))
        events: list[h11.Event] = []
        try:
            events.append(h11.Request(method=request.method, target=request.target, headers=headers))
        except h11.LocalProtocolError as error:
            self._outstanding = False
            raise LocalProtocolError(f"not a valid request: {error}") from error
        if request.body:
            events.append(h11.Data(data=request.body))
        self.send(*events, h11.EndOfMessage())

    def after_events(self, events: list[Event]) -> None:
        """The waiting request goes out as soon as it can."""
        if self.tls.is_connected:
            self._send_waiting()

    def take_messages(self, events: list[Event]) -> None:
        """Takes responses; informational ones are skipped."""
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.Data):
                self.append_body(event.data)
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                events.append(Response(self._head.status_code, _headers(self._head.headers), self.take_body()))
                self._head = None
                self._outstanding = False
                self.end_cycle()

    def end_cycle(self) -> None:
        """Gets ready for the next request, or closes where one side does not keep the connection alive."""
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        elif self.tls.is_connected:
            self.tls.close()

    def answer_fault(self, error: h11.RemoteProtocolError) -> None:
        """A client says nothing; `fault` closes."""
        self._outstanding = False

    def check_complete(self) -> None:
        """A request that was made has its response."""
        if self._outstanding:
            self._outstanding = False
            raise self.fault("the rest of the response", "the end of the TLS connection", INCOMPLETE)


class HttpsServer(Https):
    """A server that answers each request with what `handler` returns."""

    def __init__(self, tls: ServerConnection, handler: Callable[[Request], Response]) -> None:
        super().__init__(tls, h11.SERVER)
        self.handler = handler
        self._head: h11.Request | None = None

    def after_events(self, events: list[Event]) -> None:
        """Requests that came while TLS was negotiating anew are answered when it is done."""
        if self.tls.is_connected:
            self.proceed(events)

    def take_messages(self, events: list[Event]) -> None:
        """Takes requests and answers them, pipelined ones too, in order."""
        while self.tls.is_connected or self._peer_ended:
            event = self.http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Request):
                self._head = event
                if self.http.they_are_waiting_for_100_continue:
                    self.send(h11.InformationalResponse(status_code=100, headers=[]))
            elif isinstance(event, h11.Data):
                self.append_body(event.data)
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                head = self._head
                self._head = None
                request = Request(
                    head.method.decode("ascii"),
                    head.target.decode("ascii"),
                    _headers(head.headers),
                    self.take_body(),
                )
                events.append(request)
                if self.tls.is_connected:
                    self.respond(request, self.handler(request))

    def respond(self, request: Request, response: Response) -> None:
        """Sends a response. Then on to the next request, or close."""
        bodiless = request.method == "HEAD" or response.status in BODILESS_STATUSES
        names = {name.lower() for name, _ in response.headers}
        headers = list(response.headers)
        if response.status not in BODILESS_STATUSES and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(response.body))))
        try:
            head = h11.Response(status_code=response.status, headers=headers)
        except h11.LocalProtocolError as error:
            raise LocalProtocolError(f"not a valid response: {error}") from error
        if response.body and not bodiless:
            self.send(head, h11.Data(data=response.body), h11.EndOfMessage())
        else:
            self.send(head, h11.EndOfMessage())
        self.end_cycle()

    def end_cycle(self) -> None:
        """On to the next request, or close where one side does not keep the connection alive."""
        if self.http.our_state is h11.DONE and self.http.their_state is h11.DONE:
            self.http.start_next_cycle()
        else:
            self.tls.close()

    def answer_fault(self, error: h11.RemoteProtocolError) -> None:
        """An error response, where one can still be sent."""
        if self.tls.is_connected and self.http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = b"bad request\n"
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text))), ("Connection", "close")]
            self.send(
                h11.Response(status_code=error.error_status_hint, headers=headers),
                h11.Data(data=text),
                h11.EndOfMessage(),
            )

    def check_complete(self) -> None:
        """No request is half-way."""
        if self._head is not None:
            self._head = None
            raise self.fault("the rest of the request", "the end of the TLS connection", INCOMPLETE)


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple([(name.decode("ascii"), value.decode("latin-1")) for name, value in headers])
