"""A TCP proxy with the faults of networks: lost replies, delay, connections that are cut or fall silent."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Iterator

# What a server sends without being asked (settings, window updates, pings) is shorter than any reply.
_SHORTEST_REPLY_BYTES = 100
_CHUNK_BYTES = 1 << 16


class FaultProxy:
    """Knows nothing of what it carries. All faults may be changed at any time.

    loss: probability that a chunk of a reply ends its connection instead of being passed on; lost: how often
    that happened. delay_s: how much later everything arrives, in each direction. silence() makes the open
    connections half-open: nothing passes any more and neither side is told; cut() closes them.
    """

    def __init__(self, upstream: str, *, seed: int = 0) -> None:
        self.loss = 0.0
        self.lost = 0
        self.delay_s = 0.0
        self._upstream = upstream
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._connections: list[tuple[socket.socket, socket.socket]] = []
        self._silent: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def silence(self) -> None:
        with self._lock:
            for pair in self._connections:
                self._silent.update(pair)

    def cut(self) -> None:
        with self._lock:
            pairs, self._connections = self._connections, []
        for pair in pairs:
            _cut(pair)

    def close(self) -> None:
        self._closed.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    pair = (client, _dial(self._upstream))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._connections.append(pair)
                for loses, (source, sink) in ((False, pair), (True, pair[::-1])):
                    threading.Thread(target=self._pump, args=(source, sink, loses), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, loses: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if self.delay_s:
                    self._closed.wait(self.delay_s)
                if source in self._silent:
                    continue
                if loses and len(chunk) >= _SHORTEST_REPLY_BYTES and self._is_lost():
                    break
                sink.sendall(chunk)
        if source not in self._silent:
            _cut((source, sink))

    def _is_lost(self) -> bool:
        with self._lock:
            lost = self._random.random() < self.loss
            self.lost += lost
            return lost


@contextlib.contextmanager
def fault_proxy(upstream: str, *, seed: int = 0) -> Iterator[FaultProxy]:
    """In front of `upstream` ("HOST:PORT" or "unix:PATH"); a plain wire until a fault is set."""
    proxy = FaultProxy(upstream, seed=seed)
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
