"""Faults in a ClientHello."""

from __future__ import annotations

from tests.interop.faults import fault
from tests.interop.foreign import (
    ALPNExtension,
    ContentType,
    ECPointFormat,
    ECPointFormatsExtension,
    ExtensionType,
    GroupName,
    HandshakeType,
    TLSExtension,
)
from tests.interop.scripted import (
    ECDHE_CBC,
    ECDHE_GCM,
    RSA_CBC,
    SCSV,
    Script,
    groups,
    renegotiation_info,
    signature_algorithms,
)

VERSION = "RFC 5246 appendix E.1"
COMPRESSION = "RFC 5246 section 7.4.1.2"
FALLBACK_SCSV = 0x5600
CHACHA20_OF_TLS_1_3 = 0x1303


def extension(kind: int, data: bytes) -> TLSExtension:
    """An extension with that content."""
    return TLSExtension(extType=kind).create(kind, bytearray(data))


@fault("protocol_version", VERSION)
def ssl_3(script: Script) -> None:
    """CH(3.0)"""
    script.send_hello(client_version=(3, 0), extensions=None)


@fault("protocol_version", VERSION)
def tls_1_0(script: Script) -> None:
    """CH(1.0)"""
    script.layer.version = (3, 1)
    script.send_hello(client_version=(3, 1))


@fault("protocol_version", VERSION)
def tls_1_1(script: Script) -> None:
    """CH(1.1)"""
    script.send_hello(client_version=(3, 2))


@fault("inappropriate_fallback", "RFC 7507 section 3")
def fallback_to_tls_1_1(script: Script) -> None:
    """CH(1.1, TLS_FALLBACK_SCSV)"""
    script.send_hello(client_version=(3, 2), cipher_suites=[RSA_CBC, FALLBACK_SCSV])


@fault("protocol_version", VERSION)
def version_0_0(script: Script) -> None:
    """CH(0.0)"""
    script.send_hello(client_version=(0, 0))


@fault("protocol_version", VERSION)
def version_2_0_in_a_record(script: Script) -> None:
    """CH(2.0)"""
    script.send_hello(client_version=(2, 0))


@fault("protocol_version", "RFC 5246 appendix E.2")
def ssl_2(script: Script) -> None:
    """an SSL 2.0 CLIENT-HELLO that stands for TLS 1.2"""
    hello = script.hello()
    hello.ssl2 = True
    body = bytes(hello.write())
    script.send_bytes((0x8000 | len(body)).to_bytes(2, "big") + body)


@fault("handshake_failure", "RFC 5246 section 7.4.1.3")
def no_cipher_suite_in_common(script: Script) -> None:
    """CH(only a suite of TLS 1.3)"""
    script.send_hello(cipher_suites=[CHACHA20_OF_TLS_1_3])


@fault("handshake_failure", "RFC 5746 section 3.3")
def nothing_but_the_renegotiation_scsv(script: Script) -> None:
    """CH(SCSV), which is no suite"""
    script.send_hello(cipher_suites=[SCSV])


@fault("handshake_failure", "RFC 8422 section 5.1", suite=ECDHE_GCM)
def no_group_in_common(script: Script) -> None:
    """CH(ECDHE, only brainpool)"""
    script.send_hello(extensions=[groups(GroupName.brainpoolP256r1), signature_algorithms()])


@fault("handshake_failure", "RFC 5246 section 7.4.1.4.1", suite=ECDHE_GCM)
def no_signature_algorithm_in_common(script: Script) -> None:
    """CH(ECDHE, only MD5)"""
    script.send_hello(
        extensions=[groups(GroupName.x25519), extension(ExtensionType.signature_algorithms, b"\x00\x02\x01\x01")]
    )


@fault("illegal_parameter", COMPRESSION)
def compression_without_null(script: Script) -> None:
    """CH(comp=[1])"""
    script.send_hello(compression_methods=[1])


@fault("decode_error", COMPRESSION)
def no_compression_method_at_all(script: Script) -> None:
    """CH(comp=[])"""
    script.send_hello(compression_methods=[])


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def no_cipher_suite_at_all(script: Script) -> None:
    """CH(suites=[])"""
    script.send_hello(cipher_suites=[])


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def session_id_of_33_bytes(script: Script) -> None:
    """CH(session_id of 33)"""
    script.send_hello(session_id=bytearray(33))


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def bytes_after_the_client_hello(script: Script) -> None:
    """CH with a byte after its extensions"""
    script.send_handshake(HandshakeType.client_hello, bytes(script.hello().write()[4:]) + b"\x00")


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def client_hello_cut_off(script: Script) -> None:
    """CH whose body ends within the extensions"""
    script.send_handshake(HandshakeType.client_hello, bytes(script.hello().write()[4:-3]))


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def empty_client_hello(script: Script) -> None:
    """CH of length 0"""
    script.send_handshake(HandshakeType.client_hello, b"")


@fault("decode_error", "RFC 5246 section 7.4.1.2")
def odd_number_of_bytes_of_cipher_suites(script: Script) -> None:
    """CH with 3 bytes of cipher suites"""
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x03\x00\x2f\x00" + b"\x01\x00"
    script.send_handshake(HandshakeType.client_hello, body)


@fault("decode_error", "RFC 5246 section 7.4.1.4")
def extensions_longer_than_said(script: Script) -> None:
    """CH whose last extension is longer than the list"""
    script.send_hello(extensions=[signature_algorithms(), RawExtension(b"\x00\x23\x00\x05ab")])


@fault("decode_error", "RFC 5246 section 7.4.1.4.1")
def empty_signature_algorithms(script: Script) -> None:
    """CH(signature_algorithms=[])"""
    script.send_hello(extensions=[extension(ExtensionType.signature_algorithms, b"\x00\x00")])


@fault("decode_error", "RFC 8422 section 5.1.1", suite=ECDHE_CBC)
def empty_supported_groups(script: Script) -> None:
    """CH(supported_groups=[])"""
    script.send_hello(extensions=[extension(ExtensionType.supported_groups, b"\x00\x00")])


@fault("illegal_parameter", "RFC 8422 section 5.1.2", suite=ECDHE_GCM)
def point_formats_without_uncompressed(script: Script) -> None:
    """CH(ec_point_formats=[compressed])"""
    formats = ECPointFormatsExtension().create([ECPointFormat.ansiX962_compressed_prime])
    script.send_hello(extensions=[groups(GroupName.secp256r1), signature_algorithms(), formats])


@fault("decode_error", "RFC 6066 section 3")
def empty_server_name_list(script: Script) -> None:
    """CH(server_name=[])"""
    script.send_hello(extensions=[extension(ExtensionType.server_name, b"\x00\x00")])


@fault("decode_error", "RFC 7627 section 5.1")
def extended_master_secret_with_content(script: Script) -> None:
    """CH(extended_master_secret=1)"""
    script.send_hello(extensions=[extension(ExtensionType.extended_master_secret, b"\x01")])


@fault("handshake_failure", "RFC 5746 section 3.6")
def renegotiation_info_in_a_first_handshake(script: Script) -> None:
    """CH(renegotiation_info with a verify_data)"""
    script.send_hello(extensions=[renegotiation_info(bytes(12))])


@fault("decode_error", "RFC 7301 section 3.1")
def empty_application_protocol(script: Script) -> None:
    """CH(ALPN with an empty name)"""
    script.send_hello(extensions=[extension(ExtensionType.alpn, b"\x00\x01\x00")])


@fault("no_application_protocol", "RFC 7301 section 3.2")
def no_application_protocol_in_common(script: Script) -> None:
    """CH(ALPN=gopher)"""
    script.send_hello(extensions=[ALPNExtension().create([bytearray(b"gopher")])])


@fault("unexpected_message", "RFC 5246 section 6")
def http_in_the_clear(script: Script) -> None:
    """no TLS at all"""
    script.send_bytes(b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n")


@fault("unexpected_message", "RFC 5246 section 6")
def garbage(script: Script) -> None:
    """bytes that mean nothing"""
    script.send_bytes(bytes(range(200, 255)))


@fault("protocol_version", VERSION)
def record_of_another_major_version(script: Script) -> None:
    """a handshake record of version {4, 1}"""
    script.layer.version = (4, 1)
    script.send_record(ContentType.handshake, bytes(script.hello().write()))


@fault("protocol_version", "RFC 5246 section 6.2.1")
def record_of_another_version_in_the_handshake(script: Script) -> None:
    """CH <-SH..SHD CKE in a record of TLS 1.1"""
    script.send_hello()
    script.receive_flight()
    message = script.key_exchange()
    script.send_bytes_of(message, lambda sent: sent[:2] + b"\x02" + sent[3:])


class RawExtension:
    """Bytes in the place of an extension."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def write(self) -> bytearray:
        """The bytes."""
        return bytearray(self.data)
