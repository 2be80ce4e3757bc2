"""A follower outlives whatever happens to its connection."""

import contextlib
import json
import queue
import socket
import threading

from websockets.sync.server import serve

from retinue.follow import Follower
from retinue.history import History

JOB = {"name": "digits", "status": "succeeded"}


def frames(points):
    yield {"type": "points", "attempt": 1, "seq": points[-1]["seq"], "points": points}
    yield {"type": "job", "job": JOB}
    yield {"type": "live"}


def point(seq):
    return {"seq": seq, "step": seq, "values": {"loss": float(seq)}}


def answer_from_the_cursor(connection):
    """Four points in all; at first only two of them, then the connection is broken."""
    after = json.loads(connection.recv())["after"]["seq"]
    if not after:
        connection.send(json.dumps({"type": "points", "attempt": 1, "seq": 2, "points": [point(1), point(2)]}))
        return
    for frame in frames([point(seq) for seq in range(after, 5)]):
        connection.send(json.dumps(frame))
    with contextlib.suppress(Exception):
        connection.recv()


def test_a_broken_handshake_and_a_broken_connection_are_got_over():
    listener = socket.create_server(("127.0.0.1", 0))
    events = queue.Queue()
    history = History()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    follower = Follower(url, "t", "j", history, lambda what, value: events.put(what))
    follower.start()
    with listener.accept()[0] as first:
        first.recv(10)  # and nothing is answered: a proxy that is being restarted
    assert events.get(timeout=5) == "offline"
    with serve(answer_from_the_cursor, sock=listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert follower.wait(20)
        server.shutdown()
    assert history.series["loss"].seq == [1, 2, 3, 4]
    seen = list(events.queue)
    assert seen[-1] == "over"
    assert "offline" in seen
