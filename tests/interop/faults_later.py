"""Faults in what comes after a first handshake: resumption and renegotiation."""

from __future__ import annotations

from tests.interop.faults import fault
from tests.interop.foreign import ChangeCipherSpec, Finished, HandshakeHashes, HandshakeType
from tests.interop.scripted import (
    ECDHE_GCM,
    RSA_GCM,
    SCSV,
    VERSION,
    Kept,
    Script,
    groups,
    renegotiation_info,
    server_name,
    signature_algorithms,
)

RESUMPTION = "RFC 5246 section 7.3"
RENEGOTIATION = "RFC 5746 section 3.7"
EXTENDED = "RFC 7627 section 5.3"


def keep(script: Script) -> Kept:
    """The session, by id, of another whole connection to the same server."""
    with Script(script.port, script.suites[0], name=script.name) as first:
        first.connect()
        kept = first.kept
        first.close()
    assert kept.session_id
    return kept


def resumed_up_to_client(script: Script) -> Kept:
    """CH(id) <-SH CCS Fin"""
    kept = keep(script)
    script.ask_to_resume(kept)
    script.receive_resumption(kept)
    return kept


@fault("unexpected_message", RESUMPTION)
def resumption_without_change_cipher_spec(script: Script) -> None:
    """CH(id) <-SH CCS Fin, Fin in the clear"""
    resumed_up_to_client(script)
    script.send(script.finished())


@fault("unexpected_message", RESUMPTION)
def resumption_with_client_key_exchange(script: Script) -> None:
    """CH(id) <-SH CCS Fin, CKE"""
    resumed_up_to_client(script)
    script.send_handshake(HandshakeType.client_key_exchange, bytes(258))


@fault("decrypt_error", "RFC 5246 section 7.4.9")
def resumption_with_a_wrong_finished(script: Script) -> None:
    """CH(id) <-SH CCS Fin, CCS !Fin"""
    resumed_up_to_client(script)
    script.send_change_cipher_spec()
    script.send(Finished(VERSION).create(bytearray(12)))


@fault("illegal_parameter", "RFC 5246 section 7.4.1.2", suite=RSA_GCM)
def resumption_without_the_suite_of_the_session(script: Script) -> None:
    """CH(id, other suites)"""
    script.ask_to_resume(keep(script), cipher_suites=[ECDHE_GCM])


@fault("handshake_failure", EXTENDED)
def resumption_without_extended_master_secret(script: Script) -> None:
    """CH(id, ~extended_master_secret) for a session that has it"""
    script.ask_to_resume(keep(script), extensions=[server_name(script.name), renegotiation_info()])


def again(script: Script, **changes: object) -> None:
    """a whole handshake, CH"""
    script.connect()
    script.hashes = HandshakeHashes()
    script.send_hello(**changes)


@fault("handshake_failure", RENEGOTIATION, renegotiates=True)
def renegotiation_without_renegotiation_info(script: Script) -> None:
    """a whole handshake, CH(~renegotiation_info)"""
    again(script, extensions=[server_name(script.name), signature_algorithms()])


@fault("handshake_failure", RENEGOTIATION, renegotiates=True)
def renegotiation_with_an_empty_renegotiation_info(script: Script) -> None:
    """a whole handshake, CH(renegotiation_info=): as in the first one, by somebody in the middle"""
    again(script, extensions=[server_name(script.name), renegotiation_info()])


@fault("handshake_failure", RENEGOTIATION, renegotiates=True)
def renegotiation_with_another_verify_data(script: Script) -> None:
    """a whole handshake, CH(renegotiation_info=0..)"""
    again(script, extensions=[server_name(script.name), renegotiation_info(bytes(12))])


@fault("handshake_failure", RENEGOTIATION, renegotiates=True)
def renegotiation_with_the_scsv(script: Script) -> None:
    """a whole handshake, CH(SCSV)"""
    again(script, cipher_suites=[*script.suites, SCSV])


@fault("unexpected_message", "RFC 5246 section 7.1", renegotiates=True)
def early_change_cipher_spec_in_a_renegotiation(script: Script) -> None:
    """a whole handshake, CH <-SH..SHD CCS"""
    again(script)
    script.receive_flight()
    script.send(ChangeCipherSpec().create())


@fault("unexpected_message", RESUMPTION, renegotiates=True)
def second_client_hello_in_a_renegotiation(script: Script) -> None:
    """a whole handshake, CH <-SH..SHD CH"""
    again(script)
    script.receive_flight()
    script.send_hello()


@fault("decrypt_error", "RFC 5246 section 7.4.9", renegotiates=True)
def renegotiation_with_a_wrong_finished(script: Script) -> None:
    """a whole handshake, CH <-SH..SHD CKE CCS !Fin"""
    again(script)
    script.receive_flight()
    script.send_key_exchange()
    script.send_change_cipher_spec()
    script.send(Finished(VERSION).create(bytearray(12)))


@fault("handshake_failure", "RFC 5246 section 7.4.1.4.1", suite=ECDHE_GCM, renegotiates=True)
def renegotiation_without_a_group_in_common(script: Script) -> None:
    """a whole handshake, CH(no group that we know): a failure in the midst of a connection"""
    again(
        script,
        extensions=[
            server_name(script.name),
            groups(26),
            signature_algorithms(),
            renegotiation_info(bytes(script.client_verify_data)),
        ],
    )
