"""The program `must` talks to the process that has the data folder open: a server, or a host in Python or Node."""

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

from conftest import ADMIN_KEY, Server, failure, over_sockets, serving

JSON = {"Content-Type": "application/json"}


def must(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUST_")} | variables
    command = [os.environ["MUST_PROGRAM"], "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def answer(*arguments: str, **variables: str) -> dict[str, Any]:
    done = must(*arguments, **variables)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_commands_reach_the_host_that_has_the_folder(server: Server, tmp_path: Path) -> None:
    here = ("--data", str(server.data))
    key = answer(*here, "keys", "issue", "studio")["api_key"]
    with server.open({"X-API-Key": key}) as client:
        assert client.get("/models").status_code == 200
    picture = tmp_path / "circle.png"
    made = answer(*here, "generate", "a red circle", "-o", str(picture), "--set", "steps=4")
    assert picture.read_bytes() == server.client.get(f"/results/{made['id']}").content
    assert answer(*here, "audit", "verify")["ok"] is True


def test_only_the_owner_can_open_the_socket(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data) as server:
        assert server.bare("GET", "/health").status_code == 200
        place = (data / "run").stat(), (data / "run/control.sock").stat()
        assert [stat.S_IMODE(entry.st_mode) for entry in place] == [0o700, 0o600]
    assert not (data / "run/control.sock").exists()


def test_a_host_without_a_socket_is_reported(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, {"control_socket": False}) as server:
        assert server.bare("GET", "/health").status_code == 200
        refused = must("--data", str(data), "keys", "list")
        assert refused.returncode == 3 and json.loads(refused.stderr)["code"] == "data_dir_locked"


def test_any_call_by_its_name_needs_an_admin_session(server: Server) -> None:
    failure(server.bare("POST", "/admin/calls/auth.keys", json={}), 401, "admin_session_required")
    with server.admin() as admin:
        issued = admin.post("/admin/calls/auth.issue_key", json={"name": "studio"}).json()
        assert issued["secret"].startswith("must_api_")
        keys = admin.post("/admin/calls/auth.keys", json={}).json()
        assert issued["key"] in keys
        assert issued["secret"] not in json.dumps(keys)
        for name in ("secrets.get", "audit.append", "audit.export", "backup", "auth.authorize", "nothing"):
            failure(admin.post(f"/admin/calls/{name}", json={}), 404, "not_found")
        failure(admin.post("/admin/calls/auth.keys", content="[]", headers=JSON), 422, "validation_error")
        failure(admin.post("/admin/calls/auth.keys", content="{}"), 422, "validation_error")
        posed = {"name": "studio", "caller": {"actor": "somebody", "source": "elsewhere"}}
        failure(admin.post("/admin/calls/auth.issue_key", json=posed), 422, "validation_error")
        failure(admin.post("/admin/calls/tasks.status", json={"id": "nothing"}), 404, "task_not_found")


@over_sockets
def test_commands_reach_a_platform_at_a_url(server: Server, tmp_path: Path) -> None:
    there = ("--url", server.url)
    listed = answer(*there, "tasks", "list", MUST_ADMIN_KEY=ADMIN_KEY)
    assert set(listed) == {"items", "total", "page", "per_page", "has_more"}
    refused = must(*there, "tasks", "list", MUST_ADMIN_KEY="another key of sixteen")
    assert refused.returncode == 3 and json.loads(refused.stderr)["code"] == "admin_key_invalid"
    refused = must(*there, "audit", "export", str(tmp_path / "export"), MUST_ADMIN_KEY=ADMIN_KEY)
    assert refused.returncode == 2 and not (tmp_path / "export").exists()
