"""Misspelt keys of a config, which nothing would read, are found before anything is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module

from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..utils.spelling import misspelt

# What mmengine and the tools read at a config's top level beside the runner's arguments, and names
# that all configs have for their pipelines.
_MORE_KEYS = (
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'fast',
    'find_unused_parameters', 'model_wrapper_cfg', 'runner_type', 'strategy', 'sync_bn',
    'test_pipeline', 'tf32', 'train_pipeline', 'tta_model', 'tta_pipeline', 'val_pipeline')


def check_config(cfg: Config) -> None:
    """Refuse keys that look like a misspelling of a key that would be read.

    At the top level these are the keys of mmengine's runner; variables of a config's own are left
    alone, unless they look like one of those and the config does not use them itself. Below, where
    there is a ``type``, they are the arguments of that class, and of its parents where it hands
    arguments on. Some classes swallow what they do not know; the others would complain by
    themselves, later and without a hint. What the part does not take, and another part of the same
    interface of mmodise does, is left from a type that the config had before.

    Args:
        cfg (Config): Read from a file, and overridden by the command line.

    Raises:
        ValueError: If there are such keys; lists them all, each with the nearest right one.
    """
    runner_keys = {*inspect.signature(Runner).parameters, *_MORE_KEYS} - {'cfg'}
    found = [
        f'{key}: did you mean {right}?' for key, right in misspelt(cfg, runner_keys).items()
        if not _is_used(key, cfg.text)
    ]
    registries = registries_of(cfg.get('default_scope') or 'mmengine')
    for key in runner_keys & cfg.keys():
        found += _misspelt_arguments(cfg[key], key, registries)
    if found:
        raise ValueError(
            f'{cfg.filename}, or what the command line adds to it, has keys that nothing reads:\n  '
            + '\n  '.join(sorted(found)))


def _is_used(name: str, text: str) -> bool:
    """Whether a config's text mentions a variable other than to set it."""
    return re.search(rf'\b{re.escape(name)}\b(?!\s*=[^=])', text) is not None


def _misspelt_arguments(node: object, path: str, registries: list[Registry]) -> Iterator[str]:
    if isinstance(node, dict):
        default = DataLoader if path.endswith('_dataloader') else None
        parts = parts_called(node.get('type', default), registries)
        known = set().union(*map(arguments_of, parts))
        keys = {key for key in node if isinstance(key, str) and key != 'type'}
        left = _left_from_another_type(parts, keys - known, registries)
        for key, others in left.items():
            yield (f'{path}.{key}: {parts[0].__name__} takes none, {" and ".join(others)} would. '
                   f'What was set for another type is dropped by --cfg-options '
                   f'{path}._delete_=True {path}.type=..., or by _delete_=True beside the type in '
                   'a config file')
        for key, right in misspelt(keys - set(left), known).items():
            yield f'{path}.{key}: did you mean {right}?'
        for key, value in node.items():
            yield from _misspelt_arguments(value, f'{path}.{key}', registries)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _misspelt_arguments(value, f'{path}.{index}', registries)


def _left_from_another_type(
    parts: list[Callable], keys: set[str], registries: list[Registry]
) -> dict[str, list[str]]:
    """Keys that others of a part's interface take, with the names of these, two at most."""
    if len(parts) != 1 or not inspect.isclass(parts[0]) or _swallows(parts[0].__init__):
        return {}
    interfaces = set(filter(_is_interface, parts[0].__mro__))
    others = {part for registry in registries for part in registry.module_dict.values()
              if inspect.isclass(part) and interfaces.intersection(part.__mro__)}
    taking = {key: sorted(part.__name__ for part in others if key in arguments_of(part))[:2]
              for key in keys if interfaces}
    return {key: names for key, names in taking.items() if names}


def _is_interface(part: type) -> bool:
    return part.__module__.startswith('mmodise.') and any(
        getattr(value, '__isabstractmethod__', False) for value in vars(part).values())


def _swallows(maker: Callable) -> bool:
    return any(of.kind is of.VAR_KEYWORD for of in inspect.signature(maker).parameters.values())


def registries_of(scope: str) -> list[Registry]:
    """The registries of a package, such as mmdet."""
    try:
        members = vars(import_module(f'{scope}.registry'))
    except ImportError:
        return []
    return [member for member in members.values() if isinstance(member, Registry)]


def parts_called(name: object, registries: list[Registry]) -> list[Callable]:
    """What a ``type`` means: the classes or functions of that name, usually one."""
    if callable(name):
        return [name]
    if not isinstance(name, str):
        return []
    scope, name = Registry.split_scope_key(name)
    found = []
    for registry in registries_of(scope) if scope else registries:
        while registry is not None and name not in registry.module_dict:
            registry = registry.parent
        if registry is not None:
            found.append(registry.module_dict[name])
    return found


def configs_of(node: object, kind: type, argument: str) -> Iterator[dict]:
    """Configs inside of a config whose ``type`` is a class of a kind that takes an argument.

    Args:
        node (object): The config of a model or of a part.
        kind (type): A class, or a base of classes.
        argument (str): Its name.
    """
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from configs_of(value, kind, argument)
    elif isinstance(node, dict):
        if any(inspect.isclass(part) and issubclass(part, kind) and argument in arguments_of(part)
               for part in parts_called(node.get('type'), registries_of('mmdet'))):
            yield node
        for value in node.values():
            yield from configs_of(value, kind, argument)


def arguments_of(part: Callable) -> set[str]:
    """Names of the arguments, of a class also those that it hands on to its parents."""
    names: set[str] = set()
    makers = [vars(cls).get('__init__') for cls in getattr(part, '__mro__', ())] or [part]
    for maker in filter(inspect.isfunction, makers):
        names.update(inspect.signature(maker).parameters)
        # deprecated names, which mmcv's and mmengine's decorator replaces
        names.update(inspect.getclosurevars(maker).nonlocals.get('name_dict', ()))
        if not _swallows(maker):
            break
    return names
