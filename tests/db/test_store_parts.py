"""The classes that `Store` is made of, and what its import costs."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import germline.db.store
from germline.db.store import Store

PARTS = [part for part in Store.__mro__ if part not in (Store, object)]


def test_no_two_parts_have_a_method_of_the_same_name() -> None:
    """The method of the later part would never be called."""
    names = Counter(name for part in PARTS for name in vars(part) if not name.startswith("__"))
    assert {"create_run", "top", "simplified"} <= set(names)
    assert [name for name, times in names.items() if times > 1] == []


def test_every_file_of_the_store_holds_a_part_and_is_in_the_table_of_files() -> None:
    folder = Path(str(germline.db.store.__file__)).parent
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {part.__module__.rpartition(".")[2] for part in PARTS}
    assert [name for name in files if f"| `{name}.py` |" not in str(germline.db.store.__doc__)] == []


def test_the_documentation_of_python_has_every_part() -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    assert [part for part in PARTS if f"::: {part.__module__}.{part.__name__}\n" not in page] == []


@pytest.mark.slow
def test_the_store_is_imported_without_what_only_few_commands_need() -> None:
    rare = ("torch", "numba", "alembic", "germline.db.check", "sqlalchemy.dialects.postgresql")
    code = "import sys, germline.db.store\nprint([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *rare], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
