"""A model of a config with its weights, or a sentence why not."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader

from ..checkpoints import check_untrained, load_fitting, reading_safely
from ..engine import load_config, set_extractor_dtype
from ..models import ODISE
from .model_zoo import SMALL_MODEL, find_model

_PRECISIONS = ('float32', 'bfloat16', 'float16')
_BUILDING = Lock()  # the scope in which mmengine looks parts up is one for the process


def read_config(
    model: str | Path | Config | None, weights: str | Path | None
) -> tuple[Config, str | None]:
    """Find the config and the weights that are meant; None if there are none.

    Args:
        model (str | Path | Config, optional): A name, a path, or a config. None: the small model
            that comes with mmodise.
        weights (str | Path, optional): None: those of the metafile.

    Raises:
        FileNotFoundError: If there is no such model or config.
        ValueError: If a key of the config is misspelt.
    """
    if isinstance(model, Config):
        cfg, shipped = copy.deepcopy(model), None
    else:
        entry = find_model(SMALL_MODEL if model is None else model)
        cfg, shipped = load_config(entry.config), entry.weights
    return cfg, shipped if weights is None else str(weights)


def build_model(
    cfg: Config, weights: str | None, device: torch.device, precision: str | None
) -> ODISE:
    """Build a model and load its weights.

    Args:
        cfg (Config): Its config.
        weights (str, optional): A file, an address, or ``mmodise://``. None for a model in which
            nothing is trained.
        device (device): Where it is put.
        precision (str, optional): What its extractors compute in; None: what the config says.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If a weight is missing in it or has another shape; if it holds other objects
            than mmengine's do; if the model is no :class:`ODISE`; or if it has trained weights, and
            none are given.
    """
    _check_device(device)
    _check_precision(precision, device)
    model_cfg = copy.deepcopy(cfg.model)
    if precision is not None:
        set_extractor_dtype(model_cfg, precision)
    with looking_up():
        if weights is not None:
            with reading_safely():
                checkpoint = CheckpointLoader.load_checkpoint(weights, map_location='cpu')
        model = MODELS.build(model_cfg)
    if not isinstance(model, ODISE):
        raise ValueError(
            f'The config {cfg.filename or ""} is of a {type(model).__name__}, which knows only the '
            "classes of its training. Use mmdet's DetInferencer, or a config whose model is ODISE.")
    if weights is None:
        check_untrained(model, cfg.filename or 'This config')
    else:
        load_fitting(model, checkpoint).check_complete(weights)
    return model.to(device).eval()


@contextmanager
def looking_up() -> Iterator[None]:
    """A context in which parts are looked up in mmdet's registries; one thread at a time."""
    with _BUILDING, DefaultScope.overwrite_default_scope('mmdet'):
        yield


def _check_device(device: torch.device) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).split('\n')[0]
        raise ValueError(f'The device {device} cannot be used here: {reason}') from error


def _check_precision(precision: str | None, device: torch.device) -> None:
    if precision is not None and precision not in _PRECISIONS:
        raise ValueError(f'precision={precision!r}; give one of {", ".join(_PRECISIONS)}.')
    if precision == 'float16' and device.type == 'cpu':
        raise ValueError('Computing in float16 needs a GPU; the CPU has bfloat16.')
