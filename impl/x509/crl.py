"""Certificate revocation lists: what they say of one certificate.

The lists are given by the caller and none is fetched, so that where RFC 5280 would obtain a current list, one that has
passed its next update says nothing. Delta lists are applied where they are given (use-deltas is set).
Source: RFC 5280 sections 5 and 6.3.
"""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from shakeproof.impl.x509.certificate import (
    BROKEN_HASHES,
    PARSE_ERRORS,
    Certificate,
    Malformed,
    NameKey,
    name_key,
    printable,
    verifies,
)
from shakeproof.impl.x509.der import DERError, children, signed_parts

AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
CRL_NUMBER = "2.5.29.20"
DELTA_CRL_INDICATOR = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT = "2.5.29.28"
REASON_CODE = "2.5.29.21"
INVALIDITY_DATE = "2.5.29.24"
CERTIFICATE_ISSUER = "2.5.29.29"

UNDERSTOOD = frozenset({AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, DELTA_CRL_INDICATOR, ISSUING_DISTRIBUTION_POINT})
UNDERSTOOD_OF_ENTRIES = frozenset({REASON_CODE, INVALIDITY_DATE, CERTIFICATE_ISSUER})

MAX_NUMBER_OCTETS = 20  # RFC 5280 section 5.2.3
# Certificates that are tried as the issuer of one list. One suffices, two while a CA changes its key.
MAX_CRL_ISSUERS = 8

Reason = x509.ReasonFlags
ALL_REASONS = frozenset(reason for reason in Reason if reason not in (Reason.unspecified, Reason.remove_from_crl))
LAST_SECOND = timedelta(seconds=1)


class Standing(enum.Enum):
    """What the lists say of a certificate; NO_LIST: none of them is about it."""

    UNREVOKED = "not revoked"
    REVOKED = "revoked"
    UNDETERMINED = "undetermined"
    NO_LIST = "no list"


@dataclass(frozen=True, slots=True)
class Status:
    """The revocation status of one certificate, with a sentence."""

    standing: Standing
    text: str


class RevocationList:
    """The facts of one CRL. unusable: why it says nothing whatever the certificate, "" if it does."""

    def __init__(self, der: bytes, *, with_profile: bool = True) -> None:
        """Raises Malformed. with_profile: a list without the extensions that its issuer MUST include is unusable."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.x509 = x509.load_der_x509_crl(der)
                self.issuer: NameKey = name_key(self.x509.issuer)
                self.this_update = self.x509.last_update_utc
                self.next_update = self.x509.next_update_utc
                self.extensions = {item.oid.dotted_string: item for item in self.x509.extensions}
                self.algorithms = _algorithms(der)
                self.unusable = ""
                self._entries = self._read_entries()
        except (*PARSE_ERRORS, DERError, x509.DuplicateExtension) as error:
            raise Malformed(f"the CRL cannot be parsed: {printable(str(error))}") from error
        self.unusable = self.unusable or self._unusable(with_profile=with_profile)

    @property
    def title(self) -> str:
        """The issuer's name, printable."""
        return printable(self.x509.issuer.rfc4514_string())

    @property
    def number(self) -> int | None:
        """The CRL number."""
        value = self._extension(CRL_NUMBER)
        return value.crl_number if isinstance(value, x509.CRLNumber) else None

    @property
    def base_number(self) -> int | None:
        """The number of the list that this delta continues; None for a complete list."""
        value = self._extension(DELTA_CRL_INDICATOR)
        return value.crl_number if isinstance(value, x509.DeltaCRLIndicator) else None

    @property
    def scope(self) -> x509.IssuingDistributionPoint | None:
        """The issuing distribution point."""
        value = self._extension(ISSUING_DISTRIBUTION_POINT)
        return value if isinstance(value, x509.IssuingDistributionPoint) else None

    def is_current(self, time: datetime) -> bool:
        """Whether the time lies between its two updates, both included."""
        return self.next_update is not None and self.this_update <= time and time - self.next_update < LAST_SECOND

    def reason(self, certificate: Certificate) -> Reason | None:
        """Why it lists the certificate as revoked; None if it does not list it."""
        return self._entries.get((certificate.issuer, certificate.serial))

    def _extension(self, oid: str) -> x509.ExtensionType | None:
        found = self.extensions.get(oid)
        return found.value if found is not None else None

    def _read_entries(self) -> dict[tuple[NameKey, int], Reason]:
        """The entries by issuer and serial number. An entry without an issuer has that of the one before (5.3.3)."""
        entries: dict[tuple[NameKey, int], Reason] = {}
        issuer = self.issuer
        indirect = self.scope is not None and self.scope.indirect_crl
        for entry in self.x509:
            reason = Reason.unspecified
            for extension in entry.extensions:
                value = extension.value
                if isinstance(value, x509.CRLReason):
                    reason = value.reason
                elif isinstance(value, x509.CertificateIssuer) and indirect:
                    names = value.get_values_for_type(x509.DirectoryName)
                    issuer = name_key(names[0]) if names else ()
                elif extension.critical and extension.oid.dotted_string not in UNDERSTOOD_OF_ENTRIES:
                    self.unusable = f"an entry has the critical extension {extension.oid.dotted_string} (section 5.3)"
            entries[issuer, entry.serial_number] = reason
        return entries

    def _unusable(self, *, with_profile: bool) -> str:
        for oid, extension in self.extensions.items():
            if extension.critical and oid not in UNDERSTOOD:
                return f"it has the critical extension {oid}, which is not understood (section 5.2)"
        if self.next_update is None:
            return "it does not say when the next one is due (section 5.1.2.5)"
        if with_profile and CRL_NUMBER not in self.extensions:
            return "it has no CRL number (section 5.2.3)"
        if with_profile and self.extensions[CRL_NUMBER].critical:
            return "its CRL number is critical (section 5.2.3)"
        if with_profile and AUTHORITY_KEY_IDENTIFIER not in self.extensions:
            return "it has no authority key identifier (section 5.2.1)"
        if self.algorithms[0] != self.algorithms[1]:
            return "its signed part names another signature algorithm (section 5.1.1.2)"
        broken = BROKEN_HASHES.get(self.x509.signature_algorithm_oid.dotted_string)
        if broken is not None:
            return f"it is signed with {broken}, which is broken"
        number = self.number
        if number is not None and number.bit_length() > 8 * MAX_NUMBER_OCTETS:
            return f"its number is longer than {MAX_NUMBER_OCTETS} octets (section 5.2.3)"
        return ""

    def signed_by(self, issuer: Certificate) -> bool:
        """Whether the issuer's key verifies the signature on this list. Section 6.3.3 (g)."""
        try:
            return verifies(issuer.key, self.x509, self.x509.tbs_certlist_bytes, self.x509.signature_hash_algorithm)
        except (UnsupportedAlgorithm, *PARSE_ERRORS):
            return False


def _algorithms(der: bytes) -> tuple[bytes, bytes]:
    """The two AlgorithmIdentifiers, in the signed part and beside it. Raises DERError."""
    parts = signed_parts(der)
    fields = children(parts[0].value)
    if fields and fields[0].tag == INTEGER:  # the version, which is optional
        fields = fields[1:]
    if not fields:
        raise DERError("expected a tbsCertList that holds something")
    return fields[0].raw, parts[1].raw


INTEGER = 0x02


@dataclass(frozen=True, slots=True)
class _Point:
    """A distribution point: of the certificate, or the one that is assumed for lists that no point names."""

    names: frozenset[object]  # empty where the distribution field is omitted
    reasons: frozenset[Reason] | None
    issuers: frozenset[NameKey]


class Revocation:
    """The lists that were given, asked in one validation.

    authorities: certificates with this subject, the likeliest first; trusted: whether a trust anchor stands behind a
    certificate (certificate, anchor).
    """

    def __init__(
        self,
        lists: Sequence[RevocationList],
        time: datetime,
        authorities: Callable[[NameKey], Iterable[Certificate]],
        trusted: Callable[[Certificate, Certificate], bool],
    ) -> None:
        self.time = time
        self.complete = [item for item in lists if item.base_number is None]
        self.deltas = [item for item in lists if item.base_number is not None]
        self.authorities = authorities
        self.trusted = trusted
        # Each signature and each issuer is looked at once in one validation, however many paths ask about it.
        self._signed: dict[tuple[int, bytes], bool] = {}
        self._trusted: dict[bytes, bool] = {}

    def _is_signed(self, item: RevocationList, issuer: Certificate) -> bool:
        edge = (id(item), issuer.raw.key_info)
        if edge not in self._signed:
            self._signed[edge] = item.signed_by(issuer)
        return self._signed[edge]

    def _is_trusted(self, issuer: Certificate, anchor: Certificate) -> bool:
        """From which anchor matters: another path may end in another one."""
        place = issuer.der + anchor.der
        if place not in self._trusted:
            self._trusted[place] = self.trusted(issuer, anchor)
        return self._trusted[place]

    def status(self, certificate: Certificate, issuer: Certificate, anchor: Certificate) -> Status:
        """Section 6.3.3. issuer: above it in the path, and judged there; anchor: where the path ends."""
        mask: frozenset[Reason] = frozenset()
        silent: list[str] = []
        own = _Point(_names_of_issuer(certificate), None, frozenset())
        for point in [*map(_point, certificate.distribution_points), own]:
            for item in self.complete:
                if mask == ALL_REASONS or not _covers(item, point, certificate):
                    continue
                reasons = _reasons(item, point)
                key_holder, fault = self._issuer_of(item, issuer, anchor)
                if key_holder is None:
                    silent.append(f"the CRL of {item.title} is of no use: {fault}")
                    continue
                if reasons <= mask:
                    continue
                reason = self._reason(item, certificate, key_holder)
                if reason is not None:
                    why = "" if reason is Reason.unspecified else f": {reason.value}"
                    return Status(Standing.REVOKED, f"{certificate.title} is on the CRL of {item.title}{why}")
                mask |= reasons
        if mask == ALL_REASONS:
            return Status(Standing.UNREVOKED, f"no CRL lists {certificate.title}")
        if silent:
            return Status(Standing.UNDETERMINED, "; ".join(dict.fromkeys(silent)))
        if mask:
            missing = ", ".join(sorted(reason.value for reason in ALL_REASONS - mask))
            return Status(Standing.UNDETERMINED, f"no CRL says whether it was revoked for {missing}")
        return Status(Standing.NO_LIST, f"no CRL covers {certificate.title}")

    def _issuer_of(
        self, item: RevocationList, issuer: Certificate, anchor: Certificate
    ) -> tuple[Certificate | None, str]:
        """Who signed the list, or why it is of no use. Section 6.3.3 (a), (f) and (g)."""
        if item.unusable:
            return None, item.unusable
        if not item.is_current(self.time):
            return None, "it is not current (section 6.3.3 (a))"
        known = [issuer] if issuer.subject == item.issuer else []
        known += [other for other in self.authorities(item.issuer) if other is not issuer]
        fault = "no certificate of its issuer is at hand (section 6.3.3 (f))"
        for other in known[:MAX_CRL_ISSUERS]:
            if other.key_usage is not None and not other.key_usage.crl_sign:
                fault = "the keyUsage of its issuer lacks cRLSign (section 6.3.3 (f))"
            elif not self._is_signed(item, other):
                fault = "its signature does not verify (section 6.3.3 (g))"
            elif other is not issuer and not self._is_trusted(other, anchor):
                fault = "its issuer has no path to the same trust anchor (section 6.3.3 (f))"
            else:
                return other, ""
        return None, fault

    def _reason(self, item: RevocationList, certificate: Certificate, key_holder: Certificate) -> Reason | None:
        """Section 6.3.3 (h) to (k): the delta first, if one continues this list, else the list itself."""
        for delta in sorted(self.deltas, key=lambda one: one.this_update, reverse=True):
            if self._continues(delta, item) and self._is_signed(delta, key_holder):
                reason = delta.reason(certificate)
                if reason is not None:
                    return None if reason is Reason.remove_from_crl else reason
                break
        reason = item.reason(certificate)
        return None if reason is Reason.remove_from_crl else reason

    def _continues(self, delta: RevocationList, item: RevocationList) -> bool:
        """Section 5.2.4 (a) to (d) and section 6.3.3 (c)."""
        base, number, of_item = delta.base_number, delta.number, item.number
        return (
            not delta.unusable
            and delta.is_current(self.time)
            and delta.issuer == item.issuer
            and delta.scope == item.scope
            and _key_identifier(delta) == _key_identifier(item)
            and base is not None
            and number is not None
            and of_item is not None
            and base <= of_item < number
        )


def _point(point: x509.DistributionPoint) -> _Point:
    names = frozenset(map(_comparable, point.full_name or ()))
    issuers = [name_key(item.value) for item in point.crl_issuer or () if isinstance(item, x509.DirectoryName)]
    if point.relative_name is not None:
        # nameRelativeToCRLIssuer: a fragment behind the name of the CRL's issuer, which is compared apart
        names = frozenset({("relative", name_key(x509.Name([point.relative_name])))})
    return _Point(names, point.reasons, frozenset(issuers))


def _comparable(name: x509.GeneralName) -> object:
    return ("directory", name_key(name.value)) if isinstance(name, x509.DirectoryName) else name


def _names_of_issuer(certificate: Certificate) -> frozenset[object]:
    return frozenset({("directory", certificate.issuer)})


def _covers(item: RevocationList, point: _Point, certificate: Certificate) -> bool:
    """Section 6.3.3 (b): whether the list is this point's, and the certificate in its scope."""
    scope = item.scope
    if point.issuers:
        if item.issuer not in point.issuers or scope is None or not scope.indirect_crl:
            return False
    elif item.issuer != certificate.issuer:
        return False
    if scope is None:
        return True
    named = frozenset(map(_comparable, scope.full_name or ()))
    if scope.relative_name is not None:
        named = frozenset({("relative", name_key(x509.Name([scope.relative_name])))})
    wanted = point.names or frozenset(("directory", issuer) for issuer in point.issuers)
    if named and not named & wanted:
        return False
    if scope.only_contains_attribute_certs:
        return False
    return not (scope.only_contains_user_certs if certificate.ca else scope.only_contains_ca_certs)


def _reasons(item: RevocationList, point: _Point) -> frozenset[Reason]:
    """The interim_reasons_mask. Section 6.3.3 (d)."""
    some = item.scope.only_some_reasons if item.scope is not None else None
    of_point = point.reasons if point.reasons is not None else ALL_REASONS
    return (some if some is not None else ALL_REASONS) & of_point & ALL_REASONS


def _key_identifier(item: RevocationList) -> object:
    found = item.extensions.get(AUTHORITY_KEY_IDENTIFIER)
    return found.value if found is not None else None
