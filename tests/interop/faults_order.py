"""Faults of order: messages that come too early, twice, or not at all."""

from __future__ import annotations

from tests.interop.faults import fault
from tests.interop.foreign import (
    ApplicationData,
    Certificate,
    CertificateType,
    ChangeCipherSpec,
    ContentType,
    HandshakeType,
    HelloRequest,
    ServerHello,
    ServerHelloDone,
)
from tests.interop.scripted import ECDHE_GCM, RSA_CBC, VERSION, Script

CCS = "RFC 5246 section 7.1"
ORDER = "RFC 5246 section 7.3"


@fault("unexpected_message", CCS)
def change_cipher_spec_before_client_hello(script: Script) -> None:
    """CCS"""
    script.send(ChangeCipherSpec().create())


@fault("unexpected_message", CCS)
def change_cipher_spec_right_after_client_hello(script: Script) -> None:
    """CH <-SH..SHD CCS: before anything of the flight is read"""
    script.send_hello()
    script.send(ChangeCipherSpec().create())
    script.receive_flight()


@fault("unexpected_message", CCS)
def early_change_cipher_spec(script: Script) -> None:
    """CH <-SH..SHD CCS: no ClientKeyExchange, so the keys would come from an empty secret"""
    script.send_hello()
    script.receive_flight()
    script.send(ChangeCipherSpec().create())


@fault("unexpected_message", CCS, suite=ECDHE_GCM)
def early_change_cipher_spec_with_keys_of_an_empty_secret(script: Script) -> None:
    """CH <-SH..SHD CCS Fin: as an attacker in the middle would go on"""
    script.send_hello()
    script.receive_flight()
    script.master_secret = bytearray(48)
    script.prepare_keys()
    script.send_finished()


@fault("unexpected_message", CCS)
def change_cipher_spec_twice(script: Script) -> None:
    """CH <-SH..SHD CKE CCS CCS: the second under the new keys"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_change_cipher_spec()
    script.send(ChangeCipherSpec().create())


@fault("unexpected_message", CCS)
def change_cipher_spec_after_the_handshake(script: Script) -> None:
    """a whole handshake, CCS"""
    script.connect()
    script.send(ChangeCipherSpec().create())


@fault("unexpected_message", CCS)
def finished_without_change_cipher_spec(script: Script) -> None:
    """CH <-SH..SHD CKE Fin: in the clear"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send(script.finished())


@fault("unexpected_message", ORDER)
def finished_right_after_the_flight(script: Script) -> None:
    """CH <-SH..SHD Fin: everything between is skipped"""
    script.send_hello()
    script.receive_flight()
    script.master_secret = bytearray(48)
    script.send(script.finished())


@fault("unexpected_message", ORDER)
def client_key_exchange_first(script: Script) -> None:
    """CKE"""
    script.send_handshake(HandshakeType.client_key_exchange, bytes(258))


@fault("unexpected_message", ORDER)
def client_key_exchange_twice(script: Script) -> None:
    """CH <-SH..SHD CKE CKE"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send(script.key_exchange())


@fault("unexpected_message", ORDER)
def second_client_hello(script: Script) -> None:
    """CH <-SH..SHD CH"""
    script.send_hello()
    script.receive_flight()
    script.send_hello()


@fault("unexpected_message", ORDER)
def second_client_hello_after_client_key_exchange(script: Script) -> None:
    """CH <-SH..SHD CKE CH"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_hello()


@fault("unexpected_message", ORDER)
def client_hello_under_the_new_keys(script: Script) -> None:
    """CH <-SH..SHD CKE CCS CH"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_change_cipher_spec()
    script.send_hello()


@fault("unexpected_message", ORDER)
def finished_twice(script: Script) -> None:
    """a whole handshake, Fin"""
    script.connect()
    script.send(script.finished())


@fault("unexpected_message", ORDER)
def client_key_exchange_after_the_handshake(script: Script) -> None:
    """a whole handshake, CKE"""
    script.connect()
    script.send(script.key_exchange())


@fault("unexpected_message", ORDER)
def application_data_first(script: Script) -> None:
    """App"""
    script.send(ApplicationData().create(bytearray(b"GET / HTTP/1.1\r\n\r\n")))


@fault("unexpected_message", ORDER)
def application_data_in_the_handshake(script: Script) -> None:
    """CH <-SH..SHD App"""
    script.send_hello()
    script.receive_flight()
    script.send(ApplicationData().create(bytearray(b"GET / HTTP/1.1\r\n\r\n")))


@fault("unexpected_message", ORDER)
def application_data_before_finished(script: Script) -> None:
    """CH <-SH..SHD CKE CCS App: under the new keys, before they are confirmed"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_change_cipher_spec()
    script.send(ApplicationData().create(bytearray(b"GET / HTTP/1.1\r\n\r\n")))


@fault("unexpected_message", "RFC 5246 section 7.4.1.1")
def hello_request_to_a_server(script: Script) -> None:
    """HelloRequest"""
    script.send(HelloRequest().create())


@fault("unexpected_message", "RFC 5246 section 7.4.1.3")
def server_hello_to_a_server(script: Script) -> None:
    """SH"""
    script.send(ServerHello().create(VERSION, bytearray(32), bytearray(), RSA_CBC))


@fault("unexpected_message", ORDER)
def server_hello_done_to_a_server(script: Script) -> None:
    """CH <-SH..SHD SHD"""
    script.send_hello()
    script.receive_flight()
    script.send(ServerHelloDone().create())


@fault("unexpected_message", "RFC 5246 section 7.4.6")
def certificate_that_nobody_asked_for(script: Script) -> None:
    """CH <-SH..SHD Cert()"""
    script.send_hello()
    script.receive_flight()
    script.send(Certificate(CertificateType.x509, VERSION).create([]))


@fault("unexpected_message", "RFC 5246 section 7.4.8")
def certificate_verify_that_nobody_asked_for(script: Script) -> None:
    """CH <-SH..SHD CKE CV"""
    script.send_hello()
    script.receive_flight()
    script.send_key_exchange()
    script.send_handshake(HandshakeType.certificate_verify, b"\x04\x01\x00\x02ab")


@fault("unexpected_message", "RFC 5246 section 7.4")
def unknown_handshake_type(script: Script) -> None:
    """CH <-SH..SHD 99"""
    script.send_hello()
    script.receive_flight()
    script.send_handshake(99, b"")


@fault("unexpected_message", "RFC 5246 section 7.4")
def end_of_early_data_of_tls_1_3(script: Script) -> None:
    """a whole handshake, 5"""
    script.connect()
    script.send_handshake(HandshakeType.end_of_early_data, b"")


@fault("unexpected_message", "RFC 5246 section 7.4")
def key_update_of_tls_1_3(script: Script) -> None:
    """a whole handshake, 24"""
    script.connect()
    script.send_handshake(HandshakeType.key_update, b"\x01")


@fault("unexpected_message", "RFC 5246 section 7.4")
def change_cipher_spec_within_a_handshake_message(script: Script) -> None:
    """CH <-SH..SHD half a CKE, CCS"""
    script.send_hello()
    script.receive_flight()
    script.send_record(ContentType.handshake, bytes(script.key_exchange().write()[:100]))
    script.send(ChangeCipherSpec().create())
