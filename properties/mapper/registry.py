"""Numbers that a peer may use and our own implementation does not know, as far as an observer has to tell them apart.

Source: IANA's TLS Cipher Suites, Supported Groups and SignatureScheme registries; RFC 5246 section 7.4.1.4.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from shakeproof.impl.tls.suites import SUITES, KeyExchange
from shakeproof.properties.mapper import finite_field

# fmt: off
RSA_SUITES = frozenset({
    0x0001, 0x0002, 0x003B,                          # NULL
    0x0003, 0x0006, 0x0008,                          # export
    0x0004, 0x0005, 0x0007, 0x0009, 0x000A, 0x0096,  # RC4, IDEA, DES, 3DES, SEED
    0x002F, 0x0035, 0x003C, 0x003D, 0x009C, 0x009D,  # AES CBC and GCM
    0xC09C, 0xC09D, 0xC0A0, 0xC0A1,                  # AES CCM
    0x0041, 0x0084, 0x00BA, 0x00C0, 0xC07A, 0xC07B,  # Camellia
    0xC03C, 0xC03D, 0xC050, 0xC051,                  # ARIA
})
"""Suites with RSA key transport."""

ECDHE_SUITES = frozenset({
    0xC006, 0xC007, 0xC008, 0xC009, 0xC00A, 0xC010, 0xC011, 0xC012, 0xC013, 0xC014,  # NULL, RC4, 3DES, AES CBC
    0xC023, 0xC024, 0xC027, 0xC028, 0xC02B, 0xC02C, 0xC02F, 0xC030,                  # AES with SHA-2, GCM
    0xC0AC, 0xC0AD, 0xC0AE, 0xC0AF, 0xCCA8, 0xCCA9,                                  # AES CCM, ChaCha20
    0xC072, 0xC073, 0xC076, 0xC077, 0xC086, 0xC087, 0xC08A, 0xC08B,                  # Camellia
    0xC048, 0xC049, 0xC04C, 0xC04D, 0xC05C, 0xC05D, 0xC060, 0xC061,                  # ARIA
})
"""Suites with ephemeral ECDH that a certificate signs."""

DHE_SUITES = frozenset({
    0x0011, 0x0012, 0x0013, 0x0014, 0x0015, 0x0016, 0x0099, 0x009A,  # export, DES, 3DES, SEED
    0x0032, 0x0033, 0x0038, 0x0039, 0x0040, 0x0067, 0x006A, 0x006B,  # AES CBC
    0x009E, 0x009F, 0x00A2, 0x00A3, 0xC09E, 0xC09F, 0xC0A2, 0xC0A3,  # AES GCM and CCM
    0x0044, 0x0045, 0x0087, 0x0088, 0x00BD, 0x00BE, 0x00C3, 0x00C4,  # Camellia
    0xC07C, 0xC07D, 0xC080, 0xC081, 0xC042, 0xC043, 0xC044, 0xC045,  # Camellia GCM, ARIA CBC
    0xC052, 0xC053, 0xC056, 0xC057, 0xCCAA,                          # ARIA GCM, ChaCha20
})
"""Suites with ephemeral Diffie-Hellman in a finite field that a certificate signs."""

SUITES_OF = {
    KeyExchange.RSA: RSA_SUITES,
    KeyExchange.ECDHE: ECDHE_SUITES,
    KeyExchange.DHE: DHE_SUITES,
}
# fmt: on

UNKNOWN_RSA_SUITES = (0xC03C, 0x0003, 0x0007, 0x0096)
"""RSA suites that hardly any stack knows, likeliest first: ARIA-CBC, RC4_40, IDEA, SEED."""
UNKNOWN_ECDHE_SUITES = (0xC04C, 0xC048, 0xC010, 0xC006)
"""ECDHE suites that hardly any stack knows, likeliest first: ARIA-CBC, NULL."""
UNKNOWN_DHE_SUITES = (0xC044, 0x0014, 0x0011, 0x009A)
"""DHE suites that hardly any stack knows, likeliest first: ARIA-CBC, export, SEED."""
UNKNOWN_SUITES = {
    KeyExchange.RSA: UNKNOWN_RSA_SUITES,
    KeyExchange.ECDHE: UNKNOWN_ECDHE_SUITES,
    KeyExchange.DHE: UNKNOWN_DHE_SUITES,
}

GROUP_NAMES = {
    22: "secp256k1",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    29: "x25519",
    30: "x448",
    **finite_field.NAMES,
}

SCHEME_NAMES = {
    0x0101: "rsa_pkcs1_md5",
    0x0103: "ecdsa_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0403: "ecdsa_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0503: "ecdsa_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0603: "ecdsa_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
}

DEFAULT_SCHEMES = (0x0201, 0x0203)
"""What a ClientHello without signature_algorithms stands for (RFC 5246 section 7.4.1.4.1)."""

EXTENSION_NAMES = {
    0: "server_name",
    1: "max_fragment_length",
    5: "status_request",
    10: "supported_groups",
    11: "ec_point_formats",
    13: "signature_algorithms",
    16: "application_layer_protocol_negotiation",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    35: "session_ticket",
    0xFF01: "renegotiation_info",
}


def key_exchange_of(code: int) -> KeyExchange | None:
    """The key exchange of a suite; None for one that is neither, or that we can't tell."""
    return next((exchange for exchange, codes in SUITES_OF.items() if code in codes), None)


def suite_name(code: int) -> str:
    """The standard's name, or the number."""
    suite = SUITES.get(code)
    return suite.name if suite is not None else f"suite 0x{code:04X}"


def first_not_in(candidates: Iterable[int], excluded: Iterable[int]) -> int | None:
    """The first candidate that is not excluded; None where all are."""
    barred = frozenset(excluded)
    return next((candidate for candidate in candidates if candidate not in barred), None)
