"""The folder of a probe: what was measured, map by map, so that a run goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

#: All that a probe writes.
SETTINGS, RECORDS, TABLE, COLUMNS, CHART, PICTURE = (
    'settings.json', 'records.jsonl', 'table.md', 'table.csv', 'heat_map.png', 'pca.png')


@dataclass(frozen=True)
class Record:
    """What a map is worth at a level of noise; figures are percent.

    Attributes:
        map (str): Its name.
        noise (float, optional): Such as the timestep; None: the map depends on no noise.
        channels (int): Of the map.
        stride (int): Of the map.
        is_read (bool): Whether the config reads it.
        probe_miou (float): Mean IoU of the linear probe.
        probe_accuracy (float): Share of the cells that it has right.
        cluster_miou (float): Mean IoU of the clusters, matched with the classes.
        cluster_accuracy (float): Share of the cells that these have right.
    """

    map: str
    noise: float | None
    channels: int
    stride: int
    is_read: bool
    probe_miou: float
    probe_accuracy: float
    cluster_miou: float
    cluster_accuracy: float

    @property
    def key(self) -> tuple[str, float | None]:
        """What is measured once."""
        return self.map, self.noise


class ProbeFolder:
    """Keeps the records of one probe.

    Args:
        folder (Path): Made if missing; without files, or with records of the same settings.
        settings (Mapping): All that figures depend on, but for map and noise; as JSON has it.

    Raises:
        FileExistsError: If the folder has something else in it.
    """

    def __init__(self, folder: Path, settings: Mapping) -> None:
        self.folder = folder
        path = folder / SETTINGS
        settings = json.loads(json.dumps(settings))
        if (folder / RECORDS).exists() and path.is_file():
            _compare(path, json.loads(path.read_text(encoding='utf-8')), settings)
            return
        if folder.exists() and (not folder.is_dir() or set(folder.iterdir()) - {path}):
            raise FileExistsError(
                f'--out-dir {folder} holds something that is not of a probe; give another folder')
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=1) + '\n', encoding='utf-8')

    def read(self) -> dict[tuple[str, float | None], Record]:
        """The records so far, by map and noise, in the order that they were measured in."""
        path, records = self.folder / RECORDS, []
        lines = path.read_text(encoding='utf-8').splitlines() if path.is_file() else []
        for line in lines:
            with suppress(ValueError, TypeError):  # cut short, where a run was interrupted
                records.append(Record(**json.loads(line)))
        return {record.key: record for record in records}

    def add(self, records: Iterable[Record]) -> None:
        """Keep more records."""
        lines = [json.dumps(asdict(record)) for record in records]
        with (self.folder / RECORDS).open('a', encoding='utf-8') as file:
            file.write('\n' + '\n'.join(lines) + '\n')



def _compare(path: Path, there: Mapping, settings: Mapping) -> None:
    keys = [key for key in {**there, **settings} if there.get(key) != settings.get(key)]
    if keys:
        raise FileExistsError(
            f'{path.parent} holds a probe with other settings; give another --out-dir. '
            + '; '.join(f'{key}: {_short(there.get(key))} there, {_short(settings.get(key))} now'
                        for key in keys))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 60 else f'{text[:60]}...'
