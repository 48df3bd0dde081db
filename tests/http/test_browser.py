"""A browser's calls from other origins, and results that it shows in tabs and in pages of other sites. The pages are in
tests/browser."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from conftest import API_KEY, serving

BROWSER = Path(__file__).resolve().parents[1] / "browser"

pytestmark = pytest.mark.skipif(
    shutil.which("chromium") is None and "MUST_REQUIRE_TOOLS" not in os.environ, reason="there is no Chromium"
)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_results_in_tabs_and_in_pages_of_other_sites(tmp_path: Path) -> None:
    port = free_port()
    settings = {"http": {"session_cookie_same_site": "none"}}
    with serving(tmp_path / "data", settings, MUST_FRONTEND_ORIGINS=f"http://localhost:{port}") as server:
        command = ["node", BROWSER / "embed.mjs", server.url, str(port), API_KEY]
        outcome = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert outcome.returncode == 0, outcome.stderr
        seen = json.loads(outcome.stdout)
        shown = {"picture": 64, "clip": 64, "plays": True, "problems": []}
        assert seen["tab"] == shown
        assert seen["tab by key"] == shown
        assert seen["own page"] == {**shown, "framed": True}
        assert seen["allowed site"] == {**shown, "framed": True}
        assert seen["stranger"]["picture"] == seen["stranger"]["clip"] == "refused"
        assert seen["stranger"]["framed"] is False
        assert seen["stranger by key"]["picture"] == 64, "an address with a key may be shown by any page"
        saved = seen["saved"]
        assert saved["picture"].startswith("tiny-image-1-a-red-circle-")
        assert saved["clip"].startswith("tiny-video-1-красный-круг-")
        assert (Path(saved["picture"]).suffix, Path(saved["clip"]).suffix) == (".png", ".mp4")


def test_pages_of_other_origins(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "data", MUST_FRONTEND_ORIGINS=f"http://127.0.0.1:{port}") as server:
        outcome = subprocess.run(
            ["node", BROWSER / "cross_origin.mjs", server.url, str(port)], capture_output=True, text=True, timeout=200, check=False
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
