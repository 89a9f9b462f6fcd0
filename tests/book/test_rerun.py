"""How to run a page again, and how to cite it."""

import re
import shlex

from nbformat.v4 import new_code_cell

from book.building.rerun import bibtex, command, fold

from .verdicts import page

BOOK = {"title": "Maps, reproduced", "author": "The authors", "year": "2026"}


def cell(source, tag):
    return new_code_cell(source, metadata={"tags": [tag]})


PARAMETERS = cell(
    'profile: str = "smoke"\ncost: str = ""\nroot: str = ""\nn_images: int = 0', "parameters"
)
INJECTED = cell(
    '# Parameters\nprofile = "embedded"\nn_images = 7\nroot = "my pictures"\n'
    'scheduler = "local:2"\n',
    "injected-parameters",
)


def commands(text):
    return re.findall(r"```{code-block} bash\n(.+)\n```", text)


def test_the_command_is_that_of_this_very_page_with_what_it_was_given():
    of = page(cells=[PARAMETERS, INJECTED], name="notebooks/opticam/07_localization")
    again, mine = commands(fold(of, "embedded", BOOK))
    assert shlex.split(again) == [
        ".venv/bin/python", "-m", "lib", "book", "--page", "opticam/07_localization", "--profile", "embedded",
        "-p", "n_images", "7", "-p", "root", "my pictures",
    ]  # fmt: skip
    assert mine.endswith("-p root pictures -p cost smoke --out mine")


def test_a_page_without_a_folder_offers_none_and_shows_its_parameters():
    of = page(cells=[cell('profile: str = "smoke"  # which', "parameters")])
    text = fold(of, "smoke", BOOK)
    assert len(commands(text)) == 1 and 'profile: str = "smoke"  # which' in text
    assert text.startswith("<details") and text.rstrip().endswith("</details>")


def test_the_summary_says_what_the_page_has_cost():
    assert ">1,207 s on a CPU<" in fold(page(cells=[PARAMETERS], seconds=1206.7), "embedded", BOOK)
    assert "cams-cost" not in fold(page(cells=[PARAMETERS]), "embedded", BOOK)


def test_the_command_parses(monkeypatch):
    from click.testing import CliRunner

    from book import commands as cli

    monkeypatch.setattr("book.building.stale", lambda *args, **given: [])
    words = shlex.split(command("opticam/07_localization", "embedded", {"root": "a b"}))[4:]
    run = CliRunner().invoke(cli.book, [*words, "--check"])
    assert run.exit_code == 0 and "every page" in run.output


def test_the_check_fails_and_lists_what_is_out_of_date(monkeypatch):
    from click.testing import CliRunner

    from book import commands as cli

    monkeypatch.setattr("book.building.stale", lambda *args, **given: ["opticam/07_localization"])
    run = CliRunner().invoke(cli.book, ["--check"])
    assert run.exit_code and "opticam/07_localization" in str(run.exception)


def test_a_page_is_cited_with_its_book_version_and_commit():
    of = page(name="notebooks/opticam/07_localization", commit="0123abc (modified)")
    assert bibtex(of, BOOK).splitlines() == [
        "@incollection{cams-opticam-07,",
        "  title = {One page},",
        "  author = {{The authors}},",
        "  booktitle = {Maps, reproduced},",
        "  year = {2026},",
        "  note = {Version 0.1.0, commit 0123abc (modified)},",
        "}",
    ]
