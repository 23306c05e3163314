"""Maps of a transformer's tokens, and the end of the network that they are read from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from .taps import Recomputed, Tap


class Unread(nn.Module):
    """Stands for a layer whose result nothing reads: numbers of its shape, which are not computed.

    Args:
        width (int): Channels that the layer makes.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, tokens: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(B, N, C) to (B, N, width)."""
        return tokens.new_empty(*tokens.shape[:-1], self.width)


def tap_tokens(
    blocks: nn.ModuleList, chosen: Sequence[int] | str, end: nn.Module, with_cp: bool
) -> tuple[nn.ModuleList, list[int]]:
    """Put taps before blocks of a transformer, and drop what comes after the last one.

    Args:
        blocks (ModuleList): The transformer's.
        chosen (Sequence[int] | str): Those whose input is read, counted from 0, or 'all'.
        end (Module): Takes the place of the last one; it reads.
        with_cp (bool): Recompute the others in the backward pass.

    Returns:
        tuple: The blocks that are left, and those that are read.

    Raises:
        ValueError: If there is no such block.
    """
    numbers = list(range(len(blocks))) if chosen == 'all' else sorted(set(chosen))
    for number in numbers:
        if not 0 <= number < len(blocks):
            raise ValueError(
                f'there is no block {number} of the transformer; its blocks are 0 to '
                f'{len(blocks) - 1}')
    kept = [Recomputed(block) if with_cp else block for block in blocks[: numbers[-1]]]
    kept = [Tap(block) if i in numbers else block for i, block in enumerate(kept)]
    return nn.ModuleList([*kept, end]), numbers


@contextmanager
def listing(there_is: Mapping[str, str]) -> Iterator[None]:
    """Say in an error about a map that does not exist which there are.

    Args:
        there_is (Mapping[str, str]): By setting, in words.
    """
    try:
        yield
    except ValueError as error:
        choices = '; '.join(f'{setting} {values}' for setting, values in there_is.items())
        raise ValueError(f'{error}. There are: {choices}') from None


@contextmanager
def named(part: object) -> Iterator[None]:
    """Say in an error about an argument whose it is.

    Args:
        part (object): What has the argument.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{type(part).__name__}: {error}') from None


def as_maps(read: Sequence[Tensor], passes: int) -> list[Tensor]:
    """Square maps of tokens, pass by pass.

    Args:
        read (Sequence[Tensor]): Each (passes x B, N, C), N = n^2.
        passes (int): Passes through the transformer, one per degree of noise.

    Returns:
        list[Tensor]: Each (B, C, n, n); all of the first pass, then all of the second, ...
    """
    maps = [tokens.transpose(1, 2).unflatten(2, (math.isqrt(tokens.shape[1]), -1))
            .unflatten(0, (passes, -1)) for tokens in read]
    return [of_block[i] for i in range(passes) for of_block in maps]
