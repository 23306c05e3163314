"""Small modules that change what a network keeps or runs, without a copy of its code."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

# what the taps have read in the pass under way; a call's own, whatever other threads do
_READ: ContextVar[list[Tensor] | None] = ContextVar('read', default=None)
# torch.compile follows a plain list only, so that compiled networks serve one call at a time
_COMPILED: list[Tensor] = []
_COMPILED_IN_USE = Lock()


@contextmanager
def reading(compiled: bool = False) -> Iterator[list[Tensor]]:
    """Collect what taps read while the context is open, in the order of the pass.

    Args:
        compiled (bool): Whether taps are in compiled modules, for which other threads wait.

    Yields:
        list[Tensor]: The inputs so far.
    """
    with _COMPILED_IN_USE if compiled else nullcontext():
        token = _READ.set(read := _COMPILED if compiled else [])
        try:
            yield read
        finally:
            _READ.reset(token)
            if compiled:
                read.clear()


def note(hidden_states: Tensor) -> None:
    """Hand over a tensor to whoever is :func:`reading`."""
    read = _COMPILED if torch.compiler.is_compiling() else _READ.get()
    if read is not None:  # not in a second run for the backward pass
        read.append(hidden_states)


class Tap(nn.Module):
    """Stands before a residual block and reads what goes in, see :func:`reading`.

    Args:
        block (nn.Module, optional): The block; None where nothing reads what it makes.
    """

    def __init__(self, block: nn.Module | None) -> None:
        super().__init__()
        self.block = block

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Read the input, (B, C, h, w), and go on with the block."""
        note(hidden_states)
        return hidden_states if self.block is None else self.block(hidden_states, *args, **kwargs)


class Skip(nn.Module):
    """Stands for an attention block of diffusers whose result nothing reads."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor]:
        """The input, as the tuple that diffusers' blocks return."""
        return (hidden_states,)


class PassOn(nn.Module):
    """Stands for a residual block of diffusers whose result nothing reads."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The input."""
        return hidden_states


class Recomputed(nn.Module):
    """Runs a part of a network once more in the backward pass, and keeps only its input till then.

    Args:
        part (nn.Module): One that draws no random numbers.
    """

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the part's."""
        return checkpointed(self.part, *args, **kwargs)


def checkpointed(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """Run a part of a network, and once more in the backward pass, to save memory.

    What a tap reads is read in the forward pass only.

    Args:
        module (nn.Module): One that draws no random numbers.
        *args (Any): Its inputs.
        **kwargs (Any): Likewise.
    """
    if isinstance(module, Tap):
        note(args[0])
        module = module.block
        if module is None:
            return args[0]
    return checkpoint(
        module, *args, use_reentrant=False, preserve_rng_state=False, **kwargs)
