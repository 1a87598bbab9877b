"""Record protection by AES-CBC with the MAC around the ciphertext.

Written here from the text and not taken from our implementation, so that each is checked by the other.

Source: RFC 7366 section 3.
"""

from __future__ import annotations

from hmac import compare_digest
from hmac import digest as hmac_digest
from struct import pack

from shakeproof.impl.tls.protection import BLOCK_LENGTH, CbcHmacProtection, bad_record_mac

ENCRYPT_THEN_MAC = 22
"""Extension type (RFC 7366 section 2)."""


class EncryptThenMac(CbcHmacProtection):
    """IV, ciphertext of content and padding, MAC over both and their length."""

    def mac_of(self, content_type: int, version: int, sequence: int, encrypted: bytes) -> bytes:
        """HMAC(seq_num + type + version + length + IV + ENC(content + padding + padding_length))."""
        header = pack("!QBHH", sequence, content_type, version, len(encrypted))
        return hmac_digest(self.mac_key, header + encrypted, self.mac_hash)

    def seal(self, content_type: int, version: int, sequence: int, plaintext: bytes) -> bytes:
        """IV, ciphertext, MAC."""
        encrypted = self.encrypt(plaintext + self.pad(len(plaintext)))
        return encrypted + self.mac_of(content_type, version, sequence, encrypted)

    def open(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
        """The plaintext; nothing is decrypted before the MAC is found right."""
        encrypted, received = fragment[: -self.mac_length], fragment[-self.mac_length :]
        if len(encrypted) < 2 * BLOCK_LENGTH or len(encrypted) % BLOCK_LENGTH:
            raise bad_record_mac("RFC 7366 section 3")
        if not compare_digest(self.mac_of(content_type, version, sequence, encrypted), received):
            raise bad_record_mac("RFC 7366 section 3")
        block = self.decrypt(encrypted)
        length = block[-1] + 1
        if length > len(block) or block[-length:] != bytes((length - 1,)) * length:
            raise bad_record_mac("RFC 7366 section 3")
        return block[:-length]
