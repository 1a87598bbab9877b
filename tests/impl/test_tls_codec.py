"""Codec, key schedule and record protection, each alone."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import AlertDescription, extensions, keys, messages, records
from shakeproof.impl.tls.extensions import Extension
from shakeproof.impl.tls.handshake import HandshakeReader, Transcript
from shakeproof.impl.tls.key_exchange import (
    P256_ORDER,
    P384_ORDER,
    P256Key,
    P384Key,
    X25519Key,
    encrypt_pre_master_secret,
    ephemeral_key,
    pkcs1_padding,
)
from shakeproof.impl.tls.protection import (
    CbcHmacProtection,
    ChaChaProtection,
    EncryptThenMacProtection,
    GcmProtection,
    NullProtection,
    Protection,
    protection_for,
)
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite,
    KeyExchange,
    NamedGroup,
)

RANDOM = bytes(range(32))
deterministic = settings(derandomize=True, deadline=None)


# --- key schedule -----------------------------------------------------------------------------------------------------


def p_hash(hash_name: str, secret: bytes, seed: bytes, length: int) -> bytes:
    """P_hash of RFC 5246 section 5, written down once more, with another interface of hmac."""
    a = [seed]
    output = b""
    while len(output) < length:
        a.append(hmac.new(secret, a[-1], hash_name).digest())
        output += hmac.new(secret, a[-1] + seed, hash_name).digest()
    return output[:length]


@deterministic
@given(st.binary(max_size=80), st.binary(max_size=20), st.binary(max_size=70), st.integers(0, 200))
def test_prf_is_p_hash_of_label_and_seed(secret: bytes, label: bytes, seed: bytes, length: int) -> None:
    for name in ("sha256", "sha384"):
        assert keys.prf(secret, label, seed, length, name) == p_hash(name, secret, label + seed, length)


def test_prf_of_the_public_sha256_test_vector() -> None:
    # The TLS 1.2 PRF vector for SHA-256 that the IETF TLS working group's list circulated (Mavrogiannopoulos, 2009).
    output = keys.prf(
        bytes.fromhex("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c"),
        100,
    )
    assert output.hex() == (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
        "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )


def test_prf_of_the_public_sha384_test_vector() -> None:
    # From the same message as the one for SHA-256.
    output = keys.prf(
        bytes.fromhex("b80b733d6ceefcdc71566ea48e5567df"),
        b"test label",
        bytes.fromhex("cd665cf6a8447dd6ff8b27555edb7465"),
        148,
        "sha384",
    )
    assert output.hex() == (
        "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0"
        "e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425"
        "9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070"
        "3d73e56f"
    )


def test_master_secret_uses_both_randoms_and_extended_uses_the_session_hash() -> None:
    client, server = RANDOM, RANDOM[::-1]
    assert keys.master_secret(b"p", client, server) == p_hash("sha256", b"p", b"master secret" + client + server, 48)
    session_hash = hashlib.sha256(b"x").digest()
    expected = p_hash("sha256", b"p", b"extended master secret" + session_hash, 48)
    assert keys.extended_master_secret(b"p", session_hash) == expected


@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_key_block_seed_has_the_server_first_and_its_parts_are_in_order(suite: CipherSuite) -> None:
    block = keys.key_block(b"m" * 48, RANDOM, RANDOM[::-1], suite)
    joined = b"".join(
        (
            block.client_write_mac_key,
            block.server_write_mac_key,
            block.client_write_key,
            block.server_write_key,
            block.client_write_iv,
            block.server_write_iv,
        )
    )
    assert joined == p_hash(suite.prf_hash, b"m" * 48, b"key expansion" + RANDOM[::-1] + RANDOM, len(joined))
    _, bulk = suite.name.split("_WITH_")
    assert len(block.client_write_key) == (16 if "128_" in bulk else 32)
    macs = {"CBC_SHA": 20, "CBC_SHA256": 32, "CBC_SHA384": 48}
    assert len(block.client_write_mac_key) == next((n for end, n in macs.items() if bulk.endswith(end)), 0)
    assert len(block.server_write_iv) == (0 if "CBC" in bulk else 4 if "GCM" in bulk else 12)
    assert suite.prf_hash == ("sha384" if bulk.endswith("SHA384") else "sha256")


def test_key_log_line_is_the_nss_form() -> None:
    assert keys.key_log_line(b"\x01\x02", b"\xff") == "CLIENT_RANDOM 0102 ff"


# --- protection -------------------------------------------------------------------------------------------------------


def protections() -> list[Protection]:
    """One of each kind."""
    return [
        NullProtection(),
        CbcHmacProtection(bytes(16), bytes(20)),
        CbcHmacProtection(bytes(32), bytes(48), "sha384"),
        EncryptThenMacProtection(bytes(16), bytes(20)),
        EncryptThenMacProtection(bytes(32), bytes(32), "sha256"),
        GcmProtection(bytes(16), b"salt"),
        GcmProtection(bytes(32), b"salt"),
        ChaChaProtection(bytes(32), bytes(range(12))),
    ]


@deterministic
@given(st.binary(max_size=600), st.integers(0, 2**64 - 1), st.sampled_from((20, 21, 22, 23)))
def test_open_is_the_inverse_of_seal(plaintext: bytes, sequence: int, content_type: int) -> None:
    for protection in protections():
        sealed = protection.seal(content_type, 0x0303, sequence, plaintext)
        assert protection.open(content_type, 0x0303, sequence, sealed) == plaintext
        assert len(sealed) <= len(plaintext) + protection.expansion


@deterministic
@given(st.binary(max_size=100), st.integers(min_value=0), st.integers(1, 255))
def test_any_changed_byte_is_bad_record_mac(plaintext: bytes, position: int, change: int) -> None:
    for protection in protections()[1:]:
        sealed = bytearray(protection.seal(23, 0x0303, 7, plaintext))
        sealed[position % len(sealed)] ^= change
        with pytest.raises(RemoteProtocolError) as caught:
            protection.open(23, 0x0303, 7, bytes(sealed))
        assert caught.value.alert is AlertDescription.BAD_RECORD_MAC


@deterministic
@given(st.binary(max_size=200))
def test_garbage_is_bad_record_mac(fragment: bytes) -> None:
    for protection in protections()[1:]:
        with pytest.raises(RemoteProtocolError) as caught:
            protection.open(23, 0x0303, 0, fragment)
        assert caught.value.alert is AlertDescription.BAD_RECORD_MAC


@pytest.mark.parametrize("header", [(22, 0x0303, 7), (23, 0x0302, 7), (23, 0x0303, 8)])
def test_type_version_and_sequence_number_are_authenticated(header: tuple[int, int, int]) -> None:
    for protection in protections()[1:]:
        sealed = protection.seal(23, 0x0303, 7, b"data")
        with pytest.raises(RemoteProtocolError) as caught:
            protection.open(*header, sealed)
        assert caught.value.alert is AlertDescription.BAD_RECORD_MAC


@pytest.mark.parametrize("blocks", range(16))
def test_cbc_padding_of_any_length_up_to_255_is_accepted(blocks: int) -> None:
    protection = CbcHmacProtection(bytes(16), bytes(20))
    block = b"some data" + protection.mac(23, 0x0303, 1, b"some data")
    count = 16 - len(block) % 16 + 16 * blocks
    sealed = protection.encrypt(block + bytes((count - 1,)) * count)
    assert protection.open(23, 0x0303, 1, sealed) == b"some data"


@pytest.mark.parametrize("place", range(1, 8))
def test_cbc_padding_with_one_wrong_byte_and_a_right_mac_is_bad_record_mac(place: int) -> None:
    protection = CbcHmacProtection(bytes(16), bytes(20))
    block = b"four" + protection.mac(23, 0x0303, 1, b"four")
    padding = bytearray(protection.pad(len(block)))
    assert len(padding) == 8
    padding[-1 - place] ^= 1
    with pytest.raises(RemoteProtocolError) as caught:
        protection.open(23, 0x0303, 1, protection.encrypt(block + bytes(padding)))
    assert caught.value.alert is AlertDescription.BAD_RECORD_MAC


def test_cbc_faults_of_padding_and_mac_are_told_in_the_same_words_and_both_compute_the_mac() -> None:
    told = set()
    for fault in ("padding", "mac", "long padding"):
        protection = CbcHmacProtection(bytes(16), bytes(20))
        computed: list[int] = []
        original = protection.mac

        def mac(
            content_type: int,
            version: int,
            sequence: int,
            data: bytes,
            _original: Callable[[int, int, int, bytes], bytes] = original,
            _computed: list[int] = computed,
        ) -> bytes:
            _computed.append(len(data))
            return _original(content_type, version, sequence, data)

        tag = protection.mac(23, 0x0303, 1, b"four")
        padding = protection.pad(24)
        if fault == "padding":
            padding = b"\x01" + padding[1:]
        elif fault == "mac":
            tag = bytes(20)
        else:
            padding = padding[:-1] + b"\xff"
        protection.mac = mac  # type: ignore[method-assign]
        with pytest.raises(RemoteProtocolError) as caught:
            protection.open(23, 0x0303, 1, protection.encrypt(b"four" + tag + padding))
        told.add(str(caught.value))
        assert len(computed) == 1
    assert len(told) == 1


def test_gcm_nonce_is_the_salt_and_the_sequence_number() -> None:
    sealed = GcmProtection(bytes(16), b"salt").seal(23, 0x0303, 0x0102030405060708, b"")
    assert sealed[:8] == bytes(range(1, 9))
    assert len(sealed) == 8 + 16


def test_protection_for_reads_the_kind_from_the_suite() -> None:
    assert isinstance(protection_for(TLS_RSA_WITH_AES_128_CBC_SHA, bytes(16), bytes(20), b""), CbcHmacProtection)
    assert isinstance(protection_for(TLS_RSA_WITH_AES_128_GCM_SHA256, bytes(16), b"", bytes(4)), GcmProtection)


# --- key exchange -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", NamedGroup, ids=lambda g: g.name)
def test_two_ephemeral_keys_agree_and_come_from_the_entropy(group: int) -> None:
    one = ephemeral_key(group, lambda n: bytes(range(n)))
    again = ephemeral_key(group, lambda n: bytes(range(n)))
    other = ephemeral_key(group, lambda n: bytes(range(1, n + 1)))
    assert one.public == again.public != other.public
    assert one.exchange(other.public) == other.exchange(one.public)


def test_a_key_on_a_curve_from_any_entropy_is_valid() -> None:
    for kind, order, seed_bits in ((P256Key, P256_ORDER, 320), (P384Key, P384_ORDER, 448)):
        for value in (0, 1, order - 1, order, 2**seed_bits - 1):
            key = kind(lambda n, v=value: v.to_bytes(n, "big"))  # type: ignore[misc]
            assert key.public[0] == 4
            assert len(key.public) == 1 + 2 * kind.coordinate_length


@pytest.mark.parametrize("peer", [b"", bytes(31), bytes(33), bytes(32), (1).to_bytes(32, "little")])
def test_x25519_public_keys_of_wrong_length_or_small_order_are_illegal_parameter(peer: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        X25519Key(bytes).exchange(peer)
    assert caught.value.alert is AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize("kind", [P256Key, P384Key])
def test_public_keys_that_are_no_uncompressed_point_on_the_curve_are_illegal_parameter(
    kind: type[P256Key | P384Key],
) -> None:
    key = kind(lambda n: b"\x05" * n)
    point = kind(lambda n: b"\x06" * n).public
    compressed = bytes((2 + point[-1] % 2,)) + point[1 : 1 + kind.coordinate_length]
    for peer in (b"", b"\x00", point[:-1], point + b"\0", point[:-1] + bytes((point[-1] ^ 1,)), compressed):
        with pytest.raises(RemoteProtocolError) as caught:
            key.exchange(peer)
        assert caught.value.alert is AlertDescription.ILLEGAL_PARAMETER


@deterministic
@given(st.integers(0, 300), st.randoms(use_true_random=False))
def test_pkcs1_padding_has_no_zero(length: int, random: Random) -> None:
    padding = pkcs1_padding(length, random.randbytes)
    assert len(padding) == length
    assert 0 not in padding
    assert 0 not in pkcs1_padding(length, bytes)


@pytest.mark.parametrize(("bits", "exponent"), [(464, 65537), (16392, 65537), (2048, (1 << 65) + 1)])
def test_rsa_keys_that_are_too_short_or_absurd_are_unsupported_certificate(bits: int, exponent: int) -> None:
    class Key:
        def public_numbers(self) -> rsa.RSAPublicNumbers:
            return rsa.RSAPublicNumbers(exponent, (1 << bits) - 1)

    with pytest.raises(RemoteProtocolError) as caught:
        encrypt_pre_master_secret(Key(), bytes(48), bytes)  # type: ignore[arg-type]
    assert caught.value.alert is AlertDescription.UNSUPPORTED_CERTIFICATE


# --- messages ---------------------------------------------------------------------------------------------------------

u16 = st.integers(0, 0xFFFF)
u8 = st.integers(0, 0xFF)
extension_blocks = st.none() | st.lists(
    st.builds(Extension, u16, st.binary(max_size=20)), max_size=4, unique_by=lambda e: e.extension_type
).map(tuple)
random_bytes = st.binary(min_size=32, max_size=32)
hellos = st.builds(
    messages.ClientHello,
    u16,
    random_bytes,
    st.binary(max_size=32),
    st.lists(u16, min_size=1, max_size=5).map(tuple),
    st.lists(u8, min_size=1, max_size=3).map(tuple),
    extension_blocks,
)
any_message = st.one_of(
    hellos,
    st.builds(messages.ServerHello, u16, random_bytes, st.binary(max_size=32), u16, u8, extension_blocks),
    st.builds(messages.Certificate, st.lists(st.binary(min_size=1, max_size=30), max_size=4).map(tuple)),
    st.builds(messages.EcdheServerKeyExchange, u16, st.binary(min_size=1, max_size=70), u16, st.binary(max_size=300)),
    st.builds(messages.EcdheClientKeyExchange, st.binary(min_size=1, max_size=70)),
    st.builds(messages.Finished, st.binary(max_size=40)),
    st.just(messages.HelloRequest()),
    st.just(messages.ServerHelloDone()),
)


@deterministic
@given(any_message)
def test_parse_is_the_inverse_of_encode(message: messages.Message) -> None:
    [(handshake_type, body)] = messages.split_messages(messages.encode(message))
    assert messages.parse_message(handshake_type, body, KeyExchange.ECDHE) == message


@deterministic
@given(any_message, st.data())
def test_a_truncated_or_lengthened_body_is_decode_error(message: messages.Message, data: st.DataObject) -> None:
    body = message.encode_body()
    if isinstance(message, messages.Finished):
        return
    handshake_type = message.handshake_type
    with pytest.raises(RemoteProtocolError) as caught:
        messages.parse_message(handshake_type, body + b"\0", KeyExchange.ECDHE)
    assert caught.value.alert is AlertDescription.DECODE_ERROR
    if not body:
        return
    cut = data.draw(st.integers(0, len(body) - 1))
    if isinstance(message, messages.ClientHello | messages.ServerHello) and message.extensions is not None:
        whole = len(body) - len(extensions.encode_extensions(message.extensions))
        if cut == whole:
            return  # a hello without extensions
    with pytest.raises(RemoteProtocolError) as caught:
        messages.parse_message(handshake_type, body[:cut], KeyExchange.ECDHE)
    assert caught.value.alert is AlertDescription.DECODE_ERROR


@deterministic
@given(u8, st.binary(max_size=200), st.sampled_from((None, KeyExchange.RSA, KeyExchange.ECDHE)))
def test_any_bytes_parse_or_are_refused_with_an_alert(handshake_type: int, body: bytes, exchange: KeyExchange) -> None:
    try:
        message = messages.parse_message(handshake_type, body, exchange)
    except RemoteProtocolError as error:
        refusal = error
    else:
        assert message.encode_body() == body
        return
    assert refusal.alert in (AlertDescription.DECODE_ERROR, AlertDescription.ILLEGAL_PARAMETER)


def test_an_empty_extension_block_is_not_the_same_as_none() -> None:
    bare = messages.ClientHello(0x0303, RANDOM, b"", (0x2F,))
    empty = messages.ClientHello(0x0303, RANDOM, b"", (0x2F,), extensions=())
    assert len(empty.encode()) == len(bare.encode()) + 2
    assert messages.ClientHello.parse(bare.encode_body()).extensions is None
    assert messages.ClientHello.parse(empty.encode_body()).extensions == ()


def test_the_same_extension_twice_is_illegal_parameter() -> None:
    hello = messages.ClientHello(0x0303, RANDOM, b"", (0x2F,), extensions=(Extension(9, b""), Extension(9, b"x")))
    with pytest.raises(RemoteProtocolError) as caught:
        messages.ClientHello.parse(hello.encode_body())
    assert caught.value.alert is AlertDescription.ILLEGAL_PARAMETER


def test_raw_carries_any_type_and_body() -> None:
    assert messages.Raw(99, b"abc").encode() == bytes.fromhex("63000003616263")
    assert messages.message_name(99) == "handshake type 99"
    assert messages.message_name(12) == "ServerKeyExchange"


def test_renegotiation_info_and_point_formats_have_the_bytes_that_the_rfcs_print() -> None:
    assert extensions.renegotiation_info().encode().hex() == "ff01000100"
    assert extensions.ec_point_formats().encode().hex() == "000b00020100"
    assert extensions.supported_groups([23, 24]).encode().hex() == "000a00060004" + "00170018"
    assert extensions.extended_master_secret().encode().hex() == "00170000"


def test_server_name_round_trip_and_faults() -> None:
    assert extensions.parse_server_name(extensions.server_name("a.example").data) == "a.example"
    assert extensions.parse_server_name(bytes.fromhex("0005" + "07" + "0002" + "6162")) is None
    for data, alert in (
        ("", AlertDescription.DECODE_ERROR),
        ("0000", AlertDescription.DECODE_ERROR),
        ("0003000000", AlertDescription.DECODE_ERROR),
        ("00080000016100000162", AlertDescription.ILLEGAL_PARAMETER),
        ("0005000002c3a4", AlertDescription.ILLEGAL_PARAMETER),
        ("00050000020061", AlertDescription.ILLEGAL_PARAMETER),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            extensions.parse_server_name(bytes.fromhex(data))
        assert caught.value.alert is alert


@pytest.mark.parametrize("data", ["", "0001", "000100", "0002", "00020000ff", "0000"])
def test_lists_of_numbers_are_read_strictly(data: str) -> None:
    for parse in (extensions.parse_supported_groups, extensions.parse_signature_algorithms):
        with pytest.raises(RemoteProtocolError) as caught:
            parse(bytes.fromhex(data))
        assert caught.value.alert is AlertDescription.DECODE_ERROR


# --- records, reassembly, transcript ----------------------------------------------------------------------------------


@deterministic
@given(st.lists(st.tuples(st.sampled_from((21, 22, 23)), st.binary(min_size=1, max_size=60)), max_size=6), st.data())
def test_records_come_out_of_a_stream_cut_anywhere(sent: list[tuple[int, bytes]], data: st.DataObject) -> None:
    writer, reader = records.RecordWriter(max_fragment=data.draw(st.integers(1, 70))), records.RecordReader()
    stream = b"".join(writer.write(content_type, fragment) for content_type, fragment in sent)
    got: list[tuple[int, bytes]] = []
    while stream:
        count = data.draw(st.integers(1, len(stream)))
        reader.feed(stream[:count])
        stream = stream[count:]
        while (record := reader.next_record()) is not None:
            got.append((record.content_type, record.fragment))
    joined: dict[int, bytes] = {}
    for content_type, fragment in got:
        assert len(fragment) <= writer.max_fragment
        joined[content_type] = joined.get(content_type, b"") + fragment
    expected: dict[int, bytes] = {}
    for content_type, fragment in sent:
        expected[content_type] = expected.get(content_type, b"") + fragment
    assert joined == expected


def test_split_records_gives_whole_records_and_the_rest() -> None:
    data = records.encode_record(22, 0x0303, b"abc") + records.encode_record(23, 0x0301, b"") + b"\x17\x03"
    assert records.split_records(data) == (
        [records.Record(22, 0x0303, b"abc"), records.Record(23, 0x0301, b"")],
        b"\x17\x03",
    )


def test_listener_is_told_of_each_record_as_it_came_and_why_one_is_refused() -> None:
    reader, heard = records.RecordReader(), []
    reader.listener = lambda data, came: heard.append((data, came))
    first, second = records.encode_record(22, 0x0303, b"abc"), records.encode_record(23, 0x0303, b"de")
    reader.feed(first + second[:-1])
    assert [reader.next_record(), reader.next_record()] == [records.Record(22, 0x0303, b"abc"), None]
    reader.feed(second[-1:] + b"\x00\x03\x03\x00\x00")
    assert reader.next_record() == records.Record(23, 0x0303, b"de")
    with pytest.raises(RemoteProtocolError) as caught:
        reader.next_record()
    assert heard == [
        (first, records.Record(22, 0x0303, b"abc")),
        (second, records.Record(23, 0x0303, b"de")),
        (b"\x00\x03\x03\x00\x00", caught.value),
    ]


def test_a_sequence_number_does_not_wrap() -> None:
    writer = records.RecordWriter()
    writer.sequence = 2**64 - 1
    writer.write(23, b"last")
    with pytest.raises(LocalProtocolError, match="new connection"):
        writer.write(23, b"one more")
    reader = records.RecordReader()
    reader.sequence = 2**64
    reader.feed(records.encode_record(23, 0x0303, b"x"))
    with pytest.raises(RemoteProtocolError):
        reader.next_record()


@pytest.mark.parametrize("limit", [0, -1, 2**14 + 1])
def test_max_fragment_outside_its_range_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_fragment"):
        records.RecordWriter(limit)


def test_handshake_reader_holds_back_until_a_message_is_whole() -> None:
    reader = HandshakeReader()
    message = messages.Finished(b"123456789012").encode()
    for value in message[:-1]:
        reader.feed(bytes((value,)))
        assert reader.next_message() is None
        assert reader.pending
    reader.feed(message[-1:] + message)
    assert reader.next_message() == message
    assert reader.next_message() == message
    assert not reader.pending


def test_transcript_hashes_also_what_came_before_the_hash_was_known() -> None:
    transcript = Transcript()
    transcript.update(b"one")
    with pytest.raises(LocalProtocolError):
        transcript.digest()
    transcript.select_hash("sha256")
    transcript.update(b"two")
    assert transcript.digest() == hashlib.sha256(b"onetwo").digest()
    transcript.update(b"three")
    assert transcript.digest() == hashlib.sha256(b"onetwothree").digest()
