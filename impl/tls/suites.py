"""Cipher suites, groups and content types as data.

Source: RFC 5246 sections 6.2.1, 6.1 and appendices A.5, C; RFC 5288 section 3; RFC 5289 sections 3.1 and 3.2;
RFC 7905 section 2; RFC 8422 sections 5.1.1 and 6; RFC 7919 section 2; RFC 5746 section 3.3; RFC 7507 section 2.
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

TLS_FALLBACK_SCSV = 0x5600
"""Says that the client tries a lower version than its highest; never a suite that can be chosen (RFC 7507)."""


class ContentType(IntEnum):
    """Record content types (RFC 5246 section 6.2.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class KeyExchange(StrEnum):
    """How the pre-master secret is agreed upon."""

    RSA = "RSA"
    DHE = "DHE"
    ECDHE = "ECDHE"


class Authentication(StrEnum):
    """The kind of key in the server's certificate."""

    RSA = "RSA"
    ECDSA = "ECDSA"


class Cipher(StrEnum):
    """Record protection."""

    AES_CBC = "AES_CBC"
    AES_GCM = "AES_GCM"
    CHACHA20_POLY1305 = "CHACHA20_POLY1305"


@dataclass(frozen=True)
class CipherSuite:
    """One cipher suite. Lengths in bytes; hash names are hashlib's.

    mac_hash: None under an AEAD cipher. prf_hash: of the PRF and of the handshake's hash; SHA-256 also for the suites
    that end with SHA, which is only their MAC's (RFC 5246 section 5).
    """

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


_R, _D, _E = KeyExchange.RSA, KeyExchange.DHE, KeyExchange.ECDHE
_BY_RSA, _BY_ECDSA = Authentication.RSA, Authentication.ECDSA
_CBC, _GCM, _CHACHA = Cipher.AES_CBC, Cipher.AES_GCM, Cipher.CHACHA20_POLY1305

# fmt: off
TLS_RSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0x002F, "TLS_RSA_WITH_AES_128_CBC_SHA",                  _R, _BY_RSA,   _CBC,    16, 0,  "sha1",   20)
TLS_DHE_RSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA",              _D, _BY_RSA,   _CBC,    16, 0,  "sha1",   20)
TLS_RSA_WITH_AES_256_CBC_SHA = CipherSuite(
    0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA",                  _R, _BY_RSA,   _CBC,    32, 0,  "sha1",   20)
TLS_DHE_RSA_WITH_AES_256_CBC_SHA = CipherSuite(
    0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",              _D, _BY_RSA,   _CBC,    32, 0,  "sha1",   20)
TLS_RSA_WITH_AES_128_CBC_SHA256 = CipherSuite(
    0x003C, "TLS_RSA_WITH_AES_128_CBC_SHA256",               _R, _BY_RSA,   _CBC,    16, 0,  "sha256", 32)
TLS_RSA_WITH_AES_256_CBC_SHA256 = CipherSuite(
    0x003D, "TLS_RSA_WITH_AES_256_CBC_SHA256",               _R, _BY_RSA,   _CBC,    32, 0,  "sha256", 32)
TLS_DHE_RSA_WITH_AES_128_CBC_SHA256 = CipherSuite(
    0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",           _D, _BY_RSA,   _CBC,    16, 0,  "sha256", 32)
TLS_DHE_RSA_WITH_AES_256_CBC_SHA256 = CipherSuite(
    0x006B, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",           _D, _BY_RSA,   _CBC,    32, 0,  "sha256", 32)
TLS_RSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256",               _R, _BY_RSA,   _GCM,    16, 4,  None,     0)
TLS_RSA_WITH_AES_256_GCM_SHA384 = CipherSuite(
    0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384",               _R, _BY_RSA,   _GCM,    32, 4,  None,     0, "sha384")
TLS_DHE_RSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",           _D, _BY_RSA,   _GCM,    16, 4,  None,     0)
TLS_DHE_RSA_WITH_AES_256_GCM_SHA384 = CipherSuite(
    0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",           _D, _BY_RSA,   _GCM,    32, 4,  None,     0, "sha384")
TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0xC009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",          _E, _BY_ECDSA, _CBC,    16, 0,  "sha1",   20)
TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA = CipherSuite(
    0xC00A, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",          _E, _BY_ECDSA, _CBC,    32, 0,  "sha1",   20)
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA = CipherSuite(
    0xC013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",            _E, _BY_RSA,   _CBC,    16, 0,  "sha1",   20)
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA = CipherSuite(
    0xC014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",            _E, _BY_RSA,   _CBC,    32, 0,  "sha1",   20)
TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 = CipherSuite(
    0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",       _E, _BY_ECDSA, _CBC,    16, 0,  "sha256", 32)
TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 = CipherSuite(
    0xC024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",       _E, _BY_ECDSA, _CBC,    32, 0,  "sha384", 48, "sha384")
TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 = CipherSuite(
    0xC027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",         _E, _BY_RSA,   _CBC,    16, 0,  "sha256", 32)
TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 = CipherSuite(
    0xC028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",         _E, _BY_RSA,   _CBC,    32, 0,  "sha384", 48, "sha384")
TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",       _E, _BY_ECDSA, _GCM,    16, 4,  None,     0)
TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = CipherSuite(
    0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",       _E, _BY_ECDSA, _GCM,    32, 4,  None,     0, "sha384")
TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = CipherSuite(
    0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",         _E, _BY_RSA,   _GCM,    16, 4,  None,     0)
TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = CipherSuite(
    0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",         _E, _BY_RSA,   _GCM,    32, 4,  None,     0, "sha384")
TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = CipherSuite(
    0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",   _E, _BY_RSA,   _CHACHA, 32, 12, None,     0)
TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = CipherSuite(
    0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", _E, _BY_ECDSA, _CHACHA, 32, 12, None,     0)
TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = CipherSuite(
    0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",     _D, _BY_RSA,   _CHACHA, 32, 12, None,     0)
# fmt: on

DEFAULT_SUITES: tuple[CipherSuite, ...] = (
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,
    TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_256_GCM_SHA384,
    TLS_RSA_WITH_AES_128_CBC_SHA256,
    TLS_RSA_WITH_AES_256_CBC_SHA256,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_256_CBC_SHA,
)
"""What both roles support, in order of preference: forward secrecy with authenticated encryption first, curves before
the slower finite fields; then CBC; RSA key transport last. AES-128 comes before AES-256, which costs more and has
nothing to add that is of use here."""

SUITES: dict[int, CipherSuite] = {suite.code: suite for suite in DEFAULT_SUITES}
SUITES_BY_NAME: dict[str, CipherSuite] = {suite.name: suite for suite in DEFAULT_SUITES}


class NamedGroup(IntEnum):
    """Groups that we can compute in (RFC 8422 section 5.1.1; RFC 7919 section 2)."""

    SECP256R1 = 23
    SECP384R1 = 24
    X25519 = 29
    FFDHE2048 = 256
    FFDHE3072 = 257
    FFDHE4096 = 258


FFDHE_CODES = frozenset(range(256, 512))
"""The codes that are set aside for finite fields, whether we know them or not (RFC 7919 section 2)."""

DEFAULT_GROUPS: tuple[NamedGroup, ...] = (
    NamedGroup.X25519,
    NamedGroup.SECP256R1,
    NamedGroup.SECP384R1,
    NamedGroup.FFDHE2048,
    NamedGroup.FFDHE3072,
    NamedGroup.FFDHE4096,
)
