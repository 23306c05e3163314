"""What a test has found of each image, kept on disk so that it can go on."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from mmengine.logging import print_log


class ImageRecords:
    """Records of images, by their places in the data set, in files that only grow.

    Each process of a test writes a file of its own; another test may go on with another number of
    processes. A record that was cut short when a test was stopped is taken off. Files are read as
    pickles: they are this program's own, in the run's own folder.

    Args:
        folder (Path): Of one data set.
        of (str): What the records are of, such as a digest of weights, data and metrics. Records of
            something else are taken away.
    """

    def __init__(self, folder: Path, of: str) -> None:
        self._folder, self._of = folder, of
        self._where: dict[int, tuple[Path, int]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def read(self) -> list[int]:
        """Read which images are recorded; by one process, while none writes.

        Returns:
            list[int]: Their places, in order.
        """
        self._where = {}
        for path in sorted(self._folder.glob('records_*.pkl')):
            good, places = self._read(path)
            if good == 0:
                print_log(f'{path} is of other weights, settings, data or metrics, or cannot be '
                          'read; it is begun anew.', 'current')
                path.unlink()
            elif good < path.stat().st_size:
                with path.open('r+b') as file:
                    file.truncate(good)
            for place, start in places:
                self._where.setdefault(place, (path, start))
        return sorted(self._where)

    def open(self, rank: int) -> None:
        """Begin to write the file of a process."""
        self._file = (self._folder / f'records_{rank}.pkl').open('ab')
        if not self._file.tell():
            self._dump(self._of)

    def add(self, place: int, record: Sequence[list]) -> None:
        """Keep the record of an image: of each metric its results."""
        self._dump((place, record))

    def close(self) -> None:
        """End writing."""
        self._file.close()

    def results(self, number: int) -> RecordedResults:
        """What the n-th metric has found of the images that were recorded at the last reading."""
        return RecordedResults([self._where[place] for place in sorted(self._where)], number)

    def _dump(self, value: object) -> None:
        pickle.dump(value, self._file, pickle.HIGHEST_PROTOCOL)
        self._file.flush()

    def _read(self, path: Path) -> tuple[int, list[tuple[int, int]]]:
        """The length of what is whole and of the same thing; places, and where each begins."""
        good, places = 0, []
        with path.open('rb') as file:
            for value in _values(file):
                if good == 0 and value != self._of:
                    return 0, []
                if good:
                    places.append((value[0], good))
                good = file.tell()
        return good, places


class RecordedResults(Sequence):
    """Results of a metric, read from records again each time, so that few are in memory.

    Args:
        where (Sequence[tuple[Path, int]]): File of each record, and the place where it begins.
        number (int): Which of the metrics.
    """

    def __init__(self, where: Sequence[tuple[Path, int]], number: int) -> None:
        self._where, self._number = where, number

    def __iter__(self) -> Iterator:
        files: dict[Path, BinaryIO] = {}
        try:
            for path, start in self._where:
                file = files.setdefault(path, None) or path.open('rb')
                files[path] = file
                file.seek(start)
                yield from pickle.load(file)[1][self._number]
        finally:
            for file in files.values():
                file.close()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int | slice) -> object:
        return list(self)[index]

    def __reduce__(self) -> tuple:
        return list, (list(self), )  # what dumps results dumps a list


def _values(file: BinaryIO) -> Iterator:
    while True:
        try:
            yield pickle.load(file)
        except Exception:  # a pickle that was cut short raises what its content leads to
            return
