"""Faults of client authentication, with a server that requires it."""

from __future__ import annotations

from typing import Any

from tests.interop.faults import fault
from tests.interop.foreign import (
    CertificateVerify,
    HandshakeHashes,
    HandshakeType,
    HashAlgorithm,
    SignatureAlgorithm,
)
from tests.interop.material import Identity, Material
from tests.interop.scripted import ECDHE_GCM, VERSION, Script, certificate_of

CERTIFICATE = "RFC 5246 section 7.4.6"
VERIFY = "RFC 5246 section 7.4.8"
ORDER = "RFC 5246 section 7.3"


class Wallet:
    """The certificates that faults show; filled in before they run, as they are made anew in each session."""

    material: Material

    @property
    def rsa(self) -> Identity:
        """The client's."""
        return self.material.client["rsa"]

    @property
    def ecdsa(self) -> Identity:
        """The client's other one."""
        return self.material.client["ecdsa"]

    @property
    def server(self) -> Identity:
        """One that is good for a server only."""
        return self.material.server["rsa"]


WALLET = Wallet()


def up_to_request(script: Script) -> None:
    """CH <-SH Cert CR SHD"""
    script.send_hello()
    script.receive_flight()
    assert script.request is not None


@fault("unexpected_message", CERTIFICATE, private=True)
def no_certificate_message(script: Script) -> None:
    """CH <-SH..CR SHD CKE"""
    up_to_request(script)
    script.send_key_exchange()


@fault("unexpected_message", CERTIFICATE, private=True)
def neither_certificate_nor_certificate_verify(script: Script) -> None:
    """CH <-SH..CR SHD CKE CCS Fin: as for a server that asks nobody"""
    up_to_request(script)
    script.send_key_exchange()
    script.send_finished()


@fault("handshake_failure", CERTIFICATE, private=True)
def empty_certificate_message(script: Script) -> None:
    """CH <-SH..CR SHD Cert()"""
    up_to_request(script)
    script.send(certificate_of(None))


@fault("handshake_failure", CERTIFICATE, private=True, suite=ECDHE_GCM)
def empty_certificate_message_and_all_that_follows(script: Script) -> None:
    """CH <-SH..CR SHD Cert() CKE CCS Fin"""
    script.send_hello()
    script.receive_flight()
    script.send_second_flight()


@fault("unexpected_message", VERIFY, private=True)
def no_certificate_verify(script: Script) -> None:
    """CH <-SH..CR SHD Cert CKE CCS Fin"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send_key_exchange()
    script.send_finished()


@fault("unexpected_message", VERIFY, private=True)
def certificate_verify_before_client_key_exchange(script: Script) -> None:
    """CH <-SH..CR SHD Cert CV CKE"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send(script.certificate_verify(WALLET.rsa))


@fault("unexpected_message", VERIFY, private=True)
def certificate_verify_twice(script: Script) -> None:
    """CH <-SH..CR SHD Cert CKE CV CV"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send_key_exchange()
    script.send(script.certificate_verify(WALLET.rsa))
    script.send(script.certificate_verify(WALLET.rsa))


@fault("unexpected_message", CERTIFICATE, private=True)
def certificate_twice(script: Script) -> None:
    """CH <-SH..CR SHD Cert Cert"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send(certificate_of(WALLET.rsa))


@fault("unexpected_message", ORDER, private=True)
def change_cipher_spec_instead_of_certificate(script: Script) -> None:
    """CH <-SH..CR SHD CCS"""
    up_to_request(script)
    script.master_secret = bytearray(48)
    script.prepare_keys()
    script.send_finished()


def with_certificate_verify(script: Script, shown: Identity, **changes: Any) -> None:
    """CH <-SH..CR SHD Cert CKE CV, made with changes"""
    up_to_request(script)
    script.send(certificate_of(shown))
    script.send_key_exchange()
    script.send(script.certificate_verify(changes.pop("signer", shown), **changes))


@fault("decrypt_error", VERIFY, private=True)
def certificate_verify_with_a_flipped_bit(script: Script) -> None:
    """CV whose signature has one bit flipped"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send_key_exchange()
    message = script.certificate_verify(WALLET.rsa)
    message.signature[-1] ^= 1
    script.send(message)


@fault("decrypt_error", VERIFY, private=True, suite=ECDHE_GCM)
def empty_signature(script: Script) -> None:
    """CV with no signature at all"""
    up_to_request(script)
    script.send(certificate_of(WALLET.ecdsa))
    script.send_key_exchange()
    algorithm = (HashAlgorithm.sha256, SignatureAlgorithm.ecdsa)
    script.send(CertificateVerify(VERSION).create(bytearray(), algorithm))


@fault("decrypt_error", VERIFY, private=True)
def certificate_verify_over_nothing(script: Script) -> None:
    """CV over an empty transcript"""
    with_certificate_verify(script, WALLET.rsa, handshakeHashes=HandshakeHashes())


@fault("decrypt_error", VERIFY, private=True)
def certificate_verify_of_another_key(script: Script) -> None:
    """CV by a key that is not the certificate's"""
    with_certificate_verify(script, WALLET.rsa, signer=WALLET.server)


@fault("illegal_parameter", VERIFY, private=True)
def certificate_verify_with_another_kind_of_algorithm(script: Script) -> None:
    """CV that says ECDSA, for an RSA key"""
    with_certificate_verify(script, WALLET.rsa, signer=WALLET.ecdsa)


@fault("illegal_parameter", VERIFY, private=True)
def certificate_verify_with_an_algorithm_that_was_not_asked_for(script: Script) -> None:
    """CV with MD5"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    script.send_key_exchange()
    script.send(CertificateVerify(VERSION).create(bytearray(256), (HashAlgorithm.md5, SignatureAlgorithm.rsa)))


@fault("unsupported_certificate", CERTIFICATE, private=True)
def certificate_of_a_server(script: Script) -> None:
    """Cert that may not authenticate clients"""
    up_to_request(script)
    script.send(certificate_of(WALLET.server))


@fault("unknown_ca", CERTIFICATE, private=True)
def certificate_of_an_unknown_ca(script: Script) -> None:
    """Cert of a CA that the server does not know"""
    up_to_request(script)
    script.send(certificate_of(WALLET.material.stranger))


@fault("bad_certificate", CERTIFICATE, private=True)
def certificate_that_is_none(script: Script) -> None:
    """Cert of four bytes"""
    up_to_request(script)
    script.send_handshake(HandshakeType.certificate, b"\x00\x00\x07\x00\x00\x04abcd")


@fault("decode_error", CERTIFICATE, private=True)
def certificate_list_cut_off(script: Script) -> None:
    """Cert whose list ends within a certificate"""
    up_to_request(script)
    script.send_handshake(HandshakeType.certificate, b"\x00\x00\x05\x00\x00\x04ab")


@fault("bad_record_mac", "RFC 5246 section 7.4.7.1", private=True)
def bad_block_of_an_authenticated_client(script: Script) -> None:
    """CH <-SH..CR SHD Cert, CKE with a secret of TLS 1.1, CV CCS Fin: no other alert, and not before Finished"""
    up_to_request(script)
    script.send(certificate_of(WALLET.rsa))
    message = script.key_exchange()
    script.pre_master_secret = bytearray(b"\x03\x02" + bytes(46))
    script.send(message.createRSA(script.public_key.encrypt(script.pre_master_secret)))
    script.derive()
    script.send(script.certificate_verify(WALLET.rsa))
    script.send_finished()
