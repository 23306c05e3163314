"""The files of a golden set."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from golden_sets import Golden


@dataclass
class GoldenFiles:
    """The files of a set; notes which of them are read, and what they lack.

    Args:
        folder (Path): With a ``meta.json``.
    """

    folder: Path
    opened: set[Path] = field(default_factory=set)
    lacking: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.meta = self.json('meta.json')

    def json(self, name: str, default: dict | None = None) -> dict:
        path = self.folder / name
        if default is not None and not path.is_file():
            return default
        return json.loads(path.read_text(encoding='utf-8'))

    def has(self, name: str) -> bool:
        """Whether there is a file; notes it if there is not."""
        found = (self.folder / name).is_file()
        self.lacking += [] if found else [('', name, 'file (not there)')]
        return found

    def load(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a file; none, which is noted, where there is no such file."""
        self.opened.add(path := self.folder / name)
        if not self.has(name):
            return {}
        with np.load(path) as file:
            return {key: file[key] for key in file}

    def arrays(
        self, name: str, statistics: Mapping[str, dict] | None = None, kind: str = '',
        case: str = '', prefix: str = ''
    ) -> dict[str, Golden]:
        """The arrays of a file that are results; ``statistics`` tell which of them are samples."""
        loaded, statistics = self.load(name), statistics or {}
        self.lacking += [(kind, case, f'{key} (listed, not stored)')
                         for key in statistics if loaded and key not in loaded]
        return {key.removeprefix(prefix).removesuffix('_packed'): _golden(
            key, values, statistics.get(key)) for key, values in loaded.items()}

    def names(self, pattern: str) -> list[str]:
        """Names of files without their endings, in the order of their numbers."""
        found = [path.stem for path in self.folder.glob(pattern)]
        return sorted(found, key=lambda name: (len(re.sub(r'\D', '', name)), name))

    def unread(self) -> list[tuple[str, str, str]]:
        """What is lacking, and arrays' files that were not read."""
        others = {*self.folder.rglob('*.npz')} - self.opened
        return self.lacking + [
            ('', str(path.relative_to(self.folder)), 'file (unknown)') for path in sorted(others)]


def _golden(name: str, values: np.ndarray, known: Mapping | None) -> Golden:
    """An array as it is in a file, with its entry in the statistics."""
    if name.endswith('_packed'):
        return Golden(np.unpackbits(values).astype(bool), packed=True)
    known = known or dict(shape=values.shape)
    size = math.prod(known['shape'])
    return Golden(values, known.get('absmax'), not known.get('complete', True), size)


def settings_of(meta: dict, kind: str, record: Mapping | None = None) -> dict[str, Any]:
    """Settings of a model that a set names: those of its own record, or of ``meta.json``."""
    places = dict(
        alpha='ensemble.alpha', beta='ensemble.beta', steps='backbone.extractor.timesteps',
        object_mask_threshold='test_cfg.object_mask_thr', topk='test_cfg.max_per_image')
    settings = {}
    for name, place in places.items():
        value = (record or {}).get(name, meta.get(name))
        if isinstance(value, dict):
            value = value.get(kind)
        if value is not None:
            settings[place] = value
    return settings


def take(arrays: dict[str, Golden], pattern: str) -> list[np.ndarray]:
    """Take the arrays out whose names fit, in the order of their numbers."""
    names = [name for name in arrays if re.fullmatch(pattern, name)]
    return [arrays.pop(name).values for name in sorted(names, key=lambda n: (len(n), n))]


def total_of(record: dict) -> float:
    """The sum of the losses of a step."""
    return record.get('total', sum(record['losses_weighted'].values()))
