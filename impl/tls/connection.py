"""What client and server share: records in and out, alerts, closure, keys, Finished.

A connection does no I/O: bytes go in with `receive_data`, come out with `data_to_send`, time and randomness come from
the config. Every check is a method of its own and is called through `self`, so that one connection object can
be given a fault without touching any other.

Theory of operation. `receive_data` cuts records, opens them and hands each to the method of its content type;
handshake records go through a reassembler, each message is admitted by type in the current state before its body is
looked at, and then goes to the method of its type. A fault raises RemoteProtocolError anywhere below; `fail` turns it
into the one fatal alert and closes.

Source: RFC 5246 sections 6, 7.1, 7.2, 7.4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from hmac import compare_digest
from typing import ClassVar

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import keys
from shakeproof.impl.tls.alerts import ALERT_LENGTH, AlertDescription, AlertLevel
from shakeproof.impl.tls.config import Config
from shakeproof.impl.tls.events import (
    AlertReceived,
    ApplicationDataReceived,
    CloseNotifyReceived,
    Event,
    HandshakeCompleted,
    Negotiated,
)
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH, HandshakeReader, Transcript
from shakeproof.impl.tls.messages import HEADER_LENGTH, Finished, HandshakeType, Message, message_name, parse_message
from shakeproof.impl.tls.protection import Protection, protection_for
from shakeproof.impl.tls.records import Record, RecordReader, RecordWriter
from shakeproof.impl.tls.suites import CipherSuite, ContentType, KeyExchange
from shakeproof.impl.tls.wire import decode_error

START = "START"
WAIT_CHANGE_CIPHER_SPEC = "WAIT_CHANGE_CIPHER_SPEC"
WAIT_FINISHED = "WAIT_FINISHED"
CONNECTED = "CONNECTED"
CLOSING = "CLOSING"
"""Our close_notify is sent, the peer's is awaited."""
CLOSED = "CLOSED"

CHANGE_CIPHER_SPEC = b"\x01"

# How much a peer may send that leads nowhere, before it is refused with unexpected_message. The RFC sets no bound;
# without one a peer keeps us busy for ever. OpenSSL allows fewer (5 warning alerts, 32 empty records in a row).
# Each is counted anew after a handshake message or application data that got somewhere.
MAX_WARNING_ALERTS = 64
MAX_EMPTY_RECORDS = 64
MAX_HELLO_REQUESTS = 64
MAX_REFUSED_RENEGOTIATIONS = 64

HANDSHAKE = ContentType.HANDSHAKE


class Connection:
    """One end of a TLS 1.2 connection; see ClientConnection and ServerConnection."""

    is_client: bool
    admitted: ClassVar[Mapping[str, frozenset[int]]]
    """The handshake types that may come in each state."""
    handlers: ClassVar[Mapping[int, str]]
    """The name of the method that takes each handshake type; by name, so that an object's own method is found."""

    def __init__(self, config: Config, state: str) -> None:
        self.config = config
        self.state = state
        self.negotiated = Negotiated()
        self.reader = RecordReader()
        self.writer = RecordWriter(config.max_fragment)
        self.handshake_reader = HandshakeReader()
        self.transcript = Transcript()
        self.suite: CipherSuite | None = None
        self.client_random = b""
        self.server_random = b""
        self.master_secret = b""
        self._events: list[Event] = []
        self._output: list[bytes] = []
        self._flight: list[bytes] = []
        self._alert_buffer = bytearray()
        self._header_admitted = False
        self._close_notify_sent = False
        self._fruitless: dict[str, int] = {}

    # --- for the caller -----------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether bytes from the peer still matter."""
        return self.state != CLOSED

    @property
    def is_connected(self) -> bool:
        """Whether the handshake is complete and application data may be sent."""
        return self.state == CONNECTED

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
        """Queues data; empty data is one empty record. Raises LocalProtocolError unless connected."""
        if self.state != CONNECTED:
            raise LocalProtocolError(
                f"application data cannot be sent in {self.state}, only in CONNECTED; wait for HandshakeCompleted"
            )
        if data:
            self._output.append(self.writer.write(ContentType.APPLICATION_DATA, data))
        else:
            self._output.append(self.writer.write_record(ContentType.APPLICATION_DATA, b""))

    def close(self) -> None:
        """Queues close_notify; a handshake under way is cancelled. Raises LocalProtocolError where nothing is open.

        Source: RFC 5246 sections 7.2.1 and 7.2.2 (user_canceled).
        """
        if self.state in (START, CLOSING, CLOSED):
            raise LocalProtocolError(f"close() in {self.state}: there is nothing to close")
        if self.state == CONNECTED:
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
        elif content_type == HANDSHAKE:
            self.receive_handshake_fragment(record.fragment)
        elif content_type == ContentType.ALERT:
            self.receive_alert_fragment(record.fragment)
        else:
            self.receive_change_cipher_spec(record.fragment)

    def receive_application_data(self, fragment: bytes) -> None:
        """Application data, once connected."""
        self.admit_application_data()
        self.check_not_interleaved("application data")
        if not fragment:
            self.check_bound("empty records", MAX_EMPTY_RECORDS, "RFC 5246 section 6.2.1")
            return
        self._fruitless.clear()
        self._events.append(ApplicationDataReceived(fragment))

    def admit_application_data(self) -> None:
        """None before the handshake is complete (RFC 5246 section 7.3)."""
        if self.state not in (CONNECTED, CLOSING):
            raise self.unexpected("application data", "RFC 5246 section 7.3")

    def check_not_interleaved(self, what: str) -> None:
        """A handshake message that has begun is finished before anything else comes.

        Alerts are exempt: a peer must be able to give up in the middle of a message.
        """
        if self.handshake_reader.pending:
            raise self.unexpected(f"{what} within a handshake message", "RFC 5246 section 7.4")

    def receive_change_cipher_spec(self, fragment: bytes) -> None:
        """The peer's switch to the negotiated keys (RFC 5246 section 7.1)."""
        self.admit_change_cipher_spec()
        self.check_not_interleaved("ChangeCipherSpec")
        self.check_change_cipher_spec(fragment)
        self.reader.change_protection(self.make_protection(by_client=not self.is_client))
        self.state = WAIT_FINISHED

    def admit_change_cipher_spec(self) -> None:
        """Only once the security parameters are agreed upon, right before the peer's Finished."""
        if self.state != WAIT_CHANGE_CIPHER_SPEC:
            raise self.unexpected("ChangeCipherSpec", "RFC 5246 section 7.1")

    def check_change_cipher_spec(self, fragment: bytes) -> None:
        """A single byte of value 1."""
        if fragment != CHANGE_CIPHER_SPEC:
            raise decode_error(
                "ChangeCipherSpec", "the single byte 01", repr(fragment[:8].hex()), "RFC 5246 section 7.1"
            )

    # --- handshake ----------------------------------------------------------------------------------------------------

    def receive_handshake_fragment(self, fragment: bytes) -> None:
        """The content of one handshake record: part of a message, or several."""
        self.check_not_empty(fragment, "handshake")
        if self.state == CLOSING:
            return  # no answer can be given after close_notify
        self.handshake_reader.feed(fragment)
        while self.state != CLOSED:
            header = self.handshake_reader.header()
            if header is None:
                break
            if not self._header_admitted:
                self.admit(header[0])
                self.check_message_length(header[1])
                self._header_admitted = True
            message = self.handshake_reader.next_message()
            if message is None:
                break
            self._header_admitted = False
            self.receive_handshake_message(header[0], message)
        self.flush_flight()

    def check_not_empty(self, fragment: bytes, what: str) -> None:
        """Only application data may come in empty records (RFC 5246 section 6.2.1)."""
        if not fragment:
            raise decode_error(f"{what} record", "at least one byte", "none", "RFC 5246 section 6.2.1")

    def check_message_length(self, length: int) -> None:
        """No longer than we are willing to buffer."""
        if length > MAX_MESSAGE_LENGTH:
            raise decode_error(
                "handshake message", f"at most {MAX_MESSAGE_LENGTH} bytes", f"{length}", "RFC 5246 section 7.4"
            )

    def admit(self, handshake_type: int) -> None:
        """Whether a message of that type may come now."""
        if handshake_type not in self.admitted.get(self.state, ()):
            raise self.unexpected(message_name(handshake_type), "RFC 5246 section 7.4")

    def receive_handshake_message(self, handshake_type: int, raw: bytes) -> None:
        """Decodes a whole message, puts it into the transcript and hands it to the method of its type."""
        name = self.handlers.get(handshake_type)
        if name is None:
            raise self.unexpected(message_name(handshake_type), "RFC 5246 section 7.4")
        message = self.parse(handshake_type, raw[HEADER_LENGTH:])
        handler = getattr(self, name)
        if handshake_type == HandshakeType.FINISHED:
            handler(message)  # Finished covers what came before it
            self.transcript.update(raw)
            self.finished_received()
            return
        if handshake_type != HandshakeType.HELLO_REQUEST and self.state != CONNECTED:
            self.transcript.update(raw)
            self._fruitless.clear()
        handler(message)

    def parse(self, handshake_type: int, body: bytes) -> Message:
        """The message, in the form that the suite gives it."""
        return parse_message(handshake_type, body, self.key_exchange)

    @property
    def key_exchange(self) -> KeyExchange | None:
        """The suite's, None before there is one."""
        return self.suite.key_exchange if self.suite is not None else None

    def receive_finished(self, message: Finished) -> None:
        """The peer's Finished."""
        self.check_finished(message)

    def finished_received(self) -> None:
        """What follows on a verified Finished."""
        raise NotImplementedError

    def check_finished(self, message: Finished) -> None:
        """verify_data is what we compute ourselves (RFC 5246 section 7.4.9)."""
        expected = self.verify_data(by_client=not self.is_client)
        if len(message.verify_data) != len(expected):
            raise decode_error(
                "Finished", f"{len(expected)} bytes", f"{len(message.verify_data)}", "RFC 5246 section 7.4.9"
            )
        if not compare_digest(message.verify_data, expected):
            raise RemoteProtocolError(
                AlertDescription.DECRYPT_ERROR,
                expected="the verify_data of this handshake",
                got="another one: the two sides saw different messages or have different secrets",
                clause="RFC 5246 section 7.4.9",
            )

    # --- keys ---------------------------------------------------------------------------------------------------------

    def set_master_secret(self, pre_master_secret: bytes) -> None:
        """Derives the master secret; the transcript ends with ClientKeyExchange."""
        suite = self.chosen_suite
        if self.negotiated.extended_master_secret:
            session_hash = self.transcript.digest()
            self.master_secret = keys.extended_master_secret(pre_master_secret, session_hash, suite.prf_hash)
        else:
            self.master_secret = keys.master_secret(
                pre_master_secret, self.client_random, self.server_random, suite.prf_hash
            )
        if self.config.key_log is not None:
            self.config.key_log(keys.key_log_line(self.client_random, self.master_secret))

    @property
    def chosen_suite(self) -> CipherSuite:
        """The negotiated suite. Raises LocalProtocolError before there is one."""
        if self.suite is None:
            raise LocalProtocolError("no cipher suite is negotiated yet")
        return self.suite

    def make_protection(self, *, by_client: bool) -> Protection:
        """The protection, from the key block, of what the client (or else the server) writes."""
        suite = self.chosen_suite
        block = keys.key_block(self.master_secret, self.client_random, self.server_random, suite)
        entropy = self.config.entropy
        if by_client:
            key, mac_key, iv = block.client_write_key, block.client_write_mac_key, block.client_write_iv
        else:
            key, mac_key, iv = block.server_write_key, block.server_write_mac_key, block.server_write_iv
        return protection_for(suite, key, mac_key, iv, entropy)

    def verify_data(self, *, by_client: bool) -> bytes:
        """The verify_data of the client's (or else the server's) Finished over the transcript as it is now."""
        suite = self.chosen_suite
        label = keys.CLIENT_FINISHED if by_client else keys.SERVER_FINISHED
        return keys.verify_data(
            self.master_secret, label, self.transcript.digest(), suite.prf_hash, suite.verify_data_length
        )

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
        self._events.append(AlertReceived(AlertLevel(level), name))
        if level == AlertLevel.FATAL:
            self.close_now()
        else:
            self.check_bound("warning alerts", MAX_WARNING_ALERTS, "RFC 5246 section 7.2.2")

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
        if self.state == WAIT_CHANGE_CIPHER_SPEC:
            return "ChangeCipherSpec"
        if self.state in (CONNECTED, CLOSING):
            return "application data or an alert"
        names = [message_name(t) for t in sorted(self.admitted.get(self.state, ())) if t != HandshakeType.HELLO_REQUEST]
        return " or ".join(names) or "nothing"

    def fail(self, error: RemoteProtocolError) -> None:
        """Answers the peer's fault with its fatal alert and closes; completes the error.

        After our close_notify nothing more may be sent, so then there is no alert.
        """
        error.state = error.state or self.state
        error.events = tuple(self._events)
        if error.alert is not None and not self._close_notify_sent:
            self.send_alert(AlertLevel.FATAL, error.alert)
        self.close_now()

    def close_now(self) -> None:
        """Closes, and forgets the secrets (RFC 5246 section 7.2.2)."""
        self.state = CLOSED
        self.master_secret = b""
        self.reader.clear()
        self.handshake_reader.clear()
        self._flight.clear()

    # --- sending ------------------------------------------------------------------------------------------------------

    def send_handshake(self, message: Message) -> None:
        """Queues a message and puts it into the transcript."""
        raw = message.encode()
        self.transcript.update(raw)
        if self.config.coalesce:
            self._flight.append(raw)
        else:
            self._output.append(self.writer.write(HANDSHAKE, raw))

    def flush_flight(self) -> None:
        """Writes the messages that were held back to share a record."""
        if self._flight:
            self._output.append(self.writer.write(HANDSHAKE, b"".join(self._flight)))
            self._flight.clear()

    def send_change_cipher_spec(self) -> None:
        """Queues ChangeCipherSpec and switches to the negotiated keys."""
        self.flush_flight()
        self._output.append(self.writer.write(ContentType.CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC))
        self.writer.change_protection(self.make_protection(by_client=self.is_client))

    def send_finished(self) -> None:
        """Queues our Finished."""
        self.send_handshake(Finished(self.verify_data(by_client=self.is_client)))
        self.flush_flight()

    def send_alert(self, level: AlertLevel, description: AlertDescription) -> None:
        """Queues one alert."""
        self.flush_flight()
        self._output.append(self.writer.write(ContentType.ALERT, bytes((level, description))))

    def send_close_notify(self) -> None:
        """Queues close_notify: nothing follows it."""
        self.send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._close_notify_sent = True

    def complete(self) -> None:
        """The handshake is over: both Finished are verified."""
        self.state = CONNECTED
        self.transcript = Transcript()
        self._fruitless.clear()
        self._events.append(HandshakeCompleted(dataclasses.replace(self.negotiated)))
