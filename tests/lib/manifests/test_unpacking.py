"""Archives stay in their folder, and a folder tells when it is not complete."""

import io
import os
import tarfile
from zipfile import ZipFile

import pytest

from lib.manifests.finding import UNFINISHED
from lib.manifests.unpacking import merge, unpack

FILES = {"one/a.jpg": b"a", "one/two/b.jpg": b"b", "c.txt": b"c"}


def zipped(path, files):
    with ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)


def tarred(path, files, mode="w"):
    with tarfile.open(path, mode) as file:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz", "a.tar.gz"])
def test_an_archive_is_unpacked(tmp_path, name):
    if name.endswith("zip"):
        zipped(tmp_path / name, FILES)
    else:
        tarred(tmp_path / name, FILES, "w" if name.endswith("tar") else "w:gz")
    unpack(tmp_path / name, tmp_path / "to/there")
    assert content(tmp_path / "to") == {f"there/{file}": data for file, data in FILES.items()}


def test_a_file_that_is_no_archive_is_copied(tmp_path):
    (tmp_path / "labels.mat").write_bytes(b"labels")
    unpack(tmp_path / "labels.mat", tmp_path / "to")
    assert content(tmp_path / "to") == {"labels.mat": b"labels"}


@pytest.mark.parametrize("name", ["../evil.txt", "one/../../evil.txt"])
def test_no_file_of_a_tar_lands_outside(tmp_path, name):
    tarred(tmp_path / "a.tar", {name: b"evil"})
    with pytest.raises(ValueError, match="a.tar cannot be unpacked: .*outside"):
        unpack(tmp_path / "a.tar", tmp_path / "to/there")
    assert not list(tmp_path.rglob("evil.txt"))


def test_no_link_of_a_tar_leads_outside(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../elsewhere"
        file.addfile(link)
    with pytest.raises(ValueError, match="a.tar cannot be unpacked: .*outside"):
        unpack(tmp_path / "a.tar", tmp_path / "to/there")


@pytest.mark.parametrize("name", ["../evil.txt", "one/../../evil.txt", "/evil.txt"])
def test_no_file_of_a_zip_lands_outside(tmp_path, name):
    zipped(tmp_path / "a.zip", {name: b"evil"})
    unpack(tmp_path / "a.zip", tmp_path / "to/there")
    [evil] = tmp_path.rglob("evil.txt")
    assert evil.is_relative_to(tmp_path / "to/there")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_what_is_no_archive_is_an_error(tmp_path, name):
    (tmp_path / name).write_bytes(b"<html>Not found</html>")
    with pytest.raises(ValueError, match=f"{name} cannot be unpacked"):
        unpack(tmp_path / name, tmp_path / "to")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_half_an_archive_is_an_error(tmp_path, name):
    files = {f"{i}.jpg": bytes([i]) * 20_000 for i in range(9)}
    if name.endswith("zip"):
        zipped(tmp_path / name, files)
    else:
        tarred(tmp_path / name, files, "w" if name.endswith("tar") else "w:gz")
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{name} cannot be unpacked"):
        unpack(tmp_path / name, tmp_path / "to")


def folders(tmp_path):
    zipped(tmp_path / "a.zip", {"lists/a.txt": b"1", "images/a.jpg": b"2"})
    zipped(tmp_path / "b.zip", {"lists/b.txt": b"3", "images/b.jpg": b"4"})
    for name in "ab":
        unpack(tmp_path / f"{name}.zip", tmp_path / "from" / name)
    return [tmp_path / "from/a", tmp_path / "from/b"]


MERGED = {"lists/a.txt": b"1", "images/a.jpg": b"2", "lists/b.txt": b"3", "images/b.jpg": b"4"}


def test_folders_are_merged_with_what_is_there(tmp_path):
    (tmp_path / "to/images").mkdir(parents=True)
    (tmp_path / "to/images/mine.jpg").write_bytes(b"0")
    merge(folders(tmp_path), tmp_path / "to")
    assert content(tmp_path / "to") == MERGED | {"images/mine.jpg": b"0"}
    assert content(tmp_path / "from") == {}, "files are moved"


def test_a_merge_that_is_interrupted_is_marked_and_goes_on(tmp_path, monkeypatch):
    replace, left = os.replace, iter(range(1))

    def interrupted(source, target):
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    both = folders(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", interrupted)
        merge(both, tmp_path / "to")
    assert len(content(tmp_path / "to").keys() & MERGED.keys()) == 1
    assert (tmp_path / "to" / UNFINISHED).exists()
    merge(both, tmp_path / "to")
    assert content(tmp_path / "to") == MERGED
