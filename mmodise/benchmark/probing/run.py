"""A probe from its config to its records: level by level of noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from tqdm import tqdm

from ...engine import load_config
from ...models.extractors import FeatureMap
from ...utils.optional import import_optional
from .generator import Generator
from .maps import MapReader
from .pictures import Pictures
from .probe import Figures, Truth, probe_maps
from .readouts import EXTRA
from .records import ProbeFolder, Record


@dataclass(frozen=True)
class Settings:
    """What to probe, and how.

    Attributes:
        config (Path): Config file.
        options (dict): Settings of the config that are overridden.
        levels (Sequence[float], optional): Of noise, such as timesteps. None: the config's.
        maps (Sequence[str]): Names of maps, or ``['all']``, or ``['config']``.
        split (str): Whose data loader: 'train', 'val' or 'test'.
        number (int, optional): Pictures. None: all, or 120 if there are more.
        cells (int): To learn from, per picture.
        clusters (int, optional): K of the k-means. None: as many as there are classes.
        seed (int): Of all random numbers.
        device (str): Such as 'cpu' or 'cuda'.
    """

    config: Path
    options: dict = field(default_factory=dict)
    levels: Sequence[float] | None = None
    maps: Sequence[str] = ('all', )
    split: str = 'val'
    number: int | None = None
    cells: int = 100
    clusters: int | None = None
    seed: int = 0
    device: str = 'cpu'


class Run:
    """A probe that is ready to start.

    Args:
        settings (Settings): What to probe, and how.
        folder (Path): For records, see :class:`ProbeFolder`.

    Raises:
        OSError: If files are missing, or the folder is taken.
        ValueError: If settings do not go together.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        import_optional('sklearn', EXTRA)  # not after an hour of reading maps
        config = load_config(settings.config, settings.options)
        init_default_scope(config.get('default_scope') or 'mmdet')
        self.generator = Generator(config, settings.device)
        self.levels = self.generator.levels(settings.levels)
        self.pictures = Pictures(
            config, settings.split, settings.number, settings.seed, settings.device)
        self.maps = self.generator.maps(self.levels[0], settings.maps)
        self.clusters = settings.clusters or len(self.pictures.classes)
        self.folder = ProbeFolder(folder, self._fingerprint(config))

    def finish(self) -> None:
        """Measure what has no record yet, and add the records of each level as it is done."""
        left = self._left()
        if not left:
            return
        settings, pictures = self.settings, self.pictures
        images = len(pictures.learning) + len(pictures.measuring)
        total = images + sum(images + len(maps) for maps in left.values())
        with tqdm(total=total, unit='step') as bar:
            title = ''

            def tell(what: str, steps: int) -> None:
                bar.set_description(f'{title}{what}', refresh=False)
                bar.update(steps)

            truth = Truth(pictures, settings.cells, self.clusters, settings.seed, tell)
            if truth.unlearned:
                bar.write('Not counted, as no picture to learn from has them: '
                          f'{", ".join(truth.unlearned)}')
            for level, maps in left.items():
                title = '' if level is None else f'{self.generator.noise_setting} {level:g}: '
                figures = probe_maps(
                    self.reader(level, maps), pictures, truth, settings.seed, tell)
                self.folder.add(self._record(found, figures[found.name]) for found in maps)

    def reader(self, level: float | None, maps: Sequence[FeatureMap]) -> MapReader:
        """What reads maps at a level of noise; nothing else is computed."""
        return MapReader(self.generator.build(level, maps), maps)

    def at_level(self, level: float | None) -> list[FeatureMap]:
        """The maps, as they are called at a level of noise."""
        return [found if found.noise is None else found._replace(noise=level)
                for found in self.maps]

    def _left(self) -> dict[float | None, list[FeatureMap]]:
        """Maps without a record, by level; what depends on no noise is measured at the first."""
        done, left = set(self.folder.read()), {}
        for level in self.levels:
            maps = [found for found in self.at_level(level)
                    if (found.name, found.noise) not in done]
            done.update((found.name, found.noise) for found in maps)
            if maps:
                left[level] = maps
        return left

    def _record(self, found: FeatureMap, figures: Figures) -> Record:
        return Record(
            found.name, found.noise, found.channels, found.stride, self.generator.is_read(found),
            *(round(100 * value, 2) for part in figures for value in part))

    def _fingerprint(self, config: Config) -> dict:
        settings, generator = self.settings, self.generator
        apart = {*generator.kind.map_settings, generator.noise_setting}
        loading = config[f'{settings.split}_dataloader']
        return dict(
            extractor={key: str(value) for key, value in generator.settings.items()
                       if key not in apart},
            window_size=generator.window_size, dataset=str(loading.dataset),
            preprocessing=str(config.model.data_preprocessor), split=settings.split,
            images=len(self.pictures.learning) + len(self.pictures.measuring),
            cells=settings.cells, clusters=self.clusters, seed=settings.seed)
