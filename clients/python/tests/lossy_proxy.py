"""A TCP proxy that loses replies: it cuts a connection when the server has answered a request on it."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

# What a server sends without being asked (settings, window updates, pings) is shorter than any reply.
_SHORTEST_REPLY_BYTES = 100
_CHUNK_BYTES = 1 << 16


class LossyProxy:
    """Knows nothing of what it carries. loss: probability that a chunk of a reply ends its connection instead
    of being passed on; may be changed at any time. lost: how often that happened.
    """

    def __init__(self, upstream: str, *, seed: int = 0) -> None:
        self.loss = 0.0
        self.lost = 0
        self._upstream = upstream
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()
        with self._lock:
            for pair in self._connections:
                _cut(pair)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                pair = (client, _dial(self._upstream))
                with self._lock:
                    self._connections.append(pair)
                for loses, (source, sink) in ((False, pair), (True, pair[::-1])):
                    threading.Thread(target=self._pump, args=(source, sink, loses), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, loses: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if loses and len(chunk) >= _SHORTEST_REPLY_BYTES and self._is_lost():
                    break
                sink.sendall(chunk)
        _cut((source, sink))

    def _is_lost(self) -> bool:
        with self._lock:
            lost = self._random.random() < self.loss
            self.lost += lost
            return lost


@contextlib.contextmanager
def lossy_proxy(upstream: str, *, seed: int = 0) -> Iterator[LossyProxy]:
    """In front of `upstream` ("HOST:PORT" or "unix:PATH"); loses nothing until `loss` is set."""
    proxy = LossyProxy(upstream, seed=seed)
    try:
        yield proxy
    finally:
        proxy.close()


def _dial(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)))


def _cut(pair: tuple[socket.socket, socket.socket]) -> None:
    for end in pair:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
