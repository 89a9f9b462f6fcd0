"""Where the user stands, and what a path of theirs means."""

from pathlib import Path

import pytest

from lib import paths


@pytest.fixture
def folders(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """Where the user gave the command, and where the process runs."""
    stood, current = tmp_path / "stood", tmp_path / "current"
    stood.mkdir(), current.mkdir()
    monkeypatch.chdir(current)
    monkeypatch.setenv("PWD", str(stood))
    return stood, current


def test_the_user_stands_where_the_shell_says(folders):
    assert paths.standing() == folders[0]


@pytest.mark.parametrize("shell", [None, "", "no/such/folder", "/no/such/folder", "."])
def test_or_in_the_current_folder(folders, monkeypatch, shell):
    monkeypatch.delenv("PWD") if shell is None else monkeypatch.setenv("PWD", shell)
    assert paths.standing() == folders[1]


def test_a_relative_path_begins_where_the_user_stands_if_it_is_there(folders):
    stood, current = folders
    for folder in folders:
        (folder / "both").touch()
    (stood / "there").touch(), (current / "here").touch()
    assert paths.given("both") == stood / "both"
    assert paths.given(Path("there")) == stood / "there"
    assert paths.given("here") == current / "here"
    assert paths.given("nowhere") == current / "nowhere"


def test_an_absolute_path_stays_and_home_is_found(folders, monkeypatch):
    stood, current = folders
    assert paths.given(stood / "nowhere") == stood / "nowhere"
    monkeypatch.setenv("HOME", str(current))
    assert paths.given("~/w.pth") == current / "w.pth"
