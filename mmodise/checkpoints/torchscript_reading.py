"""Reading the tensors of a TorchScript archive, and none of its code."""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_STORAGES = dict(
    HalfStorage=torch.float16, BFloat16Storage=torch.bfloat16, FloatStorage=torch.float32,
    DoubleStorage=torch.float64, LongStorage=torch.int64, IntStorage=torch.int32,
    ShortStorage=torch.int16, CharStorage=torch.int8, ByteStorage=torch.uint8,
    BoolStorage=torch.bool)


def is_torchscript(path: str | Path) -> bool:
    """Whether a file is a TorchScript archive, as of :func:`torch.jit.save`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith('/constants.pkl') for name in archive.namelist())


def read_torchscript(path: str | Path) -> tuple[dict[str, Tensor], set[str]]:
    """Read the tensors of an archive's modules.

    :func:`torch.jit.load` would compile the program of the archive, which may do whatever
    operators can; here only numbers are read, and names of classes.

    Args:
        path (str | Path): The archive.

    Returns:
        tuple: All tensors of the modules by name, as in a state dict, also those that a state dict
        leaves out; and the names of the modules' classes, without the place where they come from.

    Raises:
        ValueError: If there is something else than modules and tensors in the archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(name for name in archive.namelist() if name.endswith('/data.pkl'))
            with archive.open(root) as file:
                reader = _Reader(file, archive, root.removesuffix('.pkl'))
                return dict(_tensors(reader.load())), reader.class_names
    except Exception as error:  # of ZIP, of pickle, of sizes that do not fit
        raise ValueError(
            f'{path} cannot be read as a TorchScript archive of weights; it may hold other '
            f'things, or be cut short. ({type(error).__name__}: {error})') from error


class _Module:
    """Stands for a module of the archive: attributes, and no methods."""

    attributes: dict = {}

    def __setstate__(self, attributes: Any) -> None:
        if isinstance(attributes, dict):
            self.attributes = attributes


class _Reader(pickle.Unpickler):
    """Makes modules and tensors, and refuses to look up anything else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self.archive, self.folder = archive, folder
        self.class_names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        if module.split('.')[0] == '__torch__':
            self.class_names.add(name)
            return _Module
        if module == 'torch' and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return lambda storage, offset, size, stride, *_: storage.as_strided(
                size, stride, offset)
        if (module, name) == ('collections', 'OrderedDict'):
            return OrderedDict
        if module == 'torch.jit._pickle' and name.startswith(('build_', 'restore_')):
            return lambda value, *_: value  # a list with the type of its elements
        raise pickle.UnpicklingError(f'it names {module}.{name}')

    def persistent_load(self, pid: tuple) -> Tensor:
        _, dtype, key, _, _ = pid
        content = bytearray(self.archive.read(f'{self.folder}/{key}'))
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _tensors(module: _Module, prefix: str = '') -> Iterator[tuple[str, Tensor]]:
    for name, value in module.attributes.items():
        if isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(value, _Module):
            yield from _tensors(value, f'{prefix}{name}.')
