"""Weights that come with mmodise, by names such as ``'mmodise://shapes/clip'``."""

from pathlib import Path

PREFIX = 'mmodise://'
_ROOT = Path(__file__).parent


def locate(pretrained: str) -> str:
    """Where weights are.

    Args:
        pretrained (str): ``'mmodise://SET/NAME'``, or a path or name of another kind.

    Returns:
        str: The local folder or file of weights that come with mmodise; anything else as it is.

    Raises:
        FileNotFoundError: If mmodise brings no such weights; lists those that it brings.
    """
    if not pretrained.startswith(PREFIX):
        return pretrained
    shipped = {f'{PREFIX}{path.parent.name}/{path.name}': path for path in _ROOT.glob('[!_]*/*')
               if path.is_dir() or path.suffix == '.pth'}
    if pretrained not in shipped:
        raise FileNotFoundError(
            f'{pretrained!r} does not come with mmodise; these do: {", ".join(sorted(shipped))}')
    return str(shipped[pretrained])
