"""All roles by name."""

from __future__ import annotations

from shakeproof.model import certificate, http, tcp, tls12
from shakeproof.model.machine import Role

ROLES: dict[str, Role] = {
    role.name: role for role in (tls12.client, tls12.server, certificate.certificate, http.client, http.server, tcp.tcp)
}
