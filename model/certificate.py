"""Certificate validation: a chain of checks over a path, RFC 5280 section 6.1, then the name, RFC 9525.

The machine is driven by observations. Each state asks one question, which is its sentence; the next message is the
answer, sound or with a defect. The first defect ends validation, as section 6.1 says; what else is wrong with a chain
is for whoever validates to report. The checks are numbered (`certificate_checks.CHECKS`), and defects have one name.

How a path is put together is left out, as in section 6.1: the first three questions are about what came of it.
Certificate 1 is issued by the trust anchor, certificate n is the target, the server's own. The answer about the
issuer's name also says which certificate is at hand: an issuer, one of 1 to n-1, or the leaf, n; and whether it
issued itself. Basic processing (6.1.3) is done for every certificate, preparation for the next (6.1.4) for issuers,
wrap-up (6.1.5) and the name for the leaf:

    START, path, { form, signature, time, names, policies, issuer }*, form ... policies, leaf, name

Certificates that issued themselves skip name constraints, unless they are the leaf, and path length. What 6.1.2 keeps
from certificate to certificate (policy tree, subtrees, counters) is for whoever observes to compute: the steps that
change it stand as clauses of the row that follows them. Revocation is asked about where the user wants it; otherwise
6.1.3 (a)(3) leaves it to other means. Whether the loop ends is the validator's to see to, who bounds the length of a
path. Out of scope: OCSP (what only OCSP could tell is STATUS_UNKNOWN), and clients' chains, which have no name to
compare.

Two readings, one of which is in force, differ where RFC 5280 leaves a choice. It says that section 6.1 does not check
whether certificates conform to the profile of section 4, advises against doing so, and allows to augment: so under
`rfc5280` a bad serial number, disagreeing key identifiers, a NUL in a name, hostile punycode, weak keys and hashes,
curves without a name, a mapped anyPolicy, the purposes of issuers and a leaf without a purpose of its own may be
passed over or refused, and `webpki` refuses them. What breaks the syntax of a certificate is refused under both. No
reading looks for a server's name in the common name.

What is rejected is answered with a TLS alert. RFC 5246 section 7.2.2 names one for some faults; for the others this
project tolerates any of the six alerts about certificates, and the first that a row names is this project's own. How
the outcome becomes the `chain` fact of the TLS client stands in `shakeproof.model.https`.
"""

from __future__ import annotations

from collections.abc import Iterator

from shakeproof.model.certificate_checks import (
    ACCEPTED,
    ASKS,
    CHECK_ALGORITHMS,
    CHECK_ALTERNATIVES,
    CHECK_ANCHOR,
    CHECK_BASIC_CONSTRAINTS,
    CHECK_CANDIDATES,
    CHECK_ENCODING,
    CHECK_EXTENSION_COUNT,
    CHECK_IDENTIFIERS,
    CHECK_ISSUER_EXTENSIONS,
    CHECK_ISSUER_NAME,
    CHECK_ISSUER_PURPOSE,
    CHECK_KEY_CERT_SIGN,
    CHECK_KEY_USAGE,
    CHECK_LABELS,
    CHECK_LEAF_EXTENSIONS,
    CHECK_NAME,
    CHECK_NAME_FORM,
    CHECK_PATH_LENGTH,
    CHECK_POLICIES,
    CHECK_POLICY_MAPPINGS,
    CHECK_POLICY_RESULT,
    CHECK_PURPOSE,
    CHECK_SEARCH,
    CHECK_SIGNATURE,
    CHECK_STATUS,
    CHECK_STRENGTH,
    CHECK_SUBTREES,
    CHECK_VALIDITY,
    CHECK_WILDCARD,
    ISSUED,
    OBSERVATIONS,
    PHASES,
    POSITION,
    REJECTED,
    REVOCATION,
    START,
    Algorithms,
    Alternatives,
    Anchor,
    BasicConstraints,
    Candidates,
    CriticalExtensions,
    Encoding,
    ExtensionCount,
    Identifiers,
    IssuerName,
    IssuerPurpose,
    KeyCertSign,
    KeyUsage,
    Labels,
    Name,
    NameForm,
    PathLength,
    Policies,
    PolicyMappings,
    PolicyResult,
    Purpose,
    Search,
    Signature,
    Status,
    Strength,
    Subtrees,
    Validity,
    Wildcard,
    agreeing,
    aki_mismatch,
    all_needed,
    anchored,
    any_leaf,
    any_purpose,
    asked,
    bad_name_encoding,
    bad_serial,
    bad_signature,
    bad_version,
    bad_wildcard,
    by_another,
    ca,
    chained,
    clean_names,
    current,
    duplicate_extension,
    each_once,
    expired,
    explicit_curve,
    extra_bad_intermediate,
    fitting,
    for_servers,
    has_names,
    hostile_punycode,
    issuer,
    issuer_eku,
    issuer_key_usage,
    issuer_not_ca,
    leaf,
    leaf_key_usage,
    malformed,
    may_sign,
    missing_intermediate,
    name_chain_broken,
    name_excluded,
    name_not_permitted,
    named,
    no_purpose,
    no_san,
    not_yet_valid,
    nul_in_name,
    path_bomb,
    path_cycle,
    path_found,
    pathlen_exceeded,
    policy_left,
    policy_violation,
    proper,
    recognized,
    revoked,
    same_algorithm,
    self_issued,
    self_signed_leaf,
    short_enough,
    signature_algorithm_mismatch,
    sound_labels,
    status_unknown,
    strong,
    unasked,
    unknown_critical,
    unrevoked,
    untrusted_root,
    validate,
    verified,
    weak_hash,
    weak_key,
    well_formed,
    within,
    wrong_eku,
    wrong_name,
)
from shakeproof.model.certificate_quotes import quotes
from shakeproof.model.clauses import MAY, MUST, SHOULD, Authority
from shakeproof.model.facts import Value
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    CERTIFICATE_ALERTS,
    Alert,
    bad_certificate,
    certificate_expired,
    certificate_revoked,
    certificate_unknown,
    decode_error,
    decrypt_error,
    fatal,
    handshake_failure,
    illegal_parameter,
    unknown_ca,
    unsupported_certificate,
)
from shakeproof.model.notation import (
    Abort,
    Cell,
    Pattern,
    Row,
    State,
    States,
    TableLine,
    Void,
    abort,
    call,
    keep,
    now,
    recv,
    void,
)

RFC5280, WEBPKI = "rfc5280", "webpki"

READINGS = {
    RFC5280: "what RFC 5280 and RFC 9525 demand; where they leave a choice, either way is right",
    WEBPKI: "the choices are made as on the public web: what an issuer must not do is refused, and so is what is weak",
}
"""Exactly one of them is in force."""

EITHER = (frozenset({RFC5280}), frozenset({WEBPKI}))
"""The sets of readings under which the table is complete."""


def any_alert(first: Value, *others: Value) -> Abort:
    """Any alert about certificates, since RFC 5246 names none for the fault; `first` is this project's own."""
    more = "".join(f", {alert.name}" for alert in others)
    return abort(
        *dict.fromkeys((first, *CERTIFICATE_ALERTS, *others)), name=f"any certificate alert, {first.name} first{more}"
    )


def rejects(alert: str, *keys: str) -> Authority:
    """MUST; `alert` is the quote of RFC 5246 section 7.2.2 that names the alert."""
    return MUST(*keys, f"RFC 5246 7.2.2 {alert}")


def left_open(
    state: State, fault: Pattern, onward: Cell, refusal: Abort, go_on: Authority, *keys: str, may: str = "6.1 augment"
) -> Iterator[Row]:
    """What the texts leave open: the RFC's reading goes on or refuses, the web's refuses.

    go_on: why one need not refuse; may: the key of the sentence that allows to; keys: what is at fault.
    """
    alert = f"RFC 5246 7.2.2 {'unsupported' if refusal.alerts[0] is unsupported_certificate else 'unknown'}"
    yield recv(state, fault, onward, go_on)
    yield recv(state, fault, refusal, MAY(may, *keys, alert, reading=RFC5280))
    yield recv(state, fault, refusal, MUST(*keys, may, alert, reading=WEBPKI))


def elsewhere() -> list[Void]:
    """Each observation can only be the answer to a question that asks for it."""
    asking = States((START, *ASKS), "ANY")
    voids = []
    for message in OBSERVATIONS:
        own = [state for state in ASKS if ASKS[state] is message]
        others = asking
        for state in own:
            others -= state
        voids.append(void(others, message, why=f"only {' and '.join(state.name for state in own)} asks for it"))
    return voids


refuse = any_alert(certificate_unknown)
refuse_issuer_use = any_alert(unsupported_certificate)
refuse_usage = any_alert(unsupported_certificate, illegal_parameter, handshake_failure)
refuse_signature = abort(bad_certificate, decrypt_error, unknown_ca)
refuse_encoding = abort(bad_certificate, decode_error)
refuse_time = abort(certificate_expired)
refuse_anchor = abort(unknown_ca)

unchecked = MAY("6.1", "6.1.3 signature", reading=RFC5280)
unadvised = SHOULD("6.1 profile", reading=RFC5280)
tolerated = SHOULD("4.1.2.2 handle", "6.1 profile", reading=RFC5280)
unmatched = MAY("4.2.1.2 match", "6.1 profile", reading=RFC5280)
unlimited = MAY("4.2.1.12 issuers", reading=RFC5280)
unrequired = MAY("4.2.1.12 require", reading=RFC5280)
unsupported = MAY("6.1 omit", reading=RFC5280)

no_anchor = rejects("unknown-ca", "6.1 anchor", "6.1.1 anchor")
signature_fails = rejects(
    "bad", "6.1.3 signature", "6.1.3 fails", "RFC 5246 7.2.2 decrypt", "RFC 5246 7.2.2 unknown-ca"
)
time_fails = rejects("expired", "6.1.3 time", "4.1.2.5", "6.1.3 fails")
names_fail = ("4.2.1.10", "4.2.1.10 process", "6.1.3 fails")
policy_fails = rejects("unknown", "6.1.3 policy", "6.1.3 no-policies", "6.1.3 fails")
usage_fails = SHOULD("RFC 5246 7.4.5", "RFC 5246 7.4.2", "RFC 5246 7.2.2 unsupported")

status_holds = MUST("6.1.3 means", "6.1.3 revoked")
next_certificate: tuple[Cell, ...] = (CHECK_ENCODING, now(issuer, by_another))
"""The certificate that follows; what is remembered of this one means nothing any more."""
prepared = CHECK_BASIC_CONSTRAINTS
preparation = MUST(
    "6.1.4 mapped", "6.1.4 map", "6.1.4 subject", "6.1.4 key", "6.1.4 subtrees", "6.1.4 count", "6.1.4 constraints",
    "6.1.4 inhibit",
)  # fmt: skip
"""What 6.1.4 (a) to (j) do before (k) checks again."""

# fmt: off
# Columns: state, answer, (what is remembered,) next state, authority. Figures in brackets: the steps of section 6.1.
rows: list[TableLine] = [
    call(START, validate[unasked], CHECK_SEARCH, keep(REVOCATION), MUST("6.1", "6.1.3 means")),
    call(START, validate[asked],   CHECK_SEARCH, keep(REVOCATION), MUST("6.1", "6.1.3 revoked")),

    # ---- 6.1: the path (20, 21, 7)
    recv(CHECK_SEARCH, Search[path_found], CHECK_CANDIDATES, MUST("6.1 target", "6.1 once")),
    recv(CHECK_SEARCH, Search[path_cycle], refuse,           rejects("unknown", "6.1 anchor", "6.1 once")),
    recv(CHECK_SEARCH, Search[path_bomb],  refuse,           rejects("unknown", "6.1 anchor", "6.1 search")),
    recv(CHECK_CANDIDATES, Candidates[all_needed],             CHECK_ANCHOR, MUST("6.1 target")),
    recv(CHECK_CANDIDATES, Candidates[extra_bad_intermediate], CHECK_ANCHOR, SHOULD("RFC 8446 4.4.2", "6.1 search")),
    recv(CHECK_ANCHOR, Anchor[anchored],             CHECK_ENCODING, MUST("6.1", "6.1 anchor", "6.1.1 anchor")),
    recv(CHECK_ANCHOR, Anchor[untrusted_root],       refuse_anchor,  no_anchor),
    recv(CHECK_ANCHOR, Anchor[self_signed_leaf],     refuse_anchor,  no_anchor),
    recv(CHECK_ANCHOR, Anchor[missing_intermediate], refuse_anchor,  no_anchor),

    # ---- 4.1, 4.2: the form of each certificate (1, 15, 3, 22, 18, 19)
    recv(CHECK_ENCODING, Encoding[well_formed], CHECK_EXTENSION_COUNT, MUST("4.1", "4.1.2.1 any")),
    recv(CHECK_ENCODING, Encoding[malformed],   refuse_encoding, rejects("bad", "4.1", "RFC 5246 7.2.2 decode")),
    recv(CHECK_ENCODING, Encoding[bad_version], refuse,          rejects("unknown", "4.1.2.1", "4.1 extensions")),
    recv(CHECK_EXTENSION_COUNT, ExtensionCount[each_once],           CHECK_ALGORITHMS, MUST("4.2 once")),
    recv(CHECK_EXTENSION_COUNT, ExtensionCount[duplicate_extension], refuse,           rejects("unknown", "4.2 once")),
    recv(CHECK_ALGORITHMS, Algorithms[same_algorithm],               CHECK_IDENTIFIERS, MUST("4.1.1.2")),
    recv(CHECK_ALGORITHMS, Algorithms[signature_algorithm_mismatch], refuse,            rejects("unknown", "4.1.1.2")),
    recv(CHECK_IDENTIFIERS, Identifiers[agreeing], CHECK_NAME_FORM, MUST("4.1.2.2", "4.2.1.2")),
    *left_open(CHECK_IDENTIFIERS, Identifiers[bad_serial],   CHECK_NAME_FORM, refuse, tolerated, "4.1.2.2", "4.1.2.2 long"),
    *left_open(CHECK_IDENTIFIERS, Identifiers[aki_mismatch], CHECK_NAME_FORM, refuse, unmatched, "4.2.1.1", "4.2.1.2"),
    recv(CHECK_NAME_FORM, NameForm[clean_names],       CHECK_LABELS, MUST("4.2.1.6 stored", "4.2.1.6 syntax")),
    recv(CHECK_NAME_FORM, NameForm[bad_name_encoding], refuse,       rejects("unknown", "4.2.1.6 stored", "4.2.1.6 address")),
    *left_open(CHECK_NAME_FORM, NameForm[nul_in_name], CHECK_LABELS, refuse, unadvised, "4.2.1.6 syntax"),
    recv(CHECK_LABELS, Labels[sound_labels],           CHECK_SIGNATURE, MUST("7.2", "RFC 6125 6.4.2")),
    *left_open(CHECK_LABELS, Labels[hostile_punycode], CHECK_SIGNATURE, refuse, unadvised, "7.2"),

    # ---- 6.1.3 (a)(1): the signature (2, 4)
    recv(CHECK_SIGNATURE, Signature[verified],      CHECK_STRENGTH,   MUST("6.1.3 signature")),
    recv(CHECK_SIGNATURE, Signature[bad_signature], refuse_signature, signature_fails),
    recv(CHECK_STRENGTH, Strength[strong],          CHECK_VALIDITY, MUST("6.1.3 signature", "RFC 8422 5.9")),
    *left_open(CHECK_STRENGTH, Strength[weak_key],  CHECK_VALIDITY, refuse, unchecked, "8", "RFC 8446 C.2"),
    *left_open(CHECK_STRENGTH, Strength[weak_hash], CHECK_VALIDITY, refuse, unchecked, "8", "RFC 8446 4.4.2.4"),
    *left_open(CHECK_STRENGTH, Strength[explicit_curve], CHECK_VALIDITY, refuse, unchecked, "RFC 8422 5.9", "RFC 5480 2.1.1", "RFC 8422 5.1.1"),

    # ---- 6.1.3 (a)(2), (3): the time (5, 24)
    recv(CHECK_VALIDITY, Validity[current], unasked, CHECK_ISSUER_NAME, MUST("6.1.3 time", "6.1.3 means")),
    recv(CHECK_VALIDITY, Validity[current], asked,   CHECK_STATUS,      MUST("6.1.3 time", "6.1.3 revoked")),
    recv(CHECK_VALIDITY, Validity[expired],          refuse_time,       time_fails),
    recv(CHECK_VALIDITY, Validity[not_yet_valid],    refuse_time,       time_fails),
    recv(CHECK_STATUS, Status[unrevoked],      CHECK_ISSUER_NAME,          MUST("6.1.3 revoked", "6.3")),
    recv(CHECK_STATUS, Status[revoked],        abort(certificate_revoked), rejects("revoked", "6.1.3 revoked", "6.3.3", "6.1.3 fails")),
    recv(CHECK_STATUS, Status[status_unknown], refuse,                     rejects("unknown", "6.1.3 revoked", "6.3.3 unknown", "6.1.3 fails")),

    # ---- 6.1.3 (a)(4), (b), (c): the names (6, 13)
    recv(CHECK_ISSUER_NAME, IssuerName[chained, leaf],                CHECK_SUBTREES, keep(POSITION),         MUST("6.1.3 issuer", "6.1 names", "6.1.3 skip")),
    recv(CHECK_ISSUER_NAME, IssuerName[chained, issuer, by_another],  CHECK_SUBTREES, keep(POSITION, ISSUED), MUST("6.1.3 issuer", "6.1 names")),
    recv(CHECK_ISSUER_NAME, IssuerName[chained, issuer, self_issued], CHECK_POLICIES, keep(POSITION, ISSUED), MUST("6.1.3 skip", "6.1 self-issued", "6.1.3 issuer")),
    recv(CHECK_ISSUER_NAME, IssuerName[name_chain_broken],            refuse,         rejects("unknown", "6.1.3 issuer", "6.1 names", "6.1.3 fails")),
    recv(CHECK_SUBTREES, Subtrees[within],             CHECK_POLICIES, MUST("6.1.3 permitted", "6.1.3 excluded")),
    recv(CHECK_SUBTREES, Subtrees[name_not_permitted], refuse,         rejects("unknown", "6.1.3 permitted", *names_fail)),
    recv(CHECK_SUBTREES, Subtrees[name_excluded],      refuse,         rejects("unknown", "6.1.3 excluded", "4.2.1.10 excluded", *names_fail)),

    # ---- 6.1.3 (d) to (f): the policies (23)
    recv(CHECK_POLICIES, Policies[policy_left], issuer, CHECK_POLICY_MAPPINGS, MUST("6.1.3 policy", "6.1.3 policies", "6.1.3 no-policies", "6.1.3 prepare")),
    recv(CHECK_POLICIES, Policies[policy_left], leaf,   CHECK_LEAF_EXTENSIONS, MUST("6.1.3 policy", "6.1.3 policies", "6.1.3 no-policies", "6.1.3 wrap-up", "6.1.5 count", "6.1.5 constraints")),
    recv(CHECK_POLICIES, Policies[policy_violation],    refuse,                policy_fails),

    # ---- 6.1.4: each issuer (23, 8, 9, 10, 14, 12)
    recv(CHECK_POLICY_MAPPINGS, PolicyMappings[policy_left], prepared, preparation),
    *left_open(CHECK_POLICY_MAPPINGS, PolicyMappings[policy_violation], prepared, refuse, unsupported, "4.2.1.5", "6.1.4 fails", may="6.1.4 mapped"),
    recv(CHECK_BASIC_CONSTRAINTS, BasicConstraints[ca], by_another,  CHECK_PATH_LENGTH,   MUST("6.1.4 ca")),
    recv(CHECK_BASIC_CONSTRAINTS, BasicConstraints[ca], self_issued, CHECK_KEY_CERT_SIGN, MUST("6.1.4 ca", "6.1 self-issued", "6.1.4 limit")),
    recv(CHECK_BASIC_CONSTRAINTS, BasicConstraints[issuer_not_ca],   refuse,              rejects("unknown", "6.1.4 ca", "4.2.1.9", "6.1.4 fails")),
    recv(CHECK_PATH_LENGTH, PathLength[short_enough],     CHECK_KEY_CERT_SIGN, MUST("6.1.4 length", "6.1.4 limit")),
    recv(CHECK_PATH_LENGTH, PathLength[pathlen_exceeded], refuse,              rejects("unknown", "6.1.4 length", "4.2.1.9 length", "6.1.4 fails")),
    recv(CHECK_KEY_CERT_SIGN, KeyCertSign[may_sign],         CHECK_ISSUER_EXTENSIONS, MUST("6.1.4 sign")),
    recv(CHECK_KEY_CERT_SIGN, KeyCertSign[issuer_key_usage], refuse_issuer_use,       rejects("unsupported", "6.1.4 sign", "4.2.1.3", "6.1.4 fails")),
    recv(CHECK_ISSUER_EXTENSIONS, CriticalExtensions[recognized],       CHECK_ISSUER_PURPOSE, MUST("6.1.4 critical")),
    recv(CHECK_ISSUER_EXTENSIONS, CriticalExtensions[unknown_critical], refuse,               rejects("unknown", "4.2 critical", "6.1.4 critical", "6.1.4 fails")),
    recv(CHECK_ISSUER_PURPOSE, IssuerPurpose[any_leaf], next_certificate, MUST("6.1.4 next")),
    *left_open(CHECK_ISSUER_PURPOSE, IssuerPurpose[issuer_eku], next_certificate, refuse_issuer_use, unlimited, "4.2.1.12"),

    # ---- 6.1.5, and what the key is for: the leaf (14, 23, 11, 12)
    recv(CHECK_LEAF_EXTENSIONS, CriticalExtensions[recognized],       CHECK_POLICY_RESULT, MUST("6.1.5 critical", "6.1.5 user")),
    recv(CHECK_LEAF_EXTENSIONS, CriticalExtensions[unknown_critical], refuse,              rejects("unknown", "4.2 critical", "6.1.5 critical")),
    recv(CHECK_POLICY_RESULT, PolicyResult[policy_left],      CHECK_KEY_USAGE, MUST("6.1.5 succeeds", "6.1.5 user")),
    recv(CHECK_POLICY_RESULT, PolicyResult[policy_violation], refuse,          rejects("unknown", "6.1.5 succeeds", "6.1.5 user")),
    recv(CHECK_KEY_USAGE, KeyUsage[fitting],        CHECK_PURPOSE, MUST("RFC 5246 7.4.2", "6.1 target")),
    recv(CHECK_KEY_USAGE, KeyUsage[leaf_key_usage], refuse_usage,  usage_fails),
    recv(CHECK_PURPOSE, Purpose[for_servers], CHECK_ALTERNATIVES, MUST("4.2.1.12")),
    recv(CHECK_PURPOSE, Purpose[wrong_eku],   refuse_usage,       rejects("unsupported", "4.2.1.12")),
    *left_open(CHECK_PURPOSE, Purpose[any_purpose], CHECK_ALTERNATIVES, refuse_usage, unrequired, "4.2.1.12", may="4.2.1.12 any"),
    *left_open(CHECK_PURPOSE, Purpose[no_purpose],  CHECK_ALTERNATIVES, refuse_usage, unrequired, "4.2.1.12", may="4.2.1.12 require"),

    # ---- RFC 9525: the name (16, 17)
    recv(CHECK_ALTERNATIVES, Alternatives[has_names], CHECK_NAME, MUST("RFC 9525 6.2", "RFC 9525 6.4")),
    recv(CHECK_ALTERNATIVES, Alternatives[no_san],    refuse,     rejects("unknown", "RFC 9525 6.2", "RFC 9525 6")),
    recv(CHECK_NAME, Name[named],      CHECK_WILDCARD, MUST("RFC 9525 6.3", "RFC 9525 6.4", "RFC 6125 6.4.1", "7.2 equal")),
    recv(CHECK_NAME, Name[wrong_name], refuse,         rejects("unknown", "RFC 9525 6", "RFC 9525 6.3", "RFC 6125 6.4.1", "7.2 equal")),
    recv(CHECK_WILDCARD, Wildcard[proper],       ACCEPTED, MUST("RFC 9525 6.3", "RFC 6125 6.6.1")),
    recv(CHECK_WILDCARD, Wildcard[bad_wildcard], refuse,   rejects("unknown", "RFC 9525 6.3", "RFC 6125 6.4.3 left", "RFC 6125 6.4.3 one")),
    *elsewhere(),
]
# fmt: on


def label(row: Row) -> tuple[str, str]:
    """The answer and what follows, for pictures: "no", and the alert that this project sends."""
    if isinstance(row.next, Abort):
        return "no", row.next.alerts[0].name
    if row.states.members[0] is START:
        return row.pattern.message.name, ""
    # Where other answers that are right lead elsewhere, what tells them apart is part of the label.
    rights = [
        each for each in certificate.rows
        if not isinstance(each.next, Abort) and each.states.members == row.states.members and not each.is_rest
    ]  # fmt: skip
    apart = ""
    if len({each.next for each in rights if not each.condition}) > 1:
        facts = [_facts(each) for each in rights]
        apart = ", ".join(fact for fact in _facts(row) if not all(fact in other for other in facts))
    return ", ".join(part for part in ("yes", apart, row.condition) if part), ""


def _facts(row: Row) -> list[str]:
    """What a row wants of its message, in the table's words."""
    return row.pattern.text.partition("[")[2].rstrip("]").split(", ")


certificate = check(
    Role(
        name="certificate",
        title="Certificate validation",
        rfc=5280,
        initial=START,
        accepting=ACCEPTED,
        final=ACCEPTED,
        aborted=REJECTED,
        alert=Alert,
        fatal=fatal,
        alphabet=OBSERVATIONS,
        lines=rows,
        quotes=quotes,
        phases=PHASES,
        memory={REVOCATION: unasked, POSITION: issuer, ISSUED: by_another},
        readings=READINGS,
        default_readings=frozenset({RFC5280}),
        order=(START, *ASKS),
        hints={"label": label},
        theory=__doc__ or "",
    )
)
"""The certificate table: the checks in the order of RFC 5280 section 6.1, and what each defect leads to."""
