"""An object store on this machine, by moto, that refuses and breaks off when it is told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BUCKET = "bucket"
_SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>"
)


@dataclass
class Asked:
    """One request, and how many bytes of body it got."""

    method: str
    path: str
    query: str
    sent: int = 0


@dataclass
class Store:
    """What the server was asked, and what is to go wrong next.

    ``slow``, ``broken`` and ``unanswered`` are how many of the next requests that ``where`` holds
    of are refused, get half of their body, or are carried out without an answer.
    """

    application: Callable[..., Iterable[bytes]]
    address: str = ""
    asked: list[Asked] = field(default_factory=list)
    slow: int = 0
    broken: int = 0
    unanswered: int = 0
    where: Callable[[Asked], bool] = lambda _: True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def calm(self) -> None:
        self.slow = self.broken = self.unanswered = 0
        self.where = lambda _: True
        self.asked.clear()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        asked = Asked(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        )
        fault = self._fault(asked)
        if fault == "slow":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("503 Slow Down", [("Content-Length", str(len(_SLOW_DOWN)))])
            yield _SLOW_DOWN
            return
        if fault == "broken" and asked.method == "PUT":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return
        body = b"".join(self.application(environ, start))
        if fault == "broken":
            yield body[: len(body) // 2]
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return
        if fault == "unanswered":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            return
        asked.sent = len(body)
        yield body

    def _fault(self, asked: Asked) -> str:
        with self._lock:
            self.asked.append(asked)
            if self.where(asked):
                for name in ("slow", "broken", "unanswered"):
                    if left := getattr(self, name):
                        setattr(self, name, left - 1)
                        return name
        return ""


@contextmanager
def serving() -> Iterator[Store]:
    """Serve an empty bucket on the loopback interface, and let everything know its address."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    store = Store(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, store, threaded=True, request_handler=Quiet)
    store.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", store.address)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")  # the tries of s3fs are enough to wait for
        patch.setenv("NO_PROXY", "127.0.0.1")
        _forget()
        try:
            import s3fs

            s3fs.S3FileSystem(use_listings_cache=False).mkdir(BUCKET)
            yield store
        finally:
            _forget()
            server.shutdown()
            server.server_close()
            thread.join()


def _forget() -> None:
    """Have no connection of before used."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def upload(run: Path, place: Path) -> None:
    """Copy a run of this machine as anybody would."""
    for file in sorted(run.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            (place / file.relative_to(run).as_posix()).write_bytes(file.read_bytes())
