"""shakeproof: one state-machine model of an HTTPS connection that tests, audits and draws protocol stacks.

    import shakeproof as sp
    sp.role("tls12.client")                    # shows as a picture in a notebook
    run = sp.audit("127.0.0.1:8443", time_s=60, seed=7)
    for finding in run.findings:
        print(finding.verdict, finding.clause, finding.title)
    raise SystemExit(run.exit_code)

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["RoleView", "RunView", "__version__", "audit", "draw", "replay", "role"]

if TYPE_CHECKING:
    from shakeproof.api import RoleView, RunView, audit, draw, replay, role


def __getattr__(name: str) -> Any:
    if name in __all__:
        from shakeproof import api

        return getattr(api, name)
    raise AttributeError(f"module 'shakeproof' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
