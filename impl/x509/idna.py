"""Internationalised labels: from U-label to A-label for a name that is meant, and back only to see whether it is one.

Names are compared as A-labels, in ASCII, so that a certificate's label is never decoded to be matched; decoding it is
a check of its own, with bounds (CVE-2022-3602 was a decoder without). Python's codec knows Punycode, RFC 3492; which
characters may stand in a label is IDNA 2008's derivation, RFC 5892 section 2, from Unicode's own categories.

Source: RFC 5280 section 7.2; RFC 5890 section 2.3.2; RFC 5892 section 2.
"""

from __future__ import annotations

import unicodedata

PREFIX = "xn--"
MAX_NAME_LENGTH = 253  # RFC 1035 section 2.3.4, as text; a peer may send a megabyte of labels to be decoded
MAX_LABEL_LENGTH = 63  # RFC 1035 section 2.3.4: also what bounds the decoder, whose work is quadratic in it

_LETTERS_DIGITS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})  # RFC 5892 section 2.1
# RFC 5892 section 2.6, PVALID: letters that compatibility mapping would change or whose category is another.
_EXCEPTIONS = frozenset("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007")
# Characters that break a line, turn the direction, hide, or are taken for the dot between labels.
_HOSTILE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # of category Cf, and needed to write Persian and several languages of India
_DOTS = frozenset("\u3002\uff0e\uff61")  # RFC 3490 section 3.1


def to_ascii(host: str) -> str | None:
    """A host name with each U-label as its A-label, in lower case; None where one is no label of IDNA."""
    labels = [_a_label(label) for label in unicodedata.normalize("NFC", host.lower()).split(".")]
    return None if None in labels else ".".join(label for label in labels if label is not None)


def _a_label(label: str) -> str | None:
    if label.isascii():
        return label
    if not all(_is_valid(char) for char in label) or unicodedata.category(label[0]).startswith("M"):
        return None
    encoded = PREFIX + label.encode("punycode").decode("ascii")
    return encoded if len(encoded) <= MAX_LABEL_LENGTH else None


def _is_valid(char: str) -> bool:
    """PVALID by RFC 5892 section 3, without the characters that are valid in some contexts only."""
    if char.isascii():
        return char.islower() or char.isdigit() or char == "-"
    if char in _EXCEPTIONS:
        return True
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    return folded == char and unicodedata.category(char) in _LETTERS_DIGITS


def hostile_labels(name: str) -> list[str]:
    """The labels of a name that claim to be A-labels and encode no label: undecodable, overlong, or made to deceive."""
    if PREFIX not in name.lower():
        return []
    if len(name) > MAX_NAME_LENGTH:
        return [name]
    return [label for label in name.split(".") if label.lower().startswith(PREFIX) and not _decodes(label.lower())]


def _decodes(label: str) -> bool:
    """Whether the A-label encodes, in the one canonical way, a text that is not ASCII and holds nothing hidden."""
    if len(label) > MAX_LABEL_LENGTH or not label.isascii():
        return False
    encoded = label.removeprefix(PREFIX)
    try:
        decoded = encoded.encode("ascii").decode("punycode")
        again = decoded.encode("punycode").decode("ascii")
    except (UnicodeError, ValueError, OverflowError):
        return False
    if decoded.isascii() or again != encoded:
        return False
    return not any(
        char in _DOTS or (unicodedata.category(char) in _HOSTILE_CATEGORIES and char not in _JOINERS)
        for char in decoded
    )
