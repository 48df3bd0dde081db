"""Invalid requests and slow clients are refused with the right code, and the server continues to work."""

import contextlib
import socket
import time

import pytest
from conftest import API_KEY, Server, failure

AUTHORIZED = f"Host: x\r\nX-API-Key: {API_KEY}\r\n".encode()


def refusal(received: bytes, status: int) -> None:
    """Assert that an answer to bytes that are not HTTP has this status and no body."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), received[:300]
    assert body == b"" and b"content-length: 0" in head.lower(), received[:600]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /he alth HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n",
        b"POST /generate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_bytes_that_are_not_http(server: Server, sent: bytes) -> None:
    refusal(server.raw(sent), 400)
    assert server.client.get("/health").status_code == 200


def test_a_length_together_with_chunks_is_refused(server: Server) -> None:
    sent = b"POST /generate HTTP/1.1\r\n" + AUTHORIZED + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = server.raw(sent + b"0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b'"app":"must"' not in received, received
    assert received.startswith(b"HTTP/1.1 4"), received


def test_broken_chunks(server: Server) -> None:
    sent = b"POST /generate HTTP/1.1\r\n" + AUTHORIZED + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = server.raw(sent + b"zz\r\n{}\r\n0\r\n\r\n")
    assert b'"code":"validation_error"' in received, received


def test_headers_too_large_and_too_many(server: Server) -> None:
    large = b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n"
    refusal(server.raw(large), 431)
    many = b"GET /health HTTP/1.1\r\n" + b"".join(b"A%d: x\r\n" % n for n in range(200)) + b"\r\n"
    refusal(server.raw(many), 431)


def test_a_body_too_large(server: Server) -> None:
    size = (32 << 20) + 1
    answer = server.client.post("/generate", content=b" " * size, headers={"Content-Type": "application/json"})
    failure(answer, 413, "payload_too_large")

    def parts() -> object:
        for _ in range(33):
            yield b" " * (1 << 20)

    chunked = server.client.post("/generate", content=parts(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
    failure(chunked, 413, "payload_too_large")


def test_slow_clients_are_disconnected(server: Server) -> None:
    began = time.monotonic()
    assert server.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n") == b"", "headers that never end"
    body = b"POST /generate HTTP/1.1\r\n" + AUTHORIZED + b"Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    received = server.raw(body)
    assert b'"code":"validation_error"' in received, received
    assert time.monotonic() - began < 20
    assert server.client.get("/health").status_code == 200


def test_half_open_connections_do_not_delay_others(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(socket.create_connection(server.address))
            connection.sendall(b"GET /hea")
        assert server.client.get("/health").status_code == 200
    for _ in range(50):
        with socket.create_connection(server.address) as connection:
            connection.sendall(b"GET /models HTTP/1.1\r\n" + AUTHORIZED + b"\r\n")
    assert server.client.get("/health").status_code == 200


def test_a_client_that_leaves_during_events(server: Server) -> None:
    task = server.submit(model="tiny-video", prompt="a green cross")
    for _ in range(20):
        with socket.create_connection(server.address) as connection:
            connection.sendall(f"GET /events/{task} HTTP/1.1\r\n".encode() + AUTHORIZED + b"\r\n")
            connection.recv(100)
    assert server.finish(task)["status"] == "done"
