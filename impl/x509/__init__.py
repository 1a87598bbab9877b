"""Certificate path validation of our own: RFC 5280 section 6 and RFC 9525, all defects with certificate and clause.

`cryptography` parses certificates and verifies signatures; the search for a path and every judgement are made here.
"""

from shakeproof.impl.x509.checks import Outcome, Step
from shakeproof.impl.x509.policies import PolicyInputs
from shakeproof.impl.x509.result import Check, Defect, Found, Reading, Result, Usage
from shakeproof.impl.x509.validator import Validator, leaf_usage_fits, validate, verifier_for_tls
from shakeproof.impl.x509.verifier import Verifier

__all__ = [
    "Check",
    "Defect",
    "Found",
    "Outcome",
    "PolicyInputs",
    "Reading",
    "Result",
    "Step",
    "Usage",
    "Validator",
    "Verifier",
    "leaf_usage_fits",
    "validate",
    "verifier_for_tls",
]
