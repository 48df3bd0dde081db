"""The server that MUST is compared with: the same two calls, written carefully with FastAPI and SQLite.

`POST /generate` checks the key and the request, and answers once a row is durable (WAL, synchronous=FULL).
`GET /status/{id}` reads the row. Nothing runs the tasks. Each thread keeps one connection, and SQLite's own lock orders
the writers.
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
    """The body of a request for a picture."""

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
    """Returns this thread's connection."""
    if not hasattr(_local, "connection"):
        opened = sqlite3.connect(DATABASE, timeout=30, isolation_level=None)
        opened.execute("PRAGMA journal_mode=WAL")
        opened.execute("PRAGMA synchronous=FULL")
        opened.execute(SCHEMA)
        _local.connection = opened
    return _local.connection


def authorized(x_api_key: Annotated[str, Header()]) -> None:
    """Accepts only the one key."""
    if not hmac.compare_digest(hashlib.sha256(x_api_key.encode()).digest(), KEY):
        raise PermissionError


app = FastAPI(dependencies=[Depends(authorized)])


@app.exception_handler(PermissionError)
def refused(_: object, __: PermissionError) -> JSONResponse:
    """Answers a request with a wrong key."""
    return JSONResponse({"code": "invalid_api_key"}, 403)


@app.post("/generate", status_code=202)
def generate(request: Request) -> dict[str, str]:
    """Stores a task."""
    task, now = str(uuid.uuid4()), time.time()
    values = request.model_dump(exclude={"model", "prompt", "seed"})
    row = (task, request.model, request.prompt, json.dumps(values), request.seed, "pending", 0, now, now)
    connection().execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return {"task_id": task, "status": "pending"}


@app.get("/status/{task}", response_model=None)
def status(task: str) -> dict[str, object] | JSONResponse:
    """Returns the state of a task."""
    columns = "id, status, progress, seed, created_at, updated_at"
    row = connection().execute(f"SELECT {columns} FROM task WHERE id = ?", (task,)).fetchone()
    if row is None:
        return JSONResponse({"code": "task_not_found"}, 404)
    names = ("task_id", "status", "progress", "seed", "created_at", "updated_at")
    return dict(zip(names, row, strict=True))
