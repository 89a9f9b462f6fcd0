import errno
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from filelock import Timeout

from lib.store import Explained, ShardStore, key, write_atomically

IMAGES = ("a", "b", "c")


def test_key_depends_on_every_part_and_not_on_the_order_of_options():
    assert key("a", {"x": 1, "y": 2}) == key("a", {"y": 2, "x": 1})
    keys = {
        key("a"),
        key("b"),
        key("a", "b"),
        key(["a", "b"]),
        key("a", {"x": 1}),
        key("a", {"x": 2}),
    }
    assert len(keys) == 6


def test_values_come_back(tmp_path):
    frame = pd.DataFrame({
        "target": pd.array([1, None], dtype="Int64"),
        "value": [0.5, np.nan],
        "error": pd.array([None, "bad"], dtype="string"),
    })  # fmt: skip
    files = ShardStore(tmp_path, "method", IMAGES)
    assert files.read_values("average_drop", frame.columns) is None
    files.write_values("average_drop", frame)
    pd.testing.assert_frame_equal(files.read_values("average_drop", frame.columns), frame)
    assert files.read_values("average_gain", frame.columns) is None
    assert ShardStore(tmp_path, "other", IMAGES).read_values("average_drop", frame.columns) is None


def test_maps_come_back_by_image_and_class(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    maps = {
        (image, c): Explained(np.full((2, 3), i + c, np.float32), i / 10)
        for i, image in enumerate(IMAGES)
        for c in (5, 7)
    }
    assert files.read_maps(maps) == {}
    files.write_maps({pair: one for pair, one in maps.items() if pair[1] == 5})
    files.write_maps({pair: one for pair, one in maps.items() if pair[1] == 7})
    known = files.read_maps([*maps, ("a", 6)])
    assert known.keys() == maps.keys()
    for pair, explained in maps.items():
        assert np.array_equal(known[pair].map, explained.map)
        assert known[pair].map.dtype == np.float32
        assert known[pair].seconds == explained.seconds and known[pair].coefficients is None


def test_another_choice_of_images_finds_its_maps_but_not_its_values(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    maps = {(image, 0): Explained(np.full((1, 1), i), 0.0) for i, image in enumerate(IMAGES)}
    files.write_maps(maps)
    files.write_values("m", pd.DataFrame({"value": [1.0, 2.0, 3.0]}))
    some = ShardStore(tmp_path, "method", ["c", "d", "a"])
    found = some.read_maps((image, 0) for image in "cda")
    assert {image: one.map.item() for (image, _), one in found.items()} == {"a": 0, "c": 2}
    assert some.read_values("m", ["value"]) is None


def test_a_view_of_a_map_is_stored_as_it_reads(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T[::-1]
    files.write_maps({("a", 1): Explained(turned, 0.1)})
    assert np.array_equal(files.read_maps([("a", 1)])["a", 1].map, turned)


def test_coefficients_come_back_with_their_maps(tmp_path):
    files = ShardStore(tmp_path, "method", IMAGES)
    alpha = np.arange(5, dtype=np.float32)
    files.write_maps({("a", 3): Explained(np.zeros((2, 2)), 0.1, alpha)})
    assert np.array_equal(files.read_maps([("a", 3)])["a", 3].coefficients, alpha)


@pytest.mark.parametrize("kind", ["map", "values"])
def test_no_flipped_bit_goes_unseen(tmp_path, kind):
    """Reading gives what was written, or nothing and a warning that names the file."""
    files, pair = ShardStore(tmp_path, "method", IMAGES), ("a", 0)
    explained = Explained(np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), 0.25, np.ones(3))
    files.write_maps({pair: explained})
    frame = pd.DataFrame({
        "value": [0.5, 0.25, 0.125],
        "error": pd.array([None, "bad", None], dtype="string"),
    })  # fmt: skip
    files.write_values("m", frame)
    (path,) = (tmp_path / "method").glob("*.safetensors" if kind == "map" else "*.parquet")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    seen = 0
    for _ in range(400):
        place, bit = rng.integers(len(whole)), rng.integers(8)
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if kind == "map":
                found = files.read_maps([pair]).get(pair)
                same = found and all(np.array_equal(a, b) for a, b in zip(found, explained))
            else:
                found = files.read_values("m", frame.columns)
                same = found is not None and found["value"].equals(frame["value"])
        assert same or (found is None and [str(path) in str(one.message) for one in said] == [True])
        seen += found is None
    assert seen > 100


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_a_damaged_file_is_named_and_can_be_replaced(tmp_path, content):
    files = ShardStore(tmp_path, "method", IMAGES)
    maps, frame = {("a", 0): Explained(np.ones((2, 2)), 0.1)}, pd.DataFrame({"value": [1.0]})
    for _ in range(2):
        files.write_maps(maps)
        files.write_values("m", frame)
        assert len(files.read_maps(maps)) == 1 and len(files.read_values("m", ["value"])) == 1
        for path in (tmp_path / "method").iterdir():
            path.write_bytes(path.read_bytes()[:-9] if content is None else content)
        with pytest.warns(UserWarning, match=r"a-0.safetensors is damaged and computed anew \("):
            assert files.read_maps(maps) == {}
        with pytest.warns(UserWarning, match=r"m-\w+.parquet is damaged and computed anew \("):
            assert files.read_values("m", ["value"]) is None
    files.write_values("m", frame)
    with pytest.warns(UserWarning, match="damaged .*its columns are value"):
        assert files.read_values("m", ["value", "error"]) is None


def test_what_cannot_be_written_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    files = ShardStore(tmp_path, "method", IMAGES)

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    message = f"cannot write into {tmp_path} .No space left on device.: .* not kept; make room"
    with files.lock, pytest.warns(UserWarning, match=message):
        files.write_values("m", pd.DataFrame({"value": [1.0]}))
    with pytest.warns(UserWarning, match=message):
        files.write_maps({("a", 0): Explained(np.zeros((2, 2)), 0.1)})
    assert [path.suffix for path in (tmp_path / "method").iterdir()] == [".lock"]


def test_where_no_lock_can_be_made_nobody_waits(tmp_path):
    (tmp_path / "method").write_text("in the way of the folder")
    files = ShardStore(tmp_path, "method", IMAGES)
    with pytest.warns(UserWarning, match="cannot write into"), files.lock, files.lock:
        assert files.read_maps([]) == {}


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "values.parquet"
    path.write_text("old")

    def interrupted(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_whole_file(tmp_path):
    path = tmp_path / "new" / "values.parquet"
    write_atomically(path, lambda p: p.write_text("one"))
    write_atomically(path, lambda p: p.write_text("2"))
    assert path.read_text() == "2" and list(path.parent.iterdir()) == [path]


def test_without_a_store_nothing_is_remembered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ShardStore(None, "method", IMAGES)
    with files.lock:
        files.write_values("m", pd.DataFrame({"value": [1.0]}))
        files.write_maps({("a", 0): Explained(np.zeros((2, 2)), 0.1)})
    assert files.read_values("m", ["value"]) is None and files.read_maps([("a", 0)]) == {}
    assert list(tmp_path.iterdir()) == []


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


def test_others_may_read_what_is_written(tmp_path):
    (tmp_path / "plain").write_text("")
    write_atomically(tmp_path / "kept", lambda path: path.write_text(""))
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1, "a file has other rights than one that is simply written"
