"""Slow bodies, compressed bodies and compressed answers."""

import contextlib
import gzip
import json
import socket
import time
import zlib
from pathlib import Path

import httpx
import pytest
from conftest import API_KEY, SCRAPE_TOKEN, Server, failure, over_sockets, serving

JSON = {"Content-Type": "application/json"}
REQUEST = json.dumps({"model": "tiny-image", "prompt": "a red circle", "steps": 4}).encode()
LIMIT = 32 << 20


def raw_deflate(text: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(text) + packer.flush()


PACKED = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "Deflate": raw_deflate}


def post(server: Server, body: bytes, encoding: str, **headers: str) -> httpx.Response:
    return server.client.post("/generate", content=body, headers={**JSON, "Content-Encoding": encoding, **headers})


@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_body_is_decompressed(server: Server, encoding: str) -> None:
    answer = post(server, PACKED[encoding](REQUEST), encoding)
    assert answer.status_code == 202, answer.text
    assert server.finish(answer.json()["task_id"])["status"] == "done"
    refused = post(server, PACKED[encoding](b'{"model": "tiny-image"}'), encoding)
    assert "prompt" in failure(refused, 422, "validation_error")["detail"]


@pytest.mark.parametrize("encoding", PACKED)
def test_a_compressed_body_has_the_same_size_limit(server: Server, encoding: str) -> None:
    failure(post(server, PACKED[encoding](b" " * (LIMIT + 1)), encoding), 413, "payload_too_large")
    padded = PACKED[encoding](REQUEST + b" " * (LIMIT - len(REQUEST)))
    assert len(padded) < LIMIT // 500
    assert post(server, padded, encoding).status_code == 202
    # Half a megabyte that decompresses to 512 MiB.
    bomb = PACKED[encoding](bytes(512 << 20))
    began = time.monotonic()
    failure(post(server, bomb, encoding), 413, "payload_too_large")
    failure(post(server, bomb, encoding, **{"X-API-Key": "wrong"}), 403, "invalid_api_key")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip;q=1"])
def test_other_encodings_are_refused_by_name(server: Server, encoding: str) -> None:
    answer = post(server, REQUEST, encoding)
    said = failure(answer, 415, "validation_error")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    assert "gzip, deflate" in said["user_action"]
    assert encoding in said["detail"] or "twice" in said["detail"]


@pytest.mark.parametrize("encoding", PACKED)
def test_a_damaged_body_is_refused(server: Server, encoding: str) -> None:
    whole = PACKED[encoding](REQUEST)
    for body in (REQUEST, whole[:-9], whole + b"more", b"\x07\xff"):
        assert "Content-Encoding" in failure(post(server, body, encoding), 422, "validation_error")["detail"]
    assert post(server, REQUEST, "identity").status_code == 202


def test_long_answers_are_compressed_for_clients_that_accept_it(server: Server) -> None:
    def ask(path: str, encoding: str, **headers: str) -> httpx.Response:
        return server.client.get(path, headers={"Accept-Encoding": encoding, **headers})

    for path in ("/models", "/openapi.json", "/assets/app.js", "/assets/style.css"):
        plain, packed = ask(path, "identity"), ask(path, "gzip")
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip", path
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < len(plain.content) / 2, path
        for answer in (plain, packed):
            assert "accept-encoding" in answer.headers["vary"], path
        assert "content-encoding" not in ask(path, "gzip;q=0, br").headers
    scraped = ask("/metrics", "gzip", Authorization=f"Bearer {SCRAPE_TOKEN}")
    assert (scraped.headers["content-encoding"], "must_tasks" in scraped.text) == ("gzip", True)


def test_a_compressed_file_has_its_own_etag(server: Server) -> None:
    for name in ("app.js", "style.css"):
        tags = {}
        for encoding in ("gzip", "identity"):
            headers = {"Accept-Encoding": encoding}
            answer = server.bare("GET", f"/assets/{name}", headers=headers)
            tags[encoding] = answer.headers["etag"]
            again = server.bare("GET", f"/assets/{name}", headers={**headers, "If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
            assert "content-encoding" not in again.headers
            head = server.bare("HEAD", f"/assets/{name}", headers=headers)
            assert head.headers.get("content-encoding") == answer.headers.get("content-encoding")
            assert head.headers["content-length"] == answer.headers["content-length"]
        assert tags["gzip"] != tags["identity"]
        crossed = {"Accept-Encoding": "gzip", "If-None-Match": tags["identity"]}
        assert server.bare("GET", f"/assets/{name}", headers=crossed).status_code == 200


def test_answers_that_are_never_compressed(server: Server, done: dict[str, str]) -> None:
    takes = {"Accept-Encoding": "gzip"}
    for path in (done["result_url"], done["preview_url"], f"/events/{done['task_id']}"):
        assert "content-encoding" not in server.client.get(path, headers=takes).headers, path
    part = server.client.get(done["result_url"], headers={**takes, "Range": "bytes=0-2000"})
    assert (part.status_code, len(part.content), "content-encoding" in part.headers) == (206, 2001, False)
    admin = server.admin()
    for path in ("/admin/logs", "/admin/health", "/admin/secrets"):
        answer = admin.get(path, headers=takes)
        assert (answer.status_code, "content-encoding" in answer.headers) == (200, False), path
    # Shorter answers are never compressed, so the log has to be longer for this test.
    assert len(admin.get("/admin/logs", params={"limit": 1000}).content) > 1024


def send(server: Server, pieces: list[bytes], pause: float) -> bytes:
    """Send a body in pieces, and return the answer, or its beginning if the server closes the connection."""
    size = sum(map(len, pieces))
    head = f"POST /generate HTTP/1.1\r\nHost: x\r\nX-API-Key: {API_KEY}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(f"{head}Connection: close\r\nContent-Length: {size}\r\n\r\n".encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
        return received


@over_sockets
def test_a_steady_body_may_take_longer_than_the_longest_pause(tmp_path: Path) -> None:
    # The longest pause is two seconds; the body takes four.
    with serving(tmp_path / "data", {"http": {"body_timeout_seconds": 2}}) as server:
        began = time.monotonic()
        received = send(server, [REQUEST, *[b" " * 2048] * 12], 0.33)
        assert received.startswith(b"HTTP/1.1 202 "), received
        assert time.monotonic() - began > 3.5
        small = send(server, [REQUEST[:30], REQUEST[30:60], REQUEST[60:]], 0.3)
        assert small.startswith(b"HTTP/1.1 202 "), "a small one within the first pause"


@over_sockets
def test_a_body_that_trickles_stalls_or_takes_too_long_is_refused(tmp_path: Path) -> None:
    bounds = {"body_timeout_seconds": 2, "body_bytes_per_second": 1000, "body_time_limit_seconds": 5}
    with serving(tmp_path / "data", {"http": bounds}) as server:
        for pieces, pause, why in [
            ([b" "] * 40, 0.2, b"less than 1000 bytes a second"),
            ([REQUEST[:10], REQUEST[10:]], 5, b"nothing more of the body came for 2 s"),
            ([b" " * 4000] * 30, 0.2, b"not complete after 5 s"),
        ]:
            began = time.monotonic()
            received = send(server, pieces, pause)
            assert received.startswith(b"HTTP/1.1 422 "), (why, received)
            assert why in received, received
            assert time.monotonic() - began < 12
        assert server.client.get("/health").status_code == 200
