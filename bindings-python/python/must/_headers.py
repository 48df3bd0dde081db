"""Reads credentials and addresses from the headers and the query of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

ADMIN_QUERY_NAMES = frozenset({"admin_key", "admin-key", "admin_api_key", "x-admin-key"})
"""Names of query parameters that would hold an admin key, which is not allowed."""


def read_headers(headers: Iterable[tuple[str, str]], query: str, peer: str | None) -> dict[str, Any]:
    """The members of `RequestFacts`, except the route."""
    lines = [(name.lower(), value) for name, value in headers]
    pairs = parse_qsl(query.lstrip("?"), keep_blank_values=True)

    def every(name: str) -> tuple[str, ...]:
        return tuple(value for found, value in lines if found == name)

    origins = every("origin")
    return {
        "header_keys": every("x-api-key"),
        "query_keys": tuple(value for name, value in pairs if name == "api_key"),
        "cookies": every("cookie"),
        "admin_header_keys": every("x-admin-key"),
        "query_admin_key_present": any(name.lower() in ADMIN_QUERY_NAMES for name, _ in pairs),
        # Browsers send one Origin header. Two are joined into a text that no allowed origin equals.
        "origin": ", ".join(origins) if origins else None,
        "peer": peer,
        "forwarded_for": every("x-forwarded-for"),
        "correlation_id": next(iter(every("x-request-id")), None),
    }
