"""Writing films: MP4 through ffmpeg, GIF without it; whole or not at all, and picture by picture."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from germline.cli.errors import UserError, printable, single_line

if TYPE_CHECKING:
    from germline.evaluators.policy.film import Picture

FORMATS = (".mp4", ".gif")


def check_format(path: Path) -> None:
    """Raises UserError for a file that is no film, or where the packages for it are missing."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(
            printable(f"expected a file of a film, .mp4 or .gif, got {path.name!r:.80}; write --video policy.mp4")
        )
    _packages(path)


def write_film(path: Path, pictures: "Iterable[Picture]", pace: int) -> None:
    """Writes a film of `pace` pictures a second.

    Raises:
        UserError: a package is missing, or what writes films failed.
        ExportUnwritable: nothing can be written there.
    """
    from germline.programs.export.files import check_writable

    check_writable(path)
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    with _beside(path) as unfinished:
        write(unfinished, pictures, pace)


def _write_mp4(path: Path, pictures: "Iterable[Picture]", pace: int) -> None:
    imageio = _packages(path)
    # Most players take even numbers of rows and columns only; the writer stretches pictures to a multiple of 2.
    with imageio.get_writer(path, format="FFMPEG", fps=pace, macro_block_size=2, ffmpeg_log_level="error") as writer:
        for picture in pictures:
            writer.append_data(picture)


def _write_gif(path: Path, pictures: "Iterable[Picture]", pace: int) -> None:
    images = _packages(path)
    # Viewers slow down what is faster than 50 pictures a second, and count in hundredths.
    skip = -(-pace // 50)
    drawn = (images.fromarray(picture) for i, picture in enumerate(pictures) if i % skip == 0)
    first = next(drawn)
    duration = max(20, round(1000 * skip / pace))
    first.save(path, "GIF", save_all=True, append_images=chain(drawn), duration=duration, loop=0)


def _packages(path: Path) -> Any:
    """What writes a film of that name."""
    try:
        if path.suffix.lower() == ".gif":
            return import_module("PIL.Image")
        import_module("imageio_ffmpeg")
        return import_module("imageio.v2")
    except ImportError as error:
        raise UserError(
            f"expected the package {error.name}, without which no {path.suffix} is written; "
            "pip install 'germline[video]'"
        ) from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A place beside a file's own, which it is renamed to when all went well."""
    from germline.cli.errors import is_ours
    from germline.programs.export.files import beside

    unfinished = beside(path)
    try:
        yield unfinished
        unfinished.replace(path)
    except (OSError, RuntimeError, ValueError) as error:
        if is_ours(error):
            raise
        cause = (isinstance(error, OSError) and error.strerror) or single_line(error).replace(
            str(unfinished), str(path)
        )
        raise UserError(printable(f"cannot write {str(path)!r:.200} ({cause})"), 1) from None
    finally:
        unfinished.unlink(missing_ok=True)
