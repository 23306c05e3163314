"""Reading a checkpoint file, with errors that name it."""

from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local as read

from ..official_checkpoint import is_official


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | None = None) -> dict:
    """Read a local checkpoint; takes the place of mmengine's function of this name.

    Args:
        filename (str): A file that torch can read.
        map_location (str, optional): As in :func:`torch.load`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, only a part of one, or one of the official ODISE.
    """
    try:
        checkpoint = read(filename, map_location)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch has many ways to say it, mostly about ZIP and pickle
        size = Path(filename).expanduser().stat().st_size
        raise ValueError(
            f'{filename} ({size:,} bytes) cannot be read as a checkpoint; it may be another '
            f'kind of file, or one that was cut short. ({type(error).__name__}: {error})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{filename} is no checkpoint: expected a dict of weights, found {type(checkpoint)}.')
    if is_official(checkpoint):
        raise ValueError(
            f'{filename} is an official ODISE checkpoint. Convert it, then give the result: '
            f'python tools/convert_checkpoint.py {filename} OUT.pth')
    return checkpoint
