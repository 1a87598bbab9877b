"""Faults in ClientKeyExchange.

Whatever is wrong with the block that the client encrypted shows in the record of Finished, as for a wrong secret
(RFC 5246 section 7.4.7.1): the alert must not tell what it was.
"""

from __future__ import annotations

import os

from tests.interop.faults import fault
from tests.interop.foreign import ClientKeyExchange, GroupName, HandshakeType, bytesToNumber, numberToByteArray
from tests.interop.scripted import DHE_GCM, ECDHE_GCM, RSA_GCM, VERSION, Script, groups, signature_algorithms

SECP256R1 = [groups(GroupName.secp256r1), signature_algorithms()]
BASE_POINT_X = bytes.fromhex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
BLOCK_CLAUSE = "RFC 5246 section 7.4.7.1"


def send_block(script: Script, block: bytes | bytearray) -> None:
    """CH <-SH..SHD CKE with that block under the server's key, CCS, Fin with the secret that it should have."""
    script.send_hello()
    script.receive_flight()
    key = script.public_key
    length = len(numberToByteArray(key.n))
    number = pow(bytesToNumber(bytearray(block)), key.e, key.n)
    script.pre_master_secret = bytearray(block[-48:])
    script.send(ClientKeyExchange(script.suite, VERSION).createRSA(numberToByteArray(number, length)))
    script.derive()
    script.send_finished()


def block_of(secret: bytes, *, start: bytes = b"\x00\x02", end: bytes = b"\x00", length: int = 256) -> bytearray:
    """A PKCS #1 block around a pre-master secret."""
    padding = bytes([1 + byte % 255 for byte in os.urandom(length - len(start) - len(end) - len(secret))])
    return bytearray(start + padding + end + secret)


def secret(version: bytes = b"\x03\x03", length: int = 48) -> bytes:
    """A pre-master secret."""
    return version + os.urandom(length - len(version))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_of_another_version(script: Script) -> None:
    """the pre-master secret begins with TLS 1.1"""
    send_block(script, block_of(secret(b"\x03\x02")))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_that_begins_with_another_byte(script: Script) -> None:
    """01 02"""
    send_block(script, block_of(secret(), start=b"\x01\x02"))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_of_another_type(script: Script) -> None:
    """00 01"""
    send_block(script, block_of(secret(), start=b"\x00\x01"))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_without_a_zero(script: Script) -> None:
    """no end of the padding"""
    send_block(script, block_of(bytes([1 + byte % 255 for byte in secret()]), end=b"\x01"))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_with_a_zero_in_the_padding(script: Script) -> None:
    """a zero among the first eight bytes of padding"""
    block = block_of(secret())
    block[5] = 0
    send_block(script, block)


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_with_a_zero_further_on(script: Script) -> None:
    """a zero in the middle: the secret is too long"""
    block = block_of(secret())
    block[100] = 0
    send_block(script, block)


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_with_a_secret_of_47_bytes(script: Script) -> None:
    """one byte too few"""
    send_block(script, block_of(secret(length=47)))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_with_a_secret_of_49_bytes(script: Script) -> None:
    """one byte too many"""
    send_block(script, block_of(secret(length=49)))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_with_an_empty_secret(script: Script) -> None:
    """the zero is the last byte"""
    send_block(script, block_of(b""))


@fault("bad_record_mac", BLOCK_CLAUSE)
def block_of_zeros(script: Script) -> None:
    """nothing at all"""
    send_block(script, bytes(256))


@fault("bad_record_mac", BLOCK_CLAUSE, suite=RSA_GCM)
def block_of_another_version_under_gcm(script: Script) -> None:
    """the pre-master secret begins with TLS 1.1, and the record is one of GCM"""
    send_block(script, block_of(secret(b"\x03\x02")))


@fault("bad_record_mac", BLOCK_CLAUSE)
def ciphertext_larger_than_the_modulus(script: Script) -> None:
    """CKE of 256 bytes of 255"""
    script.send_hello()
    script.receive_flight()
    script.pre_master_secret = bytearray(48)
    script.send(ClientKeyExchange(script.suite, VERSION).createRSA(bytearray(b"\xff" * 256)))
    script.derive()
    script.send_finished()


@fault("bad_record_mac", BLOCK_CLAUSE)
def ciphertext_shorter_than_the_modulus(script: Script) -> None:
    """CKE of 100 bytes"""
    script.send_hello()
    script.receive_flight()
    script.pre_master_secret = bytearray(48)
    script.send(ClientKeyExchange(script.suite, VERSION).createRSA(bytearray(b"\x01" * 100)))
    script.derive()
    script.send_finished()


@fault("decode_error", "RFC 5246 section 7.4.7.1")
def client_key_exchange_with_bytes_after_it(script: Script) -> None:
    """CH <-SH..SHD CKE with a byte too many"""
    script.send_hello()
    script.receive_flight()
    script.send_handshake(HandshakeType.client_key_exchange, bytes(script.key_exchange().write()[4:]) + b"\x00")


def send_public(script: Script, data: bytes, **changes: object) -> None:
    """CH <-SH..SHD CKE with those bytes for the client's public value."""
    script.send_hello(**changes)
    script.receive_flight()
    script.send_handshake(HandshakeType.client_key_exchange, data)


def send_dh_public(script: Script, offset: int, *, from_prime: bool) -> None:
    """CH <-SH..SHD CKE with a value of DH that is that far from 0 or from the prime."""
    script.send_hello()
    script.receive_flight()
    prime = script.server_key_exchange.dh_p
    length = len(numberToByteArray(prime))
    value = (prime if from_prime else 0) + offset
    public = value.to_bytes(length, "big")
    script.send_handshake(HandshakeType.client_key_exchange, length.to_bytes(2, "big") + public)


@fault("decode_error", "RFC 8422 section 5.7", suite=ECDHE_GCM)
def empty_key_share(script: Script) -> None:
    """CH <-SH..SHD CKE with no point"""
    send_public(script, b"\x00")


@fault("illegal_parameter", "RFC 8422 section 5.11", suite=ECDHE_GCM)
def x25519_key_of_zeros(script: Script) -> None:
    """CH <-SH..SHD CKE with a key that makes the secret zero whatever the server's is"""
    send_public(script, b"\x20" + bytes(32))


@fault("illegal_parameter", "RFC 8422 section 5.11", suite=ECDHE_GCM)
def point_that_is_not_on_the_curve(script: Script) -> None:
    """CH(secp256r1) <-SH..SHD CKE with the point (1, 1)"""
    one = bytes(31) + b"\x01"
    send_public(script, b"\x41\x04" + one + one, extensions=SECP256R1)


@fault("illegal_parameter", "RFC 8422 section 5.4.1", suite=ECDHE_GCM)
def compressed_point(script: Script) -> None:
    """CH(secp256r1) <-SH..SHD CKE with the base point in a form that was not agreed on"""
    send_public(script, b"\x21\x03" + BASE_POINT_X, extensions=SECP256R1)


@fault("handshake_failure", "RFC 7919 section 4", suite=DHE_GCM)
def dh_value_0(script: Script) -> None:
    """CH <-SH..SHD CKE(0)"""
    send_dh_public(script, 0, from_prime=False)


@fault("handshake_failure", "RFC 7919 section 4", suite=DHE_GCM)
def dh_value_1(script: Script) -> None:
    """CH <-SH..SHD CKE(1)"""
    send_dh_public(script, 1, from_prime=False)


@fault("handshake_failure", "RFC 7919 section 4", suite=DHE_GCM)
def dh_value_of_the_prime_less_1(script: Script) -> None:
    """CH <-SH..SHD CKE(p - 1)"""
    send_dh_public(script, -1, from_prime=True)


@fault("handshake_failure", "RFC 7919 section 4", suite=DHE_GCM)
def dh_value_of_the_prime(script: Script) -> None:
    """CH <-SH..SHD CKE(p)"""
    send_dh_public(script, 0, from_prime=True)


@fault("decode_error", "RFC 5246 section 7.4.7.2", suite=DHE_GCM)
def empty_dh_value(script: Script) -> None:
    """CH <-SH..SHD CKE with no value"""
    send_public(script, b"\x00\x00")
