"""Reading official checkpoints without running what may be in them."""

from __future__ import annotations

import logging
import re
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.utils import digit_version

from .conversion import describe, is_official

_DTYPES = ('float16', 'float32', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'bool')


def read_official(path: str | Path, allow_pickle: bool = False) -> dict:
    """Read an official ODISE checkpoint: tensors, NumPy's arrays, and plain Python values.

    Args:
        path (str | Path): The file.
        allow_pickle (bool): Whether to read other objects too, which can run any code that the
            file's maker put there; only where there are some, and with a warning. Defaults to
            False.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds other objects (names them, and how to allow them), cannot be read,
            or is no official checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}.')
    checkpoint = _read(path, allow_pickle)
    if not is_official(checkpoint):
        raise ValueError(f'{path} is no official ODISE checkpoint: {describe(checkpoint)}.')
    return checkpoint


def _read(path: Path, allow_pickle: bool) -> object:
    try:
        with _numpy_allowed():
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch has many ways to say it
        objects = _objects_beyond_tensors(path, error)
        if not objects:
            raise _unreadable(path, error) from error
        names = ', '.join(objects)
        if not allow_pickle:
            hint = '' if 'mmengine' not in names else (
                ' If this is a checkpoint of ours, --to-official is the way back.')
            raise ValueError(
                f'{path} holds pickled objects beyond tensors: {names}. To read them can run any '
                'code that the maker of the file put there. If you trust it, allow that with '
                f'--allow-pickle.{hint}') from error
    print_log(
        f'{path} is read with pickle, which runs whatever code the maker of the file put there '
        f'({names}).', 'current', logging.WARNING)
    try:
        return torch.load(path, map_location='cpu', weights_only=False)
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    if isinstance(error, (ImportError, AttributeError)):
        return ValueError(
            f'{path} holds objects of a package that is not installed here, or of another version '
            f'of it: {error}.')
    # torch's own advice to read it unsafely comes first
    reason = str(error).rpartition('WeightsUnpickler error:')[2].strip().partition('\n')[0]
    return ValueError(
        f'{path} ({path.stat().st_size:,} bytes) cannot be read as a checkpoint; it may be another '
        f'kind of file, or one that was cut short. ({type(error).__name__}: {reason})')


def _numpy_allowed() -> AbstractContextManager:
    """Let torch read NumPy's arrays and scalars, by either of the names that files have."""
    if digit_version(torch.__version__) < digit_version('2.7'):  # knows them by one name, or none
        return nullcontext()
    allowed = [np.ndarray, np.dtype, *(type(np.dtype(name)) for name in _DTYPES)]
    for value in (np.empty(0), np.float64(0)):
        make = value.__reduce__()[0]
        allowed += [
            (make, f'{module}.multiarray.{make.__name__}')
            for module in ('numpy.core', 'numpy._core')]
    return torch.serialization.safe_globals(allowed)


def _objects_beyond_tensors(path: Path, error: Exception) -> list[str]:
    """Names of what the restricted reader refused."""
    try:
        with _numpy_allowed():
            return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except Exception:  # an older torch, or file format: the first of them is in the message
        return re.findall(r'(?:GLOBAL|class) ([\w.]+)', str(error))[:1]

