"""The FastAPI example protects its own routes with the platform's access control."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

APP = Path(__file__).parents[2] / "examples" / "mount" / "fastapi" / "app.py"


def test_only_a_valid_key_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ADMIN_KEY", "sixteen letters!")
    spec = importlib.util.spec_from_file_location("mounted_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    wish = {"model": "tiny-image", "prompt": "a red circle", "parameters": {"steps": 4}}
    with TestClient(module.app, client=("192.0.2.1", 50000)) as client:
        refused = client.post("/generate", json=wish)
        assert (refused.status_code, refused.json()["code"]) == (401, "session_required")
        assert set(refused.json()) == {"code", "detail", "user_action"}
        wrong = client.post("/generate", json=wish, headers={"X-API-Key": "not-a-credential"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "invalid_api_key")
        assert "not-a-credential" not in wrong.text
        assert client.portal is not None
        issued = client.portal.call(module.app.state.platform.auth.issue_key, "studio")
        key = {"X-API-Key": issued.secret}
        taken = client.post("/generate", json=wish, headers=key)
        assert taken.status_code == 202
        assert taken.json()["for"] == f"key:{issued.key.id}"
        path = f"/status/{taken.json()['id']}"
        assert client.get(path, headers=key).json()["status"] in {"pending", "processing", "done"}
        assert client.get(path).status_code == 401
        assert client.get("/status/no-such", headers=key).status_code == 404
