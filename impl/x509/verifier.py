"""The verifier: RFC 5280 section 6.1 over one path, from the trust anchor down to the leaf, with RFC 9525's name check.

One Verifier serves one validation. Each `check_...` and `prepare_...` method is one step of the algorithm with its own
clause; each takes one certificate and changes nothing but `state` and the lists of what was found and done. Unlike the
RFC's algorithm it does not stop at the first failure: all defects of the path are wanted.

The trust anchor comes as a certificate and is held to its own validity, constraints and extensions, as RFC 5937 and
every stack of the web do; its signature proves nothing and is not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from shakeproof.impl.x509 import certificate as ext
from shakeproof.impl.x509 import profile
from shakeproof.impl.x509.certificate import Certificate, NameKey
from shakeproof.impl.x509.checks import Record
from shakeproof.impl.x509.constraints import Comparisons, Subtrees, TooManyComparisons
from shakeproof.impl.x509.crl import Revocation, Standing
from shakeproof.impl.x509.names import Match, Reference, match, odd_names
from shakeproof.impl.x509.policies import Policies, PolicyInputs, TooManyPolicies
from shakeproof.impl.x509.result import Check, Defect, Found, Reading, Usage

# The web's baseline requirements ask for 2048 bits (section 6.1.5); RFC 5280 leaves the choice to the application.
MIN_RSA_BITS = 2048
ACCEPTED_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
# Any of these lets a key take part in a key exchange; which of them it needs, the cipher suite decides.
KEY_EXCHANGE_USAGES = frozenset({"digital_signature", "key_encipherment", "key_agreement"})

UNDERSTOOD = frozenset(
    {
        ext.BASIC_CONSTRAINTS,
        ext.KEY_USAGE,
        ext.EXTENDED_KEY_USAGE,
        ext.SUBJECT_ALTERNATIVE_NAME,
        ext.NAME_CONSTRAINTS,
        ext.CERTIFICATE_POLICIES,
        ext.POLICY_MAPPINGS,
        ext.POLICY_CONSTRAINTS,
        ext.INHIBIT_ANY_POLICY,
        ext.AUTHORITY_KEY_IDENTIFIER,
        ext.SUBJECT_KEY_IDENTIFIER,
        ext.AUTHORITY_INFORMATION_ACCESS,
    }
)
# Times of certificates are whole seconds (RFC 5280 section 4.1.2.5.1): the last one lasts until the next begins.
LAST_SECOND = timedelta(seconds=1)


@dataclass
class State:
    """The state variables of section 6.1.2.

    issuer: the certificate whose key and subject are working_public_key and working_issuer_name; policy_told: that no
    policy holds has been said, of the certificate where it showed first.
    """

    max_path_length: int
    subtrees: Subtrees
    policies: Policies
    issuer: Certificate | None = None
    working_issuer_name: NameKey | None = None
    policy_told: bool = False


class SignatureBudget:
    """Signature verifications of one validation, each made once and none beyond the limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self._known: dict[tuple[bytes, bytes], bool] = {}

    @property
    def exhausted(self) -> bool:
        return self.spent >= self.limit

    def affords(self, issuer: Certificate, certificate: Certificate) -> bool:
        """Whether `verifies` would give a true answer."""
        return not self.exhausted or (issuer.raw.key_info, certificate.der) in self._known

    def verifies(self, issuer: Certificate, certificate: Certificate) -> bool:
        """Whether the issuer's key verifies the certificate; False for what the budget does not afford."""
        edge = (issuer.raw.key_info, certificate.der)
        known = self._known.get(edge)
        if known is None:
            if self.exhausted:
                return False
            self.spent += 1
            known = self._known[edge] = issuer.verifies(certificate)
        return known


class Verifier:
    """Judges paths for one validation; found and checks belong to the path that was verified last."""

    def __init__(
        self,
        *,
        time: datetime,
        reference: Reference | None,
        reading: Reading,
        usage: Usage | None,
        budget: SignatureBudget,
        max_intermediates: int | None = None,
        with_profile: bool = True,
        policies: PolicyInputs = PolicyInputs(),  # noqa: B008 - frozen
        key_usage: frozenset[str] | None = None,
        revocation: Revocation | None = None,
        require_status: bool = False,
    ) -> None:
        self.time = time
        self.reference = reference
        self.reading = reading
        self.usage = usage
        self.budget = budget
        self.max_intermediates = max_intermediates
        self.with_profile = with_profile
        self.policies = policies
        self.key_usage = key_usage
        self.revocation = revocation
        self.require_status = require_status
        self.comparisons = Comparisons()
        self.anchored = False
        self.path: Sequence[Certificate] = ()
        self.found: list[Found] = []
        self._sentences: dict[str, tuple[str, str]] = {}
        self._failed_checks: dict[str, list[str]] = {}
        self._ran_on: set[tuple[str, int]] = set()

    # ------------------------------------------------------------------------------------------------ the algorithm

    def verify(self, path: Sequence[Certificate], *, anchored: bool) -> tuple[list[Found], list[Check]]:
        """All defects of a path (leaf first, trust anchor last) and the checks that were executed on it.

        anchored: the last certificate is a trust anchor; else the path leads nowhere and ends where it could not go on.
        """
        self.anchored = anchored
        self.path, self.found, self._sentences, self._failed_checks, self._ran_on = path, [], {}, {}, set()
        top = len(path) - 1
        limit = len(path) if self.max_intermediates is None else self.max_intermediates
        self.state = State(limit, self.subtrees(), Policies(self.policies, top if anchored else top + 1))
        self.check_anchor(anchored=anchored)
        for index in range(top, -1, -1):
            certificate = path[index]
            if index < top:
                self.check_signature(certificate, index)
            self.check_validity(certificate, index)
            if index < top:
                self.check_revocation(certificate, index)
                self.check_issuer_name(certificate, index)
            self.check_name_constraints(certificate, index)
            if index < top:
                self.check_policies(certificate, index)
            self.check_strength(certificate, index)
            self.check_form(certificate, index)
            self.check_critical(certificate, index)
            self.check_profile(certificate, index)
            if index > 0:
                self.prepare_issuer(certificate)
                self.prepare_name_constraints(certificate, index)
                self.check_basic_constraints(certificate, index)
                self.check_path_length(certificate, index, is_anchor=anchored and index == top)
                self.check_issuer_key_usage(certificate, index)
                self.check_issuer_purpose(certificate, index)
        leaf = path[0]
        self.check_leaf_key_usage(leaf)
        self.check_leaf_purpose(leaf)
        self.check_name(leaf)
        return self.found, self._checks()

    def record(self) -> Record:
        """What was done on the path that was verified last."""
        return Record(tuple(item.title for item in self.path), frozenset(self._ran_on), tuple(self.found))

    def subtrees(self) -> Subtrees:
        """permitted_subtrees and excluded_subtrees of a path at its start; override it to compare names otherwise."""
        return Subtrees(self.comparisons)

    # --------------------------------------------------------------------------------------------------- trust anchor

    def check_anchor(self, *, anchored: bool) -> None:
        """Section 6.1.1 (d): the path starts at a trust anchor."""
        top, index = self.path[-1], len(self.path) - 1
        if anchored:
            self._ran("anchor", index, f"chain leads to a trust anchor: {top.title}", Defect.UNTRUSTED_ROOT.clause)
            return
        self._ran("anchor", index, "chain leads to a trust anchor", Defect.UNTRUSTED_ROOT.clause)
        if top.self_issued and index == 0:
            self._fail("anchor", Defect.SELF_SIGNED_LEAF, top, index, f"{top.title} is self-signed and no trust anchor")
        elif top.self_issued:
            self._fail("anchor", Defect.UNTRUSTED_ROOT, top, index, f"{top.title} is a root, but no trust anchor")
        else:
            issuer = _issuer_title(top)
            text = f"{issuer}, which certified {top.title}, is no trust anchor and no certificate of that name fits"
            self._fail("anchor", Defect.UNTRUSTED_ROOT if index else Defect.MISSING_INTERMEDIATE, top, index, text)

    # ------------------------------------------------------------------------------------------- 6.1.3 basic processing

    def check_signature(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (a)(1)."""
        self._ran("signature", index, "every signature verifies with its issuer's key", Defect.BAD_SIGNATURE.clause)
        issuer = self.state.issuer
        if issuer is not None and not self.verify_signature(issuer, certificate):
            text = f"the signature on {certificate.title} does not verify with the key of {issuer.title}"
            self._fail("signature", Defect.BAD_SIGNATURE, certificate, index, text)

    def verify_signature(self, issuer: Certificate, certificate: Certificate) -> bool:
        """Whether the issuer's key verifies the certificate; override it to verify otherwise."""
        return self.budget.verifies(issuer, certificate)

    def check_validity(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (a)(2); both ends are included (section 4.1.2.5)."""
        if index == 0:
            period = f"{certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
            self._ran("validity", index, f"not expired: {period}", Defect.EXPIRED.clause)
        else:
            self._ran("validity", index, "not expired", Defect.EXPIRED.clause)
        # In this order, so that the fraction of the second in which notAfter lies still counts as inside.
        if self.time - certificate.not_after >= LAST_SECOND:
            defect = Defect.ISSUER_EXPIRED if index else Defect.EXPIRED
            text = f"{certificate.title} expired on {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
            self._fail("validity", defect, certificate, index, text)
        if self.time < certificate.not_before:
            defect = Defect.ISSUER_NOT_YET_VALID if index else Defect.NOT_YET_VALID
            text = f"{certificate.title} is valid only from {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
            self._fail("validity", defect, certificate, index, text)

    def check_revocation(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (a)(3), where a CRL about the certificate was given or its status is asked for."""
        issuer = self.state.issuer
        if self.revocation is None or issuer is None:
            return
        status = self.revocation.status(certificate, issuer, self.path[-1])
        if status.standing is Standing.NO_LIST and not self.require_status:
            return
        self._ran("revocation", index, "no certificate is revoked", Defect.REVOKED.clause)
        if status.standing is Standing.REVOKED:
            self._fail("revocation", Defect.REVOKED, certificate, index, status.text)
        elif status.standing is not Standing.UNREVOKED:
            self._fail("revocation", Defect.STATUS_UNKNOWN, certificate, index, status.text)

    def check_issuer_name(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (a)(4)."""
        self._ran("issuer name", index, "every issuer's name is the subject above", Defect.NAME_CHAIN_BROKEN.clause)
        if certificate.issuer != self.state.working_issuer_name:
            text = f"{certificate.title} names {_issuer_title(certificate)} as its issuer, which is not the one above"
            self._fail("issuer name", Defect.NAME_CHAIN_BROKEN, certificate, index, text)

    def check_name_constraints(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (b) and (c); a self-issued certificate is exempt unless it is the last."""
        subtrees = self.state.subtrees
        if not subtrees or (certificate.self_issued and index > 0):
            return
        self._ran(
            "name constraints", index, "every name lies where its issuers may certify", Defect.NAME_NOT_PERMITTED.clause
        )
        try:
            for defect, text in subtrees.violations(certificate):
                self._fail("name constraints", defect, certificate, index, text)
        except TooManyComparisons:
            text = f"{certificate.title} and its issuers hold too many names and name constraints to compare"
            self._fail("name constraints", Defect.PATH_BOMB, certificate, index, text)

    def check_policies(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.3 (d) to (f), and of 6.1.4 or, for the last certificate, of 6.1.5 what concerns policies."""
        policies = self.state.policies
        self._ran_on.add(("policies", index))
        fault = ""
        try:
            policies.process(certificate, is_last=index == 0)
            if policies.missing:
                fault = "6.1.3 (f)"
            if index == 0:
                fault = fault or ("" if policies.wrap_up(certificate) else "6.1.5 (g)")
            elif not policies.prepare(certificate):
                text = f"{certificate.title} maps a policy to or from anyPolicy"
                self._fail("policies", Defect.POLICY_VIOLATION, certificate, index, text, "RFC 5280 section 6.1.4 (a)")
        except TooManyPolicies:
            text = f"{certificate.title} and its issuers name too many policies to follow"
            self._fail("policies", Defect.PATH_BOMB, certificate, index, text)
            policies.levels = None
            return
        if fault and not self.state.policy_told:
            self.state.policy_told = True
            text = (
                f"a certificate policy is demanded, and none of them holds from the trust anchor to {certificate.title}"
            )
            self._fail("policies", Defect.POLICY_VIOLATION, certificate, index, text, f"RFC 5280 section {fault}")

    # ------------------------------------------------------------------------------------- 6.1.4 preparing for the next

    def prepare_issuer(self, certificate: Certificate) -> None:
        """Section 6.1.4 (c) to (f): the certificate's subject and key become the working ones."""
        self.state.issuer = certificate
        self.state.working_issuer_name = certificate.subject

    def prepare_name_constraints(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.4 (g)."""
        if certificate.constraints is not None:
            self.state.subtrees.narrow(certificate.constraints)

    def check_basic_constraints(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.4 (k). A version 1 certificate has no extensions, so it is no CA (CVE-2014-1959)."""
        self._ran("basic constraints", index, "every issuer is a CA", Defect.ISSUER_NOT_CA.clause)
        if certificate.readable and not certificate.ca:
            text = f"{certificate.title} issued a certificate and is not a CA"
            self._fail("basic constraints", Defect.ISSUER_NOT_CA, certificate, index, text)

    def check_path_length(self, certificate: Certificate, index: int, *, is_anchor: bool) -> None:
        """Section 6.1.4 (l) and (m); self-issued certificates do not count, and the trust anchor is not in the path."""
        self._ran("path length", index, "no more intermediate CAs than permitted", Defect.PATHLEN_EXCEEDED.clause)
        if not certificate.self_issued and not is_anchor:
            if self.state.max_path_length <= 0:
                text = f"{certificate.title} is one intermediate CA more than its issuers permit"
                self._fail("path length", Defect.PATHLEN_EXCEEDED, certificate, index, text)
            else:
                self.state.max_path_length -= 1
        if certificate.path_length is not None:
            self.state.max_path_length = min(self.state.max_path_length, certificate.path_length)

    def check_issuer_key_usage(self, certificate: Certificate, index: int) -> None:
        """Section 6.1.4 (n)."""
        self._ran("issuer key usage", index, "every issuer's key may sign certificates", Defect.ISSUER_KEY_USAGE.clause)
        if certificate.key_usage is not None and not certificate.key_usage.key_cert_sign:
            text = f"the keyUsage of {certificate.title} lacks keyCertSign"
            self._fail("issuer key usage", Defect.ISSUER_KEY_USAGE, certificate, index, text)

    def check_issuer_purpose(self, certificate: Certificate, index: int) -> None:
        """Not in RFC 5280's algorithm: the extendedKeyUsage of a CA binds all that it issues, as stacks agree."""
        if self.usage is None or certificate.purposes is None:
            return
        self._ran("issuer purpose", index, "every issuer may issue for this purpose", Defect.ISSUER_EKU.clause)
        if not certificate.purposes & {self.usage.value, ext.ANY_PURPOSE}:
            text = f"the extendedKeyUsage of {certificate.title} does not hold {self.usage.name}"
            self._fail("issuer purpose", Defect.ISSUER_EKU, certificate, index, text)

    def check_critical(self, certificate: Certificate, index: int) -> None:
        """Sections 6.1.4 (o) and 6.1.5 (f): a critical extension that is not processed refuses the path."""
        self._ran(
            "critical extensions", index, "every critical extension is understood", Defect.UNKNOWN_CRITICAL.clause
        )
        for oid, critical in certificate.extensions.items():
            # Where to find CRLs is only understood where CRLs are looked at: critical, it says that one must (X.509).
            points = oid == ext.CRL_DISTRIBUTION_POINTS and self.revocation is not None
            if critical and oid not in UNDERSTOOD and not points:
                text = f"{certificate.title} has the critical extension {oid}, which is not understood"
                self._fail("critical extensions", Defect.UNKNOWN_CRITICAL, certificate, index, text)

    # ------------------------------------------------------------------------------------- each certificate for itself

    def check_form(self, certificate: Certificate, index: int) -> None:
        """Section 4.1 and 4.2: what is wrong with the certificate wherever it stands."""
        self._ran("form", index, "every certificate is well formed", Defect.MALFORMED.clause)
        for defect, text in certificate.flaws:
            self._fail("form", defect, certificate, index, f"{certificate.title}: {text}")
        for defect, text in [*odd_names(certificate.names), *_odd_subject(certificate)]:
            self._fail("form", defect, certificate, index, f"{certificate.title}: {text}")

    def check_strength(self, certificate: Certificate, index: int) -> None:
        """Keys and hash functions that still hold, and named curves only (CVE-2020-0601)."""
        self._ran("strength", index, "every key and hash is strong enough", Defect.WEAK_KEY.clause)
        weakness = self._weakness(certificate)
        if certificate.explicit_curve:
            text = f"{certificate.title}: expected a key on a named curve, got one that describes its curve itself"
            self._fail("strength", Defect.EXPLICIT_CURVE, certificate, index, text)
        elif weakness:
            self._fail("strength", Defect.WEAK_KEY, certificate, index, f"{certificate.title}: {weakness}")
        if index < len(self.path) - 1 and certificate.broken_hash:
            text = f"{certificate.title} is signed with {certificate.broken_hash}, which is broken"
            self._fail("strength", Defect.WEAK_HASH, certificate, index, text)

    def _weakness(self, certificate: Certificate) -> str:
        key = certificate.key
        match key:
            case rsa.RSAPublicKey():
                if key.key_size < MIN_RSA_BITS:
                    return f"expected an RSA key of at least {MIN_RSA_BITS} bits, got {key.key_size}"
                if key.public_numbers().n % 2 == 0:
                    return "expected an RSA modulus, which is odd, got an even one"
                if self.reading is Reading.WEBPKI and key.key_size % 8:
                    return f"expected an RSA key of whole octets, got {key.key_size} bits"
                return ""
            case ec.EllipticCurvePublicKey():
                return "" if isinstance(key.curve, ACCEPTED_CURVES) else f"the curve {key.curve.name} is not accepted"
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                return ""
        return "expected an RSA key or a key on a named curve, got one of another kind or encoding"

    def check_profile(self, certificate: Certificate, index: int) -> None:
        """Sections 4.1.2 and 4.2: what the profile asks of whoever issues certificates. See profile.py."""
        if not self.with_profile:
            return
        self._ran("profile", index, "every certificate keeps the profile's rules", Defect.PROFILE.clause)
        # A CA at which the path merely ends is no root: it is held to what binds every CA.
        is_top = index == len(self.path) - 1 and (self.anchored or certificate.self_issued)
        for defect, clause, text in profile.violations(
            certificate, is_leaf=index == 0, is_top=is_top, reading=self.reading, usage=self.usage
        ):
            self._fail("profile", defect, certificate, index, f"{certificate.title}: {text}", clause)
        issuer = self.state.issuer
        if self.reading is Reading.RFC5280 and issuer is not None and not ext.key_ids_agree(issuer, certificate):
            text = f"{certificate.title} names another key of {issuer.title} than the one in the path"
            self._fail("profile", Defect.AKI_MISMATCH, certificate, index, text)

    # -------------------------------------------------------------------------------------------------------- the leaf

    def check_leaf_key_usage(self, leaf: Certificate) -> None:
        """Section 4.2.1.3: the key may sign, encipher or agree on a key; which of them, the key exchange decides."""
        self._ran("key usage", 0, "the key may take part in a key exchange", Defect.LEAF_KEY_USAGE.clause)
        usage = leaf.key_usage
        if self.usage is None or usage is None:
            return
        if self.key_usage is None:
            if not any(getattr(usage, bit) for bit in KEY_EXCHANGE_USAGES):
                text = f"the keyUsage of {leaf.title} permits no key exchange"
                self._fail("key usage", Defect.LEAF_KEY_USAGE, leaf, 0, text)
            return
        missing = sorted(bit for bit in self.key_usage if not getattr(usage, bit))
        if missing:
            text = f"the keyUsage of {leaf.title} lacks {', '.join(missing)}"
            self._fail("key usage", Defect.LEAF_KEY_USAGE, leaf, 0, text)

    def check_leaf_purpose(self, leaf: Certificate) -> None:
        """Section 4.2.1.12: without the extension every purpose is allowed."""
        if self.usage is None:
            return
        meant = "a server" if self.usage is Usage.SERVER_AUTH else "a client"
        self._ran("purpose", 0, f"meant for {meant}", Defect.WRONG_EKU.clause)
        if leaf.purposes is None:
            return
        accepted = {self.usage.value} if self.reading is Reading.WEBPKI else {self.usage.value, ext.ANY_PURPOSE}
        if not leaf.purposes & accepted:
            text = f"the extendedKeyUsage of {leaf.title} does not hold {self.usage.name}"
            self._fail("purpose", Defect.WRONG_EKU, leaf, 0, text)

    def check_name(self, leaf: Certificate) -> None:
        """RFC 9525 section 6; nothing where no name is expected."""
        if self.reference is None:
            return
        self._ran("name", 0, f"name matches {ext.printable(self.reference.text)}", Defect.WRONG_NAME.clause)
        if not leaf.readable:
            return
        for defect, text in self.match_name(self.reference, leaf).failures:
            self._fail("name", defect, leaf, 0, text)

    def match_name(self, reference: Reference, leaf: Certificate) -> Match:
        """Which of the leaf's names is the one that is meant; override it to match otherwise."""
        return match(reference, leaf.names, self.reading)

    # ---------------------------------------------------------------------------------------------------- bookkeeping

    def _ran(self, check: str, index: int, sentence: str, clause: str) -> None:
        self._sentences[check] = (sentence, clause)
        self._ran_on.add((check, index))

    def _fail(
        self, check: str, defect: Defect, certificate: Certificate, index: int, text: str, clause: str = ""
    ) -> None:
        self.found.append(Found(defect, index, certificate.title, clause or defect.clause, text))
        self._failed_checks.setdefault(check, []).append(text)

    def _checks(self) -> list[Check]:
        failed = self._failed_checks
        return [
            Check(name, name not in failed, "; ".join(failed.get(name, ())) or sentence, clause)
            for name, (sentence, clause) in self._sentences.items()
        ]


def _odd_subject(certificate: Certificate) -> list[tuple[Defect, str]]:
    """A NUL in the subject: no name is read from there, but others do (CVE-2009-2408)."""
    values = [item.value for item in certificate.x509.subject if isinstance(item.value, str) and "\0" in item.value]
    return [(Defect.NUL_IN_NAME, f"the name {ext.printable(value)!r} in the subject holds a NUL") for value in values]


def _issuer_title(certificate: Certificate) -> str:
    return ext.title_of(certificate.x509.issuer) or "an issuer without a name"
