"""What a test has found of each picture, kept on disk so that it can go on."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import print_log


class ImageRecords:
    """Records of pictures, by their places in the data set, in a file that only grows.

    A record that was cut short when the test was stopped is taken off. The file is read as pickles:
    it is this program's own, in the run's own folder.

    Args:
        folder (Path): Of one data set; each process of a distributed test has a file in it.
        rank (int): Of the process.
        of (str): What the records are of, such as a digest of model, data and metrics. Records of
            something else are not used, and overwritten.
    """

    def __init__(self, folder: Path, rank: int, of: str) -> None:
        self._path, self._of = folder / f'records_{rank}.pkl', of
        folder.mkdir(parents=True, exist_ok=True)
        self.by_place: dict[int, list] = {}
        good = self._read()
        self._file = self._path.open('r+b' if good else 'wb')
        self._file.truncate(good)
        self._file.seek(good)
        if not good:
            self._dump(of)

    def add(self, place: int, record: list) -> None:
        """Keep the record of a picture."""
        self.by_place[place] = record
        self._dump((place, record))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _dump(self, value: object) -> None:
        pickle.dump(value, self._file)
        self._file.flush()

    def _read(self) -> int:
        """Read what is there; return the length of what is whole and of the same thing."""
        if not self._path.is_file():
            return 0
        good = 0
        with self._path.open('rb') as file:
            for value in _values(file):
                if good == 0 and value != self._of:
                    print_log(f'{self._path} is of another model, other data or metrics, and is '
                              'written anew.', 'current')
                    return 0
                if good:
                    place, record = value
                    self.by_place[place] = record
                good = file.tell()
        return good


def _values(file) -> Iterator:
    while True:
        try:
            yield pickle.load(file)
        except Exception:  # a pickle that was cut short raises what its content leads to
            return
