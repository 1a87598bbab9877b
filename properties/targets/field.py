"""The finite field of DHE, as programs read it."""

from __future__ import annotations

import base64

from shakeproof.properties.mapper import finite_field


def field_pem() -> str:
    """ffdhe2048 as DHParameter of PKCS #3: SEQUENCE of prime and generator."""
    prime = b"\0" + finite_field.prime_of(finite_field.FFDHE2048).to_bytes(256, "big")
    integers = b"\x02\x82" + len(prime).to_bytes(2, "big") + prime + bytes((2, 1, finite_field.GENERATOR))
    der = b"\x30\x82" + len(integers).to_bytes(2, "big") + integers
    return f"-----BEGIN DH PARAMETERS-----\n{base64.encodebytes(der).decode()}-----END DH PARAMETERS-----\n"
