"""Maps of a transformer's tokens, and the end of the network that they are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn

from .attention import as_map
from .feature_extractor import FeatureMap
from .taps import Recomputed, Tap
from .transformer_blocks import drop_after_attention, find_attentions, tap_attention


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


class TokenSizes(NamedTuple):
    """Of what a transformer sees.

    Attributes:
        width (int): Channels of its tokens.
        cells (int): Tokens of the image.
        text_length (int): Tokens of the text.
    """

    width: int
    cells: int
    text_length: int


def tap_tokens(
    blocks: nn.ModuleList, chosen: tuple[str, Sequence[int] | str], attentions: Sequence[str] | str,
    sizes: TokenSizes, end: nn.Module, with_cp: bool,
) -> tuple[nn.ModuleList, list[FeatureMap]]:
    """Put taps before and into blocks of a transformer, and drop what comes after the last one.

    Args:
        blocks (ModuleList): The transformer's; they are changed.
        chosen (tuple): The setting of the extractor, and its value: blocks whose input is read,
            counted from 0, or 'all'.
        attentions (Sequence[str] | str): Maps of attention, see :func:`find_attentions`.
        sizes (TokenSizes): Of the tokens.
        end (Module): Takes the place of the last block, where no more than its input is read; it
            reads.
        with_cp (bool): Recompute the others in the backward pass.

    Returns:
        tuple: The blocks that are left; and the maps in the order of the pass, of stride 1.

    Raises:
        ValueError: If there is no such block or map.
    """
    setting, numbers = chosen
    numbers = _checked(blocks, numbers)
    # of a block, its input comes before all of its attention
    places = {(number, -1): FeatureMap(
        f'transformer{number}', sizes.width, 1, (setting, number)) for number in numbers}
    for found in find_attentions(blocks, attentions):
        channels = tap_attention(blocks[found.number], found.kind, sizes.cells, sizes.text_length)
        places[found.number, found.order] = FeatureMap(
            found.name, channels, 1, ('attentions', found.name))
    last, order = max(places)
    kept = list(blocks[: last if order < 0 else last + 1])
    if order >= 0:
        drop_after_attention(kept[-1], order)
    kept = [Recomputed(block) if with_cp else block for block in kept]
    kept = [Tap(block) if i in numbers else block for i, block in enumerate(kept)]
    if order < 0:
        kept.append(end)
    return nn.ModuleList(kept), [places[place] for place in sorted(places)]


def _checked(blocks: nn.ModuleList, numbers: Sequence[int] | str) -> list[int]:
    """Numbers of blocks, sorted; those that there are not are refused."""
    numbers = list(range(len(blocks))) if numbers == 'all' else sorted(set(numbers))
    for number in numbers:
        if not 0 <= number < len(blocks):
            raise ValueError(
                f'there is no block {number} of the transformer; its blocks are 0 to '
                f'{len(blocks) - 1}')
    return numbers


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
        read (Sequence[Tensor]): Each (passes x B, N, C), N = n^2; or a map already.
        passes (int): Passes through the transformer, one per degree of noise.

    Returns:
        list[Tensor]: Each (B, C, n, n); all of the first pass, then all of the second, ...
    """
    maps = [(tokens if tokens.ndim == 4 else as_map(tokens)).unflatten(0, (passes, -1))
            for tokens in read]
    return [of_block[i] for i in range(passes) for of_block in maps]
