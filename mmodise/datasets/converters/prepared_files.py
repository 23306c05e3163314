"""Files of data sets that are prepared: found as people have them, written whole or not at all."""

from __future__ import annotations

import filecmp
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from ...utils import WholeFileBackend
from ...utils.masks import count_values
from ..panoptic import Findings
from ..panoptic.orientation import check_same_size
from ..panoptic.segment_map import read_numbers
from .annotated import AnnotationError

#: What the field calls the folders of the splits.
FOLDERS = dict(train='training', val='validation')
#: How names of JPEGs end.
JPEGS = ('.jpg', '.JPG', '.jpeg', '.JPEG')
#: How messages of files that are there already end.
OVERWRITTEN = ('It is not overwritten: move it away, or name another folder for what is written, '
               '--out DIR.')


def find(*candidates: Path, what: str) -> Path:
    """The first of several places that is there.

    Raises:
        FileNotFoundError: If none is; names all of them.
    """
    for path in candidates:
        if path.exists():
            return path
    raise FileNotFoundError(f'{what} is not there: looked for '
                            f'{" and ".join(map(str, candidates))}. Name the folder that holds '
                            'the data set as it was unpacked.')


def list_files(
    folder: Path, endings: Collection[str] = ('.png', ), recursive: bool = False
) -> list[Path]:
    """Files of a folder, sorted; hidden ones, such as the ``._NAME`` of macOS, do not count.

    Args:
        folder (Path): One that need not be there.
        endings (Collection[str]): Of the names; capitals count. Defaults to ('.png', ).
        recursive (bool): Whether files of all folders below count. Defaults to False.
    """
    found = folder.rglob('*') if recursive else folder.glob('*')
    return sorted(path for path in found
                  if path.name[0] != '.' and path.name.endswith(tuple(endings)))


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty, without blanks around them."""
    lines = path.read_text(encoding='utf-8-sig').splitlines()
    return [line.strip() for line in lines if line.strip()]


def present_splits(split: str | None, place_of: Callable[[str], Path], what: str) -> list[str]:
    """The splits to prepare: the one that is asked for, or those that are there.

    Args:
        split (str, optional): What the user asks for.
        place_of (Callable): The file or folder of a split, 'train' or 'val'.
        what (str): What it is, for the message.

    Raises:
        FileNotFoundError: If none is there.
    """
    places = {name: place_of(name) for name in ([split] if split else FOLDERS)}
    found = [name for name, path in places.items() if path.exists()]
    if not found:
        find(*places.values(), what=what)
    return found


def refuse_missing(paths: Iterable[Path], what: str) -> None:
    """Refuse to begin where files are missing.

    Raises:
        FileNotFoundError: Counts them and names the first.
    """
    paths = list(paths)
    names = {folder: set(os.listdir(folder)) if folder.is_dir() else set()
             for folder in {path.parent for path in paths}}
    missing = [path for path in paths if path.name not in names[path.parent]]
    if missing:
        raise FileNotFoundError(f'{len(missing)} of {len(paths)} {what} are missing, the first is '
                                f'{missing[0]}. Was the archive unpacked wholly?')


def tell_unpaired(
    names: Iterable[str], known: Collection[str], what: str, findings: Findings
) -> None:
    """Tell of files that nothing goes with.

    Args:
        names (Iterable[str]): The files.
        known (Collection[str]): What they should go with.
        what (str): What they are, and what they lack.
        findings (Findings): Gets how many there are, and the first.
    """
    alone = sorted(set(names).difference(known))
    if alone:
        findings.warning(what, alone[0], 'They are left out.', len(alone))


def refuse_double_ids(path: Path, key: str, entries: Iterable[Mapping]) -> None:
    """Refuse a list of entries, two of which have one id.

    Args:
        path (Path): The file, for the message.
        key (str): What the list is called.
        entries (Iterable[Mapping]): Each with ``id``.

    Raises:
        AnnotationError: Names the first.
    """
    counts = Counter(entry.get('id') for entry in entries)
    double = next((each for each, count in counts.items() if count > 1), None)
    if double is not None:
        raise AnnotationError(f'{path}: {counts[double]} entries of {key!r} have the id {double}. '
                              'Were two files put together?')


def is_whole(path: Path, size: tuple[int, int] | None = None, mode: str | None = None) -> bool:
    """Whether a picture or map is there, can be read to its end, and has a size and a mode."""
    with suppress(Exception), Image.open(path) as image:  # Pillow has many kinds
        image.load()
        return (size is None or image.size == tuple(size)) and (
            mode is None or image.mode in (mode, f'{mode}B', f'{mode}L'))
    return False


def write_map(labels: np.ndarray, path: Path) -> bool:
    """Write a map, (H, W), uint8 or uint16, or of colours, as a whole, in its ending's format.

    One that is there, with the same content, is left alone; one that was cut short is written anew.

    Returns:
        bool: Whether it was written.

    Raises:
        AnnotationError: If another is there, whole.
    """
    there = _read_there(path, labels.ndim == 3)
    if there is not None and np.array_equal(there, labels):
        return False
    if there is not None:
        raise AnnotationError(f'{path} is there, and holds something else than what is made of '
                              f'these files now. {OVERWRITTEN}')
    file = io.BytesIO()
    Image.fromarray(labels).save(file, 'TIFF' if path.suffix.startswith('.tif') else 'PNG')
    WholeFileBackend().put(file.getvalue(), path)
    return True


def _read_there(path: Path, has_colours: bool) -> np.ndarray | None:
    with suppress(Exception), Image.open(path) as image:  # Pillow has many kinds
        return np.asarray(image.convert('RGB') if has_colours else image)
    return None


def write_text(text: str, path: Path) -> bool:
    """Write a text file as a whole, unless it is there with this content."""
    if path.is_file() and path.read_text(encoding='utf-8') == text:
        return False
    WholeFileBackend().put_text(text, path)
    return True


def place(source: Path, target: Path) -> bool:
    """Have a file in a second place too: as a link if the disk can, else as a copy.

    Returns:
        bool: Whether it was not there before.

    Raises:
        AnnotationError: If another file is there.
    """
    if target == source:
        return False
    if target.exists():
        if target.samefile(source) or filecmp.cmp(source, target):
            return False
        raise AnnotationError(f'{target} is there, and is another file than {source}. '
                              f'{OVERWRITTEN}')
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f'{target.name}.part')
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        shutil.copy2(source, part)  # with its time, by which it is known again
    part.replace(target)
    return True


def read_labels(path: Path, picture: Path, shape: tuple[int, int]) -> np.ndarray:
    """The whole numbers of a map that is as large as its picture, (H, W).

    Args:
        path (Path): The map.
        picture (Path): Its picture.
        shape (tuple[int, int]): Height and width of the picture as it is shown.

    Raises:
        MapError: If the map cannot be read, or is of another size.
    """
    numbers = read_numbers(str(path))
    check_same_size(str(picture), shape, str(path), numbers.shape)
    return numbers


def check_labels(
    labels: np.ndarray, allowed: Collection[int], path: Path, expected: str
) -> None:
    """Refuse a map with a value that has no meaning.

    Raises:
        AnnotationError: Names the file, the value and what was expected.
    """
    strange = {value: count for value, count in count_values(labels).items()
               if value not in allowed}
    if strange:
        value = max(strange, key=strange.get)
        raise AnnotationError(f'{path}: {strange[value]} pixels have the value {value}; expected '
                              f'{expected}.')


def classes_text(names: Sequence[str]) -> str:
    """The content of ``classes.txt``: a line ``id:name,synonym`` per class, ids from 0."""
    return ''.join(f'{i}:{name.replace(", ", ",")}\n' for i, name in enumerate(names))


def write_classes(text: str, folder: Path) -> bool:
    """Write ``classes.txt``, unless it is there: a user may have written synonyms.

    Args:
        text (str): A vocabulary file, such as :func:`classes_text`.
        folder (Path): Gets it.

    Returns:
        bool: Whether it was written.
    """
    path = folder / 'classes.txt'
    return not path.exists() and write_text(text, path)
