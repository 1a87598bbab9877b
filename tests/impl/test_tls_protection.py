"""Record protection beyond AES-128: nonces, encrypt-then-MAC, limits."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import AlertDescription, records
from shakeproof.impl.tls.protection import (
    CbcHmacProtection,
    ChaChaProtection,
    EncryptThenMacProtection,
    GcmProtection,
    Protection,
    protection_for,
)
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    SUITES,
    SUITES_BY_NAME,
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    TLS_FALLBACK_SCSV,
    TLS_RSA_WITH_AES_128_CBC_SHA256,
    Authentication,
    CipherSuite,
    KeyExchange,
)
from shakeproof.impl.tls.suites import Cipher as SuiteCipher
from tests.impl.tls_material import connected, refuse

A = AlertDescription
DATA, VERSION = 23, 0x0303


def make(suite: CipherSuite, etm: bool = False) -> Protection:
    """A protection of that suite under fixed keys."""
    key, mac_key, iv = (
        bytes(range(length)) for length in (suite.enc_key_length, suite.mac_key_length, suite.fixed_iv_length)
    )
    return protection_for(suite, key, mac_key, iv, lambda n: bytes(range(n)), encrypt_then_mac=etm)


def assert_bad_record_mac(protection: Protection, fragment: bytes, sequence: int = 0) -> None:
    """It does not open."""
    with pytest.raises(RemoteProtocolError) as caught:
        protection.open(DATA, VERSION, sequence, fragment)
    assert caught.value.alert is A.BAD_RECORD_MAC


# --- suites -----------------------------------------------------------------------------------------------------------


def test_no_suite_has_the_number_of_a_signalling_value_or_of_another() -> None:
    assert len(SUITES) == len(SUITES_BY_NAME) == len(DEFAULT_SUITES) == 27
    assert TLS_FALLBACK_SCSV not in SUITES
    assert TLS_EMPTY_RENEGOTIATION_INFO_SCSV not in SUITES


def test_what_a_suite_is_stands_in_its_name() -> None:
    for suite in DEFAULT_SUITES:
        exchange, bulk = suite.name.removeprefix("TLS_").split("_WITH_")
        assert suite.key_exchange == exchange.split("_")[0]
        assert suite.authentication == exchange.split("_")[-1]
        assert suite.cipher.replace("AES_", "") in bulk
        assert (suite.mac_hash is None) is (suite.cipher is not SuiteCipher.AES_CBC)


def test_suites_go_from_authenticated_encryption_with_forward_secrecy_to_key_transport() -> None:
    def rank(suite: CipherSuite) -> tuple[bool, bool, bool, bool]:
        secret = suite.key_exchange is not KeyExchange.RSA
        return (
            not secret,
            suite.cipher is SuiteCipher.AES_CBC,
            suite.key_exchange is KeyExchange.DHE,
            suite.mac_hash == "sha1",
        )

    assert [*DEFAULT_SUITES] == sorted(DEFAULT_SUITES, key=rank)
    assert DEFAULT_SUITES[0].authentication is Authentication.ECDSA


# --- AEAD -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [0, 1, 0x0102030405060708, 2**64 - 1])
def test_chacha_nonce_is_the_iv_xor_the_padded_sequence_number_and_is_not_sent(sequence: int) -> None:
    key, iv = bytes(range(32)), bytes(range(0xA0, 0xAC))
    nonce = bytes(a ^ b for a, b in zip(iv, bytes(4) + sequence.to_bytes(8, "big"), strict=True))
    additional = sequence.to_bytes(8, "big") + bytes.fromhex("17" + "0303" + "0004")
    sealed = ChaChaProtection(key, iv).seal(DATA, VERSION, sequence, b"data")
    assert sealed == ChaCha20Poly1305(key).encrypt(nonce, b"data", additional)
    assert len(sealed) == 4 + 16
    assert ChaChaProtection(key, iv).open(DATA, VERSION, sequence, sealed) == b"data"


def test_aes_256_gcm_takes_the_whole_key() -> None:
    suite = SUITES_BY_NAME["TLS_RSA_WITH_AES_256_GCM_SHA384"]
    sealed = make(suite).seal(DATA, VERSION, 5, b"data")
    nonce, additional = bytes(range(4)) + bytes(7) + b"\5", bytes(7) + b"\5" + bytes.fromhex("17" + "0303" + "0004")
    assert sealed[8:] == AESGCM(bytes(range(32))).encrypt(nonce, b"data", additional)


@pytest.mark.parametrize("length", range(17))
def test_records_too_short_for_a_tag_are_bad_record_mac(length: int) -> None:
    assert_bad_record_mac(ChaChaProtection(bytes(32), bytes(12)), bytes(length))
    assert_bad_record_mac(GcmProtection(bytes(32), bytes(4)), bytes(length))


# --- encrypt-then-MAC -------------------------------------------------------------------------------------------------


def test_encrypt_then_mac_is_what_rfc_7366_section_3_says() -> None:
    suite = TLS_RSA_WITH_AES_128_CBC_SHA256
    sealed = make(suite, etm=True).seal(DATA, VERSION, 3, b"some data")
    iv = key = bytes(range(16))
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    encrypted = iv + encryptor.update(b"some data" + b"\6" * 7) + encryptor.finalize()
    header = bytes(7) + b"\3" + bytes.fromhex("17" + "0303") + len(encrypted).to_bytes(2, "big")
    assert sealed == encrypted + hmac.new(bytes(range(32)), header + encrypted, hashlib.sha256).digest()


def test_a_wrong_mac_ends_it_before_anything_is_decrypted() -> None:
    protection = make(TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, etm=True)
    assert isinstance(protection, EncryptThenMacProtection)
    sealed = protection.seal(DATA, VERSION, 0, b"data")
    protection.decrypt = None  # type: ignore[method-assign,assignment]
    for place in range(len(sealed)):
        broken = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
        assert_bad_record_mac(protection, broken)


def test_wrong_padding_under_a_right_mac_is_bad_record_mac() -> None:
    protection = EncryptThenMacProtection(bytes(16), bytes(20))
    for block in (bytes(15) + b"\x10", bytes(15) + b"\xff", b"twelve bytes" + b"\3\2\3\3", bytes(15) + b"\1"):
        encrypted = protection.encrypt(block)
        mac = protection.mac(DATA, VERSION, 0, encrypted)
        assert_bad_record_mac(protection, encrypted + mac)


@pytest.mark.parametrize("blocks", range(1, 16))
def test_longer_padding_and_nothing_but_padding_are_taken(blocks: int) -> None:
    protection = EncryptThenMacProtection(bytes(16), bytes(20))
    for plaintext in (b"", b"data"):
        count = 16 * blocks - len(plaintext)
        encrypted = protection.encrypt(plaintext + bytes((count - 1,)) * count)
        mac = protection.mac(DATA, VERSION, 0, encrypted)
        assert protection.open(DATA, VERSION, 0, encrypted + mac) == plaintext


@pytest.mark.parametrize("length", [0, 16, 19, 20, 35, 36, 37, 51, 53])
def test_records_that_are_no_iv_blocks_and_mac_are_bad_record_mac(length: int) -> None:
    protection = EncryptThenMacProtection(bytes(16), bytes(20))
    protection.check_mac = lambda computed, received: True  # type: ignore[method-assign]
    assert_bad_record_mac(protection, bytes(length))


def test_each_check_can_be_left_out_on_one_object() -> None:
    protection = make(TLS_DHE_RSA_WITH_AES_256_CBC_SHA, etm=True)
    assert isinstance(protection, EncryptThenMacProtection)
    sealed = protection.seal(DATA, VERSION, 0, b"data")
    broken = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    assert_bad_record_mac(protection, broken)
    protection.check_mac = lambda computed, received: True  # type: ignore[method-assign]
    assert protection.open(DATA, VERSION, 0, broken) == b"data"
    encrypted = protection.encrypt(b"twelve bytes" + b"\1\2\3\3")
    assert_bad_record_mac(protection, encrypted + bytes(20))
    protection.check_padding = lambda block: True  # type: ignore[method-assign]
    assert protection.open(DATA, VERSION, 0, encrypted + bytes(20)) == b"twelve bytes"
    assert protection.open(DATA, VERSION, 0, protection.encrypt(bytes(15) + b"\xff") + bytes(20)) == b""


def test_a_tampered_record_of_a_connection_is_bad_record_mac() -> None:
    for place in (5, 25, -25, -1):
        client, server = connected({"suites": (TLS_DHE_RSA_WITH_AES_256_CBC_SHA,)})
        assert server.negotiated.encrypt_then_mac
        client.send_application_data(b"data")
        sealed = bytearray(client.data_to_send())
        sealed[place] ^= 1
        assert refuse(server, bytes(sealed)).alert is A.BAD_RECORD_MAC


def test_the_two_orders_do_not_understand_each_other() -> None:
    suite = TLS_RSA_WITH_AES_128_CBC_SHA256
    for one, other in ((False, True), (True, False)):
        assert_bad_record_mac(make(suite, etm=one), make(suite, etm=other).seal(DATA, VERSION, 0, b"data"))


def test_encrypt_then_mac_says_nothing_of_aead() -> None:
    for suite in DEFAULT_SUITES:
        kind = type(make(suite, etm=True))
        if suite.cipher is SuiteCipher.AES_CBC:
            assert kind is EncryptThenMacProtection
            assert type(make(suite)) is CbcHmacProtection
        else:
            assert kind is type(make(suite))


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("etm", [False, True])
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_a_full_record_fits_and_one_byte_more_is_record_overflow(suite: CipherSuite, etm: bool) -> None:
    protection = make(suite, etm)
    full = protection.seal(DATA, VERSION, 0, bytes(records.MAX_PLAINTEXT))
    assert len(full) <= records.MAX_PLAINTEXT + protection.expansion
    assert protection.expansion <= 1024  # RFC 5246 section 6.2.3.3, of AEAD; the others are far below
    reader = records.RecordReader()
    reader.change_protection(make(suite, etm))
    reader.feed(records.encode_record(DATA, VERSION, full))
    opened = reader.next_record()
    assert opened is not None
    assert opened.fragment == bytes(records.MAX_PLAINTEXT)
    reader.change_protection(make(suite, etm))
    over = protection.seal(DATA, VERSION, 0, bytes(records.MAX_PLAINTEXT + 1))
    reader.feed(records.encode_record(DATA, VERSION, over))
    with pytest.raises(RemoteProtocolError) as caught:
        reader.next_record()
    assert caught.value.alert is A.RECORD_OVERFLOW


def test_a_suite_without_aead_and_mac_cannot_be_protected() -> None:
    suite = CipherSuite(0, "NULL", KeyExchange.RSA, Authentication.RSA, SuiteCipher.AES_CBC, 16, 0, None, 0)
    with pytest.raises(ValueError, match="neither"):
        make(suite)


def test_empty_records_under_every_suite() -> None:
    for suite in DEFAULT_SUITES:
        client, server = connected({"suites": (suite,)})
        client.send_application_data(b"")
        assert server.receive_data(client.data_to_send()) == []
