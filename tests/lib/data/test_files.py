"""Finding what a dataset's folder must hold, and naming what is missing or malformed."""

import json

import pytest

from lib import manifests
from lib.data.files import FileGone, check_complete, opening, present, read_json, reading
from lib.errors import unknown

ENTRY = manifests.entry("voc")
REMEDY = "Expected under root"


def test_the_first_place_that_is_there(tmp_path):
    (tmp_path / "b").touch()
    (tmp_path / "c").mkdir()
    assert present(ENTRY, *(tmp_path / name for name in "abc")) == tmp_path / "b"
    assert present(ENTRY, tmp_path / "c") == tmp_path / "c"


def test_nowhere_names_the_first_place_the_reason_and_the_remedy(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"(?s)voc: nothing at {tmp_path}/a.\n{REMEDY}"):
        present(ENTRY, tmp_path / "a", tmp_path / "b")
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {tmp_path}/a: reason.\n{REMEDY}"):
        present(ENTRY, tmp_path / "a", why="reason")


def test_a_folder_that_is_complete_or_lacks_files(tmp_path):
    for name in "abx":
        (tmp_path / name).touch()
    check_complete(ENTRY, (tmp_path / name for name in "abab"))
    message = f"(?s){tmp_path} lacks 2 of 3 files, such as c.\n{REMEDY}"
    with pytest.raises(FileNotFoundError, match=message):
        check_complete(ENTRY, [tmp_path / name for name in "dac"])
    with pytest.raises(FileNotFoundError, match=f"nothing at {tmp_path}/absent"):
        check_complete(ENTRY, [tmp_path / "absent/a"])


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (KeyError("bbox"), "no key 'bbox'"),
        (ValueError("too few"), "too few"),
        (unknown("class", "wolf", ["dog"]), "unknown class 'wolf'; valid: dog"),
    ],
)
def test_a_malformed_file_is_named(tmp_path, error, problem):
    with pytest.raises(ValueError, match=f"cannot read {tmp_path}: {problem}; take the file anew"):
        with reading(tmp_path):
            raise error


def test_an_error_of_another_kind_passes(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with reading(tmp_path):
            1 / 0


def test_a_key_is_left_out_at_any_depth(tmp_path):
    content = {"heavy": [1], "light": [{"heavy": {"heavy": 2}, "n": 1.5}, [{"heavy": 3}]]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_json(tmp_path / "a.json", "heavy") == {"light": [{"n": 1.5}, [{}]]}
    assert read_json(tmp_path / "a.json") == content


def test_a_reader_that_fails_in_any_way_is_named(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="cannot read the image .*/a: bad header; remove it"):
        with opening(tmp_path / "a", "image", "remove it"):
            raise RuntimeError("bad header")  # as Pillow's reader of AVIF
    with pytest.raises(MemoryError), opening(tmp_path / "a", "image"):
        raise MemoryError
    with pytest.raises(FileGone, match="the image .*/b: it is not there"):
        with opening(tmp_path / "b", "image"):
            pass
