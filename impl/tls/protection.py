"""Record protection: from a plaintext fragment to what stands in the record, and back.

A protection holds the keys of one direction and no sequence number: `seal` and `open` take content type, version and
sequence number, so that a tester can also use odd ones. `open` raises RemoteProtocolError with bad_record_mac,
the same for every reason (RFC 5246 section 7.2.2).

Source: RFC 5246 section 6.2.3; RFC 5288 section 3; RFC 7366 section 3; RFC 7905 section 2.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hmac import compare_digest
from hmac import digest as hmac_digest
from struct import Struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.suites import Cipher, CipherSuite

BLOCK_LENGTH = 16
GCM_EXPLICIT_NONCE_LENGTH = 8
GCM_TAG_LENGTH = 16
CHACHA_NONCE_LENGTH = 12
CHACHA_TAG_LENGTH = 16

_pseudo_header = Struct("!QBHH").pack


class Protection(Protocol):
    """One direction's record protection."""

    expansion: int
    """The most bytes that `seal` adds."""

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """The record's fragment."""
        ...

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext. Raises RemoteProtocolError (bad_record_mac)."""
        ...


def bad_record_mac(clause: str) -> RemoteProtocolError:
    """The one error of a record that does not open: it never says which check failed."""
    return RemoteProtocolError(
        AlertDescription.BAD_RECORD_MAC,
        expected="a record protected under the current keys and sequence number",
        got="a record that does not open",
        clause=clause,
    )


class NullProtection:
    """No protection: the state before the first ChangeCipherSpec (RFC 5246 section 6.2.3.1)."""

    expansion = 0

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """The plaintext itself."""
        return plaintext

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The fragment itself."""
        return fragment


class CbcProtection:
    """AES-CBC with an explicit IV, and an HMAC: what both orders of the two have in common.

    mac_hash: hashlib's name of the HMAC's hash; entropy gives the IVs.
    Source: RFC 5246 section 6.2.3.2.
    """

    def __init__(
        self, key: bytes, mac_key: bytes, mac_hash: str = "sha1", entropy: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.mac_key = mac_key
        self.mac_hash = mac_hash
        self.mac_length = len(hmac_digest(b"", b"", mac_hash))
        self.entropy = entropy
        self.expansion = 2 * BLOCK_LENGTH + self.mac_length
        self._cipher = algorithms.AES(key)

    def mac(self, content_type: int, version: int, sequence: int, data: bytes) -> bytes:
        """HMAC(seq_num + type + version + length + data) (RFC 5246 section 6.2.3.1)."""
        header = _pseudo_header(sequence, content_type, version, len(data))
        return hmac_digest(self.mac_key, header + data, self.mac_hash)

    def pad(self, length: int) -> bytes:
        """The padding with its length byte for `length` bytes that stand before it: the shortest there is."""
        count = BLOCK_LENGTH - length % BLOCK_LENGTH
        return bytes((count - 1,)) * count

    def encrypt(self, block: bytes) -> bytes:
        """IV and ciphertext of whole blocks, whatever stands in them."""
        iv = self.entropy(BLOCK_LENGTH)
        encryptor = BlockCipher(self._cipher, modes.CBC(iv)).encryptor()
        return iv + encryptor.update(block) + encryptor.finalize()

    def decrypt(self, fragment: bytes) -> bytes:
        """The whole plain blocks, without any check; `fragment` is IV and whole blocks."""
        decryptor = BlockCipher(self._cipher, modes.CBC(fragment[:BLOCK_LENGTH])).decryptor()
        return decryptor.update(fragment[BLOCK_LENGTH:]) + decryptor.finalize()

    def check_mac(self, computed: bytes, received: bytes) -> bool:
        """Whether the MACs are equal, in constant time."""
        return compare_digest(computed, received)


class CbcHmacProtection(CbcProtection):
    """MAC, then encrypt: TLS 1.2 without an extension.

    Source: RFC 5246 section 6.2.3.2.
    """

    CLAUSE = "RFC 5246 section 6.2.3.2"

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """IV, and under AES-CBC: plaintext, MAC, padding."""
        block = plaintext + self.mac(content_type, version, sequence, plaintext)
        return self.encrypt(block + self.pad(len(block)))

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext. The MAC is computed also where the padding is wrong, over as many bytes as can be.

        In Python the remaining timing differences are no smaller than elsewhere; what can be seen on the wire is the
        same alert after the same computations.
        """
        if not self.check_length(fragment):
            raise bad_record_mac(self.CLAUSE)
        block = self.decrypt(fragment)
        padding_is_good = self.check_padding(block)
        # "the implementation might assume a zero-length pad and then compute the MAC" (section 6.2.3.2)
        padding_length = block[-1] + 1 if padding_is_good else 1
        content_length = max(len(block) - padding_length - self.mac_length, 0)
        plaintext = block[:content_length]
        received = block[content_length : content_length + self.mac_length]
        mac_is_good = self.check_mac(self.mac(content_type, version, sequence, plaintext), received)
        if not (mac_is_good and padding_is_good):
            raise bad_record_mac(self.CLAUSE)
        return plaintext

    def check_length(self, fragment: bytes) -> bool:
        """Whether it is an IV and whole blocks that have room for a MAC and the padding length."""
        length = len(fragment)
        return length % BLOCK_LENGTH == 0 and length >= BLOCK_LENGTH + self.mac_length + 1

    def check_padding(self, block: bytes) -> bool:
        """Whether the padding fits into the block and every byte of it holds the padding length."""
        length = block[-1]
        if length + 1 + self.mac_length > len(block):
            return False
        return compare_digest(block[-length - 1 :], bytes((length,)) * (length + 1))


class EncryptThenMacProtection(CbcProtection):
    """Encrypt, then MAC: no byte is decrypted before the MAC over IV and ciphertext is verified.

    The length under the MAC is that of IV and ciphertext, without the MAC itself.
    Source: RFC 7366 section 3.
    """

    CLAUSE = "RFC 7366 section 3"

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """IV, under AES-CBC plaintext and padding; then the MAC."""
        encrypted = self.encrypt(plaintext + self.pad(len(plaintext)))
        return encrypted + self.mac(content_type, version, sequence, encrypted)

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext. A wrong MAC ends it at once, so that there is no padding whose checking could be timed."""
        if not self.check_length(fragment):
            raise bad_record_mac(self.CLAUSE)
        encrypted, received = fragment[: -self.mac_length], fragment[-self.mac_length :]
        if not self.check_mac(self.mac(content_type, version, sequence, encrypted), received):
            raise bad_record_mac(self.CLAUSE)
        block = self.decrypt(encrypted)
        if not self.check_padding(block):
            raise bad_record_mac(self.CLAUSE)
        return block[: max(len(block) - block[-1] - 1, 0)]

    def check_length(self, fragment: bytes) -> bool:
        """Whether it is an IV, whole blocks, at least one of them, and a MAC."""
        length = len(fragment) - self.mac_length
        return length % BLOCK_LENGTH == 0 and length >= 2 * BLOCK_LENGTH

    def check_padding(self, block: bytes) -> bool:
        """Whether the padding fits into the block and every byte of it holds the padding length."""
        length = block[-1]
        return length < len(block) and compare_digest(block[-length - 1 :], bytes((length,)) * (length + 1))


class GcmProtection:
    """AES-GCM with a 4-byte implicit salt and an 8-byte explicit nonce, which is the sequence number.

    Source: RFC 5246 section 6.2.3.3; RFC 5288 section 3.
    """

    CLAUSE = "RFC 5288 section 3"
    expansion = GCM_EXPLICIT_NONCE_LENGTH + GCM_TAG_LENGTH

    def __init__(self, key: bytes, salt: bytes) -> None:
        self.salt = salt
        self._aead = AESGCM(key)

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """Explicit nonce, ciphertext, tag."""
        explicit = sequence.to_bytes(8, "big")
        additional = _pseudo_header(sequence, content_type, version, len(plaintext))
        return explicit + self._aead.encrypt(self.salt + explicit, plaintext, additional)

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext."""
        length = len(fragment) - GCM_EXPLICIT_NONCE_LENGTH - GCM_TAG_LENGTH
        if length < 0:
            raise bad_record_mac(self.CLAUSE)
        nonce = self.salt + fragment[:GCM_EXPLICIT_NONCE_LENGTH]
        additional = _pseudo_header(sequence, content_type, version, length)
        return self.decrypt(nonce, fragment[GCM_EXPLICIT_NONCE_LENGTH:], additional)

    def decrypt(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> bytes:
        """AEAD-Decrypt: the plaintext, or bad_record_mac."""
        try:
            return self._aead.decrypt(nonce, ciphertext, additional)
        except InvalidTag:
            raise bad_record_mac(self.CLAUSE) from None


class ChaChaProtection:
    """ChaCha20-Poly1305. The nonce is the 12-byte IV, xor the sequence number; none of it stands in the record.

    Source: RFC 7905 section 2.
    """

    CLAUSE = "RFC 7905 section 2"
    expansion = CHACHA_TAG_LENGTH

    def __init__(self, key: bytes, iv: bytes) -> None:
        self.iv = iv
        self._iv_number = int.from_bytes(iv, "big")
        self._aead = ChaCha20Poly1305(key)

    def nonce(self, sequence: int) -> bytes:
        """The sequence number, padded on the left with zeros to 12 bytes, xor the IV."""
        return (self._iv_number ^ sequence).to_bytes(CHACHA_NONCE_LENGTH, "big")

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """Ciphertext and tag."""
        additional = _pseudo_header(sequence, content_type, version, len(plaintext))
        return self._aead.encrypt(self.nonce(sequence), plaintext, additional)

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext."""
        length = len(fragment) - CHACHA_TAG_LENGTH
        if length < 0:
            raise bad_record_mac(self.CLAUSE)
        additional = _pseudo_header(sequence, content_type, version, length)
        return self.decrypt(self.nonce(sequence), fragment, additional)

    def decrypt(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> bytes:
        """AEAD-Decrypt: the plaintext, or bad_record_mac."""
        try:
            return self._aead.decrypt(nonce, ciphertext, additional)
        except InvalidTag:
            raise bad_record_mac(self.CLAUSE) from None


def protection_for(
    suite: CipherSuite,
    key: bytes,
    mac_key: bytes,
    iv: bytes,
    entropy: Callable[[int], bytes] = os.urandom,
    encrypt_then_mac: bool = False,
) -> Protection:
    """The protection of one direction under a suite; mac_key and iv are empty where the suite has none.

    encrypt_then_mac: as negotiated; it says nothing of AEAD ciphers (RFC 7366 section 3).
    """
    if suite.cipher is Cipher.AES_GCM:
        return GcmProtection(key, iv)
    if suite.cipher is Cipher.CHACHA20_POLY1305:
        return ChaChaProtection(key, iv)
    if suite.mac_hash is None:
        raise ValueError(f"{suite} has neither AEAD nor MAC")
    kind = EncryptThenMacProtection if encrypt_then_mac else CbcHmacProtection
    return kind(key, mac_key, suite.mac_hash, entropy)
