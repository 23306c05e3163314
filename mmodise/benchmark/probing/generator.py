"""The generator that a config names: which maps it could give, and at which levels of noise."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from mmdet.registry import MODELS
from mmengine.config import Config

from ...models.backbones import DiffusionBackbone
from ...models.extractors import FeatureExtractor, FeatureMap

#: Stands beside the generator's maps: the mean colour of each cell, which a map should beat.
PIXELS = FeatureMap('pixels', 3, 1)


class Generator:
    """Builds the extractor of a config, with other maps and another noise than it says.

    Args:
        config (Config): Of a model whose backbone has an extractor.
        device (str): Where extractors are put.

    Raises:
        ValueError: If the config has no extractor, or one of an unknown type.
    """

    def __init__(self, config: Config, device: str = 'cpu') -> None:
        backbone = config.get('model', {}).get('backbone') or {}
        if 'extractor' not in backbone:
            raise ValueError(
                f'{config.filename} has no model.backbone.extractor to probe (its backbone is '
                f'{backbone.get("type")!r}); give a config whose backbone is a DiffusionBackbone, '
                'such as configs/odise/odise_sd-small_shapes-panoptic.py')
        self.settings, self.device = dict(backbone['extractor']), device
        self.kind = MODELS.get(self.settings['type'])
        if self.kind is None or not issubclass(self.kind, FeatureExtractor):
            raise ValueError(f'{config.filename}: model.backbone.extractor.type='
                             f'{self.settings["type"]!r} is no FeatureExtractor of the registry')
        self.window_size = backbone.get('window_size', _default(DiffusionBackbone, 'window_size'))
        self.max_windows = backbone.get('max_windows')

    @property
    def noise_setting(self) -> str | None:
        """What the extractor calls its levels of noise."""
        return self.kind.noise_setting

    def levels(self, asked: Sequence[float] | None) -> list[float | None]:
        """The levels of noise to probe: those asked for, or else those of the config.

        Raises:
            ValueError: If there are levels, and the generator is given no noise, or not so much.
        """
        if self.noise_setting is None:
            if asked:
                raise ValueError(f'{self.kind.__name__} is given no noise: leave --timesteps out')
            return [None]
        levels = [*dict.fromkeys(asked or self._setting(self.noise_setting))]
        if len(levels) > 1:
            self._everything(levels)  # refuses what there is not, before the first is measured
        return levels

    def maps(self, level: float | None, chosen: Sequence[str]) -> list[FeatureMap]:
        """Maps at a level of noise.

        Args:
            level (float, optional): One of :meth:`levels`.
            chosen (Sequence[str]): Names of maps; ``['all']``: all that there are;
                ``['config']``: those that the config reads.

        Raises:
            ValueError: If there is no such map; lists those that do.
        """
        if list(chosen) == ['config']:
            return [PIXELS, *self._build([level], {}).maps]
        everything = [PIXELS, *self._everything([level]).maps]
        if list(chosen) == ['all']:
            return everything
        by_name = {feature_map.name: feature_map for feature_map in everything}
        if missing := [name for name in chosen if name not in by_name]:
            raise ValueError(
                f'--maps {" ".join(missing)}: {self.kind.__name__} has no such map; give all, some '
                f'of {", ".join(by_name)}, or config, those that the config reads')
        return [feature_map for name, feature_map in by_name.items() if name in chosen]

    def is_read(self, feature_map: FeatureMap) -> bool:
        """Whether the config reads a map."""
        if feature_map.chosen_by is None:
            return feature_map != PIXELS
        setting, entry = feature_map.chosen_by
        entries = self._setting(setting)
        return entries == 'all' or entry in entries

    def build(self, level: float | None, maps: Sequence[FeatureMap]) -> FeatureExtractor | None:
        """An extractor that computes what these maps need; None if they need none."""
        if all(feature_map == PIXELS for feature_map in maps):
            return None
        entries = {setting: [] for setting in self.kind.map_settings}
        for feature_map in maps:
            if feature_map.chosen_by is not None:
                setting, entry = feature_map.chosen_by
                entries[setting].append(entry)
        return self._build([level], entries).to(self.device).eval()

    def _everything(self, levels: Sequence[float | None]) -> FeatureExtractor:
        return self._build(levels, dict.fromkeys(self.kind.map_settings, 'all'))

    def _build(self, levels: Sequence[float | None], entries: dict) -> FeatureExtractor:
        noise = {} if self.noise_setting is None else {self.noise_setting: list(levels)}
        try:
            return MODELS.build({**self.settings, **noise, **entries})
        except TypeError as error:  # of another extractor, named by --cfg-options
            raise ValueError(
                f'{error}. What the config says of its own extractor is dropped by --cfg-options '
                f'model.backbone.extractor._delete_=True model.backbone.extractor.type='
                f'{self.kind.__name__} ...') from error

    def _setting(self, name: str) -> object:
        return self.settings.get(name, _default(self.kind, name))


def _default(kind: type, name: str) -> object:
    return inspect.signature(kind).parameters[name].default
