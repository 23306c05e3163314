"""float32 is float32, unless a config says otherwise."""

import torch
from mmengine.config import Config


def set_tf32(cfg: Config) -> None:
    """Let matrix products and convolutions of float32 use TF32, or not, in the whole process.

    torch's own default is TF32 for convolutions: 10 bits of mantissa in place of 23.

    Args:
        cfg (Config): With ``tf32``; False if it has none.

    Raises:
        ValueError: If ``tf32`` is neither True nor False.
    """
    allowed = cfg.get('tf32', False)
    if not isinstance(allowed, bool):
        raise ValueError(f'tf32={allowed!r} in the config: expected True or False.')
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
