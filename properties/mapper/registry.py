"""Numbers that a peer may use and our own implementation does not know, as far as an observer has to tell them apart.

Source: IANA's TLS Cipher Suites, Supported Groups and SignatureScheme registries; RFC 5246 section 7.4.1.4.1.
"""

from __future__ import annotations

from collections.abc import Iterable

from shakeproof.impl.tls.suites import SUITES, KeyExchange

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
# fmt: on

UNKNOWN_RSA_SUITES = (0xC03C, 0x0003, 0x0007, 0x0096)
"""RSA suites that hardly any stack knows, likeliest first: ARIA-CBC, RC4_40, IDEA, SEED."""
UNKNOWN_ECDHE_SUITES = (0xC04C, 0xC048, 0xC010, 0xC006)
"""ECDHE suites that hardly any stack knows, likeliest first: ARIA-CBC, NULL."""

GROUP_NAMES = {
    22: "secp256k1",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    29: "x25519",
    30: "x448",
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
    if code in ECDHE_SUITES:
        return KeyExchange.ECDHE
    return KeyExchange.RSA if code in RSA_SUITES else None


def suite_name(code: int) -> str:
    """The standard's name, or the number."""
    suite = SUITES.get(code)
    return suite.name if suite is not None else f"suite 0x{code:04X}"


def first_not_in(candidates: Iterable[int], excluded: Iterable[int]) -> int | None:
    """The first candidate that is not excluded; None where all are."""
    barred = frozenset(excluded)
    return next((candidate for candidate in candidates if candidate not in barred), None)
