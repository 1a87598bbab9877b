"""Faults in records, in their protection and in alerts."""

from __future__ import annotations

import os
from typing import Any

from tests.interop.faults import fault
from tests.interop.foreign import (
    AlertDescription,
    ApplicationData,
    ContentType,
    Finished,
    HandshakeType,
    Heartbeat,
    HeartbeatMessageType,
)
from tests.interop.scripted import CHACHA20, ECDHE_GCM, RSA_GCM, VERSION, Script, encrypt_then_mac

MAC = "RFC 5246 section 6.2.3.2"
AEAD = "RFC 5246 section 6.2.3.3"
OVERFLOW = "RFC 5246 section 6.2.1"
REQUEST = b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n"
MAX_PLAINTEXT = 1 << 14
HEADER = 5
BLOCK = 16


def request() -> Any:
    """Data that an honest client would send."""
    return ApplicationData().create(bytearray(REQUEST))


def flip(sent: bytearray, position: int) -> bytearray:
    """One bit changed."""
    sent[position] ^= 1
    return sent


# --- Finished ---------------------------------------------------------------------------------------------------------


def up_to_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_change_cipher_spec()


@fault("decrypt_error", "RFC 5246 section 7.4.9")
def wrong_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin with its first bit flipped"""
    up_to_finished(script)
    script.send(Finished(VERSION).create(flip(script.verify_data(), 0)))


@fault("decrypt_error", "RFC 5246 section 7.4.9")
def finished_that_differs_in_its_last_bit(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin with its last bit flipped: nothing compares only the beginning"""
    up_to_finished(script)
    script.send(Finished(VERSION).create(flip(script.verify_data(), -1)))


@fault("decrypt_error", "RFC 5246 section 7.4.9")
def finished_of_a_server(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin with the other side's label"""
    up_to_finished(script)
    script.send(Finished(VERSION).create(script.verify_data(b"server finished")))


@fault("decode_error", "RFC 5246 section 7.4.9")
def empty_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin()"""
    up_to_finished(script)
    script.send(Finished(VERSION).create(bytearray()))


@fault("decode_error", "RFC 5246 section 7.4.9")
def finished_cut_off(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin(right, but only 11 bytes)"""
    up_to_finished(script)
    script.send(Finished(VERSION).create(script.verify_data()[:11]))


@fault("decrypt_error", "RFC 5246 section 7.4.9")
def finished_over_another_client_hello(script: Script) -> None:
    """CH' <-SH..SHD CKE CCS Fin(over CH): somebody changed the ClientHello on its way"""
    script.send_hello(extensions=None)
    script.hashes = type(script.hashes)()
    hello = script.hello()
    hello.extensions = None
    hello.cipher_suites = [*hello.cipher_suites, ECDHE_GCM]
    script.hashes.update(hello.write())
    script.receive_flight()
    script.send_second_flight()


# --- protection -------------------------------------------------------------------------------------------------------


@fault("bad_record_mac", MAC)
def bad_mac_of_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin in a record with one bit flipped"""
    up_to_finished(script)
    script.send_bytes_of(script.finished(), lambda sent: flip(sent, -1))


@fault("bad_record_mac", MAC)
def bad_mac_in_application_data(script: Script) -> None:
    """a whole handshake, App with right padding and a flipped bit in the MAC before it"""
    script.connect()
    fix_mac(script, lambda mac: flip(mac, 0))
    script.send(request())


@fault("bad_record_mac", MAC)
def tampered_content_in_application_data(script: Script) -> None:
    """a whole handshake, App whose IV has a flipped bit, and so its first byte"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, HEADER))


@fault("bad_record_mac", MAC)
def bad_padding_in_application_data(script: Script) -> None:
    """a whole handshake, App with a right MAC and padding bytes that are not the padding's length"""
    script.connect()
    fix_padding(script, lambda length: bytes([0x55] * length) + bytes([length]))
    script.send(request())


@fault("bad_record_mac", MAC)
def one_bad_padding_byte_in_application_data(script: Script) -> None:
    """a whole handshake, App with a right MAC and 255 bytes of padding, whose first one is wrong"""
    script.connect()
    fix_padding(script, lambda length: flip(bytearray([length + 240] * (length + 240)), 0) + bytes([length + 240]))
    script.send(request())


@fault("bad_record_mac", MAC)
def padding_longer_than_the_record(script: Script) -> None:
    """a whole handshake, App that says it ends with 255 bytes of padding, in a record of fewer"""
    script.connect()
    fix_padding(script, lambda length: bytes([255] * (length + 1)))
    script.send(request())


@fault("bad_record_mac", MAC)
def record_of_no_whole_blocks(script: Script) -> None:
    """a whole handshake, App of 33 bytes under CBC"""
    script.connect()
    script.send_bytes(b"\x17\x03\x03\x00\x21" + os.urandom(33))


@fault("bad_record_mac", MAC)
def record_shorter_than_a_mac(script: Script) -> None:
    """a whole handshake, App of an IV and one block under CBC"""
    script.connect()
    script.send_bytes(b"\x17\x03\x03\x00\x20" + os.urandom(32))


@fault("bad_record_mac", MAC)
def empty_record_under_protection(script: Script) -> None:
    """a whole handshake, App of no bytes at all, not even a MAC"""
    script.connect()
    script.send_bytes(b"\x17\x03\x03\x00\x00")


@fault("bad_record_mac", "RFC 5246 section 6.2.3.1")
def record_sent_twice(script: Script) -> None:
    """a whole handshake, App and the same bytes again: the sequence number is in the MAC"""
    script.connect()
    script.send_bytes_of(ApplicationData().create(bytearray(b"\r\n")), lambda sent: sent + sent)


@fault("bad_record_mac", MAC)
def another_content_type_than_protected(script: Script) -> None:
    """a whole handshake, App in a record that says alert"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: bytes([ContentType.alert]) + sent[1:])


@fault("bad_record_mac", AEAD, suite=RSA_GCM)
def bad_gcm_tag(script: Script) -> None:
    """a whole handshake, App with a flipped bit in its tag"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, -1))


@fault("bad_record_mac", AEAD, suite=RSA_GCM)
def tampered_gcm_content(script: Script) -> None:
    """a whole handshake, App with a flipped bit in its content"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, HEADER + 8))


@fault("bad_record_mac", AEAD, suite=RSA_GCM)
def bad_gcm_nonce(script: Script) -> None:
    """a whole handshake, App with a flipped bit in its explicit nonce"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, HEADER))


@fault("bad_record_mac", AEAD, suite=RSA_GCM)
def record_shorter_than_a_gcm_tag(script: Script) -> None:
    """a whole handshake, App of 20 bytes"""
    script.connect()
    script.send_bytes(b"\x17\x03\x03\x00\x14" + bytes(20))


@fault("bad_record_mac", AEAD, suite=ECDHE_GCM)
def bad_gcm_tag_of_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin with a flipped bit in its tag"""
    up_to_finished(script)
    script.send_bytes_of(script.finished(), lambda sent: flip(sent, -1))


@fault("bad_record_mac", "RFC 7905 section 2", suite=CHACHA20)
def bad_chacha20_tag(script: Script) -> None:
    """a whole handshake, App with a flipped bit in its tag"""
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, -1))


@fault("bad_record_mac", "RFC 7905 section 2", suite=CHACHA20)
def bad_chacha20_tag_of_a_large_record(script: Script) -> None:
    """a whole handshake, App of 2^14 bytes with a flipped bit in its tag"""
    script.connect()
    data = ApplicationData().create(bytearray(MAX_PLAINTEXT))
    script.send_bytes_of(data, lambda sent: flip(sent, -1))


@fault("bad_record_mac", "RFC 7366 section 3")
def bad_mac_over_the_ciphertext(script: Script) -> None:
    """a whole handshake with encrypt-then-MAC, App with a flipped bit in its MAC"""
    script.extensions = [encrypt_then_mac()]
    script.connect()
    script.send_bytes_of(request(), lambda sent: flip(sent, -1))


@fault("bad_record_mac", "RFC 7366 section 3")
def bad_padding_under_a_right_mac(script: Script) -> None:
    """a whole handshake with encrypt-then-MAC, App with padding bytes that are not the padding's length"""
    script.extensions = [encrypt_then_mac()]
    script.connect()
    fix_padding(script, lambda length: bytes([0x55] * length) + bytes([length]))
    script.send(request())


@fault("bad_record_mac", "RFC 7366 section 3")
def mac_then_encrypt_where_encrypt_then_mac_was_agreed_on(script: Script) -> None:
    """a whole handshake with encrypt-then-MAC, App protected the other way round"""
    script.extensions = [encrypt_then_mac()]
    script.connect()
    script.layer._writeState.encryptThenMAC = False
    script.send(request())


@fault("bad_record_mac", "RFC 5246 section 7.1")
def plaintext_after_change_cipher_spec(script: Script) -> None:
    """CH <-SH..SHD CKE CCS Fin: the last one still in the clear"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_record(ContentType.change_cipher_spec, b"\x01")
    script.send(script.finished())


def fix_padding(script: Script, pad: Any) -> None:
    """From now on records end with what `pad` makes of the length that is needed, 0 to 15, before the length byte."""

    def add(data: bytearray) -> bytearray:
        return bytearray(data) + bytearray(pad(BLOCK - 1 - len(data) % BLOCK))

    script.layer.addPadding = add


def fix_mac(script: Script, change: Any) -> None:
    """From now on the MAC of records is changed by that."""
    right = script.layer.calculateMAC
    script.layer.calculateMAC = lambda *arguments: change(right(*arguments))


# --- records ----------------------------------------------------------------------------------------------------------


@fault("unexpected_message", "RFC 5246 section 6")
def heartbeat_that_asks_for_more_than_it_brings(script: Script) -> None:
    """a whole handshake, a HeartbeatRequest of 1 byte that says 16384"""
    script.connect()
    beat = Heartbeat().create(HeartbeatMessageType.heartbeat_request, bytearray(b"x"), 0)
    data = bytes(beat.write())
    script.send_record(ContentType.heartbeat, data[:1] + b"\x40\x00" + data[3:])


@fault("unexpected_message", "RFC 5246 section 6")
def heartbeat_first(script: Script) -> None:
    """a HeartbeatRequest in the clear"""
    script.send(Heartbeat().create(HeartbeatMessageType.heartbeat_request, bytearray(b"x"), 16))


@fault("unexpected_message", "RFC 5246 section 6")
def unknown_content_type_first(script: Script) -> None:
    """a record of type 99"""
    script.send_record(99, b"?")


@fault("unexpected_message", "RFC 5246 section 6")
def unknown_content_type_under_protection(script: Script) -> None:
    """a whole handshake, a record of type 99 with a right MAC"""
    script.connect()
    script.send_record(99, b"?")


@fault("record_overflow", OVERFLOW)
def plaintext_record_too_long(script: Script) -> None:
    """a record of 2^14 + 1 bytes in the clear"""
    script.send_record(ContentType.handshake, bytes(MAX_PLAINTEXT + 1))


@fault("record_overflow", "RFC 5246 section 6.2.3")
def protected_record_too_long(script: Script) -> None:
    """a whole handshake, the header of a record of 2^14 + 2049 bytes"""
    script.connect()
    script.send_bytes(b"\x17\x03\x03" + (MAX_PLAINTEXT + 2049).to_bytes(2, "big"))


@fault("record_overflow", OVERFLOW)
def protected_plaintext_too_long(script: Script) -> None:
    """a whole handshake, a record with a right MAC over 2^14 + 1 bytes"""
    script.connect()
    script.send_record(ContentType.application_data, bytes(MAX_PLAINTEXT + 1))


@fault("record_overflow", OVERFLOW, suite=RSA_GCM)
def gcm_plaintext_too_long(script: Script) -> None:
    """a whole handshake, a record with a right tag over 2^14 + 1 bytes"""
    script.connect()
    script.send_record(ContentType.application_data, bytes(MAX_PLAINTEXT + 1))


@fault("decode_error", OVERFLOW)
def empty_handshake_record(script: Script) -> None:
    """a handshake record without content"""
    script.send_record(ContentType.handshake, b"")


@fault("decode_error", OVERFLOW)
def empty_handshake_record_under_protection(script: Script) -> None:
    """a whole handshake, a handshake record without content"""
    script.connect()
    script.send_record(ContentType.handshake, b"")


@fault("decode_error", OVERFLOW)
def empty_alert_record(script: Script) -> None:
    """an alert record without content"""
    script.send_record(ContentType.alert, b"")


@fault("decode_error", "RFC 5246 section 7.1")
def change_cipher_spec_of_another_value(script: Script) -> None:
    """CH <-SH..SHD CKE CCS(2)"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_record(ContentType.change_cipher_spec, b"\x02")


@fault("decode_error", "RFC 5246 section 7.1")
def change_cipher_spec_of_two_bytes(script: Script) -> None:
    """CH <-SH..SHD CKE CCS(1 1)"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_record(ContentType.change_cipher_spec, b"\x01\x01")


@fault("decode_error", "RFC 5246 section 7.2")
def alert_of_an_unknown_level(script: Script) -> None:
    """an alert of level 3"""
    script.send_alert(AlertDescription.user_canceled, 3)


@fault("unexpected_message", "RFC 5246 section 7.2.2")
def flood_of_warning_alerts(script: Script) -> None:
    """a whole handshake, many warnings"""
    script.connect()
    for _ in range(100):
        script.send_alert(AlertDescription.user_canceled, 1)


@fault("unexpected_message", "RFC 5246 section 7.2.2")
def flood_of_warning_alerts_in_the_handshake(script: Script) -> None:
    """CH <-SH..SHD many warnings"""
    script.send_hello()
    script.receive_flight()
    for _ in range(100):
        script.send_alert(AlertDescription.user_canceled, 1)


@fault("unexpected_message", OVERFLOW)
def flood_of_empty_records(script: Script) -> None:
    """a whole handshake, many records of application data with nothing in them"""
    script.connect()
    for _ in range(100):
        script.send_record(ContentType.application_data, b"")


@fault("decode_error", "RFC 5246 section 7.4")
def handshake_message_of_16_megabytes(script: Script) -> None:
    """the header of a ClientHello of 2^24 - 1 bytes"""
    script.send_record(ContentType.handshake, bytes([HandshakeType.client_hello]) + b"\xff\xff\xff")
