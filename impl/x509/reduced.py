"""A certificate without what `cryptography` cannot read and validation does not need, so that the rest can be read.

`cryptography` refuses all extensions of a certificate for one name of a form, one policy qualifier or one private
extension that it cannot read. RFC 5280 is not as strict: a non-critical extension that is not recognized MAY be ignored
(section 4.2), qualifiers of a non-critical one bind nobody (section 4.2.1.4), and names of any form may stand in a
subjectAltName (section 4.2.1.6). What is written here is parsed and never verified: the signature is on the original.

Source: RFC 5280 sections 4.1 and 4.2.
"""

from __future__ import annotations

from shakeproof.impl.x509.der import (
    EXTENSIONS,
    OCTET_STRING,
    SEQUENCE,
    DERError,
    Element,
    children,
    encode,
    read,
    signed_parts,
)

# The encoded contents of the identifiers.
SUBJECT_ALTERNATIVE_NAME = b"\x55\x1d\x11"
NAME_CONSTRAINTS = b"\x55\x1d\x1e"
CERTIFICATE_POLICIES = b"\x55\x1d\x20"
QUALIFIERS = (b"\x2b\x06\x01\x05\x05\x07\x02\x01", b"\x2b\x06\x01\x05\x05\x07\x02\x02")  # id-qt-cps, id-qt-unotice
OF_THE_PROFILE = (b"\x55\x1d", b"\x2b\x06\x01\x05\x05\x07\x01")  # id-ce and id-pe, sections 4.2.1 and 4.2.2
TLS_FEATURE = b"\x2b\x06\x01\x05\x05\x07\x01\x18"  # below id-pe, and RFC 7633's

X400_ADDRESS, EDI_PARTY_NAME, REGISTERED_ID = 0xA3, 0xA5, 0x88
STAND_IN = encode(REGISTERED_ID, b"\x2b\x06\x01\x04\x01\x86\x8d\x1f\x7f")
"""What is read instead of a name that cannot be: of a form whose constraints are never met, as theirs are not."""


def reduced(der: bytes) -> bytes:
    """The certificate with its extensions made readable where the profile lets them be passed over. Raises DERError."""
    signed, algorithm, signature = signed_parts(der)
    fields = [
        encode(EXTENSIONS, encode(SEQUENCE, *map(_extension, _items(field.value))))
        if field.tag == EXTENSIONS
        else field.raw
        for field in children(signed.value)
    ]
    return encode(SEQUENCE, encode(SEQUENCE, *fields), algorithm.raw, signature.raw)


def _extension(extension: Element) -> bytes:
    parts = children(extension.value)
    if not 2 <= len(parts) <= 3:
        raise DERError(f"expected an extension of two or three elements, got {len(parts)}")
    oid, value = parts[0].value, parts[-1].value
    critical = len(parts) > 2
    if oid == SUBJECT_ALTERNATIVE_NAME:
        value = encode(SEQUENCE, *map(_name, _items(value)))
    elif oid == NAME_CONSTRAINTS:
        value = encode(SEQUENCE, *map(_subtrees, _items(value)))
    elif oid == CERTIFICATE_POLICIES and not critical:
        value = encode(SEQUENCE, *map(_policy, _items(value)))
    elif not critical and (not oid.startswith(OF_THE_PROFILE) or oid == TLS_FEATURE):
        return b""
    return encode(SEQUENCE, *(part.raw for part in parts[:-1]), encode(OCTET_STRING, value))


def _items(value: bytes) -> list[Element]:
    """The elements of one SEQUENCE. Raises DERError."""
    outermost, end = read(value)
    if outermost.tag != SEQUENCE or end != len(value):
        raise DERError("expected one SEQUENCE and nothing behind it")
    return children(outermost.value)


def _name(name: Element) -> bytes:
    return STAND_IN if name.tag in (X400_ADDRESS, EDI_PARTY_NAME) else name.raw


def _subtrees(trees: Element) -> bytes:
    bases = [_items(tree.raw) for tree in children(trees.value)]
    written = (encode(SEQUENCE, *map(_name, base[:1]), *(item.raw for item in base[1:])) for base in bases)
    return encode(trees.tag, *written)


def _policy(policy: Element) -> bytes:
    """The policy with those of its qualifiers that section 4.2.1.4 defines."""
    parts = _items(policy.raw)
    if len(parts) != 2:
        return policy.raw
    identifier, qualifiers = parts
    kinds = [(item, _items(item.raw)) for item in _items(qualifiers.raw)]
    known = [item.raw for item, inner in kinds if not inner or inner[0].value in QUALIFIERS]
    return encode(SEQUENCE, identifier.raw, encode(SEQUENCE, *known) if known else b"")
