"""Loading what has just been exported, to compare it with what it came from."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any


def load_class(source: str, class_name: str) -> Any:
    """The class that a freshly written source defines. The source is executed: hand over no text of another origin."""
    with tempfile.TemporaryDirectory(prefix="germline-export-") as folder:
        path = Path(folder) / "exported.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("germline_exported", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            spec.loader.exec_module(module)
        finally:
            sys.dont_write_bytecode = written
    return getattr(module, class_name)
