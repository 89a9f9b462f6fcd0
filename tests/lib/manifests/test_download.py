"""Downloads that were cut go on, but never with the rest of another version."""

import hashlib
import io
import shutil
import sys
from collections import namedtuple

import pytest
import requests

from lib.manifests.download import CHUNK, download, version_file

CONTENT = bytes(range(256)) * 2048  # half a megabyte
OTHER = CONTENT[::-1]
HALF = len(CONTENT) // 2
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def part(tmp_path):
    return tmp_path / "net.pth.part"


def cut(web, part):
    """Downloads about half of a file."""
    web.files, web.cut = {"net.pth": CONTENT}, HALF
    with pytest.raises(requests.RequestException):
        download(f"{web.address}/net.pth", part)
    web.cut = None
    had = part.stat().st_size
    assert HALF - CHUNK <= had <= HALF and part.read_bytes() == CONTENT[:had]
    return had


def again(web, part):
    """Downloads the file, and gives the ranges that were asked for."""
    web.asked.clear()
    download(f"{web.address}/net.pth", part)
    return [wanted for _, wanted in web.asked]


def test_a_download_is_the_file(web, part):
    web.files = {"net.pth": CONTENT}
    assert again(web, part) == [None]
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("etag, date", [(True, ""), (False, DATE)], ids=["ETag", "date"])
def test_only_the_rest_is_asked_for(web, part, etag, date):
    web.etag, web.date = etag, date
    had = cut(web, part)
    assert again(web, part) == [f"bytes={had}-"]
    assert part.read_bytes() == CONTENT


def test_a_download_may_be_cut_twice(web, part):
    had = cut(web, part)
    web.cut = CHUNK
    with pytest.raises(requests.RequestException):
        download(f"{web.address}/net.pth", part)
    web.cut = None
    assert again(web, part) == [f"bytes={had + CHUNK}-"]
    assert part.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_sends_it_anew(web, part):
    had = cut(web, part)
    web.ranges = False
    assert again(web, part) == [f"bytes={had}-"]
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("shorter", [1, 4])
def test_another_version_is_sent_anew(web, part, shorter):
    had = cut(web, part)
    web.files["net.pth"] = OTHER[: len(OTHER) // shorter]
    assert again(web, part) == [f"bytes={had}-"]
    assert part.read_bytes() == OTHER[: len(OTHER) // shorter]


def test_without_a_version_a_part_is_not_trusted(web, part):
    web.etag = False
    cut(web, part)
    assert again(web, part) == [None]
    assert part.read_bytes() == CONTENT


def test_a_part_of_unknown_origin_is_not_trusted(web, part):
    web.files = {"net.pth": CONTENT}
    part.write_bytes(OTHER[:HALF])
    assert again(web, part) == [None]
    assert part.read_bytes() == CONTENT


def test_a_part_that_is_complete_is_kept(web, part):
    web.files = {"net.pth": CONTENT}
    again(web, part)
    assert again(web, part) == [f"bytes={len(CONTENT)}-"]
    assert part.read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_replaced(web, part):
    cut(web, part)
    part.write_bytes(CONTENT * 2)
    assert again(web, part) == [f"bytes={2 * len(CONTENT)}-", None]
    assert part.read_bytes() == CONTENT


class Answer:
    """A server's answer, as far as `download` looks at it."""

    def __init__(self, status, headers, content=b""):
        self.status_code, self.headers, self.content = status, headers, content

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def raise_for_status(self):
        if self.status_code >= 400:
            raise requests.HTTPError(response=self)

    def iter_content(self, size):
        yield self.content


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 7-9/10", "ETag": '"a"'},
        {"Content-Range": "bytes 5-9/10", "ETag": '"b"'},
        {"ETag": '"a"'},
    ],
    ids=["another part", "another version", "no part named"],
)
def test_a_wrong_part_is_never_appended(monkeypatch, part, headers):
    part.write_bytes(b"01234")
    version_file(part).write_text('"a"')
    answers = [Answer(206, headers, b"wrong"), Answer(200, {"ETag": '"b"'}, b"all")]
    asked = []
    monkeypatch.setattr(requests, "get", lambda url, **o: asked.append(o) or answers.pop(0))
    download("http://127.0.0.1/", part)
    assert part.read_bytes() == b"all" and version_file(part).read_text() == '"b"'
    assert [one["headers"].get("If-Range") for one in asked] == ['"a"', None]


def test_a_weak_etag_tells_no_version(monkeypatch, part):
    headers = {"ETag": 'W/"a"', "Last-Modified": DATE}
    monkeypatch.setattr(requests, "get", lambda url, **options: Answer(200, headers, b"all"))
    download("http://127.0.0.1/", part)
    assert version_file(part).read_text() == DATE


def test_a_server_out_of_order_costs_nothing(web, part):
    had = cut(web, part)
    kept = web.files.pop("net.pth")
    with pytest.raises(requests.HTTPError, match="404"):
        download(f"{web.address}/net.pth", part)
    web.files["net.pth"] = kept
    assert again(web, part) == [f"bytes={had}-"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_the_progress_of_the_whole_file(web, part, monkeypatch):
    had = cut(web, part)
    monkeypatch.setattr(sys, "stderr", Terminal())
    again(web, part)
    shown = sys.stderr.getvalue()
    assert f"net.pth:  {100 * had // len(CONTENT)}%" in shown and "net.pth: 100%" in shown
    assert "524k/524k" in shown


def test_elsewhere_nothing_is_shown(web, part, capfd):
    web.files = {"net.pth": CONTENT}
    again(web, part)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("unpacked, needed", [(False, 1), (True, 2)])
def test_room_is_asked_for_before_anything_is_written(web, part, monkeypatch, unpacked, needed):
    web.files = {"net.pth": CONTENT}
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(needed * len(CONTENT) - 1))
    with pytest.raises(
        OSError, match=r"has room for 0\.. GB, and .* are needed: make room, or set"
    ):
        download(f"{web.address}/net.pth", part, unpacked=unpacked)
    assert not part.exists() and not version_file(part).exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(needed * len(CONTENT)))
    download(f"{web.address}/net.pth", part, unpacked=unpacked)
    assert hashlib.sha256(part.read_bytes()).digest() == hashlib.sha256(CONTENT).digest()


def test_room_is_asked_for_the_rest_alone(web, part, monkeypatch):
    had = cut(web, part)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(len(CONTENT) - had))
    again(web, part)
    assert part.read_bytes() == CONTENT
