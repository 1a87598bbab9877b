"""All roles by name."""

from __future__ import annotations

from shakeproof.model import tls12
from shakeproof.model.machine import Role

ROLES: dict[str, Role] = {role.name: role for role in (tls12.client, tls12.server)}
