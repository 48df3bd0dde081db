"""What schemathesis has to know beyond the document: how pictures look, and that a key stands for one submission."""

import base64
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


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Two different submissions under one key are refused, and rightly so: each gets a key of its own."""
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = str(uuid.uuid4())
