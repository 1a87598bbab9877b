"""Our client and our server on sockets: a loop that carries bytes, and a server in a thread that echoes."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertReceived,
    ApplicationDataReceived,
    ClientConfig,
    ClientConnection,
    CloseNotifyReceived,
    Connection,
    Event,
    HandshakeCompleted,
    ServerConfig,
    ServerConnection,
)
from tests.interop.peers import CHUNK, DEADLINE_S

Speaker = Callable[[], Callable[[bytes], bytes]]


class Link:
    """A connection of ours on a socket, which it closes at the end. Writes while it reads, so that an echo never jams.

    largest: bytes of data in the largest record that came.
    """

    def __init__(self, transport: socket.socket, connection: Connection) -> None:
        self.transport = transport
        self.connection = connection
        self.events: list[Event] = []
        self.received = bytearray()
        self.largest = 0
        self.error: RemoteProtocolError | None = None
        self.outgoing = bytearray()
        self.ended = False
        transport.setblocking(False)
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.selector = selectors.DefaultSelector()
        self.selector.register(transport, selectors.EVENT_READ)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.selector.close()
        self.transport.close()

    def has(self, kind: type[Event]) -> bool:
        """Whether there was such an event."""
        return any(isinstance(event, kind) for event in self.events)

    @property
    def is_clean(self) -> bool:
        """Whether both sides have sent close_notify, and nothing went wrong."""
        return self.error is None and self.has(CloseNotifyReceived) and self.connection.state == "CLOSED"

    def until(self, what: str, reached: Callable[[], bool], react: Callable[[Event], None] | None = None) -> None:
        """Carries bytes until that is so. Fails where the transport ends, or nothing comes, before."""
        while not reached():
            if self.ended:
                raise AssertionError(f"waited for {what}; {self.describe()}")
            for event in self.step():
                if react is not None:
                    react(event)
        self.flush()

    def step(self) -> list[Event]:
        """One exchange with the transport: what came of it."""
        self.outgoing += self.connection.data_to_send()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.outgoing else 0)
        self.selector.modify(self.transport, wanted)
        ready = self.selector.select(DEADLINE_S)
        if not ready:
            raise AssertionError(f"nothing came for {DEADLINE_S} s; {self.describe()}")
        _, mask = ready[0]
        if mask & selectors.EVENT_WRITE:
            self.write()
        events: list[Event] = []
        if mask & selectors.EVENT_READ:
            try:
                data = self.transport.recv(CHUNK)
            except ConnectionResetError:
                data = b""
            try:
                events = self.connection.receive_data(data) if data else self.connection.receive_eof()
            except RemoteProtocolError as error:
                self.error = error
                events = [event for event in error.events if isinstance(event, Event)]
            self.ended = not data
        self.events += [event for event in events if not isinstance(event, ApplicationDataReceived)]
        for event in events:
            if isinstance(event, ApplicationDataReceived):
                self.received += event.data
                self.largest = max(self.largest, len(event.data))
        return events

    def write(self) -> None:
        """Gives the transport as much as it takes."""
        try:
            del self.outgoing[: self.transport.send(self.outgoing)]
        except (BrokenPipeError, ConnectionResetError):
            self.outgoing.clear()  # the other side has gone; reading tells whether it closed before

    def flush(self) -> None:
        """Gives the transport all that is queued."""
        self.outgoing += self.connection.data_to_send()
        while self.outgoing:
            self.selector.modify(self.transport, selectors.EVENT_WRITE)
            if not self.selector.select(DEADLINE_S):
                raise AssertionError(f"could not write for {DEADLINE_S} s; {self.describe()}")
            self.write()

    def describe(self) -> str:
        """Where the connection is, for a failure's message."""
        events = [str(event) if isinstance(event, AlertReceived) else type(event).__name__ for event in self.events]
        return (
            f"{self.connection.state}, {len(self.received)} bytes received, events {events}, "
            f"error {self.error}, transport {'ended' if self.ended else 'open'}"
        )

    # --- a client's steps ---------------------------------------------------------------------------------------------

    def shake_hands(self) -> None:
        """Until the handshake is complete."""
        self.until("the end of the handshake", lambda: self.connection.is_connected)

    def exchange(self, data: bytes, expected: bytes) -> None:
        """Sends data and waits for an answer of that length, which has to be that."""
        start = len(self.received)
        self.connection.send_application_data(data)
        self.until("the answer", lambda: len(self.received) - start >= len(expected))
        assert self.received[start:] == expected

    def close(self) -> None:
        """close_notify, and the peer's, or the end of the transport without it: `is_clean` tells."""
        self.connection.close()
        self.until("the peer's close_notify", lambda: not self.connection.is_open or self.ended)


def connect(port: int, config: ClientConfig) -> Link:
    """Our client, handshake under way."""
    link = Link(socket.create_connection(("127.0.0.1", port), DEADLINE_S), ClientConnection(config))
    assert isinstance(link.connection, ClientConnection)
    link.connection.start()
    return link


class EchoServer:
    """Our server, in a thread, one connection after the other: sends back what it receives until the peer closes.

    links: one for each connection, in order. speaker: makes, for each, what gives the answer to what has come.
    renegotiates: asks for another handshake when the first data comes, and answers after it, or after it was refused.
    """

    def __init__(self, config: ServerConfig, speaker: Speaker = lambda: bytes, *, renegotiates: bool = False) -> None:
        self.config = config
        self.speaker = speaker
        self.renegotiates = renegotiates
        self.links: list[Link] = []
        self.failures: list[AssertionError] = []
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> EchoServer:
        self.thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.listener.close()
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        if error is None and self.failures:
            raise self.failures[0]

    def run(self) -> None:
        """Accepts until the listener is shut."""
        while True:
            try:
                transport, _ = self.listener.accept()
            except OSError:
                return
            with Link(transport, ServerConnection(self.config)) as link:
                try:
                    self.serve(link)
                except AssertionError as failure:
                    self.failures.append(failure)
            with self.changed:
                self.links.append(link)
                self.changed.notify_all()

    def serve(self, link: Link) -> None:
        """Echoes until the connection is closed, then waits for the end of the transport.

        To close before that would make the transport throw away what the peer has not read yet.
        """
        speak = self.speaker()
        held = b""
        has_asked = False

        def react(event: Event) -> None:
            nonlocal held, has_asked
            if isinstance(event, ApplicationDataReceived):
                if self.renegotiates and not has_asked:
                    has_asked = True
                    link.connection.renegotiate()
                held += speak(event.data)
            is_settled = not self.renegotiates or len(completed(link)) > 1 or link.has(AlertReceived)
            if held and is_settled and link.connection.is_connected:
                link.connection.send_application_data(held)
                held = b""

        has_asked = False

        link.until("the peer's closure", lambda: not link.connection.is_open or link.ended, react)
        with contextlib.suppress(OSError):  # the peer may have gone already
            link.transport.shutdown(socket.SHUT_WR)
        link.until("the end of the transport", lambda: link.ended)

    def link(self, number: int = 0) -> Link:
        """The connection of that number, once it is over. Fails on what failed in the thread."""
        with self.changed:
            self.changed.wait_for(lambda: len(self.links) > number or self.failures, DEADLINE_S)
        if self.failures:
            raise self.failures[0]
        assert len(self.links) > number, f"waited for connection {number}; there were {len(self.links)}"
        return self.links[number]


def completed(link: Link) -> list[HandshakeCompleted]:
    """The handshakes that a connection has completed."""
    return [event for event in link.events if isinstance(event, HandshakeCompleted)]
