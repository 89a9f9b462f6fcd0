"""The committed notebooks, and the check of their parameters."""

import re

import jupytext
import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from book.building.contents import notebooks, parameters
from book.commands import placed
from book.experiments import plan
from book.parameters import PROFILES, assigned, check
from lib.errors import UnknownName
from lib.paths import ROOT

PAGES = notebooks(ROOT)
MAX_BYTES = 200_000


# Parameters -------------------------------------------------------------------------------------


def test_a_parameters_cell_is_read_with_its_types():
    source = 'profile: str = "smoke"  # size\nn = 20\nroot: str | None = None\nrates = [0.1, 1.0]\n'
    assert assigned(source) == {"profile": "smoke", "n": 20, "root": None, "rates": [0.1, 1.0]}


@pytest.mark.parametrize("line", ["n = 2 * 3", "import math", "a.b = 1", "print(1)", "n: int"])
def test_a_parameters_cell_that_computes_is_refused(line):
    with pytest.raises(ValueError, match="assigns literals, one per line; move"):
        assigned(line)


def test_unknown_parameters_and_profiles_list_the_valid_ones():
    with pytest.raises(
        UnknownName, match="unknown parameter 'sed'.*did you mean 'seed'.*profile, seed"
    ):
        check({"sed": 1}, {"profile": "smoke", "seed": 0})
    with pytest.raises(UnknownName, match="unknown profile 'big'.*smoke, embedded, paper"):
        check({"profile": "big"}, {"profile": "smoke"})


@pytest.mark.parametrize(
    "default, value",
    [(1, "1"), (1, 1.5), ("a", 3), (0.5, "x"), (["a"], "a"), (0, True), (0.5, False), (True, 1)],
)
def test_a_value_of_another_type_is_refused(default, value):
    with pytest.raises(ValueError, match="'name' is of type"):
        check({"name": value}, {"name": default})


def test_a_text_that_yaml_reads_as_a_number_comes_with_its_remedy():
    with pytest.raises(
        ValueError, match="'root' is of type str .* got 2024: write a path .* ./2024"
    ):
        check({"root": 2024}, {"root": ""})


@pytest.mark.parametrize("default, value, least", [(0, -1, 0), (16, 0, 1), (16, -4, 1)])
def test_less_than_nothing_is_refused(default, value, least):
    with pytest.raises(ValueError, match=f"'n' is at least {least}, got {value}"):
        check({"n": value}, {"n": default})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_is_finite(value):
    with pytest.raises(ValueError, match="'sigma' is a finite number"):
        check({"sigma": value}, {"sigma": 15.0})


@pytest.mark.parametrize(
    "default, value", [(0.5, 1), (None, "x"), ("x", None), (1, 2), (0, 0), (True, False)]
)
def test_a_value_of_the_type_or_of_an_open_one_passes(default, value):
    check({"name": value}, {"name": default})


def test_paths_on_the_command_line_are_those_of_who_gives_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir(), (tmp_path / "mine.py").touch(), (tmp_path / "voc").mkdir()
    assert placed("root", "pictures") == f"{tmp_path}/pictures"
    assert placed("network", "mine.py:build") == f"{tmp_path}/mine.py:build"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert placed("reference", "~/pictures") == f"{tmp_path}/pictures"
    for name, value in {
        "reference": "voc", "weights": "random", "root": "absent", "network": "torchvision:resnet50",
        "layer": "pictures", "n_images": 3, "dataset": "voc",
    }.items():  # fmt: skip
        assert placed(name, value) == value


@pytest.fixture
def run(tmp_path):
    """Executes a tiny notebook with plain papermill, as a reader would."""
    cells = [
        nbformat.v4.new_code_cell(
            'profile: str = "smoke"\nn: int = 1', metadata={"tags": ["parameters"]}
        ),
        nbformat.v4.new_code_cell(
            "from book.parameters import check_given\ncheck_given(globals())"
        ),
        nbformat.v4.new_code_cell("print(profile, n)"),
    ]
    path = tmp_path / "in.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return lambda **given: papermill.execute_notebook(
        path, tmp_path / "out.ipynb", given, kernel_name="python3", progress_bar=False
    )


def test_plain_papermill_fails_on_an_unknown_parameter(run):
    with pytest.raises(PapermillExecutionError, match="unknown parameter 'm'.*valid: profile, n"):
        run(m=3)


def test_plain_papermill_passes_known_parameters(run):
    assert run(n=3, profile="paper").cells[-1].outputs[0].text == "paper 3\n"


# The pages --------------------------------------------------------------------------------------


def test_every_notebook_is_a_page_and_the_other_way_round():
    assert set(PAGES) == set((ROOT / "notebooks").rglob("*.py"))
    assert {path.with_suffix(".ipynb") for path in PAGES} == {
        path
        for path in (ROOT / "notebooks").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    }


def each_page(test):
    return pytest.mark.parametrize(
        "path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}"
    )(test)


@each_page
def test_the_pair_is_in_sync(path):
    script, paired = jupytext.read(path), jupytext.read(path.with_suffix(".ipynb"))
    assert [(cell.cell_type, cell.source) for cell in script.cells] == [
        (cell.cell_type, cell.source) for cell in paired.cells
    ]
    tags = [
        [cell.metadata.get("tags", []) for cell in notebook.cells] for notebook in (script, paired)
    ]
    assert tags[0] == tags[1]


@each_page
def test_the_parameters_are_literals_and_begin_with_the_smoke_profile(path):
    declared = parameters(path)
    assert next(iter(declared)) == "profile"
    assert declared["profile"] == PROFILES[0] == "smoke"


@each_page
def test_every_parameter_has_a_type_and_a_comment(path):
    [cell] = [
        cell for cell in jupytext.read(path).cells if "parameters" in cell.metadata.get("tags", [])
    ]
    assert [
        line for line in cell.source.splitlines() if line and not (":" in line and "  # " in line)
    ] == []


@each_page
def test_the_page_is_made_right_behind_the_parameters(path):
    code = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    at = next(i for i, cell in enumerate(code) if "parameters" in cell.metadata.get("tags", []))
    assert f'page = Page("{path.parent.name}/{path.stem}", globals()' in code[at + 1].source
    assert code[-1].source == "page.provenance()"


@each_page
def test_every_page_takes_a_network_and_images_of_ones_own(path):
    if not plan(f"{path.parent.name}/{path.stem}", "smoke").experiments:
        pytest.skip("it draws its values itself")
    declared = parameters(path)
    assert {"cost", "network", "weights", "layer", "dataset", "root", "n_images"} <= declared.keys()


@each_page
def test_the_committed_outputs_are_complete_small_and_without_error(path):
    file = path.with_suffix(".ipynb")
    assert file.stat().st_size <= MAX_BYTES
    code = [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in code)
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert str(ROOT) not in file.read_text("utf-8")


# How a parameters cell, which `papermill --help-notebook` shows, speaks of what a page needs.
SAID = {
    "boxes": "has boxes",
    "question": "with questions",
    "parts": "how the parts of each species look",
    "a class token": "with a class token",
    "a head that DeepLIFT passes": "with no attention behind it",
    "several classes": "of several classes",
    "ImageNet's classes": "of ImageNet's classes",
    "class maps or a latent position": "whose head pools",
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").rglob("*.py")), ids=lambda path: path.stem
)
def test_what_a_page_needs_is_said_of_its_parameters(path):
    source = path.read_text("utf-8")
    declared = source.partition('tags=["parameters"]')[2].partition("# %%")[0]
    for needs in re.findall(r"needs=\[(.*?)\]", source):
        for need in re.findall(r'"(.*?)"', needs):
            assert SAID[need] in declared
