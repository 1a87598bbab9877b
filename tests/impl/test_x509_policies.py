"""Certificate policies: valid_policy_tree, the counters that govern it, and that it never grows without bound."""

from __future__ import annotations

import itertools

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.impl.x509 import Defect, PolicyInputs, Result
from shakeproof.impl.x509.policies import ANY_POLICY, MAX_POLICY_NODES, Policies
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import Extension, Party, ca, judge, leaf, places, root

RED, GOLD, WHITE = "1.2.3.1", "1.2.3.2", "1.2.3.3"
DEMAND = (x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None), True)
NO_MAPPING = (x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=0), True)
NO_ANY = (x509.InhibitAnyPolicy(0), True)


def stated(*policies: str) -> Extension:
    return x509.CertificatePolicies(
        [x509.PolicyInformation(x509.ObjectIdentifier(one), None) for one in policies]
    ), False


def oid(dotted: str) -> bytes:
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return bytes([0x06, 1 + len(rest), 40 * first + second, *rest])


def mapped(*pairs: tuple[str, str]) -> Extension:
    inner = b"".join(bytes([0x30, len(oid(a) + oid(b))]) + oid(a) + oid(b) for a, b in pairs)
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), bytes([0x30, len(inner)]) + inner), True


def chain(*extensions: list[Extension], **options: object) -> Result:
    """The verdict on a chain whose certificates below the root have these extensions, the leaf last."""
    owners = [Owner.INTERMEDIATE, Owner.ATTACKER_INTERMEDIATE, Owner.ATTACKER_ROOT]
    middles: list[Party] = [
        ca(f"CA {number}", owners[number], extensions=item) for number, item in enumerate(extensions[:-1])
    ]
    return judge(root(), *middles, leaf(extensions=extensions[-1]), **options)  # type: ignore[arg-type]


def demanded(*policies: str) -> dict[str, object]:
    return {"policies": PolicyInputs(frozenset(policies) or frozenset({ANY_POLICY}), initial_explicit_policy=True)}


def test_nothing_is_demanded_unless_someone_demands_it() -> None:
    assert chain([], []).accepted
    assert chain([stated(GOLD)], [stated(RED)]).accepted
    assert chain([stated(GOLD)], [stated(GOLD)], policies=PolicyInputs(frozenset({RED}))).accepted


@pytest.mark.parametrize("policies", [[GOLD], [ANY_POLICY], [RED, GOLD]])
def test_a_demand_is_met_by_a_policy_that_holds_along_the_path(policies: list[str]) -> None:
    assert chain([stated(*policies), DEMAND], [stated(GOLD)]).accepted
    assert chain([stated(*policies)], [stated(GOLD)], **demanded()).accepted
    assert chain([stated(*policies)], [stated(GOLD)], **demanded(GOLD, WHITE)).accepted


def test_a_demand_fails_where_the_last_policy_is_lost() -> None:
    assert places(chain([stated(GOLD), DEMAND], [])) == {(Defect.POLICY_VIOLATION, 0)}
    assert places(chain([stated(GOLD), DEMAND], [stated(RED)])) == {(Defect.POLICY_VIOLATION, 0)}
    assert places(chain([DEMAND], [stated(GOLD)])) == {(Defect.POLICY_VIOLATION, 0)}
    assert places(chain([], [stated(GOLD)], [stated(GOLD)], **demanded())) == {(Defect.POLICY_VIOLATION, 2)}
    (found,) = chain([stated(GOLD), DEMAND], []).defects
    assert found.clause == "RFC 5280 section 6.1.3 (f)"


def test_policies_that_hold_are_compared_with_those_that_the_user_wants() -> None:
    (found,) = chain([stated(GOLD)], [stated(GOLD)], **demanded(RED)).defects
    assert (found.defect, found.certificate_index) == (Defect.POLICY_VIOLATION, 0)
    assert found.clause == "RFC 5280 section 6.1.5 (g)"
    assert chain([stated(ANY_POLICY)], [stated(ANY_POLICY)], **demanded(RED)).accepted
    assert not chain([stated(GOLD)], [stated(ANY_POLICY)], **demanded(RED)).accepted


def test_require_explicit_policy_counts_certificates() -> None:
    def demand(skip: int) -> Extension:
        return x509.PolicyConstraints(require_explicit_policy=skip, inhibit_policy_mapping=None), True

    assert places(chain([demand(1)], [], [])) == {(Defect.POLICY_VIOLATION, 0)}
    assert chain([demand(2)], [], []).kinds == {Defect.POLICY_VIOLATION}, "the wrap-up counts once more"
    assert chain([demand(3)], [], []).accepted
    assert places(chain([], [demand(0)])) == {(Defect.POLICY_VIOLATION, 0)}, "the leaf's own demand, 6.1.5 (b)"


def test_what_the_certificate_of_the_trust_anchor_says_of_policies_does_not_count() -> None:
    assert judge(root(extensions=[DEMAND, stated(RED)]), leaf(extensions=[stated(GOLD)])).accepted


def test_any_policy_is_no_match_once_it_is_inhibited() -> None:
    assert chain([stated(GOLD), DEMAND], [stated(ANY_POLICY)]).accepted
    assert chain([stated(GOLD), DEMAND, NO_ANY], [stated(ANY_POLICY)]).kinds == {Defect.POLICY_VIOLATION}
    inputs = PolicyInputs(initial_explicit_policy=True, initial_any_policy_inhibit=True)
    assert chain([stated(ANY_POLICY)], [stated(GOLD)], policies=inputs).kinds == {Defect.POLICY_VIOLATION}


def test_a_mapping_makes_another_policy_the_expected_one() -> None:
    first = [stated(GOLD), mapped((GOLD, WHITE)), DEMAND]
    assert chain(first, [stated(WHITE)]).accepted
    assert chain(first, [stated(GOLD)]).kinds == {Defect.POLICY_VIOLATION}
    assert chain([stated(GOLD), mapped((GOLD, WHITE), (GOLD, GOLD)), DEMAND], [stated(GOLD)]).accepted
    wanted = demanded(GOLD)
    assert chain(first, [stated(WHITE)], **wanted).accepted, "the user's GOLD is what the CA maps to WHITE"
    assert not chain(first, [stated(WHITE)], **demanded(WHITE)).accepted
    assert chain([stated(ANY_POLICY), mapped((GOLD, WHITE)), DEMAND], [stated(WHITE)], **wanted).accepted


def test_a_mapping_deletes_the_policy_once_mapping_is_inhibited() -> None:
    second = [stated(GOLD), mapped((GOLD, WHITE))]
    assert chain([stated(GOLD), DEMAND], second, [stated(WHITE)]).accepted
    inhibited = chain([stated(GOLD), NO_MAPPING], second, [stated(WHITE)])
    assert inhibited.kinds == {Defect.POLICY_VIOLATION}
    inputs = PolicyInputs(initial_explicit_policy=True, initial_policy_mapping_inhibit=True)
    assert chain(second, [stated(WHITE)], policies=inputs).kinds == {Defect.POLICY_VIOLATION}


def test_any_policy_can_not_be_mapped() -> None:
    for pair in ((ANY_POLICY, GOLD), (GOLD, ANY_POLICY)):
        (found,) = chain([stated(GOLD), mapped(pair)], [stated(GOLD)]).defects
        assert (found.defect, found.certificate_index) == (Defect.POLICY_VIOLATION, 1)
        assert found.clause == "RFC 5280 section 6.1.4 (a)"


def test_a_mapping_that_is_none_is_malformed() -> None:
    for value in (b"", b"\x30\x00", b"\x30\x02\x30\x00", b"\x05\x00"):
        extension = (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), value), True)
        assert Defect.MALFORMED in chain([extension], []).kinds


class Facts:
    """As much of a certificate as policies look at."""

    self_issued = False
    require_explicit_policy: int | None = None
    inhibit_policy_mapping: int | None = None
    inhibit_any_policy: int | None = None

    def __init__(self, policies: tuple[str, ...], mappings: tuple[tuple[str, str], ...]) -> None:
        self.policies: tuple[str, ...] | None = policies or None
        self.policy_mappings = mappings


def run(path: list[Facts], wanted: frozenset[str]) -> bool:
    policies = Policies(PolicyInputs(wanted, initial_explicit_policy=True), len(path))
    sound = True
    for place, item in enumerate(path):
        policies.process(item, is_last=place == len(path) - 1)  # type: ignore[arg-type]
        sound = sound and not policies.missing
        if place < len(path) - 1:
            policies.prepare(item)  # type: ignore[arg-type]
    return policies.wrap_up(path[-1]) and sound  # type: ignore[arg-type]


def tree(path: list[Facts], wanted: frozenset[str]) -> bool:
    """The tree of RFC 5280 as it is printed, with every node on its own: (chain of valid policies, expected set)."""
    nodes: list[tuple[tuple[str, ...], frozenset[str]]] = [((ANY_POLICY,), frozenset({ANY_POLICY}))]
    for place, item in enumerate(path):
        if item.policies is None:
            return False
        children: list[tuple[tuple[str, ...], frozenset[str]]] = []
        for policy in item.policies:
            if policy == ANY_POLICY:
                continue
            exact = [((*line, policy), frozenset({policy})) for line, expected in nodes if policy in expected]
            above = [((*line, policy), frozenset({policy})) for line, _ in nodes if line[-1] == ANY_POLICY]
            children += exact or above[:1]
        if ANY_POLICY in item.policies:
            for line, expected in nodes:
                have = {child[-1] for child, _ in children if child[:-1] == line}
                children += [((*line, policy), frozenset({policy})) for policy in expected - have]
        nodes = children
        if place == len(path) - 1:
            break
        for source in dict.fromkeys(one for one, _ in item.policy_mappings):
            targets = frozenset(other for one, other in item.policy_mappings if one == source)
            if any(line[-1] == source for line, _ in nodes):
                nodes = [(line, targets if line[-1] == source else expected) for line, expected in nodes]
            else:
                free = [line for line, _ in nodes if line[-1] == ANY_POLICY]
                nodes += [((*line[:-1], source), targets) for line in free[:1]]
        if not nodes:
            return False
    if ANY_POLICY in wanted:
        return bool(nodes)

    def domain(line: tuple[str, ...]) -> str:
        return next((policy for policy in line if policy != ANY_POLICY), ANY_POLICY)

    return any(domain(line) in wanted or domain(line) == ANY_POLICY for line, _ in nodes)


NAMES = (GOLD, WHITE, ANY_POLICY)
facts = st.builds(
    Facts,
    st.lists(st.sampled_from(NAMES), unique=True, max_size=3).map(tuple),
    st.lists(st.sampled_from([(GOLD, WHITE), (WHITE, GOLD), (GOLD, GOLD), (GOLD, RED)]), unique=True, max_size=2).map(
        tuple
    ),
)


@given(st.lists(facts, min_size=1, max_size=4), st.frozensets(st.sampled_from(NAMES), min_size=1))
def test_the_graph_says_what_the_tree_of_the_rfc_says(path: list[Facts], wanted: frozenset[str]) -> None:
    assert run(path, wanted) == tree(path, wanted)


def test_policies_that_would_make_an_exponential_tree_make_a_small_graph() -> None:
    """CVE-2023-0464: two policies, each mapped to both, double the leaves of a tree at every depth."""
    both = tuple(itertools.product((GOLD, WHITE), (GOLD, WHITE)))
    path = [Facts((GOLD, WHITE), both) for _ in range(200)]
    assert run(path, frozenset({GOLD}))


def test_more_policies_than_the_budget_are_a_path_bomb() -> None:
    many = [f"1.2.4.{number}" for number in range(MAX_POLICY_NODES // 2 + 1)]
    result = chain([stated(*many)], [stated(*many)])
    assert result.kinds == {Defect.PATH_BOMB}
