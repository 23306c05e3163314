"""Models by name: what the metafiles of mmodise say."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import NamedTuple

import yaml

from ..utils.paths import configs_folder

#: The model that comes with mmodise, weights included.
SMALL_MODEL = 'odise_sd-small_shapes-panoptic'


class ModelEntry(NamedTuple):
    """A model of a metafile: its config, and its weights if there are any."""

    config: Path
    weights: str | None


def known_models() -> dict[str, ModelEntry]:
    """All models of the metafiles, by name."""
    root = configs_folder()
    found = {}
    for path in sorted(root.glob('*/metafile.yml')):
        for model in yaml.safe_load(path.read_text(encoding='utf-8'))['Models']:
            config = root.parent / model['Config']
            found[model['Name']] = ModelEntry(config, model.get('Weights'))
    return found


def find_model(name: str | Path) -> ModelEntry:
    """The config of a model, by its name or its path, and its weights.

    Args:
        name (str | Path): A name in a metafile, or the path of a config.

    Raises:
        FileNotFoundError: If it is neither; tells the nearest name, or where the names are.
    """
    models = known_models()
    path = Path(name)
    if path.is_file():
        same = (model for model in models.values() if model.config.samefile(path))
        return next(same, None) or ModelEntry(path, None)
    if str(name) in models:
        return models[str(name)]
    near = difflib.get_close_matches(str(name), models, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise FileNotFoundError(
        f'There is no config {name}, and no model of this name.{hint} There are: '
        f'{", ".join(models)}.')
