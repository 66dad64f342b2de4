"""A question over a unix socket waits for nothing: it is sent, and looked after later."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.net.local import MAX_ANSWER, LocalQuestion


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(tmp_path / "door"))
        listening.listen(1)
        listening.settimeout(10)
        yield listening


def test_an_answer_is_taken_in_as_it_comes(door: socket.socket, tmp_path: Path) -> None:
    question = LocalQuestion(tmp_path / "door", b"are you there?")
    assert question.look(), "nobody has answered yet"
    assert question.said == b""
    server, _ = door.accept()
    with server:
        assert server.recv(100) == b"are you there?"
        server.sendall(b"yes")
        assert question.look()
        server.sendall(b", I am")
        assert question.look()
        assert question.said == b"yes, I am"
    assert not question.look(), "it has hung up"
    question.close()


def test_no_more_than_the_bound_is_kept(door: socket.socket, tmp_path: Path) -> None:
    question = LocalQuestion(tmp_path / "door", b"?")
    server, _ = door.accept()
    with server:
        server.settimeout(10)
        for _ in range(4):
            server.sendall(b"x" * (MAX_ANSWER // 2))
            assert question.look()
    assert question.said == b"x" * MAX_ANSWER
    question.close()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        LocalQuestion(tmp_path / "door", b"?")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        bound.bind(str(tmp_path / "door"))
        with pytest.raises(OSError, match="refused"):
            LocalQuestion(tmp_path / "door", b"?")
