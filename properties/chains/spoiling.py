"""What each fault does to a chain that is not signed yet. A place is that of a certificate: 0 is the leaf."""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.properties.chains import der, forgeries
from shakeproof.properties.chains import draft as d
from shakeproof.properties.chains.draft import Crl, Draft, Template
from shakeproof.properties.mapper.keys import Owner, PrivateKey, private_key

DAY = timedelta(days=1)
OUTSIDE = 10 * DAY
"""From a validity to now: a validator may allow for clocks that differ by a day, as NSS does."""
SHORT_RSA_BITS = 1024
PRIVATE_EXTENSION = "1.3.6.1.4.1.99999.1"
POLICIES, POLICY_CONSTRAINTS = "2.5.29.32", "2.5.29.36"


def _at(draft: Draft, place: int) -> Template:
    return draft.certificates[place]


def _parent(host: str) -> str:
    return host.partition(".")[2]


# ------------------------------------------------------------------------------------------------------ form, signature


def cut(draft: Draft, place: int) -> None:
    """Half of it is missing."""
    _at(draft, place).spoil = lambda octets: octets[: len(octets) // 2]


def bad_extension(draft: Draft, place: int) -> None:
    """certificatePolicies is a NULL."""
    _at(draft, place).extensions[POLICIES] = der.element(0x05), False


def old_version(draft: Draft, place: int) -> None:
    """Version 1, with extensions."""
    _at(draft, place).version = 1


def alien_version(draft: Draft, place: int) -> None:
    """Version 9, which does not exist."""
    _at(draft, place).version = 9


def bad_signature(draft: Draft, place: int) -> None:
    """The signature is of something else."""

    def sign(key: PrivateKey, signed: bytes) -> bytes:
        return d.signature_of(key, signed + b"!", _at(draft, place).digest)

    _at(draft, place).sign = sign


def unknown_algorithm(draft: Draft, place: int) -> None:
    """An algorithm that nobody knows: verifying it is an error."""
    _at(draft, place).inner = d.UNKNOWN_ALGORITHM


def cube_root(draft: Draft, place: int) -> None:
    """Forged for an issuer whose RSA key has exponent 3."""
    spoilt, issuer = _at(draft, place), _at(draft, place + 1)
    public = private_key("rsa", Owner.NOBODY).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    issuer.info = d.key_info(forgeries.cubic(public))
    spoilt.inner = d.algorithm(public, "sha256")
    spoilt.sign = forgeries.cube_root


def no_digest(draft: Draft, place: int) -> None:
    """Forged for a digest of no octets, under an algorithm that nobody knows."""
    _at(draft, place).inner = d.UNKNOWN_ALGORITHM
    _at(draft, place).sign = forgeries.of_no_digest


def two_algorithms(draft: Draft, place: int) -> None:
    """The signed part names SHA-256, and the signature is made with SHA-384, as stands beside it."""
    spoilt, issuer = _at(draft, place), _at(draft, min(place + 1, draft.top))
    spoilt.inner = d.algorithm(issuer.key.public_key(), "sha256")
    spoilt.outer = d.algorithm(issuer.key.public_key(), "sha384")
    spoilt.digest = "sha384"


def sha1(draft: Draft, place: int) -> None:
    """Signed with SHA-1."""
    _at(draft, place).digest = "sha1"


def short_key(draft: Draft, place: int) -> None:
    """RSA of 1024 bits. Nobody needs to hold the key of a leaf."""
    public = private_key("rsa", Owner.NOBODY).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    modulus = public.public_numbers().n >> (public.key_size - SHORT_RSA_BITS) | 1
    _at(draft, place).info = d.key_info(rsa.RSAPublicNumbers(65537, modulus).public_key())


def odd_curve(draft: Draft, place: int) -> None:
    """secp256k1, which is strong enough, and which no reading accepts."""
    spoilt = _at(draft, place)
    spoilt.key = d.derived_key(place, ec.SECP256K1)
    spoilt.info = d.key_info(spoilt.key.public_key())


P256 = der.sequence(
    der.integer(1),
    der.sequence(der.oid("1.2.840.10045.1.1"), der.integer(2**256 - 2**224 + 2**192 + 2**96 - 1)),
    der.sequence(
        der.octet_string((2**256 - 2**224 + 2**192 + 2**96 - 4).to_bytes(32, "big")),
        der.octet_string(bytes.fromhex("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b")),
    ),
    der.octet_string(
        bytes.fromhex(
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        )
    ),
    der.integer(forgeries.P256_ORDER),
    der.integer(1),
)
"""P-256 written out, as SpecifiedECDomain: FIPS 186-4 appendix D.1.2.3, RFC 3279 section 2.3.5."""


def explicit_curve(draft: Draft, place: int) -> None:
    """The key brings the parameters of its curve."""
    key = d.derived_key(place).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    _at(draft, place).info = der.sequence(der.sequence(der.oid("1.2.840.10045.2.1"), P256), der.bit_string(point))


# ------------------------------------------------------------------------------------------------- validity, the way up


def expired(draft: Draft, place: int) -> None:
    """It has ended."""
    _at(draft, place).not_after = draft.now - OUTSIDE


def not_yet_valid(draft: Draft, place: int) -> None:
    """It has not begun."""
    _at(draft, place).not_before = draft.now + OUTSIDE


def other_issuer_name(draft: Draft, place: int) -> None:
    """It names somebody else as its issuer, and by key identifier the one who signed it."""
    _at(draft, place).issuer = der.name(d.ORGANIZATION, "somebody else")


def untrusted_root(draft: Draft, place: int) -> None:
    """The root is sent, and no trust anchor."""
    draft.trusted, draft.root_sent = False, True


def unknown_root(draft: Draft, place: int) -> None:
    """The root is neither sent nor a trust anchor."""
    draft.trusted = False


def impostor_root(draft: Draft, place: int) -> None:
    """Somebody who goes by the trust anchor's name, and has another key."""
    root = _at(draft, draft.top)
    draft.anchors = [root.write(root)]
    impostor = d.authority(draft.now, draft.kind, d.STRANGER + 1, "root")
    impostor.key = d.derived_key(d.STRANGER + 1)
    impostor.info = d.key_info(impostor.key.public_key())
    draft.certificates[draft.top] = impostor


def self_signed(draft: Draft, place: int) -> None:
    """The leaf is its own issuer."""
    leaf = _at(draft, 0)
    leaf.issuer = leaf.subject
    draft.self_signed = True


def missing(draft: Draft, place: int) -> None:
    """It is not sent."""
    draft.missing.add(place)


def cycle(draft: Draft, place: int) -> None:
    """Instead of a root, a CA that the CA below it certified."""
    below = _at(draft, place - 1)
    other = d.authority(draft.now, draft.kind, place, "root", below.subject)
    draft.certificates[draft.top] = other
    draft.trusted, draft.root_sent, draft.circular = False, True, True


# ----------------------------------------------------------------------------------------------------- issuers and uses


def not_a_ca(draft: Draft, place: int) -> None:
    """cA is FALSE, and there is no keyUsage that would speak against it too."""
    extensions = _at(draft, place).extensions
    extensions[d.BASIC_CONSTRAINTS] = der.sequence(), True
    extensions.pop(d.KEY_USAGE, None)


def version_1_ca(draft: Draft, place: int) -> None:
    """Version 1, without extensions."""
    spoilt = _at(draft, place)
    spoilt.version, spoilt.identifies = 1, False
    spoilt.extensions.clear()


def path_length(draft: Draft, place: int) -> None:
    """pathLenConstraint 0, above another CA."""
    _at(draft, place).extensions[d.BASIC_CONSTRAINTS] = der.sequence(der.boolean(True), der.integer(0)), True


def path_length_kept(draft: Draft, place: int) -> None:
    """As many CAs as are below it."""
    basic = der.sequence(der.boolean(True), der.integer(place - 1))
    _at(draft, place).extensions[d.BASIC_CONSTRAINTS] = basic, True


def no_cert_sign(draft: Draft, place: int) -> None:
    """The key may sign CRLs and no certificates."""
    usage = der.key_usage(d.DIGITAL_SIGNATURE, d.CRL_SIGN)
    _at(draft, place).extensions[d.KEY_USAGE] = usage, True


def wrong_usage(draft: Draft, place: int) -> None:
    """contentCommitment alone."""
    _at(draft, place).extensions[d.KEY_USAGE] = der.key_usage(d.CONTENT_COMMITMENT), True


def no_usage(draft: Draft, place: int) -> None:
    """Without keyUsage every use is allowed."""
    _at(draft, place).extensions.pop(d.KEY_USAGE)


def wrong_purpose(draft: Draft, place: int) -> None:
    """For signing code."""
    _at(draft, place).extensions[d.EXTENDED_KEY_USAGE] = der.sequence(der.oid(d.CODE_SIGNING)), False


def no_purpose(draft: Draft, place: int) -> None:
    """Without extendedKeyUsage every purpose is allowed."""
    _at(draft, place).extensions.pop(d.EXTENDED_KEY_USAGE)


def _constrain(draft: Draft, place: int, tag: int, name: bytes) -> None:
    constraints = der.sequence(der.element(tag, der.sequence(name)))
    _at(draft, place).extensions[d.NAME_CONSTRAINTS] = constraints, True


PERMITTED, EXCLUDED = 0xA0, 0xA1


def excluded_host(draft: Draft, place: int) -> None:
    """Everything below the host's parent."""
    _constrain(draft, place, EXCLUDED, der.general_name(der.DNS_NAME, _parent(draft.host)))


def excluded_in_capitals(draft: Draft, place: int) -> None:
    """The same in capitals."""
    _constrain(draft, place, EXCLUDED, der.general_name(der.DNS_NAME, _parent(draft.host).upper()))


def excluded_subject(draft: Draft, place: int) -> None:
    """The leaf's subject."""
    _constrain(draft, place, EXCLUDED, der.general_name(der.DIRECTORY_NAME, _at(draft, 0).subject))


def other_host_permitted(draft: Draft, place: int) -> None:
    """Somewhere else."""
    _constrain(draft, place, PERMITTED, der.general_name(der.DNS_NAME, "elsewhere.test"))


def host_permitted(draft: Draft, place: int) -> None:
    """Everything below the host's parent."""
    _constrain(draft, place, PERMITTED, der.general_name(der.DNS_NAME, _parent(draft.host)))


def unknown_critical(draft: Draft, place: int) -> None:
    """A private extension, critical."""
    _at(draft, place).extensions[PRIVATE_EXTENSION] = der.element(0x05), True


def unknown_extension(draft: Draft, place: int) -> None:
    """A private extension, not critical."""
    _at(draft, place).extensions[PRIVATE_EXTENSION] = der.element(0x05), False


def duplicate_extension(draft: Draft, place: int) -> None:
    """The subjectKeyIdentifier once more."""
    _at(draft, place).repeated.append(d.SUBJECT_KEY_IDENTIFIER)


# ---------------------------------------------------------------------------------------------------------------- names


def _name(draft: Draft, text: str) -> None:
    _at(draft, 0).names[0] = der.general_name(der.DNS_NAME, text)


def other_name(draft: Draft, place: int) -> None:
    """Its neighbour."""
    _name(draft, f"not-{draft.host}")


def name_in_subject(draft: Draft, place: int) -> None:
    """The host stands in the common name alone."""
    _at(draft, 0).names.clear()


def name_in_uri(draft: Draft, place: int) -> None:
    """A URI of the host, and the common name."""
    _at(draft, 0).names[:] = [der.general_name(der.URI, f"https://{draft.host}/")]


def part_wildcard(draft: Draft, place: int) -> None:
    """A wildcard that is part of a label."""
    _name(draft, f"{draft.host[0]}*{draft.host[draft.host.index('.') :]}")


def wildcard(draft: Draft, place: int) -> None:
    """A wildcard that is a label."""
    _name(draft, f"*.{_parent(draft.host)}")


def capitals(draft: Draft, place: int) -> None:
    """The host in capitals."""
    _name(draft, draft.host.upper())


def several_names(draft: Draft, place: int) -> None:
    """The host, and others."""
    others = (der.general_name(der.DNS_NAME, f"a{n}.{_parent(draft.host)}") for n in range(3))
    _at(draft, 0).names.extend(others)


def name_before_nul(draft: Draft, place: int) -> None:
    """The host up to a NUL, with somebody else's domain behind it."""
    _name(draft, f"{draft.host}\0.evil.{_parent(draft.host)}")


def nul(draft: Draft, place: int) -> None:
    """The host, and a name with a NUL."""
    _at(draft, 0).names.append(der.general_name(der.DNS_NAME, f"nul\0.{_parent(draft.host)}"))


def space_in_name(draft: Draft, place: int) -> None:
    """The host, and a name with a space."""
    _at(draft, 0).names.append(der.general_name(der.DNS_NAME, f"a space.{_parent(draft.host)}"))


def punycode(draft: Draft, place: int) -> None:
    """The host, and a label that encodes nothing."""
    _at(draft, 0).names.append(der.general_name(der.DNS_NAME, f"xn--99999999.{_parent(draft.host)}"))


# ------------------------------------------------------------------------------------------------------------- the rest


def serial_zero(draft: Draft, place: int) -> None:
    """0."""
    _at(draft, place).serial = b"\0"


def serial_negative(draft: Draft, place: int) -> None:
    """Below zero."""
    _at(draft, place).serial = b"\xf0" + bytes([place])


def serial_long(draft: Draft, place: int) -> None:
    """21 octets."""
    _at(draft, place).serial = b"\x10" + bytes(19) + bytes([place])


def other_key_id(draft: Draft, place: int) -> None:
    """It names another key of its issuer."""
    _at(draft, place).issuer_key_id = b"another key of it..."


def critical_key_id(draft: Draft, place: int) -> None:
    """The authorityKeyIdentifier is critical, which it must not be."""
    _at(draft, place).critical_authority = True


def policy_demanded(draft: Draft, place: int) -> None:
    """requireExplicitPolicy 0, and no certificate has a policy."""
    constraints = der.sequence(der.element(0x80, b"\0"))
    _at(draft, place).extensions[POLICY_CONSTRAINTS] = constraints, True


def revoked(draft: Draft, place: int) -> None:
    """Its issuer's list has it."""
    draft.crls.append(Crl(place, True, draft.now - DAY, draft.now + DAY))


def stale_crl(draft: Draft, place: int) -> None:
    """The next list of its issuer is overdue."""
    draft.crls.append(Crl(place, False, draft.now - 2 * DAY, draft.now - DAY))


def current_crl(draft: Draft, place: int) -> None:
    """Its issuer's list does not have it."""
    draft.crls.append(Crl(place, False, draft.now - DAY, draft.now + DAY))
