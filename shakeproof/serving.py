"""An HTTPS server on real sockets: asyncio around our own TLS and HTTP, which do no I/O.

Theory of operation. One task a connection: it reads some bytes, hands them to HttpsServer, writes what that has queued
and waits until the peer has taken most of it before it reads on. So a peer that does not read is not read from, and
what a connection can hold is bounded: a read, the answers to its requests up to HIGH_WATER, and asyncio's buffers.

Whatever ends a connection, it ends the same way (RFC 5246 section 7.2.1, RFC 1122 section 4.2.2.13). What is queued,
such as an alert, is flushed; the write side is shut down; what the peer still sends is read and thrown away until it
ends too, within bounds; then the socket is closed. A socket that is closed with unread bytes in it answers with RST,
and a RST makes the peer's TCP throw away an alert that its application has not read yet.

Connections above the limit wait in the backlog of the kernel. Nothing leaves a connection's task as an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from shakeproof.console import visible
from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.http import HttpsServer, Request, Response
from shakeproof.impl.tls import AlertDescription, AlertLevel, Negotiated, ServerConnection
from shakeproof.impl.tls.connection import CLOSED, CLOSING
from shakeproof.impl.tls.events import AlertReceived, CloseNotifyReceived, Event, HandshakeCompleted
from shakeproof.impl.x509 import Result
from shakeproof.page import answer

READ_LENGTH = 1 << 14
"""Bytes that are handed to TLS at once: about one record."""
HIGH_WATER = 1 << 16
"""Bytes of responses that may wait for a peer, before no further request of its is answered and nothing more read."""
HEAD_LENGTH = 512
"""What a response's head comes to, at most, in that account."""
BACKLOG = 512
"""Connections that may wait to be accepted; the kernel takes its own maximum where that is lower."""
ACCEPTS_AT_ONCE = 64
"""Connections that are accepted before those that are open get their turn."""
ACCEPT_PAUSE_S = 0.5
"""Wait after the system had no descriptor or memory left: accepting again at once would only fail again."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of time and space. connections: open at once; the others: of one connection.

    handshake_s: from its beginning to the end of the first handshake; nginx and Apache take 60 and 20. idle_s: to the
    next whole request, and for a response to be taken. linger_s, linger_length: how long and how many bytes are read
    after the end, Apache takes 2 s of silence in at most 30. stop_s: for everyone to say goodbye when the server stops.
    """

    connections: int = 256
    handshake_s: float = 10.0
    idle_s: float = 30.0
    linger_s: float = 3.0
    linger_length: int = 1 << 20
    stop_s: float = 3.0


@dataclass
class Account:
    """What became of one connection. fault: the peer's; crash: an error of ours; note: any other end, in words."""

    number: int
    peer: str
    negotiated: Negotiated | None = None
    handshakes: int = 0
    requests: int = 0
    alerts: list[AlertReceived] = field(default_factory=list)
    fault: RemoteProtocolError | None = None
    crash: Exception | None = None
    note: str = ""

    @property
    def line(self) -> str:
        """The connection in one line, harmless on a terminal."""
        parts = [self.peer]
        if self.negotiated is not None:
            suite = self.negotiated.suite.name if self.negotiated.suite is not None else ""
            parts.append(" ".join(filter(None, (suite, self.negotiated.alpn, self.negotiated.server_name))))
            parts.append(f"{self.requests} request{'' if self.requests == 1 else 's'}")
            if self.handshakes > 1:
                parts.append(f"{self.handshakes} handshakes")
        parts += [f"peer's alert: {_alert_name(alert)}" for alert in self.alerts[:1]]
        parts.append(self._end())
        return visible(" · ".join(part for part in parts if part))

    def _end(self) -> str:
        if self.crash is not None:
            return f"an error of ours: {type(self.crash).__name__}: {self.crash}"
        if self.fault is None:
            return self.note
        alert = f"alert {self.fault.alert.label}: " if self.fault.alert is not None else ""
        where = f" in {self.fault.state}" if self.fault.state else ""
        if isinstance(self.fault.details, Result):
            return f"{alert}the client's certificate is not trusted{where}: {self.fault.details.explanation}"
        return f"{alert}got {self.fault.got}{where}, expected {self.fault.expected} ({self.fault.clause})"


def _alert_name(alert: AlertReceived) -> str:
    name = alert.description.label if isinstance(alert.description, AlertDescription) else f"{alert.description}"
    return f"{alert.level.name.lower()} {name}"


class PageServer(HttpsServer):
    """Answers with the page. Bodies of requests are not kept; responses are held back while too much waits to be sent.

    held: further requests may be there; `resume` answers them, once what is queued has been sent.
    """

    def __init__(self, tls: ServerConnection) -> None:
        super().__init__(tls, self._answer)
        self._config = tls.config
        self.held = False
        self._queued = 0

    def _answer(self, request: Request) -> Response:
        return answer(request, self.tls.negotiated, self._config)

    def append_body(self, data: bytes) -> None:
        """No answer depends on a body; how long one may take is bounded in time."""

    def respond(self, request: Request, response: Response) -> None:
        """Also counts what it queues."""
        self._queued += len(response.body) + HEAD_LENGTH
        super().respond(request, response)

    def end_cycle(self) -> None:
        """Until the next cycle begins, h11 gives no further request."""
        if self._queued >= HIGH_WATER:
            self.held = True
        else:
            super().end_cycle()

    def resume(self) -> list[Event]:
        """What is queued was sent: on with the requests that are there. Raises RemoteProtocolError."""
        events: list[Event] = []
        self._queued = 0
        if self.held:
            self.held = False
            if self.tls.is_connected:
                super().end_cycle()
                self.proceed(events)
        return events


class Talk:
    """One connection."""

    def __init__(self, https: PageServer, account: Account, limits: Limits) -> None:
        self.https = https
        self.account = account
        self.limits = limits
        self.stopping = False
        self._timer: asyncio.Timeout | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._received = False

    async def run(self, sock: socket.socket) -> None:
        """From the accepted socket to its end. Raises nothing."""
        try:
            reader, writer = await self._open(sock)
            await self._converse(reader, writer)
            await self._finish(reader, writer)
        except OSError as error:
            self.account.note = self.account.note or f"the connection broke: {error.strerror or type(error).__name__}"
        except Exception as error:  # noqa: BLE001  whatever it is, it must not take the server down
            self.account.crash = error
        finally:
            self._close()
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def _open(self, sock: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_LENGTH, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock)
        except BaseException:
            sock.close()
            raise
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        return reader, self._writer

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """TLS and HTTP until one side closes. What is queued for the peer at the end is not sent yet."""
        try:
            await self._listen_and_answer(reader, writer)
        except RemoteProtocolError as error:
            self._note(error.events)
            self._blame(error)
        except TimeoutError:
            self._time_out()
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  a fault of ours, or a planted one: the peer learns that it was ours
            self.account.crash = error
            self._give_up()

    async def _listen_and_answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises RemoteProtocolError, TimeoutError, OSError. Once it is left, no time limit can be moved any more."""
        limit_s = 0.0 if self.stopping else self.limits.handshake_s
        try:
            async with asyncio.timeout(limit_s) as self._timer:
                while self.https.tls.state not in (CLOSED, CLOSING):
                    data = await reader.read(READ_LENGTH)
                    self._received = self._received or bool(data)
                    self._note(self.https.receive_data(data) if data else self.https.receive_eof())
                    await self._send(writer)
        finally:
            self._timer = None

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        """Send what is queued, and what was held back; wait while the peer is slow."""
        while True:
            if self.https.tls.state in (CLOSED, CLOSING):
                return  # the end of it is sent by _finish
            writer.write(self.https.data_to_send())
            await writer.drain()
            held = self.https.held
            self._note(self.https.resume())
            if not held:
                return

    async def _finish(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Flush, shut down the write side, read and throw away until the peer ends too."""
        limit_s = min(self.limits.linger_s, self.limits.stop_s) if self.stopping else self.limits.linger_s
        left = self.limits.linger_length
        with contextlib.suppress(OSError):  # it has an end already; a time-out is one of these errors
            async with asyncio.timeout(limit_s) as self._timer:
                writer.write(self.https.data_to_send())
                writer.write_eof()
                while left > 0 and (data := await reader.read(READ_LENGTH)):
                    left -= len(data)
        self._timer = None

    @property
    def unsent(self) -> int:
        """Bytes that wait for the peer to take them."""
        return self._writer.transport.get_write_buffer_size() if self._writer is not None else 0

    def stop(self) -> None:
        """The server stops: take leave, now."""
        if not self.stopping:
            self.stopping = True
            if self._timer is not None and not self._timer.expired():
                now = asyncio.get_running_loop().time()
                in_linger = self.https.tls.state in (CLOSED, CLOSING)
                self._timer.reschedule(min(self._timer.when() or now, now + in_linger * self.limits.stop_s))

    def _close(self) -> None:
        """Close the socket; what is not sent by now never will be."""
        if self._writer is not None:
            transport = self._writer.transport
            if transport.get_write_buffer_size():
                transport.abort()
            else:
                transport.close()

    def _note(self, events: Iterable[object]) -> None:
        account = self.account
        for event in events:
            if isinstance(event, HandshakeCompleted):
                account.negotiated = event.negotiated
                account.handshakes += 1
                self._allow(self.limits.idle_s)
            elif isinstance(event, Request):
                account.requests += 1
                self._allow(self.limits.idle_s)
            elif isinstance(event, AlertReceived):
                account.alerts.append(event)
            elif isinstance(event, CloseNotifyReceived):
                account.note = "closed by the peer"
        if self.https.tls.state == CLOSING:
            account.note = "closed"

    def _allow(self, seconds: float) -> None:
        """From now on the peer has this long."""
        if self._timer is not None and not self.stopping and not self._timer.expired():
            self._timer.reschedule(asyncio.get_running_loop().time() + seconds)

    def _blame(self, error: RemoteProtocolError) -> None:
        """The peer is at fault. One that merely went away without close_notify is nothing to complain about."""
        if error.alert is None and self.account.negotiated is None and not self._received:
            self.account.note = "went away without a word"
        else:
            # Whoever keeps the account keeps no frames, and with them the whole connection.
            error.__cause__ = error.__context__ = None
            self.account.fault = error.with_traceback(None)

    def _time_out(self) -> None:
        """It took too long, or the server stops: close in good order."""
        tls = self.https.tls
        if self.stopping:
            self.account.note = "closed: the server stops"
        elif self.account.negotiated is None:
            self.account.note = f"no handshake within {self.limits.handshake_s:g} s"
        else:
            self.account.note = f"closed: no request within {self.limits.idle_s:g} s"
        if tls.state not in (CLOSED, CLOSING):
            with contextlib.suppress(LocalProtocolError):
                tls.close()

    def _give_up(self) -> None:
        """Answer with internal_error, as far as what is broken can."""
        tls = self.https.tls
        with contextlib.suppress(Exception):
            tls.send_alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)
            tls.close_now()


class Server:
    """Accepts connections and talks on each, until it is stopped.

    connect: a new TLS connection; report: told of each connection that ended; started: how many there were.
    """

    def __init__(
        self,
        connect: Callable[[], ServerConnection],
        *,
        limits: Limits = Limits(),
        report: Callable[[Account], None] = lambda _: None,
    ) -> None:
        self.connect = connect
        self.limits = limits
        self.report = report
        self.started = 0
        self.most: int | None = None
        self._talks: dict[asyncio.Task[None], Talk] = {}
        self._listener: socket.socket | None = None
        self._listening = False
        self._ended = asyncio.Event()

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._talks)

    @property
    def unsent(self) -> int:
        """Bytes that wait to be taken, by all peers together."""
        return sum(talk.unsent for talk in self._talks.values())

    async def run(self, listener: socket.socket, *, most: int | None = None) -> None:
        """Serve until `stop`, or until `most` connections came and ended. Closes the listener."""
        self._listener, self.most = listener, most
        listener.setblocking(False)
        self._listen()
        try:
            await self._ended.wait()
        finally:
            self._deafen()
            listener.close()
            await self._take_leave()

    def stop(self) -> None:
        """Accept no more, close what is open in good order, then end. To be called in the loop's own thread."""
        self._ended.set()

    async def _take_leave(self) -> None:
        for talk in self._talks.values():
            talk.stop()
        if self._talks:
            _, late = await asyncio.wait(self._talks, timeout=self.limits.stop_s * 2)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    # ------------------------------------------------------------------------------------------------------- accepting

    def _listen(self) -> None:
        if not self._listening and self._listener is not None and not self._ended.is_set():
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
            self._listening = True

    def _deafen(self) -> None:
        if self._listening and self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listening = False

    def _accept(self) -> None:
        assert self._listener is not None
        for _ in range(ACCEPTS_AT_ONCE):
            if self.open >= self.limits.connections or self.started == self.most:
                self._deafen()
                return
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._deafen()
                asyncio.get_running_loop().call_later(ACCEPT_PAUSE_S, self._listen)
                return
            sock.setblocking(False)
            self._begin(sock, f"{_bracketed(address[0])}:{address[1]}")

    def _begin(self, sock: socket.socket, peer: str) -> None:
        self.started += 1
        talk = Talk(PageServer(self.connect()), Account(self.started, peer), self.limits)
        task = asyncio.get_running_loop().create_task(talk.run(sock))
        self._talks[task] = talk
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        talk = self._talks.pop(task)
        self.report(talk.account)
        if self.started == self.most:
            if not self._talks:
                self.stop()
        else:
            self._listen()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the first address of that host. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket) -> str:
    """Where a listening socket can be reached."""
    host, port = listener.getsockname()[:2]
    return f"https://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
