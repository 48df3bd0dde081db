"""A browser's calls from other origins: the pages are in tests/browser/cross_origin.mjs."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import serving

SCRIPT = Path(__file__).resolve().parents[1] / "browser" / "cross_origin.mjs"


@pytest.mark.skipif(
    shutil.which("chromium") is None and "MUST_REQUIRE_TOOLS" not in os.environ, reason="there is no Chromium"
)
def test_pages_of_other_origins(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(tmp_path / "data", MUST_FRONTEND_ORIGINS=f"http://127.0.0.1:{port}") as server:
        outcome = subprocess.run(
            ["node", SCRIPT, server.url, str(port)], capture_output=True, text=True, timeout=200, check=False
        )
        assert outcome.returncode == 0, outcome.stderr
        seen = json.loads(outcome.stdout)
        clip = seen["allowed"].pop("clip")
        assert seen["allowed"] == {
            "session": 201,
            "models": 6,
            "wrong": "task_not_found",
            "submitted": "string",
            "followed": "done,done",
            "status": 100,
            "image": 64,
            "pixel": 4,
            "video": True,
            "part": 206,
            "deleted": 200,
            "signed out": 204,
            "after": 401,
        }
        assert seen["stranger"].pop("simple") == "opaque", "sent, but not to be read"
        refused = {outcome for outcome in seen["stranger"].values()}
        assert refused <= {"failed: TypeError", "failed: NotAllowedError"}, seen["stranger"]
        assert len(seen["stranger"]) == 8
        gallery = server.client.get("/gallery").json()
        assert [item["id"] for item in gallery["items"]] == [clip], "the stranger changed nothing"
        listed = server.client.get("/v1/videos", headers={"Authorization": f"Bearer {server.client.headers['X-API-Key']}"})
        assert len(listed.json()["data"]) == 1
