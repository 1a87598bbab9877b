"""Ephemeral Diffie-Hellman in finite fields: the groups, the choice of one, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    ClientConnection,
    NamedGroup,
    ServerConnection,
    extensions,
    messages,
    records,
)
from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.finite_field import (
    FFDHE,
    MAX_DH_BITS,
    MIN_DH_BITS,
    FiniteField,
    FiniteFieldKey,
    check_public,
    field_of,
    named_group,
)
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    KeyExchange,
)
from tests.impl.tls_material import (
    client_config,
    connected,
    entropy,
    pair,
    pump,
    record,
    refuse,
    refused,
    rsa_credential,
    server_config,
)

A = AlertDescription
DHE = (TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,)
FIELDS = (NamedGroup.FFDHE2048, NamedGroup.FFDHE3072, NamedGroup.FFDHE4096)
P2048 = FFDHE[NamedGroup.FFDHE2048].p
HANDSHAKE = 22

# --- the groups -------------------------------------------------------------------------------------------------------

FORMULA = {
    NamedGroup.FFDHE2048: (2048, 560316),
    NamedGroup.FFDHE3072: (3072, 2625351),
    NamedGroup.FFDHE4096: (4096, 5736041),
}
PRINTED = {
    NamedGroup.FFDHE2048: ("ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1", "886b423861285c97ffffffffffffffff"),
    NamedGroup.FFDHE3072: ("ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1", "25e41d2b66c62e37ffffffffffffffff"),
    NamedGroup.FFDHE4096: ("ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1", "c68a007e5e655f6affffffffffffffff"),
}
"""How the primes begin and end where RFC 7919 appendix A prints them."""


@pytest.mark.parametrize("group", FIELDS, ids=lambda g: g.name)
def test_the_primes_are_those_of_the_formula_in_rfc_7919_and_safe(group: NamedGroup) -> None:
    bits, x = FORMULA[group]
    with localcontext() as context:
        context.prec = 1400  # decimal digits, more than 4096 bits have
        e = Decimal(1).exp()
        p = 2**bits - 2 ** (bits - 64) + (int(Decimal(2) ** (bits - 130) * e) + x) * 2**64 - 1
    field = FFDHE[group]
    assert field.p == p
    assert field.g == 2
    assert field.bits == bits
    start, end = PRINTED[group]
    assert f"{p:x}".startswith(start)
    assert f"{p:x}".endswith(end)
    q = (p - 1) // 2
    for base in (2, 3):
        assert pow(base, p - 1, p) == 1
        assert pow(base, q - 1, q) == 1
    assert pow(2, q, p) == 1  # g generates the subgroup of order q


def test_a_group_is_known_by_its_numbers_and_no_other_has_a_name() -> None:
    for group in FIELDS:
        assert named_group(FFDHE[group].p, 2) is group
        assert field_of(FFDHE[group].p, 2) is FFDHE[group]
    assert named_group(P2048, 3) is None
    assert named_group(P2048 - 2, 2) is None
    assert field_of(P2048, 3).g == 3


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", FIELDS, ids=lambda g: g.name)
def test_exponents_have_the_length_that_rfc_7919_allows_whatever_the_entropy(group: NamedGroup) -> None:
    field = FFDHE[group]
    minimum = {2048: 225, 3072: 275, 4096: 325}[field.bits]
    for value in (b"\0", b"\xff"):
        key = FiniteFieldKey(field, lambda n, v=value: v * n)  # type: ignore[misc]
        assert key._exponent.bit_length() == minimum
        assert len(key.public) == field.bits // 8


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.integers(2, 60), st.integers(2, 60))
def test_the_secret_has_no_leading_zero_bytes(seed: int, other: int) -> None:
    small = FiniteField(0x10001, 3, 16)  # of three bytes, so that every other secret begins with a zero
    one, two = FiniteFieldKey(small, entropy(seed)), FiniteFieldKey(small, entropy(other))
    secret = one.exchange(two.public)
    assert secret == two.exchange(one.public)
    assert len(one.public) == 3
    assert secret[:1] != b"\0"
    assert int.from_bytes(secret, "big") == pow(int.from_bytes(two.public, "big"), one._exponent, small.p)


def test_both_sides_agree_also_where_the_secret_begins_with_a_zero_byte() -> None:
    field = FFDHE[NamedGroup.FFDHE2048]
    fixed = FiniteFieldKey(field, entropy(0))
    short = next(
        seed
        for seed in range(5000)
        if pow(int.from_bytes(fixed.public, "big"), FiniteFieldKey(field, entropy(seed))._exponent, field.p)
        < 1 << field.bits - 8
    )
    key = FiniteFieldKey(field, entropy(short))
    client, server = pair({"suites": DHE})
    client.accept_dh_group = lambda message: key  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shakeproof.impl.tls.server.ephemeral_key", lambda *_: fixed)
        pump(client, server)
    assert client.is_connected
    assert server.is_connected
    assert len(key.exchange(fixed.public)) < field.length


@pytest.mark.parametrize("value", [0, 1, P2048 - 1, P2048, P2048 + 2, 1 << 65535], ids=lambda n: f"{n.bit_length()}")
def test_public_values_out_of_range_are_handshake_failure(value: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_public(value.to_bytes(8192, "big"), P2048)
    assert caught.value.alert is A.HANDSHAKE_FAILURE


def test_public_values_in_range_are_taken_in_any_length() -> None:
    for value in (2, P2048 - 2):
        check_public(value.to_bytes(256, "big"), P2048)
        check_public(value.to_bytes(300, "big"), P2048)
    check_public(b"\2", P2048)


# --- messages ---------------------------------------------------------------------------------------------------------

number = st.binary(min_size=1, max_size=70)
dhe_messages = st.one_of(
    st.builds(messages.DheServerKeyExchange, number, number, number, st.integers(0, 0xFFFF), st.binary(max_size=300)),
    st.builds(messages.DheClientKeyExchange, number),
)


@settings(derandomize=True, deadline=None)
@given(dhe_messages, st.data())
def test_the_messages_survive_the_wire_and_their_truncation_is_decode_error(
    message: messages.Message, data: st.DataObject
) -> None:
    [(handshake_type, body)] = messages.split_messages(message.encode())
    assert messages.parse_message(handshake_type, body, KeyExchange.DHE) == message
    for broken in (body + b"\0", body[: data.draw(st.integers(0, len(body) - 1))]):
        with pytest.raises(RemoteProtocolError) as caught:
            messages.parse_message(handshake_type, broken, KeyExchange.DHE)
        assert caught.value.alert is A.DECODE_ERROR


@pytest.mark.parametrize("place", ["p", "g", "public"])
def test_empty_numbers_are_decode_error(place: str) -> None:
    good = messages.DheServerKeyExchange(b"\5", b"\2", b"\3", 0x0401, b"")
    broken = replace(good, **{place: b""})  # type: ignore[arg-type]
    for body, handshake_type in ((broken.encode_body(), 12), (b"\0\0", 16), (b"", 16)):
        with pytest.raises(RemoteProtocolError) as caught:
            messages.parse_message(handshake_type, body, KeyExchange.DHE)
        assert caught.value.alert is A.DECODE_ERROR


# --- what the client refuses ------------------------------------------------------------------------------------------


def serve_params(p: int, g: int = 2, public: int = 4, **changes: Any) -> tuple[ClientConnection, ServerConnection]:
    """A client, and a server that signs just these parameters."""
    client, server = pair({"suites": DHE} | changes)

    def make(group: int, algorithm: int) -> messages.DheServerKeyExchange:
        a, b, c = (n.to_bytes(max((n.bit_length() + 7) // 8, 1), "big") for n in (p, g, public))
        signature = server.sign_params(messages.dh_params(a, b, c), algorithm)
        return messages.DheServerKeyExchange(a, b, c, algorithm, signature)

    server.make_server_key_exchange = make  # type: ignore[method-assign]
    return client, server


@pytest.mark.parametrize(
    ("parameters", "alert"),
    [
        ((2**511 + 111,), A.INSUFFICIENT_SECURITY),
        ((2**1023 + 1155,), A.INSUFFICIENT_SECURITY),
        (((1 << MIN_DH_BITS - 1) - 1,), A.INSUFFICIENT_SECURITY),
        ((0,), A.INSUFFICIENT_SECURITY),
        ((1 << MAX_DH_BITS | 1,), A.HANDSHAKE_FAILURE),
        (((1 << 65536 * 7) + 1,), A.HANDSHAKE_FAILURE),
        ((P2048 - 1,), A.ILLEGAL_PARAMETER),
        ((P2048, 0), A.ILLEGAL_PARAMETER),
        ((P2048, 1), A.ILLEGAL_PARAMETER),
        ((P2048, P2048 - 1), A.ILLEGAL_PARAMETER),
        ((P2048, P2048 + 2), A.ILLEGAL_PARAMETER),
        ((P2048, 2, 0), A.HANDSHAKE_FAILURE),
        ((P2048, 2, 1), A.HANDSHAKE_FAILURE),
        ((P2048, 2, P2048 - 1), A.HANDSHAKE_FAILURE),
        ((P2048, 2, P2048), A.HANDSHAKE_FAILURE),
        ((P2048, 3, 1), A.HANDSHAKE_FAILURE),
    ],
    ids=lambda p: p.label if isinstance(p, A) else ", ".join(f"{n.bit_length()} bits" if n > 9 else str(n) for n in p),
)
def test_well_signed_parameters_that_are_no_good(parameters: tuple[int, ...], alert: AlertDescription) -> None:
    client, server = serve_params(*parameters)
    refused(server, client, alert)


def test_each_check_of_the_parameters_can_be_left_out_on_one_object() -> None:
    for name, parameters in (
        ("check_dh_size", (2**511 + 111,)),
        ("check_dh_group", (P2048, 1)),
        ("check_dh_public", (P2048, 2, 1)),
    ):
        client, server = serve_params(*parameters)
        setattr(client, name, lambda *_: None)
        pump_once(server, client)
        assert client.state == "WAIT_CHANGE_CIPHER_SPEC"


def pump_once(server: ServerConnection, client: ClientConnection) -> None:
    """The server's first flight."""
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())


def test_a_custom_group_of_good_size_is_taken_and_has_no_name() -> None:
    client, server = pair({"suites": DHE})
    custom = FiniteField(P2048, 4, 256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shakeproof.impl.tls.server.ephemeral_key", lambda group, random: FiniteFieldKey(custom, random))
        pump(client, server)
    assert client.is_connected
    assert client.negotiated.group is None


def refuse_exchange(
    change: Callable[[messages.DheServerKeyExchange], messages.Message], alert: AlertDescription
) -> None:
    """A client that has to refuse a changed ServerKeyExchange."""
    client, server = pair({"suites": DHE})
    original: Callable[..., Any] = server.make_server_key_exchange
    server.make_server_key_exchange = lambda *a: change(original(*a))  # type: ignore[method-assign,assignment]
    refused(server, client, alert)


def test_the_signature_covers_every_number_and_is_looked_at_first() -> None:
    refuse_exchange(lambda m: replace(m, g=b"\3"), A.DECRYPT_ERROR)
    refuse_exchange(lambda m: replace(m, p=m.p[:-1]), A.DECRYPT_ERROR)
    refuse_exchange(lambda m: replace(m, public=b"\1"), A.DECRYPT_ERROR)
    refuse_exchange(lambda m: replace(m, signature=bytes(256)), A.DECRYPT_ERROR)
    refuse_exchange(lambda m: replace(m, algorithm=0x0403), A.ILLEGAL_PARAMETER)


def test_the_form_of_curves_is_no_form_of_fields() -> None:
    refuse_exchange(
        lambda m: messages.EcdheServerKeyExchange(29, m.public[:32], m.algorithm, m.signature), A.DECODE_ERROR
    )


# --- what the server refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", [b"\0", b"\1", (P2048 - 1).to_bytes(256, "big"), P2048.to_bytes(256, "big")])
def test_a_client_value_out_of_range_is_handshake_failure(public: bytes) -> None:
    client, server = pair({"suites": DHE})
    server.receive_data(client.data_to_send())
    server.data_to_send()
    message = messages.DheClientKeyExchange(public)
    assert refuse(server, record(HANDSHAKE, message.encode())).alert is A.HANDSHAKE_FAILURE
    client, server = pair({"suites": DHE})
    server.receive_data(client.data_to_send())
    server.check_dh_public = lambda *_: None  # type: ignore[method-assign]
    server.receive_data(record(HANDSHAKE, message.encode()))
    assert server.state == "WAIT_CHANGE_CIPHER_SPEC"


def test_a_server_without_an_ephemeral_key_cannot_agree() -> None:
    with pytest.raises(LocalProtocolError):
        ServerConnection(server_config()).agree(b"\2")


# --- which group ------------------------------------------------------------------------------------------------------


def choose(listed: list[int] | None, *suites: int, **changes: Any) -> ServerConnection:
    """A server after a ClientHello that lists those groups and suites."""
    offered = [] if listed is None else [extensions.supported_groups(listed)]
    offered.append(extensions.signature_algorithms([0x0401]))
    hello = messages.ClientHello(0x0303, bytes(32), b"", suites or (DHE[0].code,), extensions=tuple(offered))
    server = ServerConnection(server_config(**changes))
    server.receive_data(records.encode_record(HANDSHAKE, 0x0301, hello.encode()))
    return server


def test_a_client_that_lists_fields_gets_one_of_them() -> None:
    for groups, group in (([256], 256), ([257, 256], 256), ([258, 29], 258), ([260, 257], 257), ([511, 258], 258)):
        assert choose(groups).negotiated.group == group


def test_a_client_that_lists_no_field_gets_our_first() -> None:
    assert choose(None).negotiated.group == NamedGroup.FFDHE2048
    assert choose([29, 23]).negotiated.group == NamedGroup.FFDHE2048
    assert choose([512, 255]).negotiated.group == NamedGroup.FFDHE2048
    assert choose([29], groups=(NamedGroup.FFDHE3072, NamedGroup.FFDHE2048)).negotiated.group == 257


def test_the_field_is_as_strong_as_the_servers_key_where_the_client_has_such() -> None:
    key = rsa_credential().private_key

    class LongKey:
        key_size = 3072

    server = choose([256])
    offer = server.read_offer(ClientConnection(client_config()).make_client_hello())
    assert server.choose_finite_field(offer, key) is NamedGroup.FFDHE2048
    assert server.choose_finite_field(offer, LongKey()) is NamedGroup.FFDHE3072  # type: ignore[arg-type]
    weak = offer._replace(groups=(256, 29))
    assert server.choose_finite_field(weak, LongKey()) is NamedGroup.FFDHE2048  # type: ignore[arg-type]


def test_a_client_whose_fields_are_all_unknown_gets_another_key_exchange() -> None:
    for groups in ([260], [259, 29], [511]):
        server = choose(groups, DHE[0].code, TLS_RSA_WITH_AES_128_GCM_SHA256.code)
        assert server.suite is TLS_RSA_WITH_AES_128_GCM_SHA256
    server = choose([29], DHE[0].code, TLS_RSA_WITH_AES_128_GCM_SHA256.code, groups=(NamedGroup.X25519,))
    assert server.suite is TLS_RSA_WITH_AES_128_GCM_SHA256


def test_a_client_whose_fields_are_all_unknown_and_that_has_nothing_else_is_insufficient_security() -> None:
    for suites, alert in (
        ((DHE[0].code,), A.INSUFFICIENT_SECURITY),
        ((DHE[0].code, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.code), A.INSUFFICIENT_SECURITY),
        ((TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.code,), A.HANDSHAKE_FAILURE),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            choose([260], *suites)
        assert caught.value.alert is alert
    with pytest.raises(RemoteProtocolError) as caught:
        choose([29], groups=(NamedGroup.X25519,))
    assert caught.value.alert is A.HANDSHAKE_FAILURE


def test_a_field_is_never_taken_for_a_curve() -> None:
    server = choose([256, 23], TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.code, groups=(*FIELDS, NamedGroup.SECP256R1))
    assert server.negotiated.group == NamedGroup.SECP256R1


def test_point_formats_are_not_answered_under_dhe() -> None:
    client, server = pair({"suites": (*DHE, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)}, {"suites": DHE})
    server.receive_data(client.data_to_send())
    [first, *_] = records.split_records(server.data_to_send())[0]
    answer = messages.ServerHello.parse(first.fragment[4:])
    assert answer.extension(ExtensionType.EC_POINT_FORMATS) is None


def test_a_client_lists_the_groups_that_its_suites_can_use() -> None:
    curves = [g for g in NamedGroup if g not in FIELDS]
    for exchanges, groups in (
        ({KeyExchange.DHE}, [*FIELDS]),
        ({KeyExchange.ECDHE}, curves),
        ({KeyExchange.DHE, KeyExchange.ECDHE}, [*curves, *FIELDS]),
        ({KeyExchange.RSA}, None),
    ):
        suites = tuple(suite for suite in DEFAULT_SUITES if suite.key_exchange in exchanges)
        hello = ClientConnection(client_config(suites=suites)).make_client_hello()
        data = hello.extension(ExtensionType.SUPPORTED_GROUPS)
        listed = None if data is None else sorted(extensions.parse_supported_groups(data))
        assert listed == groups
        assert (hello.extension(ExtensionType.EC_POINT_FORMATS) is not None) is (KeyExchange.ECDHE in exchanges)


def test_the_negotiated_group_is_the_same_on_both_sides() -> None:
    for group in FIELDS:
        client, server = connected({"suites": DHE, "groups": (group,)})
        assert client.negotiated.group == server.negotiated.group == group
