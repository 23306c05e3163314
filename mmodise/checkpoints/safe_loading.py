"""Reading weights without running code that their file might bring along."""

from __future__ import annotations

import re
import shlex
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from .file_content import is_safetensors, what_it_is

_multiarray = getattr(np, '_core', None) or np.core
#: What numbers and arrays of numpy are made with; data, and no code.
NUMPY_GLOBALS: tuple = (
    np.ndarray, np.dtype, *(getattr(np.dtypes, name) for name in np.dtypes.__all__),
    *((getattr(_multiarray.multiarray, function), f'numpy.{module}.multiarray.{function}')
      for function in ('_reconstruct', 'scalar') for module in ('core', '_core')))


class UnsafeFileError(ValueError):
    """A file that holds more than weights; the message says what, and the way out.

    Args:
        message (str): What the user is told.
        names (Iterable[str]): The classes and functions that the file names.
    """

    def __init__(self, message: str, names: Iterable[str]) -> None:
        super().__init__(message)
        self.names = tuple(names)


class _StandIn:
    """Takes the place of a class or function of a file; what it makes is an empty dictionary."""

    def __new__(cls, *args: Any, **kwargs: Any) -> OrderedDict:
        return OrderedDict()


def load_safely(
    path: str | Path,
    map_location: str | torch.device | None = 'cpu',
    allowed: Iterable[Callable | tuple[Callable, str]] = (),
    mmap: bool = False,
) -> Any:
    """Read a file of safetensors or of torch; nothing in it is run.

    Args:
        path (str | Path): The file.
        map_location (str, optional): As in :func:`torch.load`. Defaults to 'cpu'.
        allowed (Iterable): What a file of torch may hold beside tensors and plain containers, as
            in :class:`torch.serialization.safe_globals`.
        mmap (bool): Leave tensors on the disk until they are used, where the format allows it.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeFileError: If the file holds other Python objects.
        ValueError: If it is another kind of file, or cut short.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'{path} can not be found: there is no such file.')
    allowed = list(allowed)
    with safe_globals(allowed) if allowed else nullcontext():
        try:
            if is_safetensors(path):
                return load_file(path, device=str(map_location or 'cpu'))
            mmap = mmap and zipfile.is_zipfile(path)  # older files of torch are no ZIP archives
            if path.suffix == '.safetensors':  # which torch would believe
                with path.open('rb') as file:
                    return torch.load(file, map_location=map_location, weights_only=True)
            return torch.load(path, map_location=map_location, weights_only=True, mmap=mmap)
        except Exception as error:  # there are many ways to say it, mostly about ZIP and pickle
            if _is_of_the_machine(error):
                raise
            raise _explained(path, error) from error


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a state dict, on its own or in a checkpoint's ``state_dict`` or ``model``.

    Args:
        path (str | Path): The file; its tensors stay on the disk until they are used.

    Raises:
        FileNotFoundError: As :func:`load_safely`.
        ValueError: As :func:`load_safely`; also if there are no tensors with names in it.
    """
    return _state_dict(path, load_safely(path, mmap=True))


def keep_weights(path: str | Path) -> dict[str, Tensor]:
    """Read the weights of a file that also holds Python objects, without running any of it.

    Each class or function that the file names is replaced by one that does nothing.

    Args:
        path (str | Path): A file that :func:`load_safely` refuses.

    Raises:
        FileNotFoundError: As :func:`load_safely`.
        ValueError: As :func:`load_safely`; also if the file names what only an attack would.
    """
    replaced: set[str] = set()
    while True:
        allowed = [*NUMPY_GLOBALS, *((_StandIn, name) for name in replaced)]
        try:
            return _state_dict(path, load_safely(path, allowed=allowed))
        except UnsafeFileError as error:
            refused = {name for found in error.names for name in (found, f'builtins.{found}')}
            if refused <= replaced:
                raise
            replaced |= refused


def _refused(path: str | Path, error: Exception) -> list[str]:
    """The classes and functions for which torch did not read a file."""
    if not isinstance(error, UnpicklingError):
        return []
    named = re.findall(r'GLOBAL (\S+)', str(error))
    if named and zipfile.is_zipfile(path):
        named = sorted(get_unsafe_globals_in_checkpoint(path)) or named
    return named


def _is_of_the_machine(error: Exception) -> bool:
    """Whether memory or a device is missing, and nothing is wrong with the file."""
    words = "can't allocate memory", 'out of memory', 'CUDA is not available', 'on a CUDA device'
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        word in str(error) for word in words)


def _explained(path: Path, error: Exception) -> ValueError:
    """What the user is told about a file that cannot be read."""
    if found := what_it_is(path):
        return ValueError(f'{path} {found}.')
    if blocked := re.search(r'GLOBAL (\S+) whose module \S+ is blocked', str(error)):
        return ValueError(
            f'{path} is dangerous: to read it would be to call {blocked[1]}. Weights need nothing '
            'of the kind. Do not use this file; get the weights from a source that you trust.')
    if refused := _refused(path, error):
        return UnsafeFileError(
            f'{path} holds more than weights: Python objects of {", ".join(refused[:10])}. To '
            'read those is to run code, of whoever made the file, so it is not read. Its weights '
            'can be taken out without running any: mim run mmodise keep_weights '
            f'{shlex.quote(str(path))} {shlex.quote(str(path.with_suffix(".safetensors")))}',
            refused)
    return ValueError(
        f'{path} ({path.stat().st_size:,} bytes) cannot be read as a checkpoint; it may be '
        f'another kind of file, or one that was cut short. ({type(error).__name__}: {error})')


def _state_dict(path: str | Path, content: Any) -> dict[str, Tensor]:
    for name in ('state_dict', 'model'):
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    named = content if isinstance(content, dict) else {}
    tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
    if not tensors:
        raise ValueError(
            f'{path} has no weights: expected tensors by name, found a {type(content).__name__}'
            + (f' with {", ".join(map(repr, list(named)[:5]))}.' if named else '.'))
    return tensors
