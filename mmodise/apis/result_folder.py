"""A folder of results, in which nothing is overwritten."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

from ..utils import WholeFileBackend


class ResultFolder:
    """Writes the files of each result under names that nothing else has.

    The files of a result are called after its input. Where one of these names is taken, by
    another result of this run or by any file that was there before, all of them get a number,
    NAME_2, NAME_3 and so on. So inputs may lie in the folder, and have names that are alike; also
    where capitals do not count. A result that is there already, byte for byte, is not written
    again: a run that is repeated finds its own files. Files are written whole.

    Args:
        folder (str | Path): Is made when the first result is written.

    Raises:
        NotADirectoryError: If there is a file of this name.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f'{folder} is a file; results are written into a folder.')
        self._names: set[str] = set()  # of this run

    def write(self, stem: str, make: Callable[[str], Mapping[str, bytes]]) -> list[Path]:
        """Write a result.

        Args:
            stem (str): The name of the input, without its ending.
            make (Callable): Makes the files of the result, by their names in the folder. Its
                argument is the stem that they are to be called after.

        Returns:
            list[Path]: Where they are.

        Raises:
            OSError: If they cannot be written.
        """
        number, files = 1, make(stem)
        while not self._is_free(files):
            number += 1
            files = make(f'{stem}_{number}')
        self._names.update(map(_key, files))
        backend = WholeFileBackend()
        for name, content in files.items():
            if not os.path.lexists(self.folder / name):
                backend.put(content, self.folder / name)
        return [self.folder / name for name in files]

    def _is_free(self, files: Mapping[str, bytes]) -> bool:
        return all(
            _key(name) not in self._names and self._may_hold(self.folder / name, content)
            for name, content in files.items())

    @staticmethod
    def _may_hold(path: Path, content: bytes) -> bool:
        if os.path.lexists(path):
            return path.is_file() and path.read_bytes() == content
        return not os.path.lexists(f'{path}.part')  # where it is while it is written


def _key(name: str) -> str:
    """What is the same for names that some file system takes for one."""
    return unicodedata.normalize('NFC', name).casefold()
