"""Tasks in files of the user's own, written `path/to/file.py:Class`."""

import inspect
import sys
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from germline.evaluators.data.directory import exists
from germline.evaluators.errors import InvalidTask, in_a_line
from germline.evaluators.plugin_path import import_from


def is_file(name: str) -> bool:
    """Returns True if the name of a task names a file."""
    return name.endswith(".py") or ".py:" in name


def split_name(name: str, noun: str = "task") -> tuple[Path, str]:
    """Returns the path and the class of `path/to/file.py:Class`; `noun` says in messages what it is.

    Raises:
        InvalidTask: the file does not exist, or no class is given.
    """
    file, _, class_name = name.rpartition(":") if ".py:" in name else (name, "", "")
    if not class_name:
        raise InvalidTask(f"{noun} {name!r} names a file but no class; write {file}:Class")
    path = Path(file)
    if not exists(path, Path.is_file):
        raise InvalidTask(f"{noun} {name!r}: there is no file {file}; check the path (working directory: {Path.cwd()})")
    return path, class_name


def load(name: str, noun: str = "task") -> object:
    """Returns what `path/to/file.py:Class` names; the file is imported once per process. `noun` is as of `split_name`.

    Raises:
        InvalidTask: there is no such file or no such name in it, or the file cannot be imported.
    """
    path, class_name = split_name(name, noun)
    module = _import(name, path, noun)
    if not hasattr(module, class_name):
        classes = [
            key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
        ]
        raise InvalidTask(
            f"{noun} {name!r}: no class {class_name!r} in the file; it defines {', '.join(classes) or 'no class'}"
        )
    return getattr(module, class_name)


def _import(name: str, path: Path, noun: str) -> ModuleType:
    """Imports a file as a module of `sys.modules`, where dataclasses look for the module of their class.

    It can import the files beside it, as if it were run by `python file.py`.
    """
    key = f"germline_task_{sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    if key in sys.modules:
        return sys.modules[key]
    spec = spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise InvalidTask(f"{noun} {name!r}: {path} is not a Python file")
    import_from(path.resolve().parent)
    module = sys.modules[key] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[key]
        raise InvalidTask(
            f"{noun} {name!r}: importing {path} failed with {in_a_line(error)}; correct the file"
        ) from error
    return module
