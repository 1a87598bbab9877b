"""All roles by name, each with a silent lint: a table that is ill-formed fails here, at import, with its row named."""

from __future__ import annotations

from shakeproof.model import certificate, http, tcp, tls12_client, tls12_server
from shakeproof.model.lint import check
from shakeproof.model.machine import Role

ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        check(tls12_client.client),
        check(tls12_server.server),
        certificate.certificate,  # this one and those below were checked where they were made
        http.client,
        http.server,
        tcp.tcp,
    )
}
