"""Certificate policies along a path: valid_policy_tree and the three counters that govern it.

The tree can grow exponentially in the length of the path (CVE-2023-0464). All nodes of one depth with one valid_policy
have the same expected_policy_set, though, so they are kept as one node that knows all its parents: the same verdicts,
and no more nodes than the certificates name policies. RFC 9618 describes this graph.

The trust anchor is not in the path (RFC 5280 section 6.1), so what its certificate says of policies does not count.
Source: RFC 5280 sections 6.1.1 (c), (e) to (g), 6.1.2 (a), (d) to (f), 6.1.3 (d) to (f), 6.1.4 (a), (b), (h) to (j),
6.1.5 (a), (b), (g).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from shakeproof.impl.x509.certificate import Certificate

ANY_POLICY = "2.5.29.32.0"

# Nodes of one graph. The largest policy lists of the web's CAs name some thirty; a certificate of 64 KiB could name
# 8,000, each at every depth. OpenSSL stops at 1,000 nodes.
MAX_POLICY_NODES = 4_096


class TooManyPolicies(Exception):  # noqa: N818 - a signal within this package, not an error of the caller
    """The policies of a path make more nodes than MAX_POLICY_NODES."""


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """The inputs (c), (e), (f) and (g) of RFC 5280 section 6.1.1; policies are dotted identifiers."""

    user_initial_policy_set: frozenset[str] = frozenset({ANY_POLICY})
    initial_policy_mapping_inhibit: bool = False
    initial_explicit_policy: bool = False
    initial_any_policy_inhibit: bool = False


@dataclass(slots=True)
class Node:
    """A node: what is expected of the next certificate, and the valid policies of its parents."""

    expected: set[str]
    parents: set[str] = field(default_factory=set)


Level = dict[str, Node]


class Policies:
    """The state variables of one path that concern policies.

    levels: the nodes by depth and valid_policy; None for the tree that is NULL. n: certificates without the anchor.
    """

    def __init__(self, inputs: PolicyInputs, n: int) -> None:
        self.inputs = inputs
        self.levels: list[Level] | None = [{ANY_POLICY: Node({ANY_POLICY})}]
        self.explicit_policy = 0 if inputs.initial_explicit_policy else n + 1
        self.inhibit_any_policy = 0 if inputs.initial_any_policy_inhibit else n + 1
        self.policy_mapping = 0 if inputs.initial_policy_mapping_inhibit else n + 1
        self._nodes = 1

    @property
    def missing(self) -> bool:
        """Whether a valid policy is required and there is none. Section 6.1.3 (f)."""
        return self.explicit_policy == 0 and self.levels is None

    # ------------------------------------------------------------------------------------------------------- 6.1.3

    def process(self, certificate: Certificate, *, is_last: bool) -> None:
        """Section 6.1.3 (d) and (e). Raises TooManyPolicies."""
        stated = certificate.policies
        if stated is None:
            self.levels = None
        if self.levels is None or stated is None:
            return
        above, level = self.levels[-1], Level()
        takers: dict[str, set[str]] = defaultdict(set)
        for valid, node in above.items():
            for policy in node.expected:
                takers[policy].add(valid)
        for policy in stated:
            if policy == ANY_POLICY or policy in level:
                continue
            if policy in takers:  # (d)(1)(i)
                self._add(level, policy, {policy}, takers[policy])
            elif ANY_POLICY in above:  # (d)(1)(ii)
                self._add(level, policy, {policy}, {ANY_POLICY})
        any_counts = self.inhibit_any_policy > 0 or (certificate.self_issued and not is_last)
        if ANY_POLICY in stated and any_counts:  # (d)(2)
            for policy, parents in takers.items():
                if policy not in level:
                    self._add(level, policy, {policy}, parents)
        self._append(level)

    # ------------------------------------------------------------------------------------------------------- 6.1.4

    def prepare(self, certificate: Certificate) -> bool:
        """Section 6.1.4 (a), (b) and (h) to (j); False if (a) fails. Raises TooManyPolicies."""
        mappings = certificate.policy_mappings
        sound = not any(ANY_POLICY in pair for pair in mappings)
        self._map(mappings)
        if not certificate.self_issued:
            self.explicit_policy = max(0, self.explicit_policy - 1)
            self.policy_mapping = max(0, self.policy_mapping - 1)
            self.inhibit_any_policy = max(0, self.inhibit_any_policy - 1)
        if certificate.require_explicit_policy is not None:
            self.explicit_policy = min(self.explicit_policy, certificate.require_explicit_policy)
        if certificate.inhibit_policy_mapping is not None:
            self.policy_mapping = min(self.policy_mapping, certificate.inhibit_policy_mapping)
        if certificate.inhibit_any_policy is not None:
            self.inhibit_any_policy = min(self.inhibit_any_policy, certificate.inhibit_any_policy)
        return sound

    def _map(self, mappings: tuple[tuple[str, str], ...]) -> None:
        if self.levels is None or not mappings:
            return
        level = self.levels[-1]
        equivalent: dict[str, set[str]] = defaultdict(set)
        for issuer_domain, subject_domain in mappings:
            if ANY_POLICY in (issuer_domain, subject_domain):
                continue  # (a) has failed; what follows is judged as if the pair were not there
            equivalent[issuer_domain].add(subject_domain)
        for policy, mapped in equivalent.items():
            if self.policy_mapping == 0:  # (b)(2)
                level.pop(policy, None)
            elif policy in level:  # (b)(1)
                level[policy].expected = mapped
            elif ANY_POLICY in level:
                self._add(level, policy, mapped, set(level[ANY_POLICY].parents))
        if not level:
            self.levels = None

    # ------------------------------------------------------------------------------------------------------- 6.1.5

    def wrap_up(self, certificate: Certificate) -> bool:
        """Section 6.1.5 (a), (b) and (g); whether path processing has succeeded. Raises TooManyPolicies."""
        self.explicit_policy = max(0, self.explicit_policy - 1)
        if certificate.require_explicit_policy == 0:
            self.explicit_policy = 0
        self._intersect(self.inputs.user_initial_policy_set)
        return not self.missing

    def _intersect(self, wanted: frozenset[str]) -> None:
        if self.levels is None or ANY_POLICY in wanted:
            return
        self._prune()
        named: set[str] = set()  # valid policies of the valid_policy_node_set, (g)(iii)(1)
        dropped: set[str] = set()  # what (g)(iii)(2) has deleted on the level above
        for depth in range(1, len(self.levels)):
            level = self.levels[depth]
            gone: set[str] = set()
            for policy, node in list(level.items()):
                if ANY_POLICY in node.parents:
                    named.add(policy)
                    unwanted = policy not in wanted and policy != ANY_POLICY
                else:
                    unwanted = node.parents <= dropped
                if unwanted:
                    gone.add(policy)
                    del level[policy]
            dropped = gone
        last = self.levels[-1]
        if ANY_POLICY in last:  # (g)(iii)(3)
            parents = last.pop(ANY_POLICY).parents
            for policy in wanted - named:
                self._add(last, policy, {policy}, set(parents))
        if not last:
            self.levels = None

    def _prune(self) -> None:
        """Sections 6.1.3 (d)(3) and 6.1.4 (b)(2)(ii), put off until it matters which nodes have children."""
        assert self.levels is not None
        for depth in range(len(self.levels) - 1, 0, -1):
            alive = {parent for node in self.levels[depth].values() for parent in node.parents}
            above = self.levels[depth - 1]
            self.levels[depth - 1] = {policy: node for policy, node in above.items() if policy in alive}

    # ------------------------------------------------------------------------------------------------- bookkeeping

    def _add(self, level: Level, policy: str, expected: set[str], parents: set[str]) -> None:
        self._nodes += 1
        if self._nodes > MAX_POLICY_NODES:
            raise TooManyPolicies
        level[policy] = Node(expected, set(parents))

    def _append(self, level: Level) -> None:
        if self.levels is not None:
            self.levels.append(level)
            if not level:
                self.levels = None
