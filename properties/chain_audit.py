"""Chains of the certificate factory, offered to a program that is audited: what no message of the suites says is wrong.

A suite's certificate has one defect of those that a row names. The factory knows more ways to the same defects: an
issuer that has expired, a signature that nobody could have made, a path that is to be looked for. Each chain here
stands for a value of the table's `chain` fact, whose rows say what is demanded; the clause is the one of the defect.
All lead to the trust anchor that the program has been given, and are current today. Before any of them is believed, a
sound chain of the factory has to be taken; and of a server, that it judges its clients' certificates at all. Which
alert refuses a chain is for the suites to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from time import monotonic

from cryptography import x509

from shakeproof.model import certificate_checks as checks
from shakeproof.model.certificate import certificate
from shakeproof.model.clauses import Clause, Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    Certificate,
    bad_signature,
    expired,
    issuer_not_ca,
    name_excluded,
    not_yet_valid,
    trusted,
    unknown_critical,
    untrusted,
    wrong_name,
)
from shakeproof.properties.chains.draft import STRANGER, Draft, authority, key_info
from shakeproof.properties.chains.plans import Plan, spoilt
from shakeproof.properties.confirmation import confirm
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.conversation import Conversation
from shakeproof.properties.defect_table import is_expected
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.mapper.certificates import CLIENT_NAME, SERVER_NAME, Chain, anchors
from shakeproof.properties.mapper.keys import KeyKind, Owner, private_key
from shakeproof.properties.reasons import answer_text
from shakeproof.properties.suites import Word, whole
from shakeproof.properties.targets.base import Setup, Target
from shakeproof.properties.tasks import Found, Partial, Said
from shakeproof.properties.verdicts import Problem

CHECK = "CHAIN"
"""What the checks of these chains are named by, after their role."""
NAMESAKES = 110
"""CAs of the issuer's name before the right one: more signatures than Go's limit of 100."""
BEHIND = ", with the chain "
"""How a finding's input says which chain was sent."""


@dataclass(frozen=True)
class Offer:
    """A chain with defects. name: in a check's name; fault: what is wrong, in words.

    faults, depth: of the factory's plan; value: what the chain is for the table of the role, which is sound where who
    accepts it is only warned of; defect: what it is for the certificate's table, whose clause it breaks; twin: another certificate of the uppermost CA, with this fault, comes
    first; namesakes: so many other CAs of the issuer's name and key identifier come first; key: the clause instead,
    among those of the role; advice: why whoever accepts it is only warned of, "" where it has to be refused.
    """

    name: str
    fault: str
    faults: tuple[str, ...]
    value: Value
    defect: Value
    depth: int = 1
    twin: str = ""
    namesakes: int = 0
    key: str = ""
    advice: str = ""
    client: bool = False

    @property
    def check(self) -> str:
        """The stable id of its check."""
        return f"{'TLS12-SERVER' if self.client else 'TLS12-CLIENT'}-{CHECK}-{self.name.upper()}"

    def clause(self, role: Role) -> Clause | None:
        """The clause that whoever accepts it breaks."""
        if self.key:
            return role.quotes.clauses[self.key]
        rows = [row for row in certificate.rows if self.defect in row.pattern.guards]
        quoted = [clause for row in rows for clause in row.clauses if clause.sentence]
        return quoted[0] if quoted else None

    def fits(self, kind: KeyKind) -> bool:
        """Whether a chain of such keys can have its faults."""
        if self.namesakes and kind == "rsa":
            return False  # their keys have to be of the leaf's signature's kind, and RSA keys are few
        return kind == "ecdsa" or all(fault.rsa for fault, _ in Plan(self.depth, self.faults).placed)


LIMIT = "no RFC gives a limit to a search; it is our reading that there is one"
URI = "RFC 6125 section 6.4.4 forbids it to whoever supports URI-IDs, RFC 9525 to all"
PURPOSES = "RFC 5246 section 7.4.6 leaves it to the server what it takes from its clients"

# fmt: off
_OFFERS = (
    Offer("expired-issuer", "whose intermediate CA has expired", ("expired@1",), expired, checks.expired),
    Offer("issuer-not-yet-valid", "whose intermediate CA is not valid yet", ("not-yet-valid@1",), not_yet_valid, checks.not_yet_valid),
    Offer("unknown-signature", "whose leaf is signed with an algorithm that nobody knows", ("unknown-algorithm@0",), bad_signature, checks.bad_signature),
    Offer("cube-root", "whose leaf's signature is the cube root of something that only begins as a signed digest does", ("cube-root@0",), bad_signature, checks.bad_signature),
    Offer("no-digest", "whose leaf's signature is one of no digest, which anybody can make", ("no-digest@0",), bad_signature, checks.bad_signature),
    Offer("other-issuer", "whose leaf names another issuer than the one that signed it", ("other-issuer-name@0",), issuer_not_ca, checks.name_chain_broken),
    Offer("issuer-may-not-sign", "whose intermediate CA has a key that may sign no certificates", ("no-cert-sign@1",), issuer_not_ca, checks.issuer_key_usage),
    Offer("second-path", "whose second path is as bad as its first: over an issuer that has expired, and over one that is no CA", ("not-a-ca@1",), issuer_not_ca, checks.issuer_not_ca, twin="expired@1"),
    Offer("issuer-unknown-critical", "whose intermediate CA has a critical extension that nobody knows", ("unknown-critical@1",), unknown_critical, checks.unknown_critical),
    Offer("excluded-in-capitals", "whose name, but for capitals, lies in a subtree that its issuer may not certify", ("excluded-in-capitals@1",), name_excluded, checks.name_excluded),
    Offer("other-host-permitted", "whose name lies in no subtree that its issuer may certify", ("other-host-permitted@1",), name_excluded, checks.name_not_permitted),
    Offer("name-before-nul", "whose name is another one, of which only what stands before a NUL is the server's", ("name-before-nul",), wrong_name, checks.wrong_name, key="RFC 6125 6.6.4"),
    Offer("name-in-uri", "whose alternative name is a URI, so that the server's name stands in the common name alone", ("name-in-uri",), trusted, checks.no_san, key="RFC 6125 6.4.4", advice=URI),
    Offer("namesakes", f"which leads to the anchor only past {NAMESAKES} other CAs of its issuer's name", (), trusted, checks.path_bomb, namesakes=NAMESAKES, advice=LIMIT),
    Offer("wrong-purpose", "whose leaf is meant for signing code", ("wrong-purpose@0",), trusted, checks.wrong_eku, advice=PURPOSES, client=True),
    Offer("wrong-usage", "whose leaf's key may neither sign nor encipher keys", ("wrong-usage",), trusted, checks.leaf_key_usage, advice=PURPOSES, client=True),
)
# fmt: on

OFFERS: dict[str, Offer] = {offer.check: offer for offer in _OFFERS}
"""Every chain that is offered, by its check."""


# ------------------------------------------------------------------------------------------------------- making chains


def today() -> datetime:
    """When chains are to be current: programs look at the real clock."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@lru_cache(maxsize=128)
def chain_of(faults: tuple[str, ...], depth: int, twin: str, namesakes: int, kind: KeyKind, client: bool,
             now: datetime) -> Chain:  # fmt: skip
    """The chain as it is sent, under the trust anchors that every target of the tester has."""
    draft = _anchored(Plan(depth, faults, kind, client), now)
    sent = [draft.write(place) for place in range(draft.top)]
    if twin:
        other = _anchored(Plan(depth, (twin,), kind, client), now)
        other.certificates[depth].serial = b"\x20" + bytes([depth])
        sent.insert(1, other.write(depth))
    sent[1:1] = list(_namesakes(draft, namesakes, kind, now))
    leaf = draft.certificates[0].key
    return Chain(tuple(sent), leaf, "", kind, frozenset(), draft.host, anchors())


def _anchored(plan: Plan, now: datetime) -> Draft:
    """The factory's chain with its faults, issued in the end by the root that targets trust."""
    draft = spoilt(plan, now, CLIENT_NAME if plan.client else SERVER_NAME)
    root, below = draft.certificates[-1], draft.certificates[-2]
    anchor = x509.load_der_x509_certificate(anchors()[("rsa", "ecdsa").index(plan.kind)])
    name = anchor.subject.public_bytes()
    if below.issuer == root.subject:
        below.issuer = name
    root.subject = root.issuer = name
    root.key = private_key(plan.kind, Owner.ROOT)
    root.info = key_info(root.key.public_key())
    root.claimed_key_id = anchor.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return draft


def _namesakes(draft: Draft, count: int, kind: KeyKind, now: datetime) -> Iterator[bytes]:
    """CAs of the name and the key identifier of the leaf's issuer, each with a key of its own."""
    issuer, root = draft.certificates[1], draft.certificates[2]
    for number in range(count):
        other = authority(now, kind, STRANGER + 10 + number, "", root.subject)
        other.subject, other.claimed_key_id = issuer.subject, issuer.key_id
        yield other.write(root)


# ------------------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True)
class ChainProblem(Problem):
    """What is wrong with the answer to an offer."""

    offer: Offer | None = None

    @property
    def check(self) -> str:
        return self.offer.check if self.offer is not None else super().check


class ChainRunner(Runner):
    """Runs words whose Certificate message has the chain of an offer. None: a sound chain of the factory."""

    def __init__(self, target: Target, role: Role, setup: Setup, seed: int, offer: Offer | None) -> None:
        super().__init__(target, role, setup, seed)
        self.offer = offer
        client = role.name.endswith(".server")
        kind = setup.certificate_key
        self.chain = (
            chain_of(offer.faults, offer.depth, offer.twin, offer.namesakes, kind, client, today())
            if offer is not None
            else chain_of((), 1, "", 0, kind, client, today())
        )

    def open(self, record: bool = False) -> Conversation:
        talk = super().open(record)
        talk.peer.context.shown = self.chain
        return talk

    def run(self, word: Word, *, record: bool = False) -> Outcome:
        """Run the word. Only what must not be accepted, or is not survived, is said of an offer."""
        outcome = super().run(word, record=record)
        if self.offer is None or outcome.unreached or outcome.meaningless:
            return outcome
        problem = outcome.problem
        if problem is not None and problem.grade.is_failure and not (self.offer.advice and _refused(outcome)):
            return replace(outcome, problem=self._of_offer(problem))
        if self.offer.advice and accepted(outcome) and outcome.exchange is not None:
            why = f"accepted it; {self.offer.advice}"
            return replace(outcome, problem=self._of_offer(Problem(Grade.WARNING, outcome.exchange, why)))
        return replace(outcome, problem=None)

    def _of_offer(self, problem: Problem) -> ChainProblem:
        assert self.offer is not None
        required = "a refusal" if self.offer.advice else ""
        return ChainProblem(
            problem.grade, problem.exchange, problem.why, problem.how, authority=self.offer.clause(self.role),
            required=required, offer=self.offer,
        )  # fmt: skip


def accepted(outcome: Outcome) -> bool:
    """Whether the certificate was taken and data went over the connection afterwards."""
    return outcome.problem is None and any("ApplicationData" in text for text in outcome.observed)


def _refused(outcome: Outcome) -> bool:
    """Whether nothing worse happened than that the connection was ended, which may be done to it."""
    return outcome.problem is not None and outcome.problem.grade is Grade.REFUSED_VALID


def word_for(role: Role, setup: Setup, value: Value) -> Word | None:
    """The shortest word of the setup in which a certificate with that value is expected."""
    symbol = Certificate.symbol(value)
    return next((word for word in whole(role, setup) if word.symbol == symbol and is_expected(role, word)), None)


def is_offered(target: Target, role: str, setup: Setup, before: tuple[Setup, ...]) -> bool:
    """Whether the chains are offered in the setup: once with each kind of key, to programs that look at the clock."""
    if not target.is_probed or not target.trusts_factory:
        return False

    def is_for(one: Setup) -> bool:
        return one.client_auth if role.endswith(".server") else one == one.plain

    return is_for(setup) and not any(is_for(one) and one.certificate_key == setup.certificate_key for one in before)


def offer_chains(runner: Runner, deadline: float, partial: Partial, say: Callable[[Said], None]) -> None:
    """Offer each chain that concerns the role and was not offered before; findings are confirmed and told."""
    role, setup = runner.role, runner.setup
    offers = [
        offer
        for offer in _OFFERS
        if offer.client == role.name.endswith(".server") and offer.fits(setup.certificate_key)
    ]
    if partial.offered == len(offers):
        return
    why = _in_vain(runner)
    found = {(finding.check, finding.grade) for finding in partial.findings}
    for number, offer in enumerate(offers[partial.offered :], partial.offered + 1):
        word = word_for(role, setup, offer.value)
        if why or word is None or monotonic() > deadline:
            partial.leave_beside(f"a chain {offer.fault}", *filter(None, [why]))
            continue
        one = ChainRunner(runner.target, role, setup, runner.seed, offer)
        outcome = one.run(word)
        partial.words += not (outcome.unreached or outcome.meaningless)
        problem = outcome.problem
        if problem is not None and (problem.check, problem.grade) not in found:
            found.add((problem.check, problem.grade))
            finding = shown(confirm(one, word, problem), offer)
            partial.findings.append(finding)
            say(Found(partial.task, finding))
        partial.offered = number


def _in_vain(runner: Runner) -> str:
    """Why no chain of the factory would tell anything; "" where they do."""
    role, setup = runner.role, runner.setup
    sound = word_for(role, setup, trusted)
    if sound is None:
        return "there is no certificate in this setup"
    taken = ChainRunner(runner.target, role, setup, runner.seed, None).run(sound)
    if not accepted(taken):
        return f"a sound chain of our own was tried first, and was not taken: {_why_not(taken)}; faulty ones would show nothing"
    if role.name.endswith(".server"):
        alien = word_for(role, setup, untrusted)
        if alien is None or accepted(runner.run(alien)):
            return "a certificate that leads to no trust anchor of the server was tried first, and was taken: it does not judge them"
    return ""


def _why_not(taken: Outcome) -> str:
    """Why the sound chain was not taken, as far as that shows."""
    if taken.unreached or taken.meaningless:
        return taken.unreached or taken.meaningless
    at = taken.problem.exchange if taken.problem is not None else taken.exchange
    return f"the target {answer_text(at)}" if at is not None else "nothing was sent"


def shown(finding: Finding, offer: Offer) -> Finding:
    """The finding, which says which chain was sent, and not what it stands for in the table."""
    plain = Certificate.symbol(offer.value).text
    text = f"{Certificate.name}{BEHIND}{offer.name}"
    steps = tuple(
        replace(step, facts=(offer.name,), defect=offer.faults, detail=f"a chain {offer.fault}; {step.detail}")
        if step.message == Certificate.name and step.receiver == "target"
        else step
        for step in finding.trace.steps
    )
    title = f"a chain {offer.fault}: {finding.title.partition(': ')[2]}"
    trace = replace(finding.trace, title=f"{finding.grade.value}: a chain {offer.fault}", steps=steps)
    return replace(
        finding,
        title=title,
        input=text,
        word=tuple(text if one == plain else one for one in finding.word),
        trace=trace,
        level=Level.SHOULD.value if offer.advice else finding.level,
    )


def plain_word(finding: Finding) -> tuple[tuple[str, ...], Offer | None]:
    """The finding's inputs in the table's words, and the offer that it is about; None where it is about none."""
    offer = OFFERS.get(finding.check)
    if offer is None:
        return finding.word, None
    plain = Certificate.symbol(offer.value).text
    return tuple(plain if BEHIND in one else one for one in finding.word), offer
