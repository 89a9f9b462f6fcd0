import subprocess
import tarfile

import pytest

from book.building.archive import archive


@pytest.fixture
def html(tmp_path):
    folder = tmp_path / "html"
    (folder / "book").mkdir(parents=True)
    (folder / "index.html").write_text("index")
    (folder / "book/page.html").write_text("page")
    return folder


def test_an_archive_has_every_file_with_its_checksum(html, tmp_path):
    packed = archive(html, tmp_path / "out", "1.0")
    with tarfile.open(packed) as tar:
        tar.extractall(tmp_path, filter="data")
    inside = tmp_path / "class-activation-maps-reproduced-1.0"
    assert (inside / "book/page.html").read_text() == "page"
    assert len((inside / "SHA256SUMS").read_text().splitlines()) == 2
    for folder in (inside, tmp_path / "out"):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


def test_the_same_book_is_the_same_bytes(html, tmp_path):
    first = archive(html, tmp_path / "one", "1.0").read_bytes()
    (html / "index.html").touch()
    assert archive(html, tmp_path / "two", "1.0").read_bytes() == first
    (html / "index.html").write_text("another")
    assert archive(html, tmp_path / "three", "1.0").read_bytes() != first


def test_without_a_book_it_says_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="make book"):
        archive(tmp_path, tmp_path / "out", "1.0")
