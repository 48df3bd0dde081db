"""Values of the program's variables, key files as Kubernetes mounts them, and two servers on one host."""

import contextlib
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import ADMIN_KEY, API_KEY, failure, over_sockets

pytestmark = over_sockets

EXAMPLE = Path(__file__).parents[2] / ".env.example"
VARIABLES = [line.strip("#").split("=")[0] for line in EXAMPLE.read_text().splitlines() if line.startswith("#MUST_")]


def program(data: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command of the program, with these variables and no other variables of the program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUST_")}
    command = [os.environ["MUST_PROGRAM"], "--json", "--data", str(data), *arguments]
    return subprocess.run(command, env=environment | variables, capture_output=True, text=True, timeout=60, check=False)


@contextlib.contextmanager
def serving(folder: Path, **variables: str) -> Iterator[str]:
    """Run `must serve` with these variables and no other variables of the program. Gives its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUST_")}
    command = [os.environ["MUST_PROGRAM"], "--json", "serve", "--addr", "127.0.0.1:0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"XDG_DATA_HOME": str(folder), **variables},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield json.loads(line)["listening"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def models(url: str, key: str) -> httpx.Response:
    return httpx.get(f"{url}/models", headers={"X-API-Key": key})


def test_empty_variables_count_as_not_set(tmp_path: Path) -> None:
    assert len(VARIABLES) >= 21
    for number, blank in enumerate(("", "  ", "\n")):
        variables = dict.fromkeys(VARIABLES, blank) | {"MUST_API_KEY": API_KEY}
        # The address is given as an argument, which overrides the variable.
        with serving(tmp_path / str(number), **variables) as url:
            assert models(url, API_KEY).status_code == 200
            failure(httpx.post(f"{url}/admin/session", headers={"X-Admin-Key": "x"}), 403, "admin_misconfigured")
            failure(httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer"}), 401, "admin_session_required")
        assert (tmp_path / str(number) / "must" / "must.db").exists(), "in the folder of the default"
    for name in VARIABLES:
        said = program(tmp_path / "one", "keys", "list", **{name: ""})
        assert said.returncode == 0, (name, said.stderr)


def test_empty_variables_do_not_change_the_folders_of_image_and_unit(tmp_path: Path) -> None:
    deploy = EXAMPLE.parent / "deploy"
    image = (deploy / "Containerfile").read_text().splitlines()
    unit = (deploy / "must.service").read_text().splitlines()
    own = [line for line in image if line.startswith("ENV ")] + [line for line in unit if line.startswith("Environment=")]
    assert own == ["ENV XDG_DATA_HOME=/srv", "Environment=XDG_DATA_HOME=/var/lib"]
    assert any(line.endswith("ln -s /data /srv/must") for line in image)
    assert 'CMD ["serve", "--addr", "0.0.0.0:8000"]' in image
    # The test uses its own folders; the default folder is a link to the volume, as in the image.
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "must").symlink_to(tmp_path / "data")
    blank = dict.fromkeys(VARIABLES, "")
    with serving(tmp_path, **(blank | {"MUST_API_KEY": API_KEY})) as url:
        assert models(url, API_KEY).status_code == 200
        command = [os.environ["MUST_PROGRAM"], "--json", "keys", "issue", "studio"]
        environment = {**os.environ, **blank, "XDG_DATA_HOME": str(tmp_path)}
        issued = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert models(url, json.loads(issued.stdout)["api_key"]).status_code == 200
    assert (tmp_path / "data" / "must.db").exists()


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", " "])
def test_spaces_and_line_breaks_at_the_ends_of_values_are_removed(tmp_path: Path, ending: str) -> None:
    given = {
        "MUST_API_KEY": API_KEY,
        "MUST_ADMIN_KEY": ADMIN_KEY,
        "MUST_SCRAPE_TOKEN": "a-scrape-token",
        "MUST_FRONTEND_ORIGINS": "tauri://localhost, https://studio.example,",
        "MUST_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8",
        "MUST_ENVIRONMENT": "PROD",
        "MUST_SESSION_COOKIE_SECURE": "Yes",
        "MUST_SESSION_COOKIE_PATH": "/studio/",
    }
    with serving(tmp_path, **{name: value + ending for name, value in given.items()}) as url:
        assert models(url, API_KEY).status_code == 200
        login = httpx.post(f"{url}/admin/session", headers={"X-Admin-Key": ADMIN_KEY})
        assert login.status_code == 204
        assert "; Path=/studio;" in login.headers["set-cookie"]
        assert "; Secure" in login.headers["set-cookie"]
        assert httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer a-scrape-token"}).status_code == 200
        for origin in ("tauri://localhost", "https://studio.example"):
            answer = httpx.get(f"{url}/health", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize(
    ("text", "secure"),
    [("1", True), ("true", True), ("TRUE", True), ("yes", True), ("On", True), ("", True)]
    + [("0", False), ("false", False), ("False", False), ("no", False), ("OFF", False)],
)
def test_yes_and_no_are_read_in_all_usual_forms(tmp_path: Path, text: str, secure: bool) -> None:
    with serving(tmp_path, MUST_SESSION_COOKIE_SECURE=text) as url:
        assert ("; Secure" in httpx.post(f"{url}/auth/session").headers["set-cookie"]) is secure


def test_invalid_values_are_refused_by_name(tmp_path: Path) -> None:
    for name, value in {
        "MUST_SESSION_COOKIE_SECURE": "perhaps",
        "MUST_ENVIRONMENT": "production",
        "MUST_API_KEY": "sixteen letters\nand a line break",
        "MUST_ADMIN_KEY": "ключ администратора",
        "MUST_FRONTEND_ORIGINS": "studio.example",
        "MUST_TRUSTED_PROXIES": "proxy.local",
        "MUST_SESSION_COOKIE_PATH": "studio",
        "MUST_SESSION_COOKIE_SUFFIX": "a;b",
    }.items():
        said = program(tmp_path, "serve", "--addr", "127.0.0.1:0", **{name: value})
        assert said.returncode == 2, (name, said)
        setting = name.removeprefix("MUST_").lower()
        assert setting in said.stderr.lower().replace("-", "_"), (name, said.stderr)
        assert "sixteen" not in said.stderr


def test_key_files_of_a_kubernetes_secret_are_accepted_and_open_ones_are_not(tmp_path: Path) -> None:
    assert program(tmp_path, "keys", "issue", "first").returncode == 0
    files = [tmp_path / "keys" / name for name in ("master.key", "audit.key")]
    for mode in (0o440, 0o640, 0o660):
        for file in files:
            file.chmod(mode)
        said = program(tmp_path, "keys", "issue", "next")
        assert said.returncode == 0, (oct(mode), said.stderr)
    assert program(tmp_path, "secrets", "rotate", "master_key").returncode == 0
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o660, "the group can still read it"
    for mode in (0o444, 0o644, 0o604):
        for file in files:
            file.chmod(mode)
            said = program(tmp_path, "keys", "issue", "refused")
            assert said.returncode == 3, (oct(mode), file, said)
            assert "open to everybody" in said.stderr
            assert "chmod 600" in said.stderr
            file.chmod(0o600)


def test_two_servers_on_one_host_do_not_sign_each_other_out(tmp_path: Path) -> None:
    variables = {"MUST_ADMIN_KEY": ADMIN_KEY, "MUST_SESSION_COOKIE_SECURE": "no"}
    with serving(tmp_path / "a", **variables) as one, serving(tmp_path / "b", **variables) as two, httpx.Client() as browser:
        urls = (one, two)
        for _ in range(2):
            for url in urls:
                assert browser.post(f"{url}/auth/session").status_code == 201
                assert browser.post(f"{url}/admin/session", headers={"X-Admin-Key": ADMIN_KEY}).status_code == 204
        names = sorted(cookie.name for cookie in browser.cookies.jar)
        assert len(names) == 4, names
        assert {"gg_session", "gg_admin_session"} < set(names)
        for url in urls:
            assert browser.get(f"{url}/models").status_code == 200
            assert browser.get(f"{url}/admin/session").status_code == 200
        assert browser.delete(f"{one}/auth/session").status_code == 204
        assert browser.delete(f"{two}/admin/session").status_code == 204
        assert browser.get(f"{one}/models").status_code == 401
        assert browser.get(f"{two}/models").status_code == 200
        assert browser.get(f"{one}/admin/session").status_code == 200
        assert browser.get(f"{two}/admin/session").status_code == 401
        assert browser.post(f"{one}/auth/session").status_code == 201
        assert [browser.get(f"{url}/models").status_code for url in urls] == [200, 200]


def test_revoking_the_pepper_needs_confirmation_and_allows_a_new_login(tmp_path: Path) -> None:
    with serving(tmp_path, MUST_ADMIN_KEY=ADMIN_KEY, MUST_SESSION_COOKIE_SECURE="0") as url, httpx.Client(base_url=url) as admin:
        assert admin.post("/admin/session", headers={"X-Admin-Key": ADMIN_KEY}).status_code == 204
        body = failure(admin.post("/admin/secrets/pepper/revoke"), 422, "validation_error")
        assert "every session (1)" in body["detail"]
        assert admin.post("/admin/secrets/pepper/revoke", json={"confirm": "pepper"}).status_code == 200
        failure(admin.get("/admin/health"), 401, "admin_session_required")
        assert admin.post("/admin/session", headers={"X-Admin-Key": ADMIN_KEY}).status_code == 204
        assert admin.get("/admin/health").json()["ok"] is True
    data = tmp_path / "must"
    for _ in range(2):
        said = program(data, "secrets", "revoke", "pepper", "--confirm", "pepper")
        assert said.returncode == 0, said.stderr
    said = program(data, "secrets", "revoke", "pepper")
    assert said.returncode == 2
    assert "confirm" in said.stderr
    assert program(data, "audit", "verify").returncode == 0
    with serving(tmp_path, MUST_ADMIN_KEY=ADMIN_KEY) as url:
        assert httpx.post(f"{url}/admin/session", headers={"X-Admin-Key": ADMIN_KEY}).status_code == 204


def test_a_retry_after_a_timeout_gets_the_picture(tmp_path: Path) -> None:
    request = {"model": "tiny-image", "prompt": "a red circle", "seed": 7}
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "once"}
    clip = {"model": "tiny-video", "prompt": "a red circle", "steps": 50}
    with serving(tmp_path, MUST_API_KEY=API_KEY) as url:
        # The picture waits for these clips.
        for _ in range(3):
            assert httpx.post(f"{url}/generate", json=clip, headers={"X-API-Key": API_KEY}).status_code == 202
        with pytest.raises(httpx.TimeoutException):
            httpx.post(f"{url}/v1/images/generations", json=request, headers=headers, timeout=httpx.Timeout(60, read=0.5))
        answer = httpx.post(f"{url}/v1/images/generations", json=request, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        gallery = httpx.get(f"{url}/gallery", headers={"X-API-Key": API_KEY}).json()
        assert gallery["total"] == 4
