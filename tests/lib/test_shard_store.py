import subprocess
import sys

import numpy as np
import pytest
from filelock import Timeout

from lib.shard_store import ShardStore
from lib.stored_maps import Explained

IMAGES = ("a", "b", "c")
COLUMNS = {"target": np.array([1, 2, 0]), "value": np.array([0.5, np.nan, 0.25])}
MAPS = {(image, 0): Explained(np.full((1, 1), i), 0.0) for i, image in enumerate(IMAGES)}


def same(found, want) -> bool:
    return found.keys() == want.keys() and all(
        np.array_equal(found[name], want[name], equal_nan=True) for name in want
    )


def test_values_come_back(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    assert files.read_values("average_drop", COLUMNS) is None
    files.write_values("average_drop", COLUMNS)
    assert same(files.read_values("average_drop", COLUMNS), COLUMNS)
    assert files.read_values("average_gain", COLUMNS) is None
    assert ShardStore(tmp_path, "other", IMAGES).read_values("average_drop", COLUMNS) is None


def test_a_value_may_be_an_array(tmp_path):
    files, columns = ShardStore(tmp_path, "method", IMAGES), {"value": np.arange(6.0).reshape(3, 2)}
    files.write_values("m", columns)
    assert same(files.read_values("m", columns), columns)


def test_another_choice_of_images_finds_its_maps_but_not_its_values(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    files.write_maps(MAPS)
    files.write_values("m", COLUMNS)
    some = ShardStore(tmp_path, "method", ["c", "d", "a"])
    found = some.read_maps((image, 0) for image in "cda")
    assert {image: one.map.item() for (image, _), one in found.items()} == {"a": 0, "c": 2}
    assert some.read_values("m", COLUMNS) is None


def test_batches_end_in_one_file(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    for pair, one in MAPS.items():
        files.write_maps({pair: one})
    assert not files.complete(MAPS)
    files.gather_maps(MAPS)
    assert files.complete(MAPS) and len([*tmp_path.rglob("*.safetensors")]) == 1


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_damaged_values_are_named_and_can_be_replaced(tmp_path, content):
    files = ShardStore(tmp_path, "method", IMAGES)
    for _ in range(2):
        files.write_values("m", COLUMNS)
        assert same(files.read_values("m", COLUMNS), COLUMNS)
        (path,) = (tmp_path / "method").iterdir()
        path.write_bytes(path.read_bytes()[:-9] if content is None else content)
        with pytest.warns(UserWarning, match=r"m-\w+.safetensors is damaged and computed anew \("):
            assert files.read_values("m", COLUMNS) is None
    files.write_values("m", COLUMNS)
    with pytest.warns(UserWarning, match="damaged .*its columns are "):
        assert files.read_values("m", ["target", "value", "seconds"]) is None


def test_where_no_lock_can_be_made_nobody_waits(tmp_path):
    (tmp_path / "method").write_text("in the way of the folder")
    files = ShardStore(tmp_path, "method", IMAGES)
    with pytest.warns(UserWarning, match="cannot write into"), files.lock, files.lock:
        assert files.read_maps(MAPS) == {}


def test_without_a_store_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ShardStore(None, "method", IMAGES)
    with files.lock:
        files.write_values("m", COLUMNS)
        files.write_maps(MAPS)
        files.gather_maps(MAPS)
    assert files.read_values("m", COLUMNS) is None and files.read_maps(MAPS) == {}
    assert files.complete(MAPS) and list(tmp_path.iterdir()) == []


def is_free(files: ShardStore) -> bool:
    try:
        with files.lock.acquire(timeout=0):
            return True
    except Timeout:
        return False


def test_a_shard_is_held_by_one_at_a_time_who_may_take_it_again(tmp_path):
    mine, theirs = (ShardStore(tmp_path, "method", IMAGES) for _ in range(2))
    others = [ShardStore(tmp_path, "method", "ab"), ShardStore(tmp_path, "another", IMAGES)]
    with mine.lock:
        with mine.lock:
            assert not is_free(theirs)
        assert not is_free(theirs) and all(map(is_free, others))
    assert is_free(theirs)


def test_a_process_that_dies_lets_go(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    dying = "import os, sys, filelock; filelock.FileLock(sys.argv[1]).acquire(); os._exit(3)"
    done = subprocess.run([sys.executable, "-c", dying, files.lock.lock_file])
    assert done.returncode == 3 and is_free(files)
