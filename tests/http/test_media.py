"""Results in whole and in part, as players and browsers ask for them."""

import subprocess
from typing import Any

from conftest import API_KEY, Server, failure, over_sockets


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


def test_a_caller_that_has_it_gets_nothing(server: Server, done: dict[str, Any]) -> None:
    tag = server.client.get(done["result_url"]).headers["etag"]
    answer = server.client.get(done["result_url"], headers={"If-None-Match": f'"x", {tag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


def test_media_is_harmless_in_a_browser(server: Server, done: dict[str, Any]) -> None:
    for url in (done["result_url"], done["preview_url"]):
        headers = server.client.get(url).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cache-control"].startswith("private")
        assert headers["content-disposition"].startswith('inline; filename="')


@over_sockets
def test_curl_and_ffprobe_read_it(server: Server, done: dict[str, Any]) -> None:
    url = server.url + done["result_url"]
    whole = server.client.get(done["result_url"]).content
    command = ["curl", "-sS", "-H", f"X-API-Key: {API_KEY}", "-r", "100-199", url]
    assert subprocess.run(command, check=True, capture_output=True).stdout == whole[100:200]
    probe = ["ffprobe", "-v", "error", "-headers", f"X-API-Key: {API_KEY}\r\n", "-show_entries", "stream=codec_name"]
    assert b"h264" in subprocess.run([*probe, url], check=True, capture_output=True).stdout


def test_a_task_without_a_result(server: Server) -> None:
    failure(server.client.get("/results/0198c9f2-6d3c-7b8e-9f00-1d2c3b4a5968"), 404, "task_not_found")
