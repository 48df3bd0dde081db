"""The peer: the same two calls as a careful engineer writes them with FastAPI and SQLite.

`POST /generate` checks the key and the request, and answers once a row is durable (WAL, synchronous=FULL); `GET /status/{id}`
reads it. Nothing runs the tasks. Connections are kept, one a thread; SQLite's own lock orders the writers.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import threading
import time
import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

KEY = hashlib.sha256(os.environ["BENCH_KEY"].encode()).digest()
DATABASE = os.environ["BENCH_DATABASE"]
SCHEMA = """
CREATE TABLE IF NOT EXISTS task (
    id TEXT PRIMARY KEY, model TEXT NOT NULL, prompt TEXT NOT NULL, parameters TEXT NOT NULL, seed INTEGER NOT NULL,
    status TEXT NOT NULL, progress INTEGER NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL
) STRICT
"""


class Request(BaseModel):
    """What a picture is asked for with."""

    model_config = ConfigDict(extra="forbid")
    model: Literal["tiny-image"]
    prompt: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
    negative_prompt: Annotated[str, Field(max_length=1000)] = ""
    seed: Annotated[int, Field(ge=-1, le=2147483647)] = -1
    steps: Annotated[int, Field(ge=1, le=50)] = 20
    guidance_scale: Annotated[float, Field(ge=1, le=10)] = 3.0
    output_format: Literal["png", "jpeg"] = "png"


_local = threading.local()


def connection() -> sqlite3.Connection:
    """This thread's connection."""
    if not hasattr(_local, "connection"):
        opened = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("PRAGMA synchronous=FULL")
        opened.execute(SCHEMA)
        _local.connection = opened
    return _local.connection


def authorized(x_api_key: Annotated[str, Header()]) -> None:
    """Lets the one key in."""
    if not hmac.compare_digest(hashlib.sha256(x_api_key.encode()).digest(), KEY):
        raise PermissionError


app = FastAPI(dependencies=[Depends(authorized)])


@app.exception_handler(PermissionError)
def refused(_: object, __: PermissionError) -> JSONResponse:
    """A wrong key."""
    return JSONResponse({"code": "invalid_api_key"}, 403)


@app.post("/generate", status_code=202)
def generate(request: Request) -> dict[str, str]:
    """Keep a task."""
    task, now = str(uuid.uuid4()), time.time()
    values = request.model_dump(exclude={"model", "prompt", "seed"})
    row = (task, request.model, request.prompt, json.dumps(values), request.seed, "pending", 0, now, now)
    connection().execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return {"task_id": task, "status": "pending"}


@app.get("/status/{task}", response_model=None)
def status(task: str) -> dict[str, object] | JSONResponse:
    """How a task stands."""
    columns = "id, status, progress, seed, created_at, updated_at"
    row = connection().execute(f"SELECT {columns} FROM task WHERE id = ?", (task,)).fetchone()
    if row is None:
        return JSONResponse({"code": "task_not_found"}, 404)
    names = ("task_id", "status", "progress", "seed", "created_at", "updated_at")
    return dict(zip(names, row, strict=True))
