"""Reading a checkpoint file safely, with errors that name it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mmengine.logging import HistoryBuffer
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local as load_as_mmengine_does

from ..weights import PREFIX, locate
from .official import is_official, kind_of
from .safe_loading import NUMPY_GLOBALS, load_safely


def _statistic(owner: type, name: str) -> Callable:
    """What mmengine's log histories need of ``getattr``: the methods that summarise them."""
    if owner is not HistoryBuffer or name.startswith('_'):
        raise ValueError(f'a checkpoint asks for {name!r} of {owner}')
    return getattr(owner, name)


#: What mmengine's training checkpoints hold beside weights and plain containers.
TRAINING_GLOBALS = (*NUMPY_GLOBALS, HistoryBuffer, (_statistic, 'builtins.getattr'))


_is_safe: ContextVar[bool] = ContextVar('reading_safely', default=False)


@contextmanager
def reading_safely() -> Iterator[None]:
    """Let mmengine's runners and inferencers read local checkpoints by :func:`load_from_local`.

    Inside, and in this thread. Elsewhere they read as if mmodise were not there, which runs the
    code of Python objects in a file: other projects keep such objects in their checkpoints.
    """
    token = _is_safe.set(True)
    try:
        yield
    finally:
        _is_safe.reset(token)


def load_from_local(filename: str, map_location: str | None = None) -> dict:
    """Read a local checkpoint; one with unknown Python objects is refused.

    Args:
        filename (str): A file that torch can read.
        map_location (str, optional): As in :func:`torch.load`.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeFileError: If it holds other objects than mmengine's checkpoints do.
        ValueError: If it is no checkpoint, only a part of one, or one of the official ODISE or
            FC-CLIP.
    """
    checkpoint = load_safely(filename, map_location, allowed=TRAINING_GLOBALS)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f'{filename} is no checkpoint: expected a dict of weights, found {type(checkpoint)}.')
    if is_official(checkpoint):
        recipe = 'FC-CLIP' if kind_of(checkpoint['model']) == 'fcclip' else 'ODISE'
        raise ValueError(
            f'{filename} is an official {recipe} checkpoint. Convert it, then give the result: '
            f'mim run mmodise convert_checkpoint {filename} OUT.pth')
    return checkpoint


@CheckpointLoader.register_scheme(prefixes='', force=True)
def _load_local(filename: str, map_location: str | None = None) -> dict:
    """Load a checkpoint by its path; mmengine calls it for every local file."""
    load = load_from_local if _is_safe.get() else load_as_mmengine_does
    return load(filename, map_location=map_location)


@CheckpointLoader.register_scheme(prefixes=PREFIX)
def load_shipped(filename: str, map_location: str | None = None) -> dict:
    """Load a checkpoint by its name; mmengine calls it for ``load_from='mmodise://...'``."""
    return load_from_local(locate(filename), map_location=map_location)
