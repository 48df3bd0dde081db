"""Whole results and ranges of them, as players and browsers request them."""

import re
import subprocess
import urllib.parse
from typing import Any

import httpx
from conftest import API_KEY, ORIGIN, Server, failure, over_sockets


def test_ranges(server: Server, done: dict[str, Any]) -> None:
    whole = server.client.get(done["result_url"])
    size, tag = len(whole.content), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"

    def ask(ranges: str, **headers: str) -> Any:
        return server.client.get(done["result_url"], headers={"Range": ranges, **headers})

    for ranges, start, end in [("bytes=0-9", 0, 10), ("bytes=5-", 5, size), ("bytes=-7", size - 7, size)]:
        part = ask(ranges)
        assert (part.status_code, part.content) == (206, whole.content[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = ask(f"bytes={size}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert list(beyond.json()) == ["code", "detail", "user_action"]
    many = ",".join(f"{n}-{n}" for n in range(1000))
    for ranges in ("bytes=0-1,5-6", "bytes=x", "lines=0-1", f"bytes={many}"):
        assert (ask(ranges).status_code, ask(ranges).content) == (200, whole.content)
    assert ask("bytes=0-9", **{"If-Range": tag}).status_code == 206
    assert ask("bytes=0-9", **{"If-Range": '"other"'}).status_code == 200
    head = server.client.head(done["result_url"])
    assert (head.content, head.headers["content-length"], head.headers["etag"]) == (b"", str(size), tag)


def test_an_unchanged_result_is_not_sent_again(server: Server, done: dict[str, Any]) -> None:
    tag = server.client.get(done["result_url"]).headers["etag"]
    answer = server.client.get(done["result_url"], headers={"If-None-Match": f'"x", {tag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_browsers_show_media_and_run_no_scripts_in_it(server: Server, done: dict[str, Any]) -> None:
    for url in (done["result_url"], done["preview_url"]):
        headers = server.client.get(url).headers
        assert headers["x-content-type-options"] == "nosniff"
        policy = headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert policy[-1] == f"frame-ancestors 'self' {ORIGIN}"
        assert not [part for part in policy if "script" in part or "*" in part]
        assert headers["cache-control"].startswith("private")


def named(answer: httpx.Response) -> tuple[str, str]:
    """The two names of a download: in ASCII, and in full."""
    found = re.fullmatch(r"inline; filename=\"([\w.-]+)\"; filename\*=UTF-8''([\w.%-]+)", answer.headers["content-disposition"], re.ASCII)
    assert found, answer.headers["content-disposition"]
    return found[1], urllib.parse.unquote(found[2], errors="strict")


def test_downloads_are_named(server: Server, done: dict[str, Any]) -> None:
    tail = done["task_id"][-8:]
    name = f"tiny-video-{done['seed']}-a-red-circle-moving-left-{tail}"
    assert named(server.client.get(done["result_url"])) == (f"{name}.mp4", f"{name}.mp4")
    assert named(server.client.head(done["result_url"])) == (f"{name}.mp4", f"{name}.mp4")
    assert named(server.client.get(done["preview_url"])) == (f"{name}-preview.jpg", f"{name}-preview.jpg")
    bearer = {"Authorization": f"Bearer {API_KEY}"}
    content = server.bare("GET", f"/v1/videos/{done['task_id']}/content", headers=bearer)
    assert named(content) == (f"{name}.mp4", f"{name}.mp4")


def test_a_prompt_cannot_add_headers_or_paths(server: Server) -> None:
    for prompt, kept in [
        ("красный круг", "-красный-круг"),
        ('a"; filename="evil.exe', "-a-filename-evil-exe"),
        ("a\r\nSet-Cookie: x=y", "-a-Set-Cookie-x-y"),
        ("../../etc/passwd\0", "-etc-passwd"),
        ("\u202egnp.exe\u2066", "-gnp-exe"),
        ("...", ""),
        ("x" * 2000, "-" + "x" * 39),
    ]:
        request = {"model": "tiny-image", "prompt": prompt, "seed": 3, "steps": 4}
        answer = server.client.post("/generate", json=request)
        if answer.status_code == 422:
            # Some of these are refused as prompts.
            assert not prompt.isprintable()
            continue
        task = answer.json()["task_id"]
        server.finish(task)
        result = server.client.get(f"/results/{task}")
        plain, full = named(result)
        assert full == f"tiny-image-3{kept}-{task[-8:]}.png"
        assert plain == (full if full.isascii() else f"tiny-image-3-{task[-8:]}.png")
        assert "set-cookie" not in result.headers


def test_pages_of_allowed_origins_may_show_media(server: Server, done: dict[str, Any]) -> None:
    url = done["result_url"]

    def policy(**headers: str) -> str:
        answer = server.client.get(url, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", **headers})
        assert answer.status_code == 200
        return str(answer.headers["cross-origin-resource-policy"])

    assert policy(Referer=f"{ORIGIN}/") == "cross-origin"
    assert policy(Referer=f"{ORIGIN}/page?of=it") == "cross-origin"
    for other in ("https://evil.example/", f"{ORIGIN}.evil.example/", f"https://evil.example/{ORIGIN}/", f"{ORIGIN}@evil.example/"):
        assert policy(Referer=other) == "same-site", other
    assert policy() == "same-site"
    # An address that contains a key may be shown by any page. A key in a header replaces the one in the query.
    asked = server.bare("GET", f"{url}?api_key={API_KEY}")
    assert asked.headers["cross-origin-resource-policy"] == "cross-origin"
    both = server.bare("GET", f"{url}?api_key={API_KEY}", headers={"X-API-Key": API_KEY})
    assert both.headers["cross-origin-resource-policy"] == "same-site"
    assert "referer" in asked.headers["vary"]


@over_sockets
def test_curl_and_ffprobe_read_a_result(server: Server, done: dict[str, Any]) -> None:
    url = server.url + done["result_url"]
    whole = server.client.get(done["result_url"]).content
    command = ["curl", "-sS", "-H", f"X-API-Key: {API_KEY}", "-r", "100-199", url]
    assert subprocess.run(command, check=True, capture_output=True).stdout == whole[100:200]
    probe = ["ffprobe", "-v", "error", "-headers", f"X-API-Key: {API_KEY}\r\n", "-show_entries", "stream=codec_name"]
    assert b"h264" in subprocess.run([*probe, url], check=True, capture_output=True).stdout


def test_an_unknown_task_has_no_result(server: Server) -> None:
    failure(server.client.get("/results/0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968"), 404, "task_not_found")
