"""Tasks in files of the user's own, written `path/to/file.py:Class`."""

import inspect
import sys
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from germline.evaluators.errors import InvalidTask, in_a_line, of_foreign_code
from germline.evaluators.plugin_path import import_from
from germline.evaluators.tasks.name_grammar import file_and_class

MODULE_PREFIX = "germline_task_"
"""Beginning of the names under which files are in `sys.modules`."""


def load(name: str, noun: str = "task") -> object:
    """Returns what `path/to/file.py:Class` names; the file is imported once per process. `noun` is as of
    `file_and_class`.

    Raises:
        InvalidTask: there is no such file or no such name in it, or the file cannot be imported.
    """
    path, class_name = file_and_class(name, noun)
    module = _import(name, path, noun)
    if not hasattr(module, class_name):
        classes = [
            key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        raise InvalidTask(
            f"{noun} {name!r}: no class {class_name!r} in the file; it defines {', '.join(classes) or 'no class'}"
        )
    return getattr(module, class_name)


def digest_of(path: Path) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of a file of code, which change when its text does."""
    return sha256(path.read_bytes()).hexdigest()[:16]


def _import(name: str, path: Path, noun: str) -> ModuleType:
    """Imports a file as a module of `sys.modules`, where dataclasses look for the module of their class.

    It can import the files beside it, as if it were run by `python file.py`.
    """
    key = f"{MODULE_PREFIX}{sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    if key in sys.modules:
        return sys.modules[key]
    spec = spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise InvalidTask(f"{noun} {name!r}: {path} is not a Python file")
    import_from(path.resolve().parent)
    module = sys.modules[key] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except of_foreign_code() as error:
        del sys.modules[key]
        raise InvalidTask(
            f"{noun} {name!r}: importing {path} failed with {in_a_line(error)}; correct the file"
        ) from error
    return module
