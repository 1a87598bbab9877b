"""What client and server share: ChangeCipherSpec, handshake messages, keys, Finished. Records and alerts lie below.

A connection does no I/O: bytes go in with `receive_data`, come out with `data_to_send`, time and randomness come from
the config. Every check is a method of its own and is called through `self`, so that one connection object can
be given a fault without touching any other.

Theory of operation. `receive_data` cuts records, opens them and hands each to the method of its content type;
handshake records go through a reassembler, each message is admitted by type in the current state before its body is
looked at, and then goes to the method of its type. A fault raises RemoteProtocolError anywhere below; `fail` turns it
into the one fatal alert and closes. A handshake begins with `begin_handshake` and ends with `complete`; what it agrees
on is in `negotiated`. A connection may go through that several times (renegotiation); the verify_data of one handshake
then bind the next to it.

Source: RFC 5246 sections 6, 7.1, 7.2, 7.4; RFC 5746 section 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from hmac import compare_digest
from typing import ClassVar

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import keys
from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.config import Config
from shakeproof.impl.tls.events import HandshakeCompleted, Negotiated, RenegotiationRefused, RenegotiationStarted
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH, MAX_TICKET_MESSAGE_LENGTH, HandshakeReader, Transcript
from shakeproof.impl.tls.messages import HEADER_LENGTH, Finished, HandshakeType, Message, message_name, parse_message
from shakeproof.impl.tls.protection import Protection, protection_for
from shakeproof.impl.tls.record_protocol import RecordProtocol
from shakeproof.impl.tls.sessions import Session
from shakeproof.impl.tls.states import (
    CLOSED,
    CLOSING,
    CONNECTED,
    MAX_EMPTY_RECORDS,
    MAX_HELLO_REQUESTS,
    MAX_REFUSED_RENEGOTIATIONS,
    MAX_RENEGOTIATIONS,
    MAX_WARNING_ALERTS,
    START,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_FINISHED,
)
from shakeproof.impl.tls.suites import CipherSuite, ContentType, KeyExchange
from shakeproof.impl.tls.wire import decode_error

__all__ = [
    "CHANGE_CIPHER_SPEC",
    "CLOSED",
    "CLOSING",
    "CONNECTED",
    "MAX_EMPTY_RECORDS",
    "MAX_HELLO_REQUESTS",
    "MAX_REFUSED_RENEGOTIATIONS",
    "MAX_RENEGOTIATIONS",
    "MAX_WARNING_ALERTS",
    "START",
    "WAIT_CHANGE_CIPHER_SPEC",
    "WAIT_FINISHED",
    "Connection",
    "HandshakeReader",
]

CHANGE_CIPHER_SPEC = b"\x01"

HANDSHAKE = ContentType.HANDSHAKE


class Connection(RecordProtocol):
    """One end of a TLS 1.2 connection; see ClientConnection and ServerConnection."""

    is_client: bool
    admitted: ClassVar[Mapping[str, frozenset[int]]]
    """The handshake types that may come in each state."""
    handlers: ClassVar[Mapping[int, str]]
    """The name of the method that takes each handshake type; by name, so that an object's own method is found."""

    def __init__(self, config: Config, state: str) -> None:
        super().__init__(config, state)
        self.negotiated = Negotiated()
        self.transcript = Transcript()
        self.suite: CipherSuite | None = None
        self.client_random = b""
        self.server_random = b""
        self.client_verify_data = b""
        self.server_verify_data = b""
        """Of the last complete handshake (RFC 5746 section 3.1)."""
        self.encrypt_then_mac_is_kept = False
        """Whether any handshake here agreed on it: a later one must not go back (RFC 7366 section 3.1)."""
        self.renegotiations = 0
        self._verify_data: dict[bool, bytes] = {}
        """Of the handshake under way, by whether it is the client's."""
        self._earlier = self.negotiated
        """Of the last complete handshake, while another is under way."""
        self._session: Session | None = None
        self._header_admitted = False

    # --- for the caller -----------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session | None:
        """What a later connection needs to resume; None until connected, and where the session cannot be resumed."""
        return self._session

    def renegotiate(self) -> None:
        """Begins another handshake: a client with ClientHello, a server by asking for one.

        Raises LocalProtocolError where that is not allowed: by the config, now, or ever on this connection.
        """
        if self.state != CONNECTED:
            raise LocalProtocolError(f"renegotiate() in {self.state}: only a connection at rest can negotiate anew")
        if not self.admit_renegotiation():
            raise LocalProtocolError(
                "renegotiate() needs renegotiation='allow' in the config, a peer with renegotiation_info, a session "
                f"that is safe to renegotiate (RFC 7627 section 5.4), and at most {MAX_RENEGOTIATIONS} of them"
            )
        self.ask_for_renegotiation()

    # --- ChangeCipherSpec ---------------------------------------------------------------------------------------------

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
                self.check_message_length(*header)
                self._header_admitted = True
            message = self.handshake_reader.next_message()
            if message is None:
                break
            self._header_admitted = False
            self.receive_handshake_message(header[0], message)
        self.flush_flight()

    def check_message_length(self, handshake_type: int, length: int) -> None:
        """No longer than we are willing to buffer; asked as soon as the header is there."""
        is_ticket = handshake_type == HandshakeType.NEW_SESSION_TICKET
        limit = MAX_TICKET_MESSAGE_LENGTH if is_ticket else MAX_MESSAGE_LENGTH
        if length > limit:
            raise decode_error("handshake message", f"at most {limit} bytes", f"{length}", "RFC 5246 section 7.4")

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
        if handshake_type in (HandshakeType.FINISHED, HandshakeType.CERTIFICATE_VERIFY):
            handler(message)  # they cover what came before them
            self.transcript.update(raw)
            if handshake_type == HandshakeType.FINISHED:
                self.finished_received()
            return
        if handshake_type != HandshakeType.HELLO_REQUEST:
            self.transcript.update(raw)
            if self.state != CONNECTED:
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
        self._verify_data[not self.is_client] = message.verify_data

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

    def expectation(self) -> str:
        """In words, what may come in this state."""
        if self.state == WAIT_CHANGE_CIPHER_SPEC:
            return "ChangeCipherSpec"
        if self.state in (CONNECTED, CLOSING):
            return "application data or an alert"
        names = [message_name(t) for t in sorted(self.admitted.get(self.state, ())) if t != HandshakeType.HELLO_REQUEST]
        return " or ".join(names) or "nothing"

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
        self.log_secret()

    def log_secret(self) -> None:
        """Writes the key log, where there is one; also of a resumed session, whose randoms are new."""
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
        return protection_for(suite, key, mac_key, iv, entropy, encrypt_then_mac=self.negotiated.encrypt_then_mac)

    def verify_data(self, *, by_client: bool) -> bytes:
        """The verify_data of the client's (or else the server's) Finished over the transcript as it is now."""
        suite = self.chosen_suite
        label = keys.CLIENT_FINISHED if by_client else keys.SERVER_FINISHED
        return keys.verify_data(
            self.master_secret, label, self.transcript.digest(), suite.prf_hash, suite.verify_data_length
        )

    # --- a handshake from its beginning to its end --------------------------------------------------------------------

    def begin_handshake(self) -> None:
        """Forgets what belonged to the last handshake; what it agreed on is kept until the next one is complete."""
        if self.established:
            self._earlier = self.negotiated
            self.negotiated = Negotiated()
        self._verify_data.clear()

    def abandon_handshake(self) -> None:
        """Back to the last complete handshake: the peer does not want another."""
        self.negotiated = self._earlier
        self.transcript = Transcript()
        self.state = CONNECTED

    def complete(self) -> None:
        """The handshake is over: both Finished are verified."""
        self.state = CONNECTED
        self.renegotiations += self.established
        self.established = True
        self.transcript = Transcript()
        self.client_verify_data = self._verify_data.get(True, b"")
        self.server_verify_data = self._verify_data.get(False, b"")
        self.encrypt_then_mac_is_kept |= self.negotiated.encrypt_then_mac
        self._keys_changed = False
        self._fruitless.clear()
        self._session = self.make_session()
        self._events.append(HandshakeCompleted(dataclasses.replace(self.negotiated)))
        held, self._held = self._held, []
        closes, self._closes_when_sent = self._closes_when_sent, False
        for data in held:
            self.write_application_data(data)
        if closes:
            self.close()

    def make_session(self) -> Session | None:
        """What is needed to resume this session, None where it cannot be."""
        raise NotImplementedError

    def forget_session(self) -> None:
        """The connection failed: its session must not be resumed (RFC 5246 section 7.2.2)."""
        self._session = None

    # --- renegotiation ------------------------------------------------------------------------------------------------

    def admit_renegotiation(self) -> bool:
        """Whether this connection may negotiate anew: only securely, and not without end.

        A resumed session without extended master secret makes renegotiation insecure, renegotiation_info or not (RFC
        7627 section 5.4).
        """
        last = self.negotiated
        return (
            self.config.renegotiation == "allow"
            and last.secure_renegotiation
            and (last.extended_master_secret or not last.resumed)
            and self.renegotiations < MAX_RENEGOTIATIONS
        )

    def ask_for_renegotiation(self) -> None:
        """Our part in the beginning of a renegotiation."""
        raise NotImplementedError

    def accept_renegotiation(self) -> bool:
        """Whether the peer, who asks, gets another handshake; else it gets no_renegotiation (RFC 5246, 7.2.2)."""
        if self.admit_renegotiation():
            self._events.append(RenegotiationStarted())
            return True
        self.refuse_renegotiation()
        return False

    def refuse_renegotiation(self) -> None:
        """Answers with the warning no_renegotiation."""
        self.check_bound("refused renegotiations", MAX_REFUSED_RENEGOTIATIONS, "RFC 5246 section 7.2.2")
        self.transcript = Transcript()
        self.send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
        self._events.append(RenegotiationRefused())

    # --- sending ------------------------------------------------------------------------------------------------------

    def send_handshake(self, message: Message) -> None:
        """Queues a message and puts it into the transcript, where HelloRequest never is (RFC 5246 section 7.4.1.1)."""
        raw = message.encode()
        if message.handshake_type != HandshakeType.HELLO_REQUEST:
            self.transcript.update(raw)
        if self.config.coalesce:
            self._flight.append(raw)
        else:
            self._output.append(self.writer.write(HANDSHAKE, raw))

    def send_change_cipher_spec(self) -> None:
        """Queues ChangeCipherSpec and switches to the negotiated keys."""
        self.flush_flight()
        self._output.append(self.writer.write(ContentType.CHANGE_CIPHER_SPEC, CHANGE_CIPHER_SPEC))
        self.writer.change_protection(self.make_protection(by_client=self.is_client))
        self._keys_changed = True

    def send_finished(self) -> None:
        """Queues our Finished."""
        verify_data = self.verify_data(by_client=self.is_client)
        self._verify_data[self.is_client] = verify_data
        self.send_handshake(Finished(verify_data))
        self.flush_flight()
