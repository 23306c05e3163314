"""Refuses versions of torch that cannot read a checkpoint without running what is in it."""

import torch


def check() -> None:
    """Look for what safe reading needs.

    torch before 2.6 cannot be told by name which objects a file may hold, so it reads mmengine's
    checkpoints, which have logs beside weights, only together with any code in them.

    Raises:
        ImportError: If torch is too old.
    """
    if not hasattr(torch.serialization, 'get_unsafe_globals_in_checkpoint'):
        raise ImportError(
            f'mmodise needs torch 2.6 or newer, found {torch.__version__}: older ones cannot read '
            'a checkpoint without running the code that may be in it. Install a newer one: '
            'pip install "torch>=2.6" "torchvision>=0.21"')
