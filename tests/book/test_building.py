"""The book: what is executed and when, how pages are staged, and the built HTML."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book.building import BookError, build, stale
from book.building.contents import link, notebooks, pages, parameters
from book.building.execute import _default_jobs, _furthest, environment, execute, freshness, plan
from book.building.publish import publish
from book.building.scoreboard import judged, verdicts
from book.building.stage import _built_with, figures_apart, stage
from book.report import PAPERS, RULE, VERDICTS_MIME
from lib.errors import UnknownName
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.paths import ROOT

PARAMETERS = '# %% tags=["parameters"]\nprofile: str = "smoke"\nn: int = 2\n\n'
WORKS = PARAMETERS + "# %%\nprint(n + 1)\n"
FAILS = PARAMETERS + "# %%\nvalue = 1\n\n# %%\nprint(1 / (n - 2))\n"


# What is executed -------------------------------------------------------------------------------


def test_pages_are_read_in_order_through_parts_chapters_and_sections(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "root: a\nparts:\n- chapters:\n  - file: b\n    sections:\n    - file: c\n"
        "- chapters:\n  - file: d\n"
    )
    assert pages(tmp_path) == ["a", "b", "c", "d"]


def test_a_missing_toc_or_notebook_is_named(project, tmp_path):
    with pytest.raises(FileNotFoundError, match="_toc.yml.*checkout"):
        pages(tmp_path)
    root = project({"one": WORKS})
    (root / "notebooks/mini/one.py").unlink()
    with pytest.raises(FileNotFoundError, match="notebooks/mini/one.py"):
        notebooks(root)


def test_a_notebook_has_exactly_one_parameters_cell(project):
    root = project({"one": "# %%\n1\n", "two": PARAMETERS + PARAMETERS})
    for name, found in (("one", 0), ("two", 2)):
        with pytest.raises(ValueError, match=rf"{name}.py: one cell .* found {found}"):
            parameters(root / f"notebooks/mini/{name}.py")


def test_each_notebook_gets_the_parameters_that_it_has(project, tmp_path):
    root = project({"one": WORKS, "two": '# %% tags=["parameters"]\nprofile: str = "smoke"\n'})
    one, two = plan(root, tmp_path / "out", {"profile": "paper", "n": 5}, notebooks(root))
    assert one.parameters == {"profile": "paper", "n": 5}
    assert two.parameters == {"profile": "paper"}


def test_unknown_profiles_and_parameters_list_the_valid_ones(project):
    root = project({"one": WORKS})
    with pytest.raises(UnknownName, match="unknown profile 'full'.*smoke, embedded, paper"):
        build("full", root=root)
    with pytest.raises(UnknownName, match="unknown parameter 'm'.*profile, n"):
        build("smoke", root=root, parameters={"m": 3})
    with pytest.raises(ValueError, match="'n' is of type int"):
        build("smoke", root=root, parameters={"n": "many"})


@pytest.mark.parametrize(
    "cores, cuda, jobs",
    [(1, False, 1), (2, False, 2), (4, False, 2), (16, False, 8), (16, True, 1)],
)
def test_cores_are_shared_by_notebooks(monkeypatch, cores, cuda, jobs):
    monkeypatch.setattr("book.building.execute._cores", lambda: cores)
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    assert _default_jobs() == jobs


@pytest.mark.parametrize(
    "waiting, running, place",
    [
        ([0, 1, 2], [], 0),
        ([1, 2, 3, 4], [0], 4),
        ([1, 2, 3], [0, 4], 2),
        ([1, 3], [2], 1),
        ([3, 1, 8], [2, 9], 1),
    ],
)
def test_neighbours_do_not_run_at_the_same_time(waiting, running, place):
    assert _furthest(waiting, running) == place


def test_jobs_below_one_are_refused():
    with pytest.raises(ValueError, match="jobs is at least 1, got 0"):
        execute([], jobs=0)


def test_the_key_follows_source_parameters_and_everything_behind_them(project):
    root = project({"one": WORKS})
    source = root / "notebooks/mini/one.py"
    (root / "book/building").mkdir(parents=True)
    (root / "book/building/stage.py").write_text("a")
    keys = {
        freshness(source, {"n": 1}, environment(root)),
        freshness(source, {"n": 2}, environment(root)),
    }
    for changed in ("lib/nets.py", "data_manifests/datasets/a.yaml", "constraints.txt"):
        (root / changed).parent.mkdir(parents=True, exist_ok=True)
        (root / changed).write_text("b")
        keys.add(freshness(source, {"n": 1}, environment(root)))
    source.write_text(source.read_text() + "# a comment\n")
    keys.add(last := freshness(source, {"n": 1}, environment(root)))
    assert len(keys) == 6
    (root / "book/building/stage.py").write_text("how a page looks changes no number")
    assert freshness(source, {"n": 1}, environment(root)) == last


def test_where_a_notebook_runs_is_no_part_of_its_key(project, tmp_path):
    root = project({"one": WORKS})
    [here] = plan(root, tmp_path / "out", {"n": 5}, notebooks(root))
    [there] = plan(root, tmp_path / "out", {"n": 5, "scheduler": "local:2"}, notebooks(root))
    assert there.parameters == {"n": 5, "scheduler": "local:2"} and there.key == here.key


def test_notebooks_run_on_the_workers_of_a_scheduler(project, tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed")
    root = project({"fails": FAILS, "works": WORKS})
    tasks = plan(root, tmp_path / "executed", {"profile": "smoke"}, notebooks(root))
    [failure] = execute(tasks, scheduler="local:1")
    assert failure.name == "mini/fails" and "ZeroDivisionError" in failure.error
    assert tasks[1].fresh and not tasks[0].fresh


def test_notebooks_do_not_hold_the_workers_that_they_wait_for():
    from book.commands import book

    with pytest.raises(ValueError, match="--scheduler or -p scheduler, not both"):
        book(["--scheduler", "local", "-p", "scheduler", "local"], standalone_mode=False)


def test_a_failing_notebook_is_reported_the_others_run_and_only_it_runs_again(
    project, tmp_path, capsys
):
    root = project({"fails": FAILS, "works": WORKS})
    tasks = plan(root, tmp_path / "executed", {"profile": "smoke"}, notebooks(root))
    [failure] = execute(tasks)
    assert failure.name == "mini/fails"
    assert "ZeroDivisionError" in failure.error
    assert "print(1 / (n - 2))" in str(failure)
    assert [task.fresh for task in tasks] == [False, True]
    executed = nbformat.read(tasks[1].output, as_version=4)
    assert [output.text for cell in executed.cells for output in cell.get("outputs", [])] == ["3\n"]
    assert str(tmp_path) not in tasks[1].output.read_text()  # a page carries no path

    before = tasks[1].output.stat().st_mtime_ns
    project({"fails": FAILS.replace("n - 2", "n - 1"), "works": WORKS})
    again = plan(root, tmp_path / "executed", {"profile": "smoke"}, notebooks(root))
    assert execute(again) == []
    assert "1 of 2 notebooks to execute" in capsys.readouterr().out
    assert again[1].output.stat().st_mtime_ns == before
    assert execute(again) == []
    assert "0 of 2 notebooks to execute" in capsys.readouterr().out


def test_a_sentence_of_ours_is_reported_without_its_cell(project, tmp_path):
    stops = (
        "# %%\nfrom book import in_one_sentence\n"
        "with in_one_sentence():\n    raise ValueError('no boxes: give some')\n"
    )
    root = project({"stops": PARAMETERS + stops})
    tasks = plan(root, tmp_path / "executed", {"profile": "smoke"}, notebooks(root))
    [failure] = execute(tasks)
    assert (failure.error, failure.cell) == ("no boxes: give some", "")


def test_an_interrupted_build_ends_at_once_with_its_kernels(project, tmp_path):
    marker = tmp_path / "kernel"
    waits = f"# %%\nimport os, time\nopen({str(marker)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)\n"
    root = project({"waits": PARAMETERS + waits})
    script = tmp_path / "interrupted.py"
    script.write_text(
        "from pathlib import Path\nfrom book.building import build\n"
        f"if __name__ == '__main__':\n    build('smoke', root=Path({str(root)!r}))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    build_ = subprocess.Popen(
        [sys.executable, script], env=environment, stderr=subprocess.PIPE, text=True
    )
    until(lambda: marker.exists() and marker.read_text())
    build_.send_signal(signal.SIGINT)
    said = build_.communicate(timeout=30)[1]
    assert "KeyboardInterrupt" in said and "leaked" not in said
    assert build_.returncode in (1, 130, -signal.SIGINT)
    until(lambda: not psutil.pid_exists(int(marker.read_text())))


def until(true, seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.1)


# Freshness ---------------------------------------------------------------------------------------


def test_a_page_whose_inputs_have_changed_is_listed_and_says_so(project, capsys):
    root = project({"one": WORKS + "\n# %% [markdown]\n# # One\n"})
    assert stale("smoke", root=root) == ["mini/one"]  # never executed
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book/index.md").write_text("# Index\n")
    page = build("smoke", root=root).parent / "notebooks/mini/one.html"
    assert stale("smoke", root=root) == [] and not _article(page).select(".cams-stale")
    script = root / "notebooks/mini/one.py"
    script.write_text(script.read_text() + "\n# %%\n1\n")
    assert stale("smoke", root=root) == ["mini/one"]
    build("smoke", root=root, as_is=True)
    assert "Out of date" in _article(page).select_one(".cams-stale").text
    assert "0 of 1 notebooks" not in capsys.readouterr().out.split("building")[-1]


def test_what_was_never_executed_cannot_be_taken_as_it_is(project):
    with pytest.raises(BookError, match="never executed: mini/one"):
        build("smoke", root=project({"one": WORKS}), as_is=True)


def test_what_the_build_alone_reads_leaves_pages_fresh(project):
    root = project({"one": WORKS})
    before = environment(root)
    for place in ("data_manifests/book/cautions.yaml", "book/building/board.py"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text("x")
    assert environment(root) == before


def test_a_link_leads_from_where_the_page_lies():
    assert link("book/claims/a", at="notebooks/mini/one") == "../../book/claims/a.html"
    assert link("notebooks/mini/one#x", at="book/scoreboard") == "../notebooks/mini/one.html#x"
    assert link("book/index", at="index") == "book/index.html"


# How pages are staged ---------------------------------------------------------------------------


def figure(**metadata):
    return new_output(
        "display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "x"}, metadata=metadata
    )


def text(words):
    return new_output("stream", name="stdout", text=words)


def test_each_figure_gets_a_cell_with_its_own_text_and_the_order_stays():
    first, second = figure(alt="one", caption="One.", name="fig-one"), figure(alt="two")
    cell = new_code_cell("plot()", outputs=[text("a"), first, text("b"), second, text("c")])
    shown, one, between, two, after = figures_apart(cell)
    assert shown.source == "plot()" and shown.outputs == [text("a")]
    assert one.outputs == [first] and between.outputs == [text("b")]
    assert two.outputs == [second] and after.outputs == [text("c")]
    assert one.metadata["mystnb"] == {
        "image": {"alt": "one"},
        "figure": {"caption": "One.", "name": "fig-one"},
    }
    assert two.metadata["mystnb"] == {"image": {"alt": "two"}, "figure": {}}
    assert all("remove-input" in part.metadata["tags"] for part in (one, between, two, after))


def test_a_cell_without_figures_stays_as_it_is():
    cell = new_code_cell("print('a')", outputs=[text("a")])
    assert list(figures_apart(cell)) == [cell]


def executed(root: Path, name: str, cells: list) -> Path:
    folder = root / "build/executed"
    path = folder / f"notebooks/mini/{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells), path)
    for page in ("book/index.md", "_config.yml"):
        (root / page).parent.mkdir(exist_ok=True)
        (root / page).write_text("")
    return folder


def test_code_is_folded_but_for_what_asks_to_be_shown_and_parameters_are_shown_with_how_to_run(
    project, tmp_path
):
    tags = [["parameters"], ["injected-parameters"], ["show-input"], [], ["mine"]]
    root = project({"one": WORKS})
    folder = executed(
        root, "one", [new_code_cell("n = 1", metadata={"tags": some}) for some in tags]
    )
    stage(root, folder, tmp_path / "staged", "smoke")
    staged = nbformat.read(tmp_path / "staged/notebooks/mini/one.ipynb", as_version=4)
    code = [cell.metadata["tags"] for cell in staged.cells if cell.cell_type == "code"]
    assert code == [
        ["parameters", "remove-cell"],
        ["injected-parameters", "remove-cell"],
        ["show-input"],
        ["hide-input"],
        ["hide-input", "mine"],
    ]
    [shown] = [cell.source for cell in staged.cells if cell.cell_type == "markdown"]
    assert (
        "--page mini/one --profile smoke" in shown and "```{code-block} python\nn = 1\n```" in shown
    )


def test_an_image_without_alternative_text_is_refused(project, tmp_path):
    root = project({"one": WORKS})
    folder = executed(root, "one", [new_code_cell("plot()", outputs=[figure()])])
    with pytest.raises(
        ValueError, match="notebooks/mini/one, cell 0: an image without alternative text"
    ):
        stage(root, folder, tmp_path / "staged", "smoke")


def test_staging_keeps_relative_paths_and_writes_rule_profile_and_scoreboard(project, tmp_path):
    root = project({"one": WORKS})
    table = new_output(
        "display_data", data={"text/html": "x", VERDICTS_MIME: [verdict("a", "holds")]}
    )
    folder = executed(root, "one", [new_code_cell("table", outputs=[table])])
    staged = tmp_path / "staged"
    stage(root, folder, staged, "smoke")
    assert VERDICTS_MIME not in (staged / "notebooks/mini/one.ipynb").read_text()
    generated = {path.stem: path.read_text() for path in (staged / "book/_generated").iterdir()}
    assert generated["rule"] == RULE
    assert "`smoke` profile" in generated["profile"]
    assert "claim a" in generated["board"] and "notebooks/mini/one.html" in generated["board"]
    assert "orphan: true" in (staged / "book/claims/a.md").read_text()
    for name in ("claims.csv", "claims.json", "claims/a.csv"):
        assert (
            '"a"' in (text := (staged / "book/_static" / name).read_text()) or "opticam,a," in text
        )
    assert not (staged / "notebooks/mini/one.py").exists()


# Scoreboard -------------------------------------------------------------------------------------


def verdict(name, what, network="net", page="notebooks/mini/one", paper="opticam", statement=""):
    told = {"place": "Table 1", "text": f"claim {name} < all", "evidence": f"because {name}"}
    about = {"paper": paper, "id": name, "statement": statement or name, "rests_on": "photographs"}
    return {**about, "network": network, "verdict": what, "page": page, **told}


def test_a_copy_says_which_parameters_came_in_place_of_its_profile(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    said = _built_with("smoke", {"network": "resnet50", "root": "/home/me/pictures"})
    assert "`smoke` profile" in said
    assert "Pages ran with `network` resnet50, `root` ~/pictures in place of" in said
    assert "in place of" not in _built_with("smoke", {})


def test_verdicts_are_read_from_the_tables_of_a_notebook():
    record = {key: value for key, value in verdict("a", "holds").items() if key != "page"}
    outputs = [text("x"), new_output("execute_result", data={VERDICTS_MIME: [record]})]
    notebook = new_notebook(cells=[new_code_cell(outputs=outputs)])
    assert verdicts(notebook, "notebooks/mini/one") == [verdict("a", "holds")]


def test_a_verdict_has_its_differences_where_the_notebook_has_kept_them():
    record = {key: value for key, value in verdict("a", "holds").items() if key != "page"}
    kept = {"differences": [[{"mean": 1.0}], []]}
    output = new_output("execute_result", data={VERDICTS_MIME: [record, record]}, metadata=kept)
    first, second = verdicts(new_notebook(cells=[new_code_cell(outputs=[output])]), "page")
    assert first["differences"] == [{"mean": 1.0}] and "differences" not in second


def test_a_claim_is_judged_over_its_networks():
    table = judged(
        [verdict("a", "holds", "one"), verdict("a", "fails", "two"), verdict("b", "holds")]
    )
    assert dict(zip(table["id"], table["verdict"])) == {"a": "fails", "b": "holds"}


def test_a_claim_on_two_pages_counts_where_it_was_run_first():
    found = [
        verdict("a", "not run", network="", page="first"),
        verdict("a", "holds", page="second"),
        verdict("a", "fails", page="third"),
    ]
    [row] = judged(found).itertuples()
    assert (row.page, row.verdict) == ("second", "holds")


def test_papers_stand_in_the_order_of_the_book_and_an_unknown_one_is_refused():
    found = [verdict("b", "holds", paper="calm"), verdict("a", "holds", paper="opticam")]
    assert list(judged(found)["paper"]) == ["opticam", "calm"]
    with pytest.raises(UnknownName, match="unknown paper 'opti'.*opticam"):
        judged([verdict("a", "holds", paper="opti")])


# HTML -------------------------------------------------------------------------------------------


def test_a_page_with_a_warning_fails_the_build_and_is_named(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "_config.yml").write_text(
        (ROOT / "_config.yml").read_text().split("bibtex_bibfiles")[0]
    )
    (source / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (source / "page.md").write_text("# Page\n\n[nowhere](#no-such-label)\n")
    assert re.search(r"page\.md.*no-such-label", publish(source, tmp_path / "html"))
    assert not (tmp_path / "html").exists()


def test_a_project_becomes_a_book(project):
    root = project({"one": WORKS + "\n# %% [markdown]\n# # One\n"})
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copy(ROOT / "_config.yml", root)
    (root / "book/index.md").write_text("# Index\n\n```{include} _generated/profile.md\n```\n")
    html = build("smoke", root=root, parameters={"n": 41}).parent
    assert "built with the smoke profile" in _article(html / "book/index.html").text
    page = _article(html / "notebooks/mini/one.html")
    assert page.select_one(".output").text.strip() == "42" and page.h1.text.startswith("One")


def _article(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser").article


@pytest.fixture(scope="session")
def soups(book) -> dict[str, BeautifulSoup]:
    """Every page of the table of contents."""
    return {
        page: BeautifulSoup((book / f"{page}.html").read_text(), "html.parser")
        for page in pages(ROOT)
    }


def test_no_page_shows_an_error(soups):
    for page, soup in soups.items():
        assert not soup.select(".traceback, .output.error"), page
        assert not soup.find(string=re.compile("Traceback|papermill-error")), page


def test_every_image_has_alternative_text_and_every_figure_a_caption(soups):
    figures = [figure for soup in soups.values() for figure in soup.select("article figure")]
    images = [image for soup in soups.values() for image in soup.select("article img")]
    assert len(figures) >= 4
    assert all(image.get("alt", "").strip() for image in images)
    assert all(figure.figcaption and figure.figcaption.text.strip() for figure in figures)


def test_nothing_is_loaded_from_elsewhere(book, soups):
    for page, soup in soups.items():
        loaded = [
            tag.get("src") or tag.get("href")
            for tag in soup.select("script[src], link[href], img, iframe")
        ]
        assert not [url for url in loaded if re.match(r"(https?:)?//", url)], page
    for css in (book / "_static").rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", css.read_text()), css.name


def test_everything_that_a_page_loads_is_there(book, soups):
    for page, soup in soups.items():
        folder = (book / page).parent
        for tag in soup.select("script[src], link[rel=stylesheet], img"):
            path = (tag.get("src") or tag.get("href")).split("?")[0]
            assert (folder / path).is_file(), (page, path)


def test_mathematics_is_typeset_without_a_script(book, soups):
    assert len(soups["book/notation"].select("article math")) > 50
    for page, soup in soups.items():
        text = soup.article.get_text()
        assert not soup.select("merror") and "\\(" not in text and "\\mathrm" not in text, page
    assert (book / "_static/math.woff").stat().st_size < 150_000


def test_a_page_loads_at_most_a_megabyte_beside_its_pictures(book, soups):
    for page, soup in soups.items():
        loaded = {
            (book / page / ".." / (tag.get("src") or tag["href"]).split("?")[0]).resolve()
            for tag in soup.select("script[src], link[rel=stylesheet]")
        }
        loaded |= {book / f"{page}.html", book / "_static/basic.css", book / "_static/math.woff"}
        assert sum(path.stat().st_size for path in loaded) <= 1e6, page


def test_every_table_scrolls_in_a_region_of_its_own_with_a_label(soups):
    for page, soup in soups.items():
        for table in soup.select("article table"):
            region = table.parent
            assert region["role"] == "region" and region["tabindex"] == "0", page
            assert region["aria-label"].startswith("Table"), page
        labels = [region["aria-label"] for region in soup.select("article [role=region]")]
        assert len(labels) == len(set(labels)), page
        assert all(th.get("scope") for th in soup.select("article th")), page


def test_every_page_describes_itself(soups):
    for page, soup in soups.items():
        said = {tag.get("name") or tag.get("property"): tag.get("content") for tag in soup("meta")}
        assert 20 < len(said["description"]) <= 210, page
        assert said["og:description"] == said["description"] and said["og:title"] in soup.title.text
        assert said["og:image"], page


def test_pages_are_below_2_megabytes_with_their_images(book, soups):
    for page, soup in soups.items():
        images = {book / page / ".." / image["src"] for image in soup.select("article img")}
        assert (book / f"{page}.html").stat().st_size + sum(map(_size, images)) < 2e6, page


def _size(path: Path) -> int:
    assert path.resolve().stat().st_size <= 300_000, path.name
    return path.resolve().stat().st_size


def test_no_path_of_this_machine_is_on_a_page(soups):
    for page, soup in soups.items():
        assert str(ROOT) not in str(soup) and str(Path.home()) not in str(soup), page


def test_links_between_pages_lead_somewhere(book, soups):
    for page, soup in soups.items():
        for one in soup.select("article a[href]"):
            path, _, anchor = one["href"].partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (book / page / ".." / path).resolve() if path else book / f"{page}.html"
            assert target.is_file(), (page, one["href"])
            if "=" in anchor:  # what the scoreboard shows
                assert soups["book/scoreboard"].select_one('script[src$="scoreboard.js"]'), one[
                    "href"
                ]
                continue
            assert not anchor or f'id="{anchor}"' in target.read_text(), (page, one["href"])


def test_the_front_page_quotes_the_rule_and_the_scoreboard_lists_the_claims(soups):
    assert "not enough images" in soups["book/index"].article.text
    assert (
        soups["book/index"].select_one("table.summary")
        and "{{" not in soups["book/index"].article.text
    )
    assert len(soups["book/scoreboard"].select("table.board tbody tr")) >= 100


def test_every_page_of_a_paper_opens_with_its_answer(soups):
    for page, soup in soups.items():
        if page.startswith(tuple(f"notebooks/{paper}/" for paper in PAPERS)):
            first = soup.article.h1.find_next_sibling()
            assert first["class"] == ["cams-first"] and first.dl.dd.text.strip(), page
            assert soup.select_one("details.cams-run pre") and not soup.select(
                ".tag_injected-parameters"
            ), page


def test_every_claim_has_a_page_that_leads_to_the_cell_that_judges_it_and_back(book, soups):
    rows = soups["book/scoreboard"].select("table.board tbody tr")
    for row in rows:
        page = BeautifulSoup(
            (book / "book" / row.td.find_next("a")["href"]).read_text(), "html.parser"
        )
        judges = page.find("dt", string="Judged on").find_next("a")["href"]
        path, anchor = judges.split("#")
        cell = (book / "book/claims" / path).resolve().read_text()
        assert f'id="{anchor}"' in cell and f"book/claims/{row['id']}.html" in cell, row["id"]
        assert (book / "_static/claims" / f"{row['id']}.csv").is_file(), row["id"]


def test_the_concordance_leads_to_anchors_that_are_there(book, soups):
    links = soups["book/concordance"].select("table.concordance a")
    assert len(links) > 50
    for one in links:
        path, anchor = one["href"].split("#")
        assert f'id="{anchor}"' in (book / "book" / path).resolve().read_text(), one["href"]


def test_every_notebook_page_ends_with_its_provenance(soups):
    for page, soup in soups.items():
        if page.startswith("notebooks/"):
            assert soup.select_one(".provenance"), page


# References -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry", [*METHODS.values(), *METRICS.values()], ids=lambda entry: entry.name
)
def test_every_method_and_metric_is_in_the_bibliography(entry):
    assert entry.paper in _keys()


def test_every_paper_is_in_the_bibliography():
    assert set(PAPERS) <= _keys()


def _keys() -> set[str]:
    return set(
        re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text("utf-8"), re.M)
    )
