"""The key schedule of TLS 1.2: PRF, master secret, key block, verify_data. Pure functions of bytes.

Source: RFC 5246 sections 5, 6.3, 7.4.9 and 8.1; RFC 7627 section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import digest as hmac_digest

from shakeproof.impl.tls.suites import CipherSuite

MASTER_SECRET_LENGTH = 48
VERIFY_DATA_LENGTH = 12
CLIENT_FINISHED = b"client finished"
SERVER_FINISHED = b"server finished"


def prf(secret: bytes, label: bytes, seed: bytes, length: int, hash_name: str = "sha256") -> bytes:
    """PRF(secret, label, seed), its first `length` bytes: P_hash(secret, label + seed).

    Source: RFC 5246 section 5.
    """
    seed = label + seed
    output = b""
    a = seed
    while len(output) < length:
        a = hmac_digest(secret, a, hash_name)
        output += hmac_digest(secret, a + seed, hash_name)
    return output[:length]


def master_secret(
    pre_master_secret: bytes, client_random: bytes, server_random: bytes, hash_name: str = "sha256"
) -> bytes:
    """The 48-byte master secret. Source: RFC 5246 section 8.1."""
    return prf(pre_master_secret, b"master secret", client_random + server_random, MASTER_SECRET_LENGTH, hash_name)


def extended_master_secret(pre_master_secret: bytes, session_hash: bytes, hash_name: str = "sha256") -> bytes:
    """The 48-byte master secret that is bound to the handshake.

    session_hash: Hash of the handshake messages from ClientHello up to and including ClientKeyExchange.
    Source: RFC 7627 section 4.
    """
    return prf(pre_master_secret, b"extended master secret", session_hash, MASTER_SECRET_LENGTH, hash_name)


@dataclass(frozen=True)
class KeyBlock:
    """The key material of both directions; what a suite does not use is empty."""

    client_write_mac_key: bytes
    server_write_mac_key: bytes
    client_write_key: bytes
    server_write_key: bytes
    client_write_iv: bytes
    server_write_iv: bytes


def key_block(master: bytes, client_random: bytes, server_random: bytes, suite: CipherSuite) -> KeyBlock:
    """The key block, cut into its six parts. Mind that the seed is server_random + client_random.

    Source: RFC 5246 section 6.3.
    """
    mac, key, iv = suite.mac_key_length, suite.enc_key_length, suite.fixed_iv_length
    block = prf(master, b"key expansion", server_random + client_random, 2 * (mac + key + iv), suite.prf_hash)
    parts = []
    start = 0
    for length in (mac, mac, key, key, iv, iv):
        parts.append(block[start : start + length])
        start += length
    return KeyBlock(*parts)


def verify_data(
    master: bytes,
    label: bytes,
    handshake_hash: bytes,
    hash_name: str = "sha256",
    length: int = VERIFY_DATA_LENGTH,
) -> bytes:
    """The contents of a Finished message.

    label: CLIENT_FINISHED or SERVER_FINISHED; handshake_hash: Hash of all handshake messages before this one, without
    HelloRequest. Source: RFC 5246 section 7.4.9.
    """
    return prf(master, label, handshake_hash, length, hash_name)


def key_log_line(client_random: bytes, master: bytes) -> str:
    """One line of an NSS key log, from which Wireshark decrypts the connection."""
    return f"CLIENT_RANDOM {client_random.hex()} {master.hex()}"
