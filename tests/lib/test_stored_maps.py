"""Maps in blocks: found by image and class, merged, and never lost to a damaged or vanished file."""

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from lib.stored_maps import Explained, StoredMaps, stored_maps


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "store" / "method" / "maps"


def made(images: str, c: int = 0) -> dict:
    """A map of each image, whose values say the image and the class."""
    return {
        (image, c): Explained(np.full((2, 3), ord(image) + c, np.float32), ord(image) / 10)
        for image in images
    }


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_found(found: dict, want: dict) -> None:
    assert found.keys() == want.keys()
    for pair, one in want.items():
        assert np.array_equal(found[pair].map, one.map) and found[pair].map.dtype == one.map.dtype
        assert found[pair].seconds == one.seconds
        assert np.array_equal(found[pair].coefficients, one.coefficients)


def block_of(maps: StoredMaps, images: str) -> str:
    """The name of the block that is written for these images."""
    before = files(maps.folder) if maps.folder.exists() else set()
    maps.write(made(images))
    (block,) = files(maps.folder) - before
    return block


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The blocks whose headers have been read."""
    seen = []
    from lib import stored_maps

    def listed(path, inner=stored_maps._listed):
        seen.append(path.name)
        return inner(path)

    monkeypatch.setattr(stored_maps, "_listed", listed)
    return seen


# ------------------------------------------------------------------------------------ found again


def test_maps_come_back_by_image_and_class(folder):
    maps = StoredMaps(folder)
    want = made("ab", 5) | made("ab", 7)
    assert maps.read(want) == {}
    maps.write(made("ab", 5))
    maps.write(made("ab", 7))
    for reader in (maps, StoredMaps(folder)):
        assert_found(reader.read([*want, ("a", 6), ("c", 5)]), want)


def test_a_choice_of_images_across_blocks_finds_its_maps(folder):
    maps = StoredMaps(folder)
    for images in ("abc", "def", "ghi"):
        maps.write(made(images))
    for some in ("h", "ca", "ifb", "abcdefghi"):
        assert_found(StoredMaps(folder).read(made(some)), made(some))


def test_coefficients_come_back_with_their_maps(folder):
    want = {
        (image, 3): Explained(np.zeros((2, 2)), 0.1, np.arange(5, dtype=np.float32) + i)
        for i, image in enumerate("ab")
    }
    StoredMaps(folder).write(want)
    assert_found(StoredMaps(folder).read(want), want)


def test_a_map_does_not_keep_its_block_in_memory(folder):
    StoredMaps(folder).write(made("abc"))
    (one,) = StoredMaps(folder).read([("b", 0)]).values()
    assert one.map.base is None and one.map.nbytes == 24


def test_what_another_process_writes_is_found(folder):
    mine, theirs = StoredMaps(folder), StoredMaps(folder)
    mine.write(made("a"))
    assert_found(theirs.read(made("ab")), made("a"))
    mine.write(made("b"))
    assert_found(theirs.read(made("ab")), made("ab"))


def test_a_header_is_read_once_and_that_of_an_own_block_never(folder, opened):
    mine, theirs = StoredMaps(folder), StoredMaps(folder)
    blocks = {block_of(mine, image) for image in "abc"}
    for _ in range(3):
        mine.read(made("abcd"))
    assert opened == []
    for _ in range(3):
        theirs.read(made("abcd"))
    assert sorted(opened) == sorted(blocks)


def test_nothing_is_listed_for_no_image(folder, monkeypatch):
    monkeypatch.setattr(os, "listdir", None)
    assert StoredMaps(folder).read([]) == {}


def test_a_folder_that_is_removed_holds_nothing(folder):
    maps = StoredMaps(folder)
    (folder / block_of(maps, "a")).unlink()
    folder.rmdir()
    assert maps.read(made("a")) == {}
    maps.write(made("b"))
    assert_found(maps.read(made("ab")), made("b"))


def test_a_folder_has_one_index_in_a_process(folder):
    assert stored_maps(folder) is stored_maps(Path(str(folder)))


# ----------------------------------------------------------------------------------------- merged


def test_the_blocks_of_a_shard_become_one(folder):
    maps = StoredMaps(folder)
    for images in ("ab", "cd", "e"):
        maps.write(made(images))
    other = block_of(maps, "xy")
    overlapping = block_of(maps, "ez")
    assert not maps.complete(made("abcde"))
    maps.gather(made("abcde"))
    assert len(files(folder)) == 3 and {other, overlapping} < files(folder)
    assert maps.complete(made("abcde"))
    for reader in (maps, StoredMaps(folder)):
        assert_found(reader.read(made("abcdexyz")), made("abcdexyz"))


def test_one_block_is_left_as_it_is(folder):
    maps = StoredMaps(folder)
    block = block_of(maps, "ab")
    written = (folder / block).stat().st_mtime_ns
    assert maps.complete(made("ab")) and not maps.complete(made("abc"))
    maps.gather(made("ab"))
    assert files(folder) == {block} and (folder / block).stat().st_mtime_ns == written


def test_maps_that_are_in_no_block_join_those_of_the_shard(folder):
    maps = StoredMaps(folder)
    maps.write(made("ab"))
    maps.write(made("dz"))
    maps.gather(made("abcde"))
    assert len(files(folder)) == 2 and maps.complete(made("abcde"))
    assert_found(StoredMaps(folder).read(made("abcdez")), made("abcdez"))


def test_a_damaged_block_is_written_again_when_it_is_the_whole(folder):
    maps = StoredMaps(folder)
    path = folder / block_of(maps, "abcd")
    maps.write(made("ab"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match="is damaged and computed anew"):
        StoredMaps(folder).read(made("abcd"))
    maps.gather(made("abcd"))
    assert files(folder) == {path.name}
    assert_found(StoredMaps(folder).read(made("abcd")), made("abcd"))


def test_blocks_of_an_interrupted_run_are_merged_by_the_next(folder):
    StoredMaps(folder).write(made("ab"))
    maps = StoredMaps(folder)
    maps.read(made("abcd"))
    maps.write(made("cd"))
    maps.gather(made("abcd"))
    assert len(files(folder)) == 1
    assert_found(StoredMaps(folder).read(made("abcd")), made("abcd"))


def test_an_interrupted_merge_loses_nothing_and_is_completed(folder, monkeypatch):
    maps = StoredMaps(folder)
    for images in ("ab", "cd"):
        maps.write(made(images))

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "unlink", killed)
        maps.gather(made("abcd"))
    assert len(files(folder)) == 3
    later = StoredMaps(folder)
    assert_found(later.read(made("dcba")), made("abcd"))
    assert not later.complete(made("abcd"))
    later.gather(made("dcba"))
    assert len(files(folder)) == 1
    assert_found(StoredMaps(folder).read(made("abcd")), made("abcd"))


def test_old_blocks_stay_until_the_new_one_is_there(folder, monkeypatch):
    maps = StoredMaps(folder)
    blocks = {block_of(maps, images) for images in ("ab", "cd")}

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.warns(UserWarning, match=f"cannot write into {folder.parent.parent} .No space"):
            maps.gather(made("abcd"))
    assert files(folder) == blocks
    assert_found(maps.read(made("abcd")), made("abcd"))


def test_a_block_that_another_process_merges_meanwhile_is_found_in_the_new_one(folder):
    mine, theirs = StoredMaps(folder), StoredMaps(folder)
    for images in ("ab", "cd"):
        mine.write(made(images))
    look, times = theirs._look, []

    def look_and_then_they_vanish():
        look()
        times.append(1)
        if len(times) == 1:
            mine.gather(made("abcd"))

    theirs._look = look_and_then_they_vanish
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_found(theirs.read(made("abcd")), made("abcd"))


# ---------------------------------------------------------------------------------------- damaged


@pytest.mark.parametrize("fresh", [True, False], ids=["header unread", "header read"])
def test_no_flipped_bit_goes_unseen(folder, fresh):
    """Reading gives what was written, or nothing and a warning that names the file."""
    maps = StoredMaps(folder)
    path, want = folder / block_of(maps, "ab"), made("ab")
    whole, rng, seen = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(400):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = (StoredMaps(folder) if fresh else maps).read(want)
        if found:
            assert_found(found, want)
        else:
            assert said and all(str(path) in str(one.message) for one in said)
            seen += 1
        path.write_bytes(whole)
        assert_found(maps.read(want), want)
    assert seen > 100


@pytest.mark.parametrize("content", [b"", b"text", None])
@pytest.mark.parametrize("fresh", [True, False])
def test_a_damaged_block_is_named_and_goes_when_its_maps_are_computed_anew(folder, content, fresh):
    maps = StoredMaps(folder)
    bad, good = block_of(maps, "abc"), block_of(maps, "de")
    path = folder / bad
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    reader = StoredMaps(folder) if fresh else maps
    with pytest.warns(UserWarning, match=f"{path} is damaged and computed anew"):
        assert_found(reader.read(made("bde")), made("de"))
    reader.write(made("b"))
    assert good in files(folder) and bad not in files(folder) and len(files(folder)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for again in (reader, StoredMaps(folder)):
            assert_found(again.read(made("abde")), made("bde"))


def test_a_damaged_block_is_replaced_by_the_same_maps(folder):
    maps = StoredMaps(folder)
    path = folder / block_of(maps, "abc")
    path.write_bytes(path.read_bytes()[:-9])
    reader = StoredMaps(folder)
    with pytest.warns(UserWarning, match="is damaged and computed anew"):
        reader.read(made("abc"))
    reader.write(made("abc"))
    assert files(folder) == {path.name}
    assert_found(StoredMaps(folder).read(made("abc")), made("abc"))


def test_a_block_that_another_process_has_made_good_is_left(folder):
    maps = StoredMaps(folder)
    path = folder / block_of(maps, "abc")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.warns(UserWarning, match="is damaged and computed anew"):
        assert maps.read(made("abc")) == {}
    path.write_bytes(whole)
    assert_found(maps.read(made("abc")), made("abc"))
    maps.write(made("d"))
    assert_found(maps.read(made("abcd")), made("abcd"))


def test_a_half_written_file_is_no_block(folder):
    StoredMaps(folder).write(made("a"))
    (folder / ".writing-1.safetensors").write_bytes(b"half")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_found(StoredMaps(folder).read(made("ab")), made("a"))


def test_what_cannot_be_written_is_said(folder):
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way of the folder")
    maps = StoredMaps(folder)
    assert maps.read(made("a")) == {}
    with pytest.warns(UserWarning, match=f"cannot write into {folder.parent.parent} "):
        maps.write(made("a"))
    assert maps.read(made("a")) == {}
