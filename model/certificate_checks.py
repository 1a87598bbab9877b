"""The vocabulary of the certificate table: what is observed of a chain, the states that ask for it, and the checks.

An observation is what one look at the chain says, sound or with a defect. Defects have the names under which a validator
reports them, in lower case. `CHECKS` numbers the checks, so that a verdict can be compared with the table and a picture
can name them; `GROUPS` says which states a short picture shows as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Message, State, call_message
from shakeproof.model.trace import Phase

# fmt: off
# ------------------------------------------------------------------------------------------------------ the path
SEARCH = Fact("search", {"path_found": "the search for a path ends with one"}, {
    "path_cycle": "every way up leads in a circle, and none to a trust anchor",
    "path_bomb":  "there are so many ways up that the search spends its budget before it finds a path",
})
path_found, path_cycle, path_bomb = SEARCH.values

CANDIDATES = Fact("candidates", {
    "all_needed":             "every certificate that came is on the path",
    "extra_bad_intermediate": "a certificate came that is on no valid path, and one without it is valid",
})
all_needed, extra_bad_intermediate = CANDIDATES.values

ANCHOR = Fact("anchor", {"anchored": "certificate 1 is issued by a trust anchor"}, {
    "untrusted_root":       "the path ends in a root that is no trust anchor",
    "self_signed_leaf":     "the leaf issued itself, and is no trust anchor",
    "missing_intermediate": "an issuer is neither among the certificates that came nor a trust anchor",
})
anchored, untrusted_root, self_signed_leaf, missing_intermediate = ANCHOR.values

# ------------------------------------------------------------------------------------------------------ its form
POSITION = Fact("position", {
    "issuer": "the certificate issues the next one of the path",
    "leaf":   "the certificate is the last of the path, the server's own",
})
issuer, leaf = POSITION.values

ISSUED = Fact("issued", {
    "by_another":  "subject and issuer of the certificate have different names",
    "self_issued": "subject and issuer of the certificate have the same name",
})
by_another, self_issued = ISSUED.values

ENCODING = Fact("encoding", {"well_formed": "it is the DER encoding of a certificate"}, {
    "malformed":   "it is not the DER encoding of a certificate, or an extension's value is not what its type says",
    "bad_version": "it has extensions, and its version is not 3, or its version does not exist",
})
well_formed, malformed, bad_version = ENCODING.values

EXTENSION_COUNT = Fact("extension_count", {"each_once": "no extension occurs twice"}, {
    "duplicate_extension": "an extension occurs twice",
})
each_once, duplicate_extension = EXTENSION_COUNT.values

ALGORITHMS = Fact("algorithms", {"same_algorithm": "signatureAlgorithm and tbsCertificate.signature are the same"}, {
    "signature_algorithm_mismatch": "signatureAlgorithm and tbsCertificate.signature differ",
})
same_algorithm, signature_algorithm_mismatch = ALGORITHMS.values

IDENTIFIERS = Fact("identifiers", {"agreeing": "serial number and key identifiers are as an issuer must make them"}, {
    "bad_serial":   "the serial number is not positive, or longer than 20 octets",
    "aki_mismatch": "a key identifier that must be there is missing, or is not the issuer's",
})
agreeing, bad_serial, aki_mismatch = IDENTIFIERS.values

NAME_FORM = Fact("name_form", {"clean_names": "every name is in its syntax"}, {
    "bad_name_encoding": "a name has bytes that its type does not allow, or an address has a wrong length",
    "nul_in_name":       "a name has a NUL in it, or another character that no DNS name has",
})
clean_names, bad_name_encoding, nul_in_name = NAME_FORM.values

LABELS = Fact("labels", {"sound_labels": "every A-label can be decoded"}, {
    "hostile_punycode": "an A-label is too long, does not decode, or is not what it decodes to",
})
sound_labels, hostile_punycode = LABELS.values

# ------------------------------------------------------------------------------------------------------ 6.1.3
SIGNATURE = Fact("signature", {"verified": "the issuer's key verifies the signature"}, {
    "bad_signature": "the issuer's key does not verify the signature",
})
verified, bad_signature = SIGNATURE.values

STRENGTH = Fact("strength", {"strong": "key and hash are strong enough, and a curve has a name"}, {
    "weak_key":       "the key is too short",
    "weak_hash":      "the signature rests on a hash whose collisions can be found, such as MD5 and SHA-1",
    "explicit_curve": "the key's curve is spelled out instead of named",
})
strong, weak_key, weak_hash, explicit_curve = STRENGTH.values

VALIDITY = Fact("validity", {"current": "the validity period includes the current time"}, {
    "expired":       "the validity period is over",
    "not_yet_valid": "the validity period has not begun",
})
current, expired, not_yet_valid = VALIDITY.values

REVOCATION = Fact("revocation", {
    "unasked": "revocation is left to other means",
    "asked":   "revocation is to be checked, with CRLs",
})
unasked, asked = REVOCATION.values

STATUS = Fact("status", {"unrevoked": "the issuer's CRL, current and valid, does not list the certificate"}, {
    "revoked":        "the issuer's CRL lists the certificate",
    "status_unknown": "there is no CRL that could tell",
})
unrevoked, revoked, status_unknown = STATUS.values

ISSUER_NAME = Fact("issuer_name", {"chained": "the issuer's name is the subject of the certificate before"}, {
    "name_chain_broken": "the issuer's name is not the subject of the certificate before",
})
chained, name_chain_broken = ISSUER_NAME.values

SUBTREES = Fact("subtrees", {"within": "every name is in a permitted subtree and in no excluded one"}, {
    "name_not_permitted": "a name is in no permitted subtree of its type",
    "name_excluded":      "a name is in an excluded subtree, whatever is permitted",
})
within, name_not_permitted, name_excluded = SUBTREES.values

POLICY = Fact("policy", {"policy_left": "no policy is required, or one is valid"}, {
    "policy_violation": "a policy is required and none is valid, or anyPolicy is mapped",
})
policy_left, policy_violation = POLICY.values

# ------------------------------------------------------------------------------------------------------ 6.1.4
BASIC_CONSTRAINTS = Fact("basic_constraints", {"ca": "basicConstraints is present and cA is TRUE"}, {
    "issuer_not_ca": "basicConstraints is absent, or cA is not TRUE",
})
ca, issuer_not_ca = BASIC_CONSTRAINTS.values

PATH_LENGTH = Fact("path_length", {"short_enough": "max_path_length is greater than zero"}, {
    "pathlen_exceeded": "more issuers follow than a pathLenConstraint allows, those that issued themselves not counted",
})
short_enough, pathlen_exceeded = PATH_LENGTH.values

KEY_CERT_SIGN = Fact("key_cert_sign", {"may_sign": "keyUsage is absent, or its keyCertSign bit is set"}, {
    "issuer_key_usage": "keyUsage is present and its keyCertSign bit is not set",
})
may_sign, issuer_key_usage = KEY_CERT_SIGN.values

RECOGNITION = Fact("recognition", {"recognized": "every critical extension is recognized and processed"}, {
    "unknown_critical": "a critical extension is not recognized, or can't be processed",
})
recognized, unknown_critical = RECOGNITION.values

ISSUER_PURPOSE = Fact("issuer_purpose", {"any_leaf": "extendedKeyUsage is absent, or allows to authenticate servers"}, {
    "issuer_eku": "extendedKeyUsage is present and does not allow to authenticate servers",
})
any_leaf, issuer_eku = ISSUER_PURPOSE.values

# ------------------------------------------------------------------------------------------------------ the leaf
KEY_USAGE = Fact("key_usage", {"fitting": "keyUsage is absent, or allows the key exchange"}, {
    "leaf_key_usage": "keyUsage forbids the key exchange: keyEncipherment for RSA, digitalSignature for (EC)DHE",
})
fitting, leaf_key_usage = KEY_USAGE.values

PURPOSE = Fact("purpose", {
    "for_servers": "extendedKeyUsage has serverAuth",
    "any_purpose": "extendedKeyUsage has anyExtendedKeyUsage, and not serverAuth",
    "no_purpose":  "there is no extendedKeyUsage",
}, {
    "wrong_eku":   "extendedKeyUsage has neither serverAuth nor anyExtendedKeyUsage",
})
for_servers, any_purpose, no_purpose, wrong_eku = PURPOSE.values

ALTERNATIVES = Fact("alternatives", {"has_names": "subjectAltName has names of the type that is looked for"}, {
    "no_san": "subjectAltName is absent, or has no name of that type; the common name does not count",
})
has_names, no_san = ALTERNATIVES.values

NAME = Fact("name", {"named": "a subject alternative name matches the server's name"}, {
    "wrong_name": "no subject alternative name matches the server's name, however its wildcards are read",
})
named, wrong_name = NAME.values

WILDCARD = Fact("wildcard", {"proper": "the name that matches has no wildcard, or one that is its whole left-most label"}, {
    "bad_wildcard": "a name matches only by a wildcard that is part of a label, is not left-most, or spans labels",
})
proper, bad_wildcard = WILDCARD.values

# ------------------------------------------------------------------------------------------------------ observations
Search             = Message("Search", "how the search for a path ends", SEARCH)
Candidates         = Message("Candidates", "what else came besides the path", CANDIDATES)
Anchor             = Message("Anchor", "who issued the first certificate", ANCHOR)
Encoding           = Message("Encoding", "whether it can be read", ENCODING)
ExtensionCount     = Message("ExtensionCount", "how often an extension occurs", EXTENSION_COUNT)
Algorithms         = Message("Algorithms", "whether both fields name one signature algorithm", ALGORITHMS)
Identifiers        = Message("Identifiers", "whether serial number and key identifiers are in order", IDENTIFIERS)
NameForm           = Message("NameForm", "whether the names are in their syntax", NAME_FORM)
Labels             = Message("Labels", "whether internationalized labels are what they seem", LABELS)
Signature          = Message("Signature", "whether it verifies", SIGNATURE)
Strength           = Message("Strength", "whether key and hash are strong", STRENGTH)
Validity           = Message("Validity", "whether the certificate is valid now", VALIDITY)
Status             = Message("Status", "whether the certificate is revoked", STATUS)
IssuerName         = Message("IssuerName", "whether the names chain, and which certificate is at hand", ISSUER_NAME, POSITION, ISSUED)
Subtrees           = Message("Subtrees", "whether the names are where name constraints allow", SUBTREES)
Policies           = Message("Policies", "whether certificate policies leave one that is valid", POLICY)
PolicyMappings     = Message("PolicyMappings", "whether an issuer maps policies as it may", POLICY)
BasicConstraints   = Message("BasicConstraints", "whether an issuer is a certification authority", BASIC_CONSTRAINTS)
PathLength         = Message("PathLength", "whether an issuer may stand so high", PATH_LENGTH)
KeyCertSign        = Message("KeyCertSign", "whether an issuer's key may sign certificates", KEY_CERT_SIGN)
CriticalExtensions = Message("CriticalExtensions", "whether all that is critical is understood", RECOGNITION)
IssuerPurpose      = Message("IssuerPurpose", "what an issuer's certificates are for", ISSUER_PURPOSE)
PolicyResult       = Message("PolicyResult", "whether a policy is left that the user accepts", POLICY)
KeyUsage           = Message("KeyUsage", "whether the leaf's key may do what the key exchange asks of it", KEY_USAGE)
Purpose            = Message("Purpose", "whether the leaf may authenticate a server", PURPOSE)
Alternatives       = Message("Alternatives", "whether the leaf has names to compare", ALTERNATIVES)
Name               = Message("Name", "whether the leaf names the server", NAME)
Wildcard           = Message("Wildcard", "how the leaf names the server", WILDCARD)

OBSERVATIONS = (
    Search, Candidates, Anchor,
    Encoding, ExtensionCount, Algorithms, Identifiers, NameForm, Labels,
    Signature, Strength, Validity, Status, IssuerName, Subtrees, Policies,
    PolicyMappings, BasicConstraints, PathLength, KeyCertSign, CriticalExtensions, IssuerPurpose,
    PolicyResult, KeyUsage, Purpose, Alternatives, Name, Wildcard,
)

validate = call_message("validate", "chain, trust anchors, time, key exchange and the server's name are given", REVOCATION)

# ------------------------------------------------------------------------------------------------------ states
START                   = State("START", "nothing is known yet", "path")
CHECK_SEARCH            = State("CHECK_SEARCH", "Does the search for a path find one, and end?", "path")
CHECK_CANDIDATES        = State("CHECK_CANDIDATES", "Does the path do without the certificates that are of no use?", "path")
CHECK_ANCHOR            = State("CHECK_ANCHOR", "Does the path lead to a trust anchor?", "path")
CHECK_ENCODING          = State("CHECK_ENCODING", "Is it a well-formed certificate?", "form")
CHECK_EXTENSION_COUNT   = State("CHECK_EXTENSION_COUNT", "Does each extension occur once at most?", "form")
CHECK_ALGORITHMS        = State("CHECK_ALGORITHMS", "Do both fields name the same signature algorithm?", "form")
CHECK_IDENTIFIERS       = State("CHECK_IDENTIFIERS", "Are serial number and key identifiers in order?", "form")
CHECK_NAME_FORM         = State("CHECK_NAME_FORM", "Are all names in their syntax?", "form")
CHECK_LABELS            = State("CHECK_LABELS", "Are internationalized labels what they seem?", "form")
CHECK_SIGNATURE         = State("CHECK_SIGNATURE", "Does the issuer's key verify the signature?", "signature")
CHECK_STRENGTH          = State("CHECK_STRENGTH", "Are key and hash strong enough?", "signature")
CHECK_VALIDITY          = State("CHECK_VALIDITY", "Is the certificate within its validity period?", "time")
CHECK_STATUS            = State("CHECK_STATUS", "Is the certificate not revoked?", "time")
CHECK_ISSUER_NAME       = State("CHECK_ISSUER_NAME", "Is the issuer's name the subject of the certificate before?", "names")
CHECK_SUBTREES          = State("CHECK_SUBTREES", "Are the names where name constraints allow?", "names")
CHECK_POLICIES          = State("CHECK_POLICIES", "Is a policy left, where one is required?", "policies")
CHECK_POLICY_MAPPINGS   = State("CHECK_POLICY_MAPPINGS", "Does the issuer leave anyPolicy unmapped?", "issuer")
CHECK_BASIC_CONSTRAINTS = State("CHECK_BASIC_CONSTRAINTS", "Is the issuer a certification authority?", "issuer")
CHECK_PATH_LENGTH       = State("CHECK_PATH_LENGTH", "Do no more issuers follow than pathLenConstraint allows?", "issuer")
CHECK_KEY_CERT_SIGN     = State("CHECK_KEY_CERT_SIGN", "May the issuer's key sign certificates?", "issuer")
CHECK_ISSUER_EXTENSIONS = State("CHECK_ISSUER_EXTENSIONS", "Are the issuer's critical extensions understood?", "issuer")
CHECK_ISSUER_PURPOSE    = State("CHECK_ISSUER_PURPOSE", "May the issuer's certificates authenticate servers?", "issuer")
CHECK_LEAF_EXTENSIONS   = State("CHECK_LEAF_EXTENSIONS", "Are the leaf's critical extensions understood?", "leaf")
CHECK_POLICY_RESULT     = State("CHECK_POLICY_RESULT", "Is a policy left that the user accepts, where one is required?", "leaf")
CHECK_KEY_USAGE         = State("CHECK_KEY_USAGE", "Does the leaf's key usage allow the key exchange?", "leaf")
CHECK_PURPOSE           = State("CHECK_PURPOSE", "May the leaf authenticate a server?", "leaf")
CHECK_ALTERNATIVES      = State("CHECK_ALTERNATIVES", "Has the leaf alternative names to compare?", "name")
CHECK_NAME              = State("CHECK_NAME", "Does one of them name the server?", "name")
CHECK_WILDCARD          = State("CHECK_WILDCARD", "Is its wildcard, if any, the whole left-most label?", "name")
ACCEPTED                = State("ACCEPTED", "the server's key belongs to the server", "name")
REJECTED                = State("REJECTED", "the chain is not accepted", "name")

ASKS = {
    CHECK_SEARCH: Search, CHECK_CANDIDATES: Candidates, CHECK_ANCHOR: Anchor,
    CHECK_ENCODING: Encoding, CHECK_EXTENSION_COUNT: ExtensionCount, CHECK_ALGORITHMS: Algorithms,
    CHECK_IDENTIFIERS: Identifiers, CHECK_NAME_FORM: NameForm, CHECK_LABELS: Labels,
    CHECK_SIGNATURE: Signature, CHECK_STRENGTH: Strength, CHECK_VALIDITY: Validity, CHECK_STATUS: Status,
    CHECK_ISSUER_NAME: IssuerName, CHECK_SUBTREES: Subtrees, CHECK_POLICIES: Policies,
    CHECK_POLICY_MAPPINGS: PolicyMappings, CHECK_BASIC_CONSTRAINTS: BasicConstraints, CHECK_PATH_LENGTH: PathLength,
    CHECK_KEY_CERT_SIGN: KeyCertSign, CHECK_ISSUER_EXTENSIONS: CriticalExtensions, CHECK_ISSUER_PURPOSE: IssuerPurpose,
    CHECK_LEAF_EXTENSIONS: CriticalExtensions, CHECK_POLICY_RESULT: PolicyResult, CHECK_KEY_USAGE: KeyUsage,
    CHECK_PURPOSE: Purpose,
    CHECK_ALTERNATIVES: Alternatives, CHECK_NAME: Name, CHECK_WILDCARD: Wildcard,
}
"""What each state asks for, in order."""

# ------------------------------------------------------------------------------------------------------ the checks


@dataclass(frozen=True)
class NumberedCheck:
    """A check of the list that the table and every validator share. number: 1 to 24; states: where it is done."""

    number: int
    title: str
    states: tuple[State, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """What can be observed, sound and defective."""
        facts = chain.from_iterable(ASKS[state].facts for state in self.states)
        return tuple(dict.fromkeys(v for fact in facts if fact not in (POSITION, ISSUED) for v in fact.values))

    @property
    def defects(self) -> tuple[Value, ...]:
        """The defects for which it rejects."""
        return tuple(value for value in self.values if not value.is_sound)


def _check(number: int, title: str, *states: State) -> NumberedCheck:
    return NumberedCheck(number, title, states)


CHECKS = (
    _check(1,  "well-formed DER, version 3 where there are extensions", CHECK_ENCODING),
    _check(2,  "the signature verifies with the issuer's key", CHECK_SIGNATURE),
    _check(3,  "both fields name one signature algorithm", CHECK_ALGORITHMS),
    _check(4,  "key and hash are strong enough, and curves are named", CHECK_STRENGTH),
    _check(5,  "the validity period includes the time", CHECK_VALIDITY),
    _check(6,  "the issuer's name chains", CHECK_ISSUER_NAME),
    _check(7,  "the path ends in a trust anchor", CHECK_ANCHOR),
    _check(8,  "issuers are certification authorities", CHECK_BASIC_CONSTRAINTS),
    _check(9,  "path length, self-issued certificates not counted", CHECK_PATH_LENGTH),
    _check(10, "issuers' keys may sign certificates", CHECK_KEY_CERT_SIGN),
    _check(11, "the leaf's key usage fits the key exchange", CHECK_KEY_USAGE),
    _check(12, "extended key usage allows to authenticate servers", CHECK_ISSUER_PURPOSE, CHECK_PURPOSE),
    _check(13, "name constraints, excluded before permitted", CHECK_SUBTREES),
    _check(14, "critical extensions are understood", CHECK_ISSUER_EXTENSIONS, CHECK_LEAF_EXTENSIONS),
    _check(15, "no extension occurs twice", CHECK_EXTENSION_COUNT),
    _check(16, "an alternative name of the right type matches", CHECK_ALTERNATIVES, CHECK_NAME),
    _check(17, "a wildcard is the whole left-most label and stands for one", CHECK_WILDCARD),
    _check(18, "names are in their syntax", CHECK_NAME_FORM),
    _check(19, "punycode is decoded safely", CHECK_LABELS),
    _check(20, "the search for a path ends", CHECK_SEARCH),
    _check(21, "the search for a path is complete", CHECK_CANDIDATES),
    _check(22, "serial number and key identifiers", CHECK_IDENTIFIERS),
    _check(23, "certificate policies", CHECK_POLICIES, CHECK_POLICY_MAPPINGS, CHECK_POLICY_RESULT),
    _check(24, "revocation, where asked for", CHECK_STATUS),
)
"""Checks 1 to 24; what follows on them in a handshake are rows of the TLS client."""

CHECK_OF = {state: check for check in CHECKS for state in check.states}
"""The check that is done in a state."""

DEFECTS = {defect.name: defect for check in CHECKS for defect in check.defects}
"""Every defect by its name."""

PHASES = (
    Phase("path",      "The path",                   "cert", "RFC 5280 §6.1"),
    Phase("form",      "Each certificate: form",     "cert", "RFC 5280 §4"),
    Phase("signature", "Each certificate: signature", "cert", "RFC 5280 §6.1.3 (a)(1)"),
    Phase("time",      "Each certificate: time",     "cert", "RFC 5280 §6.1.3 (a)(2), (3)"),
    Phase("names",     "Each certificate: names",    "cert", "RFC 5280 §6.1.3 (a)(4), (b), (c)"),
    Phase("policies",  "Each certificate: policies", "cert", "RFC 5280 §6.1.3 (d) to (f)"),
    Phase("issuer",    "Each issuer",                "cert", "RFC 5280 §6.1.4"),
    Phase("leaf",      "The leaf",                   "cert", "RFC 5280 §6.1.5"),
    Phase("name",      "The server's name",          "cert", "RFC 9525"),
)

GROUPS = {
    "path":      "Does a path lead to a trust anchor?",
    "form":      "Is each certificate well-formed?",
    "signature": "Is its signature valid, by a strong key?",
    "time":      "Is it within its validity, and not revoked?",
    "names":     "Do its names chain, within name constraints?",
    "policies":  "Is a policy left, where one is required?",
    "issuer":    "May the issuer issue certificates for servers?",
    "leaf":      "May the leaf's key be used for this?",
    "name":      "Does the leaf name the server?",
}
"""Phase -> the question that stands for the checks of its states in a short picture."""
