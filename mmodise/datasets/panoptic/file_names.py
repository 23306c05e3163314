"""Files that annotation files name: where they are, and how results of them are called."""

from __future__ import annotations

import difflib
import os
import os.path as osp
import re
import unicodedata
from collections.abc import Hashable, Iterator, Mapping, Sequence
from urllib.parse import unquote


class FolderListings:
    """Looks for files by listing each folder once, instead of asking for each file."""

    def __init__(self) -> None:
        self._listings: dict[str, set[str]] = {}

    def has(self, path: str) -> bool:
        """Whether there is something at a path; capitals count, on every system."""
        folder, name = osp.split(path)
        return name in self._list(folder)

    def find(self, folder: str, name: str) -> str | None:
        """The path of a file that an annotation file names, or None if it is not there.

        The name is tried as it is; then with slashes for backslashes, as from Windows, with
        ``%20`` and the like decoded, as those of some labelling tools, and with letters with
        accents in one or in two characters.

        Args:
            folder (str): Where names begin, unless they are absolute.
            name (str): As the annotation file has it.
        """
        for spelling in _spellings(name):
            path = osp.join(folder, spelling)
            if self.has(path):
                return path
        return None

    def nearest(self, path: str) -> str | None:
        """The name of a file in the same folder that looks like one that is not there.

        Names with other numbers are those of other images.
        """
        folder, name = osp.split(path)
        numbers = re.findall(r'\d+', name)
        names = {other.casefold(): other for other in self._list(folder)
                 if re.findall(r'\d+', other) == numbers}
        near = difflib.get_close_matches(name.casefold(), names, n=1, cutoff=0.85)
        return names[near[0]] if near else None

    def _list(self, folder: str) -> set[str]:
        if folder not in self._listings:
            there = osp.isdir(folder or '.')
            self._listings[folder] = set(os.listdir(folder or '.')) if there else set()
        return self._listings[folder]


def refuse_missing(
    missing: Sequence[str], number: int, what: str, folder: str, advice: str = ''
) -> None:
    """Refuse files that are not there.

    Args:
        missing (Sequence[str]): Their names or paths; nothing is done if there are none.
        number (int): Of files that were looked for.
        what (str): What they are.
        folder (str): Where they were looked for.
        advice (str): What to do. Defaults to ''.

    Raises:
        FileNotFoundError: Counts them, and names the first.
    """
    if missing:
        raise FileNotFoundError(
            f'{len(missing)} of {number} {what} are not in {folder}, the first is {missing[0]}.'
            f'{f" {advice}" if advice else ""}')


def result_names(image_names: Mapping[Hashable, str]) -> dict[Hashable, str]:
    """Names of the PNGs that hold the results of images: each its own, none outside a folder.

    They are the images' names without folders, as mmdet's, where these differ; else with folders;
    and if even these are the same (``a.jpg``, ``a.png``), with a number.

    Args:
        image_names (Mapping[Hashable, str]): ``file_name`` of each image, by id.
    """
    parts = {key: [part for part in re.split(r'[/\\]', osp.splitext(name)[0])
                   if part not in ('', '.', '..') and not part.endswith(':')] or ['image']
             for key, name in image_names.items()}
    for names in (
            {key: part[-1] for key, part in parts.items()},
            {key: '/'.join(part) for key, part in parts.items()},
            {key: f'{"/".join(part)}_{i}' for i, (key, part) in enumerate(parts.items())}):
        if len({name.casefold() for name in names.values()}) == len(names):  # as on Windows
            break
    return {key: f'{name}.png' for key, name in names.items()}


def _spellings(name: str) -> Iterator[str]:
    yield name
    name = name.replace('\\', '/')
    yield name
    for spelling in (name, unquote(name)):
        yield spelling
        yield unicodedata.normalize('NFC', spelling)
        yield unicodedata.normalize('NFD', spelling)
