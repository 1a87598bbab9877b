"""Cipher suites, groups and content types as data.

Source: RFC 5246 sections 6.2.1, 6.1 and appendices A.5, C; RFC 5288 section 3; RFC 8422 sections 5.1.1 and 6;
RFC 5746 section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

SSL_3_0 = 0x0300
TLS_1_0 = 0x0301
TLS_1_1 = 0x0302
TLS_1_2 = 0x0303
TLS_1_3 = 0x0304

TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
"""Signals renegotiation_info without an extension; never a suite that can be chosen (RFC 5746 section 3.3)."""


class ContentType(IntEnum):
    """Record content types (RFC 5246 section 6.2.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class KeyExchange(StrEnum):
    """How the pre-master secret is agreed upon."""

    RSA = "RSA"
    ECDHE = "ECDHE"


class Authentication(StrEnum):
    """The kind of key in the server's certificate."""

    RSA = "RSA"
    ECDSA = "ECDSA"


class Cipher(StrEnum):
    """Record protection."""

    AES_CBC = "AES_CBC"
    AES_GCM = "AES_GCM"


@dataclass(frozen=True)
class CipherSuite:
    """One cipher suite. Lengths in bytes; hash names are hashlib's."""

    code: int
    name: str
    key_exchange: KeyExchange
    authentication: Authentication
    cipher: Cipher
    enc_key_length: int
    fixed_iv_length: int
    mac_hash: str | None
    mac_key_length: int
    prf_hash: str = "sha256"
    verify_data_length: int = 12

    def __str__(self) -> str:
        return self.name


_RSA, _ECDHE = KeyExchange.RSA, KeyExchange.ECDHE
_BY_RSA, _BY_ECDSA = Authentication.RSA, Authentication.ECDSA
_CBC, _GCM = Cipher.AES_CBC, Cipher.AES_GCM

# fmt: off
TLS_RSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA",            _RSA,   _BY_RSA,   _CBC, 16, 0, "sha1", 20)
TLS_RSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256",         _RSA,   _BY_RSA,   _GCM, 16, 4, None,   0)
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",      _ECDHE, _BY_RSA,   _CBC, 16, 0, "sha1", 20)
TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", _ECDHE, _BY_ECDSA, _GCM, 16, 4, None,   0)
TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",   _ECDHE, _BY_RSA,   _GCM, 16, 4, None,   0)
# fmt: on

DEFAULT_SUITES: tuple[CipherSuite, ...] = (
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_128_CBC_SHA,
)
"""What both roles support, in order of preference: forward secrecy first, then authenticated encryption."""

SUITES: dict[int, CipherSuite] = {suite.code: suite for suite in DEFAULT_SUITES}
SUITES_BY_NAME: dict[str, CipherSuite] = {suite.name: suite for suite in DEFAULT_SUITES}


class NamedGroup(IntEnum):
    """Groups that we can compute in (RFC 8422 section 5.1.1)."""

    SECP256R1 = 23
    X25519 = 29


DEFAULT_GROUPS: tuple[NamedGroup, ...] = (NamedGroup.X25519, NamedGroup.SECP256R1)
