"""Where the files are that come with mmodise, from a checkout and from a wheel."""

from pathlib import Path


def configs_folder() -> Path:
    """The folder of the configs that come with mmodise.

    Raises:
        FileNotFoundError: If the installation has none.
    """
    package = Path(__file__).parents[1]
    for folder in (package / '.mim/configs', package.parent / 'configs'):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f'{package} comes without configs. Install mmodise from a wheel or from its checkout.')
