"""Client authentication: who asks, who answers with what, and what happens when the answer does not hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.impl.tls import (
    AlertDescription,
    CertificateValidated,
    ClientConnection,
    Credential,
    HandshakeCompleted,
    ServerConnection,
    SignatureScheme,
    Site,
    messages,
)
from shakeproof.impl.tls.suites import DEFAULT_SUITES, CipherSuite
from shakeproof.impl.x509 import Usage, Validator, verifier_for_tls
from tests.impl.tls_material import (
    NOW,
    Outcome,
    accept,
    ca,
    certificate,
    client_ecdsa_credential,
    client_rsa_credential,
    connected,
    make_credential,
    pair,
    pump,
    refused,
    rsa_credential,
    rsa_key,
    server_config,
    verify_client,
)

A = AlertDescription
REQUIRE = {"client_authentication": "require", "verify_client": verify_client}
REQUEST = {"client_authentication": "request", "verify_client": verify_client}


def authority_name() -> bytes:
    """The distinguished name of the CA in DER."""
    return ca()[0].subject.public_bytes()


def leave_out(client: ClientConnection, handshake_type: int) -> None:
    """The client never sends messages of that type, nor counts them."""
    original = client.send_handshake

    def send_handshake(message: messages.Message) -> None:
        if message.handshake_type != handshake_type:
            original(message)

    client.send_handshake = send_handshake  # type: ignore[method-assign]


def change(client: ClientConnection, kind: type[messages.Message], **changes: Any) -> None:
    """The client sends messages of that kind changed."""
    original = client.send_handshake

    def send_handshake(message: messages.Message) -> None:
        original(replace(message, **changes) if isinstance(message, kind) else message)  # type: ignore[type-var]

    client.send_handshake = send_handshake  # type: ignore[method-assign]


# --- it works ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coalesce", [False, True])
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_a_client_is_authenticated_under_every_suite(suite: CipherSuite, coalesce: bool) -> None:
    credential = client_ecdsa_credential() if coalesce else client_rsa_credential()
    client, server = pair({"credentials": [credential], "suites": (suite,), "coalesce": coalesce}, REQUIRE)
    _, to_server = pump(client, server)
    assert [type(event) for event in to_server] == [CertificateValidated, HandshakeCompleted]
    assert client.is_connected
    assert server.negotiated.peer_certificates == server.negotiated.client_certificates == credential.chain
    assert client.negotiated.client_certificates == credential.chain
    assert client.negotiated.peer_certificates != credential.chain


def test_a_client_without_a_credential_sends_an_empty_chain_and_request_goes_on() -> None:
    client, server = connected({}, REQUEST)
    assert server.negotiated.client_certificates == client.negotiated.client_certificates == ()
    assert client.certificate_request is not None


def test_a_server_that_does_not_ask_learns_nothing() -> None:
    client, server = connected({"credentials": [client_rsa_credential()]})
    assert client.certificate_request is None
    assert server.negotiated.client_certificates == client.negotiated.client_certificates == ()


@pytest.mark.parametrize("scheme", list(SignatureScheme), ids=lambda s: s.name)
def test_every_signature_algorithm(scheme: SignatureScheme) -> None:
    credentials = [client_rsa_credential(), client_ecdsa_credential()]
    client, server = connected(
        {"credentials": credentials, "signing_algorithms": (scheme,)},
        REQUIRE | {"client_signature_algorithms": tuple(SignatureScheme)},
    )
    assert server.negotiated.client_certificates
    assert client.certificate_request is not None
    assert client.certificate_request.signature_algorithms == tuple(SignatureScheme)


# --- what the client chooses ------------------------------------------------------------------------------------------


def test_the_request_says_which_keys_and_algorithms_are_taken() -> None:
    server = ServerConnection(server_config(**REQUIRE, client_signature_algorithms=(SignatureScheme.ECDSA_SHA256,)))
    request = server.make_certificate_request()
    assert request.certificate_types == b"\x40"
    assert request.signature_algorithms == (SignatureScheme.ECDSA_SHA256,)
    assert ServerConnection(server_config(**REQUIRE)).make_certificate_request().certificate_types == b"\x01\x40"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, client_rsa_credential),
        ({"certificate_types": b"\x40"}, client_ecdsa_credential),
        ({"certificate_types": b"\x02\x03"}, None),
        ({"signature_algorithms": (SignatureScheme.ECDSA_SHA384,)}, client_ecdsa_credential),
        ({"signature_algorithms": (0x0101, 0x0202)}, None),
        ({"authorities": (b"0\0",)}, None),
    ],
)
def test_the_first_credential_that_fits_the_request_is_shown(changes: dict[str, Any], expected: Any) -> None:
    client, server = pair({"credentials": [client_rsa_credential(), client_ecdsa_credential()]}, REQUEST)
    request = replace(server.make_certificate_request(), **changes)
    chosen = client.choose_credential(request)
    assert (chosen[0] if chosen else None) == (expected() if expected else None)
    named = replace(request, authorities=(*request.authorities, authority_name()))
    assert (client.choose_credential(named) is not None) == (expected is not None or "authorities" in changes)


def test_authorities_of_the_site_are_told_and_heeded() -> None:
    stranger = Credential((b"not a certificate",), rsa_key(1))
    client, server = connected(
        {"credentials": [stranger, client_rsa_credential()]}, REQUIRE | {"client_authorities": (authority_name(),)}
    )
    assert server.negotiated.client_certificates == client_rsa_credential().chain
    assert client.certificate_request is not None
    assert client.certificate_request.authorities == (authority_name(),)


def test_a_second_certificate_request_is_unexpected() -> None:
    client, server = pair({}, REQUEST)
    original = server.send_handshake

    def send_handshake(message: messages.Message) -> None:
        original(message)
        if isinstance(message, messages.CertificateRequest):
            original(message)

    server.send_handshake = send_handshake  # type: ignore[method-assign]
    refused(server, client, A.UNEXPECTED_MESSAGE)


# --- what the server refuses ------------------------------------------------------------------------------------------


def test_an_empty_chain_where_a_certificate_is_required_is_handshake_failure() -> None:
    client, server = pair({}, REQUIRE)
    assert "empty list" in str(refused(client, server, A.HANDSHAKE_FAILURE))


def test_a_missing_certificate_message_is_unexpected() -> None:
    client, server = pair({}, REQUEST)
    leave_out(client, messages.HandshakeType.CERTIFICATE)
    refused(client, server, A.UNEXPECTED_MESSAGE)


def test_a_certificate_that_was_not_asked_for_is_unexpected() -> None:
    client, server = pair({"credentials": [client_rsa_credential()]})
    original = client.send_client_key_exchange

    def send_client_key_exchange() -> None:
        client.send_handshake(messages.Certificate(client_rsa_credential().chain))
        original()

    client.send_client_key_exchange = send_client_key_exchange  # type: ignore[method-assign]
    refused(client, server, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("policy", [REQUEST, REQUIRE])
@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({"not_after": NOW - timedelta(days=1)}, A.CERTIFICATE_EXPIRED),
        ({"purpose": ExtendedKeyUsageOID.SERVER_AUTH}, A.UNSUPPORTED_CERTIFICATE),
    ],
)
def test_a_chain_that_does_not_hold_gets_the_validators_alert(
    policy: dict[str, Any], changes: dict[str, Any], alert: AlertDescription
) -> None:
    values = {"name": "alice", "purpose": ExtendedKeyUsageOID.CLIENT_AUTH} | changes
    client, server = pair({"credentials": [make_credential(rsa_key(1), **values)]}, policy)
    error = refused(client, server, alert)
    assert isinstance(error.events[-1], CertificateValidated)
    assert error.details is not None


def test_a_chain_of_another_authority_is_unknown_ca() -> None:
    key = rsa_key(2)
    other = certificate(key.public_key(), key, issuer=None, is_ca=True)
    leaf = certificate(rsa_key(1).public_key(), key, issuer=other, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    chain = (leaf.public_bytes(Encoding.DER),)
    client, server = pair({"credentials": [Credential(chain, rsa_key(1))]}, REQUIRE)
    assert refused(client, server, A.UNKNOWN_CA)


def test_a_validator_without_an_alert_is_certificate_unknown() -> None:
    policy = REQUIRE | {"verify_client": lambda *_: Outcome(accepted=False)}
    client, server = pair({"credentials": [client_rsa_credential()]}, policy)
    refused(client, server, A.CERTIFICATE_UNKNOWN)


def test_a_certificate_that_is_none_is_bad_certificate() -> None:
    client, server = pair({"credentials": [Credential((b"junk",), rsa_key(1))]}, REQUIRE)
    refused(client, server, A.BAD_CERTIFICATE)


def test_a_key_that_was_not_asked_for_or_may_not_sign_is_unsupported_certificate() -> None:
    trusting = REQUIRE | {"verify_client": accept_anyone}
    only_ecdsa = trusting | {"client_signature_algorithms": (SignatureScheme.ECDSA_SHA256,)}
    client, server = pair({"credentials": [client_rsa_credential()]}, only_ecdsa)
    client.choose_credential = lambda request: (  # type: ignore[method-assign]
        client_rsa_credential(),
        SignatureScheme.RSA_PKCS1_SHA256,
    )
    refused(client, server, A.UNSUPPORTED_CERTIFICATE)
    silent = make_credential(rsa_key(1), digital_signature=False)
    client, server = pair({"credentials": [silent]}, trusting)
    refused(client, server, A.UNSUPPORTED_CERTIFICATE)
    odd = ec.generate_private_key(ec.SECP224R1())
    client, server = pair({"credentials": [make_credential(odd)]}, trusting)
    refused(client, server, A.UNSUPPORTED_CERTIFICATE)


def accept_anyone(chain: Any, name: str, time: Any) -> Outcome:
    """As `accept`; a client's chain comes without a name."""
    assert name == ""
    return accept(chain, "a client", time)


# --- CertificateVerify ------------------------------------------------------------------------------------------------


def test_a_missing_certificate_verify_is_unexpected() -> None:
    client, server = pair({"credentials": [client_rsa_credential()]}, REQUIRE)
    leave_out(client, messages.HandshakeType.CERTIFICATE_VERIFY)
    error = refused(client, server, A.UNEXPECTED_MESSAGE)
    assert error.got == "ChangeCipherSpec"
    assert error.expected == "CertificateVerify"


def test_a_certificate_verify_after_an_empty_chain_is_unexpected() -> None:
    client, server = pair({"credentials": [client_rsa_credential()]}, REQUEST)
    change(client, messages.Certificate, certificate_list=())
    assert refused(client, server, A.UNEXPECTED_MESSAGE).got == "CertificateVerify"


def test_a_certificate_verify_before_client_key_exchange_is_unexpected() -> None:
    client, server = pair({"credentials": [client_rsa_credential()]}, REQUIRE)
    original = client.send_client_key_exchange

    def send_client_key_exchange() -> None:
        client.send_certificate_verify(client_rsa_credential(), SignatureScheme.RSA_PKCS1_SHA256)
        original()

    client.send_client_key_exchange = send_client_key_exchange  # type: ignore[method-assign]
    assert refused(client, server, A.UNEXPECTED_MESSAGE).got == "CertificateVerify"


@pytest.mark.parametrize("credential", [client_rsa_credential, client_ecdsa_credential])
def test_a_signature_that_does_not_verify_is_decrypt_error(credential: Any) -> None:
    client, server = pair({"credentials": [credential()]}, REQUIRE)
    change(client, messages.CertificateVerify, signature=bytes(64))
    refused(client, server, A.DECRYPT_ERROR)
    client, server = pair({"credentials": [credential()]}, REQUIRE)
    change(client, messages.CertificateVerify, signature=b"")
    refused(client, server, A.DECRYPT_ERROR)


def test_a_signature_with_anothers_key_is_decrypt_error() -> None:
    stolen = Credential(client_rsa_credential().chain, rsa_key(3))
    client, server = pair({"credentials": [stolen]}, REQUIRE)
    refused(client, server, A.DECRYPT_ERROR)


def test_a_signature_over_another_handshake_is_decrypt_error() -> None:
    client, server = pair({"credentials": [client_rsa_credential()]}, REQUIRE)
    client.transcript.everything = lambda: b"another handshake"  # type: ignore[method-assign]
    refused(client, server, A.DECRYPT_ERROR)


@pytest.mark.parametrize(
    "algorithm",
    [SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA256, 0x0000, 0xFFFF],
    ids=hex,
)
def test_an_algorithm_that_was_not_asked_for_or_does_not_fit_is_illegal_parameter(algorithm: int) -> None:
    client, server = pair({"credentials": [client_rsa_credential()]}, REQUIRE)
    change(client, messages.CertificateVerify, algorithm=algorithm)
    refused(client, server, A.ILLEGAL_PARAMETER)


# --- the config and the validator -------------------------------------------------------------------------------------


def test_a_policy_without_a_validator_is_refused_by_the_config() -> None:
    with pytest.raises(ValueError, match="verify_client"):
        server_config(client_authentication="require")
    with pytest.raises(ValueError, match="require"):
        server_config(client_authentication="maybe")
    with pytest.raises(ValueError, match="verify_client"):
        Site(credentials=[rsa_credential()], client_authentication="request")


def test_a_validator_for_clients_looks_at_the_purpose_and_at_no_name() -> None:
    authority, _ = ca()
    anchors = [authority.public_bytes(Encoding.DER)]
    for_clients = verifier_for_tls(Validator(anchors, usage=Usage.CLIENT_AUTH))
    assert for_clients(client_rsa_credential().chain, "", NOW).accepted
    assert not for_clients(rsa_credential().chain, "", NOW).accepted
    for_servers = verifier_for_tls(Validator(anchors))
    assert not for_servers(client_rsa_credential().chain, "alice", NOW).accepted
    assert not for_servers(rsa_credential().chain, "", NOW).accepted
    result = Validator(anchors).validate(rsa_credential().chain, NOW, None)
    assert result.accepted
    assert not any(check.name == "name" for check in result.checks)
    assert x509.load_der_x509_certificate(client_rsa_credential().chain[0]).subject
