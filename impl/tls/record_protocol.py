"""The record protocol of a connection: records in and out, application data, alerts, closure.

What lies above it, ChangeCipherSpec and the handshake, is `connection.Connection`'s.

Source: RFC 5246 sections 6 and 7.2.
"""

from __future__ import annotations

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls.alerts import ALERT_LENGTH, AlertDescription, AlertLevel
from shakeproof.impl.tls.config import Config
from shakeproof.impl.tls.events import AlertReceived, ApplicationDataReceived, CloseNotifyReceived, Event
from shakeproof.impl.tls.handshake import HandshakeReader
from shakeproof.impl.tls.records import Record, RecordReader, RecordWriter
from shakeproof.impl.tls.states import (
    CLOSED,
    CLOSING,
    CONNECTED,
    MAX_EMPTY_RECORDS,
    MAX_WARNING_ALERTS,
    START,
    WAIT_FINISHED,
)
from shakeproof.impl.tls.suites import SSL_3_0, TLS_1_2, ContentType
from shakeproof.impl.tls.wire import decode_error


class RecordProtocol:
    """What a connection does below the handshake; see `connection.Connection`."""

    def __init__(self, config: Config, state: str) -> None:
        self.config = config
        self.state = state
        self.reader = RecordReader()
        self.writer = RecordWriter(config.max_fragment)
        self.handshake_reader = HandshakeReader()
        self.master_secret = b""
        self.established = False
        """Whether a handshake has been completed, so that application data may come; from then on a handshake is a
        renegotiation."""
        self.peer_version: int | None = None
        """The version that the peer's hello named, where it is not the one that we speak."""
        self._keys_changed = False
        self._events: list[Event] = []
        self._output: list[bytes] = []
        self._flight: list[bytes] = []
        self._held: list[bytes] = []
        self._closes_when_sent = False
        self._alert_buffer = bytearray()
        self._close_notify_sent = False
        self._fruitless: dict[str, int] = {}

    # --- for the caller -----------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether bytes from the peer still matter."""
        return self.state != CLOSED

    @property
    def is_connected(self) -> bool:
        """Whether a handshake is complete and application data may be sent, also while renegotiating."""
        return self.established and self.state not in (CLOSING, CLOSED) and not self._closes_when_sent

    @property
    def is_renegotiating(self) -> bool:
        """Whether another handshake is under way."""
        return self.established and self.state not in (CONNECTED, CLOSING, CLOSED)

    def receive_data(self, data: bytes) -> list[Event]:
        """Takes bytes from the transport; what they led to, in order. Bytes after the end are ignored.

        Raises RemoteProtocolError at the peer's fault, with the events before it in `error.events`; the alert
        is queued, the connection closed. Raises LocalProtocolError if not started.
        """
        if self.state == CLOSED:
            return []
        if self.state == START:
            raise LocalProtocolError("bytes came before start(); call start() first")
        events: list[Event] = []
        self._events = events
        self.reader.feed(data)
        try:
            while self.state != CLOSED:
                record = self.reader.next_record()
                if record is None:
                    break
                self.receive_record(record)
        except RemoteProtocolError as error:
            self.fail(error)
            raise
        return events

    def receive_eof(self) -> list[Event]:
        """The transport ended. Raises RemoteProtocolError if no side had closed: data may be cut off.

        Source: RFC 5246 section 7.2.1.
        """
        if self.state in (CLOSED, CLOSING):
            self.close_now()
            return []
        error = RemoteProtocolError(
            None,
            expected="a close_notify alert before the transport ends",
            got="the end of the transport",
            clause="RFC 5246 section 7.2.1",
            state=self.state,
        )
        self.close_now()
        raise error

    def data_to_send(self) -> bytes:
        """Everything that is queued for the transport; it is then ours no more."""
        output = b"".join(self._output)
        self._output.clear()
        return output

    def send_application_data(self, data: bytes) -> None:
        """Queues data; empty data is one empty record. Raises LocalProtocolError unless connected.

        Between our ChangeCipherSpec and the end of a renegotiation data waits: the new keys are not confirmed yet.
        """
        if not self.is_connected:
            raise LocalProtocolError(
                f"application data cannot be sent in {self.state}, only once connected; wait for HandshakeCompleted"
            )
        if self._keys_changed:
            self._held.append(data)
        else:
            self.write_application_data(data)

    def write_application_data(self, data: bytes) -> None:
        """Queues data as records."""
        if data:
            self._output.append(self.writer.write(ContentType.APPLICATION_DATA, data))
        else:
            self._output.append(self.writer.write_record(ContentType.APPLICATION_DATA, b""))

    def close(self) -> None:
        """Queues close_notify; a handshake under way is cancelled. Raises LocalProtocolError where nothing is open.

        Where data waits for the end of a renegotiation, so does close_notify: before it, the peer would take what came
        for all that was written.

        Source: RFC 5246 sections 7.2.1 and 7.2.2 (user_canceled).
        """
        if self.state in (START, CLOSING, CLOSED):
            raise LocalProtocolError(f"close() in {self.state}: there is nothing to close")
        if self._held:
            self._closes_when_sent = True
        elif self.state == CONNECTED:
            self.send_close_notify()
            self.state = CLOSING
        else:
            self.send_alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED)
            self.send_close_notify()
            self.close_now()

    # --- records ------------------------------------------------------------------------------------------------------

    def receive_record(self, record: Record) -> None:
        """Hands an opened record to the method of its content type."""
        content_type = record.content_type
        if content_type == ContentType.APPLICATION_DATA:
            self.receive_application_data(record.fragment)
        elif content_type == ContentType.HANDSHAKE:
            self.receive_handshake_fragment(record.fragment)
        elif content_type == ContentType.ALERT:
            self.receive_alert_fragment(record.fragment)
        else:
            self.receive_change_cipher_spec(record.fragment)

    def receive_handshake_fragment(self, fragment: bytes) -> None:
        """The content of one handshake record."""
        raise NotImplementedError

    def receive_change_cipher_spec(self, fragment: bytes) -> None:
        """The content of one ChangeCipherSpec record."""
        raise NotImplementedError

    def receive_application_data(self, fragment: bytes) -> None:
        """Application data, once connected; also between the records of a renegotiation.

        "Recipients MUST receive and process interleaved application layer traffic during handshakes subsequent to the
        first one" (RFC 5246 section 6.2.1).
        """
        self.admit_application_data()
        if not fragment:
            self.check_bound("empty records", MAX_EMPTY_RECORDS, "RFC 5246 section 6.2.1")
            return
        self._fruitless.clear()
        self._events.append(ApplicationDataReceived(fragment))

    def admit_application_data(self) -> None:
        """None before the first handshake is complete, nor between ChangeCipherSpec and Finished (RFC 5246, 7.3)."""
        if not self.established or self.state == WAIT_FINISHED:
            raise self.unexpected("application data", "RFC 5246 section 7.3")

    def check_not_interleaved(self, what: str) -> None:
        """A handshake message that has begun is finished before the keys change.

        Alerts and application data are exempt: a peer must be able to give up in the middle of a message, and "data of
        different TLS record layer content types MAY be interleaved" (RFC 5246 section 6.2.1).
        """
        if self.handshake_reader.pending:
            raise self.unexpected(f"{what} within a handshake message", "RFC 5246 section 7.4")

    def check_not_empty(self, fragment: bytes, what: str) -> None:
        """Only application data may come in empty records (RFC 5246 section 6.2.1)."""
        if not fragment:
            raise decode_error(f"{what} record", "at least one byte", "none", "RFC 5246 section 6.2.1")

    # --- alerts and the end -------------------------------------------------------------------------------------------

    def receive_alert_fragment(self, fragment: bytes) -> None:
        """The content of one alert record: usually one alert, possibly several, or a part of one."""
        self.check_not_empty(fragment, "alert")
        buffer = self._alert_buffer
        buffer += fragment
        while len(buffer) >= ALERT_LENGTH and self.state != CLOSED:
            level, description = buffer[0], buffer[1]
            del buffer[:ALERT_LENGTH]
            self.receive_alert(level, description)

    def receive_alert(self, level: int, description: int) -> None:
        """One alert (RFC 5246 section 7.2)."""
        self.check_alert_level(level)
        if description == AlertDescription.CLOSE_NOTIFY:
            self.receive_close_notify()
            return
        try:
            name: AlertDescription | int = AlertDescription(description)
        except ValueError:
            name = description
        self._events.append(AlertReceived(AlertLevel(level), name, self.state))
        if level == AlertLevel.FATAL:
            self.forget_session()
            self.close_now()
            return
        self.check_bound("warning alerts", MAX_WARNING_ALERTS, "RFC 5246 section 7.2.2")
        if description == AlertDescription.NO_RENEGOTIATION:
            self.receive_no_renegotiation()

    def receive_no_renegotiation(self) -> None:
        """The peer does not want to negotiate anew. On the one who did not ask, it has no effect."""

    def forget_session(self) -> None:
        """The connection failed: its session must not be resumed (RFC 5246 section 7.2.2)."""
        raise NotImplementedError

    def check_alert_level(self, level: int) -> None:
        """warning or fatal."""
        if level not in (AlertLevel.WARNING, AlertLevel.FATAL):
            raise decode_error("Alert", "level 1 or 2", f"level {level}", "RFC 5246 section 7.2")

    def receive_close_notify(self) -> None:
        """The peer closes: answer alike and close, discarding what waits (RFC 5246 section 7.2.1)."""
        self._events.append(CloseNotifyReceived())
        if not self._close_notify_sent:
            self.send_close_notify()
        self.close_now()

    def check_bound(self, what: str, limit: int, clause: str) -> None:
        """Counts something that led nowhere; too many in a row are refused."""
        count = self._fruitless.get(what, 0) + 1
        self._fruitless[what] = count
        if count > limit:
            raise RemoteProtocolError(
                AlertDescription.UNEXPECTED_MESSAGE,
                expected=f"at most {limit} {what} in a row",
                got=f"{count}",
                clause=clause,
            )

    def unexpected(self, what: str, clause: str) -> RemoteProtocolError:
        """unexpected_message: `what` may not come in this state."""
        return RemoteProtocolError(
            AlertDescription.UNEXPECTED_MESSAGE, expected=self.expectation(), got=what, clause=clause
        )

    def illegal(self, expected: str, got: str, clause: str) -> RemoteProtocolError:
        """illegal_parameter: a value that does not fit the others."""
        return RemoteProtocolError(AlertDescription.ILLEGAL_PARAMETER, expected=expected, got=got, clause=clause)

    def handshake_failure(self, expected: str, got: str, clause: str) -> RemoteProtocolError:
        """handshake_failure: no acceptable set of parameters."""
        return RemoteProtocolError(AlertDescription.HANDSHAKE_FAILURE, expected=expected, got=got, clause=clause)

    def expectation(self) -> str:
        """In words, what may come in this state."""
        raise NotImplementedError

    def fail(self, error: RemoteProtocolError) -> None:
        """Answers the peer's fault with its fatal alert and closes; completes the error.

        After our close_notify nothing more may be sent, so then there is no alert.
        """
        error.state = error.state or self.state
        error.events = tuple(self._events)
        self.forget_session()
        if error.alert is not None and not self._close_notify_sent:
            self.writer.version = self.choose_alert_version()
            self.send_alert(AlertLevel.FATAL, error.alert)
        self.close_now()

    def choose_alert_version(self) -> int:
        """The record version of a fatal alert: one that a peer of an older version can read.

        What a peer of a version that we refuse has said of itself tells it; else ours.
        """
        version = self.reader.ssl_2_version if self.reader.ssl_2_version is not None else self.peer_version
        return min(max(version, SSL_3_0), TLS_1_2) if version is not None else TLS_1_2

    def close_now(self) -> None:
        """Closes, and forgets the secrets (RFC 5246 section 7.2.2)."""
        self.state = CLOSED
        self.master_secret = b""
        self.reader.clear()
        self.handshake_reader.clear()
        self._flight.clear()
        self._held.clear()

    # --- sending ------------------------------------------------------------------------------------------------------

    def flush_flight(self) -> None:
        """Writes the messages that were held back to share a record."""
        if self._flight:
            self._output.append(self.writer.write(ContentType.HANDSHAKE, b"".join(self._flight)))
            self._flight.clear()

    def send_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        """Queues one alert, whole in its record: OpenSSL, GnuTLS and Go take no other, which RFC 5246 would allow."""
        self.flush_flight()
        self._output.append(self.writer.write_record(ContentType.ALERT, bytes((level, description))))

    def send_close_notify(self) -> None:
        """Queues close_notify: nothing follows it."""
        self.send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._close_notify_sent = True
