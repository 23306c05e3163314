"""Small modules that change what a network keeps or runs, without a copy of its code."""

from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Tap(nn.Module):
    """Stands before a residual block and notes what goes in.

    Args:
        block (nn.Module, optional): The block; None where nothing reads what it makes.
        notes (list[Tensor]): Where inputs are noted, in the order of the pass.
    """

    def __init__(self, block: nn.Module | None, notes: list[Tensor]) -> None:
        super().__init__()
        self.block = block
        self.notes = notes

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Note the input, (B, C, h, w), and go on with the block."""
        self.notes.append(hidden_states)
        return hidden_states if self.block is None else self.block(hidden_states, *args, **kwargs)


class Skip(nn.Module):
    """Stands for an attention block of diffusers whose result nothing reads."""

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor]:
        """The input, as the tuple that diffusers' blocks return."""
        return (hidden_states,)


class Recomputed(nn.Module):
    """Runs a part of a network once more in the backward pass, and keeps only its input till then.

    Args:
        part (nn.Module): One that draws no random numbers.
    """

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, hidden_states: Tensor) -> Tensor:
        """As the part's."""
        return checkpointed(self.part, hidden_states)


def checkpointed(module: nn.Module, *args: Any) -> Any:
    """Run a part of a network, and once more in the backward pass, to save memory.

    What a tap reads is noted in the forward pass only.

    Args:
        module (nn.Module): One that draws no random numbers.
        *args (Any): Its inputs.
    """
    if isinstance(module, Tap):
        module.notes.append(args[0])
        module = module.block
        if module is None:
            return args[0]
    return checkpoint(module, *args, use_reentrant=False, preserve_rng_state=False)
