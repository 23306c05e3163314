"""Reading official checkpoints without running what may be in them."""

import logging
from pathlib import Path

import torch
from mmengine.logging import print_log

from ..safe_loading import NUMPY_GLOBALS, UnsafeFileError, load_safely
from .conversion import describe, is_official


def read_official(path: str | Path, allow_pickle: bool = False) -> dict:
    """Read an official checkpoint of ODISE or FC-CLIP.

    Tensors, NumPy's arrays, and plain Python values.

    Args:
        path (str | Path): The file; its weights may also be on their own, not in ``model``.
        allow_pickle (bool): Whether to read other objects too, which can run any code that the
            file's maker put there; done with a warning, and only where there are some. Defaults
            to False.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeFileError: If it holds other objects; names them, and tells the ways out.
        ValueError: If it cannot be read, or is no official checkpoint.
    """
    try:
        checkpoint = load_safely(path, allowed=NUMPY_GLOBALS)
    except UnsafeFileError as error:
        if not allow_pickle:
            ours = 'mmengine' in str(error)
            raise UnsafeFileError(
                f'{error}\nOr, if you trust who made it, allow the file to run code: '
                '--allow-pickle.'
                + (' If this is a checkpoint of ours, --to-official is meant.' if ours else ''),
                error.names
            ) from error
        checkpoint = _read_pickle(path)
    if is_official({'model': checkpoint}):
        checkpoint = {'model': checkpoint}
    if not is_official(checkpoint):
        raise ValueError(
            f'{path} is no official checkpoint of ODISE or FC-CLIP: {describe(checkpoint)}.')
    return checkpoint


def _read_pickle(path: str | Path) -> object:
    print_log(
        f'{path} is read with pickle: this runs whatever code its maker put there.', 'current',
        logging.WARNING)
    try:
        return torch.load(path, map_location='cpu', weights_only=False)
    except Exception as error:  # whatever the file's code does
        raise ValueError(
            f'{path} cannot be read, also not with pickle: {type(error).__name__}: {error}. '
            'Objects of a package need the package, in a version that knows them.') from error
