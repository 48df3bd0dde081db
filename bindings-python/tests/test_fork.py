"""A child that outlives its parent does not keep the parent's folder lock, database locks or ports."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import must

PARENT = """
    import multiprocessing, os, signal, sys, time
    import must

    folder, how = sys.argv[1:3]
    platform = must.Platform(folder, device="cpu", paused=True)
    server = platform.serve("127.0.0.1:0")
    address = server.address
    for _ in range(5):
        platform.submit("tiny-image", "a red circle")

    def live(seconds=60):
        # Printed only now: the test kills the parent after this, and its child must exist by then.
        print(os.getpid(), address, flush=True)
        time.sleep(seconds)
        os._exit(0)

    if how == "fork":
        if os.fork() == 0:
            live()
    elif how == "grandchild":
        if os.fork() == 0:
            if os.fork() == 0:
                live()
            time.sleep(60)
            os._exit(0)
    elif how == "multiprocessing":
        multiprocessing.get_context("fork").Process(target=live).start()
    elif how == "while opening and closing":
        import threading

        def churn():
            while True:
                with must.Platform(folder + "-other", device="cpu", paused=True):
                    pass

        threading.Thread(target=churn, daemon=True).start()
        for _ in range(20):
            time.sleep(0.01)
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        if os.fork() == 0:
            live()
    time.sleep(60)
"""


def connected(address: str) -> socket.socket:
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=10)


@pytest.mark.parametrize("how", ["fork", "grandchild", "multiprocessing", "while opening and closing"])
def test_a_child_that_outlives_a_killed_parent_keeps_nothing(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "data"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(folder), how]
    # A process group of its own, so that the test can kill every child.
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        assert parent.stdout is not None
        child, address = parent.stdout.readline().split()
        before_death = connected(address)
        # The request is answered and read completely, so that the connection closes without a reset.
        before_death.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += before_death.recv(1000)
        with pytest.raises(must.DataDirLockedError, match=f"process {parent.pid} has the data folder"):
            must.Platform(folder)
        parent.kill()
        parent.wait()
        os.kill(int(child), 0)
        with must.Platform(folder, device="cpu", paused=True) as platform:
            assert platform.tasks().total == 5
            platform.submit("tiny-image", "a red circle")
            assert platform.audit.verify().ok
            with platform.serve(address), connected(address) as connection:
                assert connection.fileno() >= 0
        if how == "while opening and closing":
            # This holds at whatever moment the children were made and the parent was killed.
            with must.Platform(f"{folder}-other", device="cpu", paused=True) as other:
                assert other.audit.verify().ok
        before_death.settimeout(10)
        assert before_death.recv(1) == b"", "the connection of the killed server is closed"
        before_death.close()
        os.kill(int(child), 0)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
        for pipe in (parent.stdin, parent.stdout):
            if pipe is not None:
                pipe.close()


def test_a_connection_made_before_the_fork_ends_with_its_server(tmp_path: Path) -> None:
    """The child was made while the connection was open."""
    script = """
        import os, sys, time
        import must
        platform = must.Platform(sys.argv[1], device="cpu", paused=True)
        server = platform.serve("127.0.0.1:0")
        print(server.address, flush=True)
        sys.stdin.readline()
        if os.fork() == 0:
            print("forked", flush=True)
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "data")]
    parent = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    sockets = contextlib.ExitStack()
    try:
        assert parent.stdin is not None
        assert parent.stdout is not None
        connection = sockets.enter_context(connected(parent.stdout.readline().strip()))
        request = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(request)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "forked\n"
        # The connection stays open as long as its server runs, whatever the child closed.
        connection.sendall(request)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        parent.kill()
        parent.wait()
        deadline = time.monotonic() + 10
        while (got := connection.recv(1000)) and time.monotonic() < deadline:
            select.select([connection], [], [], 1)
        assert got == b""
    finally:
        sockets.close()
        os.killpg(parent.pid, signal.SIGKILL)
        parent.wait()
        for pipe in (parent.stdin, parent.stdout):
            if pipe is not None:
                pipe.close()


def test_forks_leave_the_parent_as_it_was(platform: must.Platform) -> None:
    """The parent keeps its locks, its log and its file descriptors, however often it forks."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        platform.submit("tiny-image", "a red circle", steps=4).wait()
    assert platform.tasks().total == 20
    assert len(os.listdir("/proc/self/fd")) <= before + 4


def test_a_child_may_open_files_of_its_own(platform: must.Platform, tmp_path: Path) -> None:
    """Descriptors that a child gives up keep their numbers, so inherited objects cannot close the child's own files."""
    child = os.fork()
    if child == 0:
        files = [os.open(tmp_path / f"{number}", os.O_CREAT | os.O_RDWR) for number in range(50)]
        try:
            platform.close()
        except must.InvalidStateError:
            pass
        else:
            os._exit(3)
        for file in files:
            os.write(file, b"x")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert platform.tasks().total == 0
