import pytest

from lib import manifests

from .serving import Web, serving


@pytest.fixture
def web(monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with serving(Web({})) as web:
        yield web


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The folder of data; manifests are in the folder `manifests` beside it."""
    for kind in ("weights", "datasets"):
        (tmp_path / "manifests" / kind).mkdir(parents=True)
        (tmp_path / "home" / kind).mkdir(parents=True)
    monkeypatch.setattr(manifests.reading, "MANIFESTS", tmp_path / "manifests")
    monkeypatch.setenv("CAMS_DATA", str(tmp_path / "home"))
    return tmp_path / "home"
