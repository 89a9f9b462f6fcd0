"""Class activation maps, reproduced: the home of `lib`, `testbeds` and `book`, where installed.

They also go by these short names, as in the repository, where nobody else's module does:
`lib.data` is then `cams_reproduced.lib.data`, the same object. Python runs this file whenever it
starts, by `cams_reproduced.pth`.
"""

import sys

_PACKAGES = ("lib", "testbeds", "book")


class _Top:
    """Finds `lib`; asked last, so that anybody else's comes first."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return _spec(name) if name in _PACKAGES else None


class _Below:
    """Finds `lib.data` if `lib` is ours; asked first, or its file would be loaded a second time."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        top, dot, _ = name.partition(".")
        ours = dot and top in _PACKAGES and sys.modules.get(f"{__name__}.{top}")
        return _spec(name) if ours and sys.modules.get(top) is ours else None


class _SameModule:
    """Loads `lib.data` by taking the module `cams_reproduced.lib.data`."""

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        from importlib import import_module

        sys.modules[module.__name__] = import_module(f"{__name__}.{module.__name__}")

    @staticmethod
    def get_code(name):  # for `python -m lib`
        return _found(name).loader.get_code(f"{__name__}.{name}")


def _found(name):
    from importlib.util import find_spec

    return find_spec(f"{__name__}.{name}")


def _spec(name):
    if found := _found(name):
        spec = type(found)(name, _SameModule, origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        spec.has_location = True
        return spec


sys.meta_path.insert(0, _Below)
sys.meta_path.append(_Top)
