"""Files that commands write for an individual, recorded in its run."""

from hashlib import sha256
from pathlib import Path

from germline.cli.candidate import Candidate
from germline.cli.database import open_store
from germline.cli.errors import single_line
from germline.cli.printing import say
from germline.db.errors import DatabaseError


def record_artifact(candidate: Candidate, target: str, path: Path, content: str | bytes, url: str) -> None:
    """Records a written file as an artifact of its run; if that fails, warns and keeps the file."""
    if candidate.run is None or candidate.birth is None:
        return
    location = str(path.absolute()).encode("utf-8", "replace").decode()
    digest = sha256(content.encode() if isinstance(content, str) else content).hexdigest()
    try:
        with open_store(url) as store:
            store.add_artifact(candidate.run.name, candidate.birth, target, location, digest)
    except DatabaseError as error:
        say(f"Warning: the file is written, but not recorded in the run: {single_line(error)}", err=True)
