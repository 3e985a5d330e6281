"""Frames between processes, the other of which may die at any byte."""

from __future__ import annotations

import pickle
import socket
import struct
import threading

import pytest

from workers.sandbox.messages import receive, send


def test_a_frame_larger_than_any_socket_buffer_passes() -> None:
    ours, theirs = socket.socketpair()
    data = {"a": bytes(8 << 20)}
    with ours, theirs:
        sender = threading.Thread(target=send, args=(theirs, data))
        sender.start()
        assert receive(ours) == data
        sender.join()


@pytest.mark.parametrize("sent", [0, 3, 8, 20])
def test_a_death_within_a_frame_is_an_end_of_file(sent: int) -> None:
    body = pickle.dumps("a result that is longer than that")
    frame = struct.pack("!Q", len(body)) + body
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            theirs.sendall(frame[:sent])
        with pytest.raises(EOFError):
            receive(ours)


def test_nobody_to_send_to_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours, pytest.raises(BrokenPipeError):
        send(ours, "x")
