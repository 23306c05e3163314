"""Lets mmcv be used without its compiled ops."""

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType


class MissingOps(ModuleType):
    """Stands in for ``mmcv._ext``: has every op, and each raises an error when it is called."""

    def __init__(self) -> None:
        super().__init__('mmcv._ext')
        self.__spec__ = ModuleSpec('mmcv._ext', loader=None)  # mmengine asks find_spec for it

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def missing(*args, **kwargs):
            raise NotImplementedError(
                f'The op mmcv._ext.{name} is not compiled. Compile mmcv (needs a compiler, takes '
                'about 10 minutes): pip install --force-reinstall --no-deps --no-cache-dir '
                '--no-build-isolation onedl-mmcv')

        return missing

    def get_compiler_version(self) -> str:
        """Tell mmcv's environment report that nothing was compiled."""
        return 'n/a'

    get_compiling_cuda_version = get_compiler_version


def install() -> str | None:
    """Put a stand-in in the place of mmcv's compiled ops, if they do not import.

    mmcv has PyTorch code for what ODISE needs, point sampling and deformable attention, but
    chooses it for tensors on the CPU only; here it is chosen on every device.

    Returns:
        str | None: What was done; None where the compiled ops import.
    """
    importlib.import_module('mmcv')  # without mmcv there is nothing to stand in for
    try:
        importlib.import_module('mmcv._ext')
        return None
    except ImportError:
        sys.modules['mmcv._ext'] = MissingOps()
    attention = importlib.import_module('mmcv.ops.multi_scale_deform_attn')
    attention.IS_CUDA_AVAILABLE = False  # read nowhere but in the choice of the compiled op
    return 'mmcv has no compiled ops, its PyTorch code is used'
