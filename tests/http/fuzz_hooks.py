"""What schemathesis has to know beyond the document: how pictures look, that a key stands for one submission, and that who
calls too often is told to wait."""

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


# Fewer than an administrator may make in a minute.
CALLS_OF_ONE = 100

sessions = os.environ["FUZZ_ADMIN_SESSIONS"].split()
calls, administrative = itertools.count(), itertools.count()


def from_elsewhere(request: Any) -> Any:
    """Every call comes from another address, and several administrators take turns: how many calls one may make is not what is
    tried here."""
    high, low = divmod(next(calls), 256)
    request.headers["X-Forwarded-For"] = f"10.0.{high}.{low}"
    cookie = request.headers.get("Cookie", "")
    if sessions[0] in cookie:
        turn = next(administrative) // CALLS_OF_ONE % len(sessions)
        request.headers["Cookie"] = cookie.replace(sessions[0], sessions[turn])
    return request


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Two different submissions under one key are refused, and rightly so: each gets a key of its own."""
    kwargs["auth"] = from_elsewhere
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case) -> bool:
    """Without its pepper a session is none any more."""
    return case.path != "/admin/secrets/{name}/revoke" or case.path_parameters.get("name") != "pepper"
