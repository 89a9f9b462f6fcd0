"""The folder in which the user gives a command, and how the paths in it are resolved."""

import os
from pathlib import Path

import pytest

from lib import paths


@pytest.fixture
def folders(tmp_path, monkeypatch) -> tuple[Path, Path]:
    """The folder where the user gave the command, and the folder where the process runs."""
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
    assert paths.given("nowhere") == stood / "nowhere"


def test_an_absolute_path_stays_and_home_is_found(folders, monkeypatch):
    stood, current = folders
    assert paths.given(stood / "nowhere") == stood / "nowhere"
    monkeypatch.setenv("HOME", str(current))
    assert paths.given("~/w.pth") == current / "w.pth"


def test_a_program_means_the_current_folder(folders, monkeypatch):
    stood, current = folders
    (stood / "there").touch()
    assert paths.absolute("there") == current / "there"
    assert paths.absolute(stood / "there") == stood / "there"
    monkeypatch.setenv("HOME", str(stood))
    assert paths.absolute("~/store") == stood / "store"


@pytest.mark.parametrize("meant", [paths.absolute, paths.given])
def test_a_home_that_is_none_is_named(meant):
    with pytest.raises(ValueError, match="'~nobody_at_all/x' begins in the home folder of a user"):
        meant("~nobody_at_all/x")


@pytest.mark.parametrize(
    "variable, folder", [("CAMS_BUILD", paths.build_folder), ("CAMS_DATA", paths.data_home)]
)
def test_a_folder_of_the_environment_begins_where_the_user_stands(
    folders, monkeypatch, variable, folder
):
    stood, current = folders
    monkeypatch.setenv(variable, "mine")
    assert folder() == stood / "mine"
    monkeypatch.setenv("HOME", str(current))
    monkeypatch.setenv(variable, "~/mine")
    assert folder() == current / "mine"


# Where results go -----------------------------------------------------------------------------


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A checkout, the user's cache and a temporary folder; gives the set of read-only ones."""
    monkeypatch.delenv("CAMS_BUILD", raising=False)
    checkout, cache, temporary = (tmp_path / name for name in ("checkout", "cache", "temporary"))
    for folder in (checkout, cache, temporary):
        folder.mkdir()
    monkeypatch.setattr(paths, "ROOT", checkout)
    monkeypatch.setattr(paths, "_INSTALLED", False)
    monkeypatch.setattr(paths.pooch, "os_cache", lambda name: cache / name)
    monkeypatch.setattr(paths.tempfile, "gettempdir", lambda: str(temporary))
    closed, access = set(), os.access

    def writable(path, mode):
        within = any(Path(path).is_relative_to(tmp_path / name) for name in closed)
        return access(path, mode) and not within

    monkeypatch.setattr(paths.os, "access", writable)
    return closed


def test_results_go_where_they_can_be_written(places, tmp_path, monkeypatch):
    assert paths.build_folder() == tmp_path / "checkout/build"
    places.add("checkout")
    assert paths.build_folder() == tmp_path / "cache/cams/build"
    places.add("cache")
    assert paths.build_folder().is_relative_to(tmp_path / "temporary")
    places.clear()
    monkeypatch.setattr(paths, "_INSTALLED", True)
    assert paths.build_folder() == tmp_path / "cache/cams/build", "never among packages"


def test_a_build_that_is_made_already_is_asked_itself(places, tmp_path):
    (tmp_path / "checkout/build").mkdir()
    places.add("checkout/build")
    assert paths.build_folder() == tmp_path / "cache/cams/build"
    (tmp_path / "checkout/build").rmdir()
    (tmp_path / "checkout/build").touch()  # a file in place of the folder
    places.clear()
    assert paths.build_folder() == tmp_path / "cache/cams/build"
