"""A FastAPI app with its own routes, which the platform's access control protects.

    ADMIN_KEY=... uvicorn app:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import must


class GenerateBody(BaseModel):
    """The body of a request for a generation."""

    model: str
    prompt: str
    parameters: dict[str, Any] = {}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the platform open while the app runs."""
    async with must.AsyncPlatform(
        os.environ.get("DATA_DIR", "data"), device="cpu", admin_key=os.environ["ADMIN_KEY"]
    ) as platform:
        app.state.platform = platform
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(must.MustError)
async def answer_error(request: Request, error: must.MustError) -> JSONResponse:
    """Answer with the error's own status."""
    body = {"code": error.code, "detail": error.detail, "user_action": error.user_action}
    return JSONResponse(body, error.http_status)


async def principal(request: Request) -> must.Principal:
    """The caller. The routes below run only when the platform authorizes the request."""
    peer = request.client.host if request.client else None
    facts = must.RequestFacts.from_headers("generation", request.headers.items(), request.url.query, peer)
    platform: must.AsyncPlatform = request.app.state.platform
    return await platform.auth.authorize(facts)


Known = Annotated[must.Principal, Depends(principal)]


@app.post("/generate", status_code=202)
async def generate(request: Request, body: GenerateBody, known: Known) -> dict[str, str]:
    """Submit a generation."""
    # Values from callers must not choose files of this machine.
    task = await request.app.state.platform.submit(body.model, body.prompt, image_paths=False, **body.parameters)
    return {"id": task.id, "for": known.actor}


@app.get("/status/{id}")
async def status(request: Request, id: str, known: Known) -> dict[str, Any]:
    """The state of a task."""
    state = (await request.app.state.platform.task(id)).state
    return {"id": state.id, "status": state.status, "progress": state.progress}
