"""Messages accepted in an order in which they may not come."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shakeproof.impl.tls import ClientConnection, ServerConnection, keys
from shakeproof.impl.tls.connection import CONNECTED, START, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED
from shakeproof.impl.tls.key_exchange import encrypt_pre_master_secret, ephemeral_key, new_pre_master_secret
from shakeproof.impl.tls.messages import Finished, HandshakeType, Message, Raw, RsaClientKeyExchange
from shakeproof.impl.tls.protection import Protection, protection_for
from shakeproof.impl.tls.suites import TLS_1_2, KeyExchange
from shakeproof.impl.tls.wire import Reader

Connection = ClientConnection | ServerConnection


def early_ccs(connection: Connection) -> None:
    """ChangeCipherSpec is accepted at once, and the key block made then, of an empty secret, stays for good."""
    sound_admit = connection.admit_change_cipher_spec
    sound_receive = connection.receive_change_cipher_spec
    sound_make = connection.make_protection
    sound_handle = connection.receive_handshake_message
    early = False

    def admit() -> None:
        nonlocal early
        if connection.suite is None or connection.state == CONNECTED:
            sound_admit()
        elif connection.state != WAIT_CHANGE_CIPHER_SPEC:
            early = True

    def make_protection(*, by_client: bool) -> Protection:
        if not early:
            return sound_make(by_client=by_client)
        suite = connection.chosen_suite
        block = keys.key_block(b"", connection.client_random, connection.server_random, suite)
        entropy = connection.config.entropy
        if by_client:
            return protection_for(
                suite, block.client_write_key, block.client_write_mac_key, block.client_write_iv, entropy
            )
        return protection_for(suite, block.server_write_key, block.server_write_mac_key, block.server_write_iv, entropy)

    def receive(fragment: bytes) -> None:
        state = connection.state
        sound_receive(fragment)
        if state != WAIT_CHANGE_CIPHER_SPEC:
            connection.state = state

    def handle(handshake_type: int, raw: bytes) -> None:
        sound_handle(handshake_type, raw)
        if early and connection.state == WAIT_CHANGE_CIPHER_SPEC:
            connection.state = WAIT_FINISHED

    for name, method in (
        ("admit_change_cipher_spec", admit),
        ("make_protection", make_protection),
        ("receive_change_cipher_spec", receive),
        ("receive_handshake_message", handle),
    ):
        setattr(connection, name, method)


def unguarded_ccs(connection: Connection) -> None:
    """ChangeCipherSpec is accepted in whatever state of a handshake, and Finished is what comes next."""
    sound = connection.admit_change_cipher_spec

    def admit() -> None:
        if connection.suite is None or connection.state == CONNECTED:
            sound()

    setattr(connection, "admit_change_cipher_spec", admit)  # noqa: B010  # on this object alone


def skip_to_finished(connection: Connection) -> None:
    """Once there is a certificate, Finished ends the handshake; without keys there is nothing to compare."""
    if not isinstance(connection, ClientConnection):
        return
    sound_admit = connection.admit
    sound_check = connection.check_finished

    def admit(handshake_type: int) -> None:
        skips = handshake_type == HandshakeType.FINISHED and connection.leaf is not None
        if not (skips and connection.state not in (CONNECTED, START)):
            sound_admit(handshake_type)

    def check_finished(message: Finished) -> None:
        if connection.master_secret:
            sound_check(message)

    for name, method in (("admit", admit), ("check_finished", check_finished)):
        setattr(connection, name, method)


def missing_ske(connection: Connection) -> None:
    """ServerHelloDone instead of ServerKeyExchange: the client agrees with the certificate's own key."""
    if not isinstance(connection, ClientConnection):
        return
    sound_admit = connection.admit
    sound_send = connection.send_client_key_exchange

    def admit(handshake_type: int) -> None:
        public_key = connection.leaf.public_key if connection.leaf is not None else None
        awaited = connection.state == "WAIT_SERVER_KEY_EXCHANGE" and handshake_type == HandshakeType.SERVER_HELLO_DONE
        if not (awaited and isinstance(public_key, ec.EllipticCurvePublicKey)):
            sound_admit(handshake_type)

    def send_client_key_exchange() -> None:
        by_ecdhe = connection.chosen_suite.key_exchange is KeyExchange.ECDHE
        if connection.ephemeral is None and by_ecdhe and connection.leaf is not None:
            public_key = connection.leaf.public_key
            if isinstance(public_key, ec.EllipticCurvePublicKey):
                group = connection.leaf.group
                point = _uncompressed(public_key)
                connection.ephemeral = ephemeral_key(group or 0, connection.config.entropy)
                connection.pre_master_secret = connection.ephemeral.exchange(point)
        sound_send()

    for name, method in (("admit", admit), ("send_client_key_exchange", send_client_key_exchange)):
        setattr(connection, name, method)


def ske_under_rsa(connection: Connection) -> None:
    """Under RSA key transport, a temporary RSA key is taken from ServerKeyExchange and used."""
    if not isinstance(connection, ClientConnection):
        return
    sound_admit = connection.admit
    sound_parse = connection.parse
    sound_handle = connection.receive_server_key_exchange
    sound_send = connection.send_client_key_exchange
    temporary: rsa.RSAPublicKey | None = None

    def under_rsa() -> bool:
        return connection.suite is not None and connection.chosen_suite.key_exchange is KeyExchange.RSA

    def admit(handshake_type: int) -> None:
        awaited = connection.state == "WAIT_SERVER_HELLO_DONE" and handshake_type == HandshakeType.SERVER_KEY_EXCHANGE
        if not (awaited and under_rsa()):
            sound_admit(handshake_type)

    def parse(handshake_type: int, body: bytes) -> Message:
        if handshake_type == HandshakeType.SERVER_KEY_EXCHANGE and under_rsa():
            return Raw(handshake_type, body)
        return sound_parse(handshake_type, body)

    def handle(message: Message) -> None:
        nonlocal temporary
        if not isinstance(message, Raw):
            sound_handle(message)  # type: ignore[arg-type]  # what `parse` gives where the suite is not RSA
            return
        reader = Reader(message.body, "ServerKeyExchange", "RFC 5246 section 7.4.3")
        modulus, exponent = int.from_bytes(reader.vector(2), "big"), int.from_bytes(reader.vector(2), "big")
        try:
            temporary = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        except ValueError:
            return

    def send_client_key_exchange() -> None:
        if temporary is None:
            sound_send()
            return
        entropy = connection.config.entropy
        connection.pre_master_secret = new_pre_master_secret(TLS_1_2, entropy)
        encrypted = encrypt_pre_master_secret(temporary, connection.pre_master_secret, entropy)
        connection.send_handshake(RsaClientKeyExchange(encrypted))

    for name, method in (
        ("admit", admit),
        ("parse", parse),
        ("receive_server_key_exchange", handle),
        ("send_client_key_exchange", send_client_key_exchange),
    ):
        setattr(connection, name, method)


def _uncompressed(public_key: ec.EllipticCurvePublicKey) -> bytes:
    numbers = public_key.public_numbers()
    size = (public_key.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
