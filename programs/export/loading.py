"""Loading exported source, to compare it with its reference."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from germline.programs.export.files import weights_path


def load_class(source: str, class_name: str) -> Any:
    """The class that an exported source defines. The source is executed: pass no text of another origin."""
    with tempfile.TemporaryDirectory(prefix="germline-export-") as folder:
        path = Path(folder) / "exported.py"
        path.write_text(source, encoding="utf-8")
        return class_in(path, class_name)


def load_module(source: str, weights: bytes, class_name: str, *arguments: Any) -> Any:
    """An instance of the class that an exported source defines, built with these arguments beside its file of weights.

    The source is executed: pass no text of another origin.
    """
    with tempfile.TemporaryDirectory(prefix="germline-export-") as folder:
        path = Path(folder) / "exported.py"
        path.write_text(source, encoding="utf-8")
        weights_path(path).write_bytes(weights)
        return class_in(path, class_name)(*arguments)


def class_in(path: Path, class_name: str) -> Any:
    """The class that an exported file defines. The file is executed: pass no file of another origin."""
    spec = importlib.util.spec_from_file_location("germline_exported", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    dont_write_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = dont_write_bytecode
    return getattr(module, class_name)
