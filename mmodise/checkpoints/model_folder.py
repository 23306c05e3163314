"""Which family of generators a folder in diffusers' layout is of."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

# by a name of a pipeline or a network; the first that fits
_FAMILIES = {
    'StableDiffusion3|SD3': 'Stable Diffusion 3',
    'StableDiffusionXL': 'Stable Diffusion XL',
    'StableDiffusion': 'Stable Diffusion',
    'PixArt': 'PixArt',
    'Amused|UVit2D': 'aMUSEd',
    'Flux': 'Flux',
}
#: What reads them.
READERS = {
    'Stable Diffusion': 'StableDiffusionExtractor',
    'Stable Diffusion XL': 'StableDiffusionXLExtractor',
    'Stable Diffusion 3': 'DiffusionTransformerExtractor',
    'aMUSEd': 'TokenDiffusionExtractor',
}


def family_of(folder: str | Path) -> str | None:
    """What a folder's own files say of its family.

    The config of the network that denoises is asked first, then ``model_index.json``: a pipeline
    may have any name.

    Args:
        folder (str | Path): A local folder, or anything else.

    Returns:
        str | None: 'Stable Diffusion' (1.x and 2.x), 'Stable Diffusion XL', 'Stable Diffusion 3',
        'PixArt', 'aMUSEd' or 'Flux'; the class of another network as it is named; None where
        nothing is said.
    """
    folder = Path(folder)
    for part in ('unet', 'transformer'):
        config = _read(folder / part / 'config.json')
        if name := config.get('_class_name'):
            if name == 'UNet2DConditionModel':
                has_sizes = config.get('addition_embed_type') == 'text_time'
                return 'Stable Diffusion XL' if has_sizes else 'Stable Diffusion'
            return _family(name) or name
    return _family(_read(folder / 'model_index.json').get('_class_name') or '')


def expect_family(folder: str | Path, families: Sequence[str]) -> None:
    """Refuse a folder that says that it is of another family.

    Args:
        folder (str | Path): A local folder, or anything else.
        families (Sequence[str]): What can be read, in the words of :func:`family_of`.

    Raises:
        ValueError: Says which family it is, and what reads it.
    """
    if (found := family_of(folder)) not in (None, *families):
        raise ValueError(of_another_family(found, families))


def of_another_family(found: str, families: Sequence[str]) -> str:
    """What a user is told of a model that is of another family.

    Args:
        found (str): Which it is, in the words of :func:`family_of`.
        families (Sequence[str]): What can be read.
    """
    reader = READERS.get(found)
    return (f'this is a model of the family {found}, which '
            + (f'{reader} reads' if reader else 'no extractor reads')
            + f'; expected {" or ".join(families)}')


def _family(class_name: str) -> str | None:
    return next((family for pattern, family in _FAMILIES.items()
                 if re.match(pattern, class_name)), None)


def _read(path: Path) -> dict:
    """The content of a JSON file; nothing where there is none, or another one is meant to tell."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
