"""Reading a checkpoint file safely, with errors that name it."""

from collections.abc import Callable

from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local as read

from ..weights import PREFIX, locate
from .official import is_official
from .safe_loading import NUMPY_GLOBALS, load_safely, safe_globals


def _statistic(owner: type, name: str) -> Callable:
    """What mmengine's log histories need of ``getattr``: the methods that summarise them."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise ValueError(f'a checkpoint asks for {name!r} of {owner}')
    return getattr(owner, name)


#: What mmengine's training checkpoints hold beside weights and plain containers.
TRAINING_GLOBALS = (*NUMPY_GLOBALS, HistoryBuffer, (_statistic, 'builtins.getattr'))


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: str | None = None) -> dict:
    """Read a local checkpoint; takes the place of mmengine's function of this name.

    Mmengine's own reads a file with unknown Python objects all the same, and so runs their code;
    here it is refused.

    Args:
        filename (str): A file that torch can read.
        map_location (str, optional): As in :func:`torch.load`.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeFileError: If it holds other objects than mmengine's checkpoints do.
        ValueError: If it is no checkpoint, only a part of one, or one of the official ODISE.
    """
    if safe_globals is None:  # torch before 2.5 cannot allow the log histories
        checkpoint = read(filename, map_location)
    else:
        checkpoint = load_safely(filename, map_location, allowed=TRAINING_GLOBALS)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{filename} is no checkpoint: expected a dict of weights, found {type(checkpoint)}.')
    if is_official(checkpoint):
        raise ValueError(
            f'{filename} is an official ODISE checkpoint. Convert it, then give the result: '
            f'python tools/convert_checkpoint.py {filename} OUT.pth')
    return checkpoint


@CheckpointLoader.register_scheme(prefixes=PREFIX)
def load_shipped(filename: str, map_location: str | None = None) -> dict:
    """Load a checkpoint by its name; mmengine calls it for ``load_from='mmodise://...'``."""
    return load_from_local(locate(filename), map_location=map_location)
