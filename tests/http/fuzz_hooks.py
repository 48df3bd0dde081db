"""Hooks for schemathesis. They generate pictures, give each submission its own key, and spread calls over addresses and
administrators, so that calls are not throttled."""

import base64
import itertools
import os
import uuid
from typing import Any

import schemathesis
from hypothesis import strategies
from pictures import picture

pictures = strategies.builds(picture, strategies.sampled_from([1, 16, 64]), strategies.integers(0, 255))
schemathesis.openapi.media_type("image/png", pictures, aliases=["image/jpeg", "image/webp"])
schemathesis.openapi.format(
    "data-uri-image", pictures.map(lambda png: "data:image/png;base64," + base64.b64encode(png).decode())
)


# Fewer calls than an administrator may make in a minute.
CALLS_OF_ONE = 100

sessions = os.environ["FUZZ_ADMIN_SESSIONS"].split()
calls, administrative = itertools.count(), itertools.count()


def from_elsewhere(request: Any) -> Any:
    """Give every call another address, and use several administrators in turn, because throttling is not tested here."""
    high, low = divmod(next(calls), 256)
    request.headers["X-Forwarded-For"] = f"10.0.{high}.{low}"
    cookie = request.headers.get("Cookie", "")
    if sessions[0] in cookie:
        turn = next(administrative) // CALLS_OF_ONE % len(sessions)
        request.headers["Cookie"] = cookie.replace(sessions[0], sessions[turn])
    return request


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Give each submission its own key, because two different submissions with one key are refused."""
    kwargs["auth"] = from_elsewhere
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Leave out the call that revokes the pepper, because it ends the session."""
    return case.path != "/admin/secrets/{name}/revoke" or case.path_parameters.get("name") != "pepper"
