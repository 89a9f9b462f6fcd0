"""The hash of source code: the imports that it follows, and the changes that it ignores."""

import pytest

from lib.code import code_key

MAIN = "from .helper import double\n\n\ndef triple(x):\n    return double(x) + x\n"
HELPER = "def double(x):\n    return 2 * x\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package(main, helper)` writes a package of two modules and gives its key."""
    count = iter(range(100))

    def write(main=MAIN, helper=HELPER, **options):
        name = f"package_{next(count)}"  # a new name, since a module is read once per process
        folder = tmp_path / name
        folder.mkdir()
        for module, source in (("__init__", ""), ("main", main), ("helper", helper)):
            (folder / f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        return {module: key for module, key in _keys(name, options)}

    return write


def _keys(name, options):
    for module in ("main", "helper"):
        yield module, code_key(f"{name}.{module}", **options)


def test_comments_docstrings_and_layout_do_not_count(package):
    # The package's name is part of the hash, so this test compares syntax trees.
    from lib import code

    def tree(source):
        return [
            code.ast.dump(node) for node in code.without_docstrings(code.ast.parse(source)).body
        ]

    told = '"""A module."""\n# a comment\ndef double(x):\n    """Twice."""\n    return (2 * x)  # twice\n'
    assert tree(told) == tree(HELPER) != tree(HELPER.replace("2", "3"))


def test_what_is_imported_counts_and_what_lies_outside_does_not(package, monkeypatch):
    monkeypatch.setattr("lib.code.own_name", lambda name: name.partition(".")[2] or name)
    one, other = package(), package(helper=HELPER.replace("2", "3"))
    assert one["helper"] != other["helper"] and one["main"] != other["main"]
    one, other = (
        package(helper=h, outside=("helper",)) for h in (HELPER, HELPER.replace("2", "3"))
    )
    assert one["main"] == other["main"]


def test_a_method_does_not_depend_on_another_nor_on_the_networks():
    without = {"outside": ("lib.nets",)}
    assert code_key("lib.methods.cam", **without) != code_key("lib.methods.rollout", **without)
    assert code_key("lib.methods.cam") != code_key("lib.methods.cam", outside=("lib.selectors",))
