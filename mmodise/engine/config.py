"""Reading a config file: what every command does first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device

from ..models import FeatureExtractor
from ..utils.paths import configs_folder
from .config_check import check_config, configs_of
from .fast import make_fast


def load_config(
    path: str | Path,
    options: Mapping[str, object] | None = None,
    *,
    work_dir: str | Path | None = None,
    launcher: str = 'none',
    fast: bool = False,
    device: str | torch.device | None = None,
) -> Config:
    """Read a config file, override settings, and look for misspelt keys.

    Args:
        path (str | Path): The config file.
        options (Mapping, optional): Settings to override, by keys with dots between them.
        work_dir (str | Path, optional): Folder for logs and checkpoints. Defaults to the config's
            own, or else to ``work_dirs/CONFIG_NAME``.
        launcher (str): How the processes of a distributed run are started, as for mmengine's
            runner. Defaults to 'none'.
        fast (bool): As if the config said ``fast = True``, see :func:`make_fast`. Defaults to
            False.
        device (str | device, optional): Where it will run, as for :func:`make_fast`.

    Returns:
        Config: With ``work_dir`` and ``launcher``.

    Raises:
        FileNotFoundError: If there is no such file; tells where the configs of mmodise are.
        ValueError: If a key is misspelt.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'There is no config {path}. Those that come with mmodise are in {configs_folder()}.')
    cfg = Config.fromfile(path)
    cfg.launcher = launcher
    cfg.merge_from_dict(dict(options or {}))
    check_config(cfg)
    if fast or cfg.get('fast'):
        make_fast(cfg, device)
    if work_dir or not cfg.get('work_dir'):
        cfg.work_dir = str(work_dir or Path('work_dirs', Path(path).stem))
    return cfg


def enable_amp(cfg: Config, device: str | None = None, dtype: str | None = None) -> None:
    """Choose the optimizer wrapper for mixed precision, and bfloat16 for frozen generators.

    Frozen networks compute in their own precision, whatever autocast says. Extractors whose
    ``dtype`` the config does not set get bfloat16, if the device computes in it.

    Args:
        cfg (Config): Changed in place.
        device (str, optional): Where the training will run. Defaults to where mmengine's runner
            puts it.
        dtype (str, optional): 'float16' or 'bfloat16'. Defaults to bfloat16 on the CPU, which has
            no other, and to the config's own, or else float16, elsewhere.

    Raises:
        ValueError: If ``dtype`` is one that the CPU does not have.
    """
    device = device or get_device()
    if device == 'cpu' or (torch.cuda.is_available() and torch.cuda.is_bf16_supported(False)):
        set_extractor_dtype(cfg.get('model'), 'bfloat16', overwrite=False)
    if device == 'cpu':
        if dtype not in (None, 'bfloat16'):
            raise ValueError(f'Training in {dtype} needs a GPU; the CPU has bfloat16.')
        cfg.optim_wrapper.type = 'CPUAmpOptimWrapper'
        for name in ('loss_scale', 'dtype', 'use_fsdp'):  # of the wrapper for GPUs
            cfg.optim_wrapper.pop(name, None)
        return
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if dtype is not None:
        cfg.optim_wrapper.dtype = dtype


def set_extractor_dtype(node: object, dtype: str, overwrite: bool = True) -> None:
    """Say in what extractors compute.

    Args:
        node (object): The config of a model or of a part; changed in place.
        dtype (str): Such as 'bfloat16'.
        overwrite (bool): Also where the config says it already. Defaults to True.
    """
    for part in configs_of(node, FeatureExtractor, 'dtype'):
        if overwrite or 'dtype' not in part:
            part['dtype'] = dtype


def enable_auto_scale_lr(cfg: Config) -> None:
    """Switch on mmengine's scaling of the learning rate.

    Args:
        cfg (Config): Changed in place.

    Raises:
        ValueError: If the config does not say for which batch size its learning rate is meant.
    """
    if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
        raise ValueError(
            f'--auto-scale-lr: {cfg.filename} has no auto_scale_lr.base_batch_size; add '
            'auto_scale_lr = dict(base_batch_size=N), N the batch size its learning rate is for')
    cfg.auto_scale_lr.enable = True
