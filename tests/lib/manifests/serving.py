"""A web server on this machine that knows ranges, or does not, or fails in a chosen way."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """What the server has and does, and what it was asked."""

    files: dict[str, bytes]  # by path, without the first /
    ranges: bool = True
    etag: bool = True  # the ETag of a file is its checksum
    date: str = ""  # Last-Modified
    cut: int | None = None  # close the connection after so many bytes of a file
    hold: threading.Event | None = None  # after half of a file, wait for this
    address: str = ""
    asked: list[tuple[str, str | None]] = field(default_factory=list)  # paths and ranges


def _answer(web: Web, handler: BaseHTTPRequestHandler) -> None:
    path, wanted = handler.path.lstrip("/"), handler.headers["Range"]
    web.asked.append((path, wanted))
    if path not in web.files:
        return handler.send_error(404)
    content = web.files[path]
    tag = f'"{hashlib.md5(content).hexdigest()}"' if web.etag else ""
    current = handler.headers["If-Range"] in (None, tag, web.date)
    start = int(wanted[len("bytes=") : -1]) if wanted and web.ranges and current else None
    if start is not None and start >= len(content):
        handler.send_response(416)
        handler.send_header("Content-Range", f"bytes */{len(content)}")
        handler.send_header("Content-Length", "0")
        return handler.end_headers()
    handler.send_response(200 if start is None else 206)
    if start is not None:
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    for name, value in (("ETag", tag), ("Last-Modified", web.date)):
        if value:
            handler.send_header(name, value)
    rest = content[start or 0 :]
    handler.send_header("Content-Length", str(len(rest)))
    handler.end_headers()
    if web.hold:
        handler.wfile.write(rest[: len(rest) // 2])
        web.hold.wait(60)
    else:
        handler.wfile.write(rest[: web.cut])
    handler.close_connection = True


@contextmanager
def serving(web: Web) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            _answer(web, self)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        web.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield web
        if web.hold:
            web.hold.set()
        server.shutdown()
