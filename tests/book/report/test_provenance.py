import json
import shutil
import socket
import subprocess

import pytest

from book.report import provenance
from book.report.provenance import commit


def test_footer_and_record():
    data, metadata = provenance(profile="smoke", n_images=20)._repr_mimebundle_()
    record = metadata["provenance"]
    assert record["parameters"] == {"profile": "smoke", "n_images": 20}
    assert {"python", "torch", "torchvision", "timm", "numpy", "lib"} == set(record["versions"])
    assert record["threads"] >= 1 and record["seconds"] > 0
    assert "profile smoke, n_images 20" in data["text/html"]
    json.dumps(metadata)


def test_paths_begin_at_home_and_no_host_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    page = provenance(
        root=str(tmp_path / "pictures/birds"), weights=tmp_path / "net.pth", layer="a.b"
    )
    text = json.dumps(page._repr_mimebundle_())
    assert str(tmp_path) not in text and socket.gethostname() not in text
    given = {"root": "~/pictures/birds", "weights": "~/net.pth", "layer": "a.b"}
    assert page.record["parameters"] == given
    assert provenance(root=f"{tmp_path}s/x").record["parameters"]["root"] == f"{tmp_path}s/x"


def test_markup_is_escaped():
    assert "<i>" not in provenance(network="<i>")._repr_mimebundle_()[0]["text/html"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_commit(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *identity, *arguments]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    assert commit(tmp_path) == "unknown"
    git("init")
    assert commit(tmp_path) == "unknown"  # no commit yet
    (tmp_path / "a").write_text("a")
    git("add", "a")
    git("commit", "-m", "a")
    assert len(commit(tmp_path)) == 12
    (tmp_path / "a").write_text("b")
    assert commit(tmp_path).endswith(" (modified)")
    inner = tmp_path / "inner"  # an installed package within another repository
    inner.mkdir()
    assert commit(inner) == "unknown"
