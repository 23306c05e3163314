"""How well a checkpoint fits a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP

from .finite import check_finite
from .official import TITLES, kind_of

# the recipe of each kind of model, at full size
RECIPES = dict(
    label='configs/odise/odise_sd-v1_32xb2-lsj-50e_coco-panoptic.py',
    caption='configs/odise/odise-caption_sd-v1_32xb2-lsj-50e_coco-panoptic.py',
    fcclip='configs/fcclip/fcclip_convnext-l_8xb2-lsj-50e_coco-panoptic.py')


@dataclass(frozen=True)
class CheckpointFit:
    """Which weights of a model a checkpoint has; as a string, the counts and the first names.

    Args:
        num_weights (int): Weights of the model: parameters and persistent buffers.
        missing (tuple[str]): Weights of the model that are not in the checkpoint.
        reshaped (tuple[str]): Weights that both have, in different shapes: name and both shapes.
        unexpected (tuple[str]): Weights in the checkpoint that the model does not have.
    """

    num_weights: int
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    unexpected: tuple[str, ...]

    @property
    def num_found(self) -> int:
        """Weights of the model that the checkpoint has, in the same shape."""
        return self.num_weights - len(self.missing) - len(self.reshaped)

    def check_complete(self, source: str | None) -> None:
        """Refuse a checkpoint that lacks weights of the model, or has them in another shape.

        Args:
            source (str, optional): Where the checkpoint is from.

        Raises:
            ValueError: Gives the numbers of weights and the first names.
        """
        if self.num_found < self.num_weights:
            raise ValueError(
                f'{source} is of another model: {self}. Give the checkpoint that belongs to this '
                'config, or the config that belongs to this checkpoint.')

    def _other_clip(self) -> str:
        """A hint where what projects CLIP's embeddings takes others than it gets."""
        for name in self.reshaped:
            widths = re.search(
                r'(?:text_proj|void_embedding)\.weight \(\d+, (\d+)\), expected \(\d+, (\d+)\)',
                name)
            if widths and widths[1] != widths[2]:
                return (f" (it was trained with a CLIP of width {widths[1]}, the config's is "
                        f'{widths[2]} wide)')
        return ''

    def __str__(self) -> str:
        return (
            f"the checkpoint has {self.num_found} of the model's {self.num_weights} weights"
            + _list('missing', self.missing)
            + _list('of another shape', self.reshaped)
            + self._other_clip()
            + _list('that the model does not have', self.unexpected)
            + self._other_kind())

    def _other_kind(self) -> str:
        """Words for a checkpoint of another kind, such as a label model's in a caption model."""
        found, expected = kind_of(self.unexpected), kind_of(self.missing)
        common = 'panoptic_head.mask_embedding.log_scale'  # of all kinds, and of no other model
        if None in (found, expected) or common in (*self.unexpected, *self.missing):
            return ''
        return (
            f'; the checkpoint is of the kind {TITLES[found]!r}, the config of the kind '
            f'{TITLES[expected]!r}: what fits this checkpoint at full size is {RECIPES[found]}')


def check_untrained(model: nn.Module, name: str) -> None:
    """Refuse to go on without a checkpoint, unless nothing in the model is trained.

    Args:
        model (Module): A model.
        name (str): What it is called in the message, such as its config.

    Raises:
        ValueError: If it has weights that a checkpoint would bring.
    """
    if weights := [*model.state_dict()]:
        raise ValueError(
            f'{name} has no weights of its own. Give weights, a checkpoint of this model: random '
            f'ones would label at random. It has {len(weights)} to be trained, such as '
            f'{weights[0]}.')


def load_fitting(model: nn.Module, checkpoint: dict, assign: bool = False) -> CheckpointFit:
    """Load what fits, as mmengine does, and tell what does not.

    Frozen networks (:class:`FrozenModule`) are no part of either.

    Args:
        model (Module): A model, or one that is wrapped for distributed training or for test time
            augmentation.
        checkpoint (dict): Weights by name, or mmengine's dictionary with them in ``state_dict``.
        assign (bool): Take the weights themselves, not copies. Defaults to False.

    Raises:
        ValueError: If weights hold nan or infinity.
    """
    if isinstance(model, FSDP):  # for the moment its shards become whole
        with FSDP.summon_full_params(model):
            return load_fitting(model.module, checkpoint)
    if is_model_wrapper(model) or isinstance(model, BaseTTAModel):
        model = model.module
    weights = checkpoint.get('state_dict', checkpoint)
    weights = {re.sub(r'^module\.', '', name): value for name, value in weights.items()}
    check_finite(weights.items())
    shapes = {name: _shape(value) for name, value in model.state_dict().items()}
    reshaped = {
        name: f'{name} {_shape(value)}, expected {shapes[name]}'
        for name, value in weights.items()
        if name in shapes and _shape(value) != shapes[name]
    }
    fitting = {name: value for name, value in weights.items() if name not in reshaped}
    missing, unexpected = model.load_state_dict(fitting, strict=False, assign=assign)
    # like mmengine, do not ask for the counters of batch norm, which old checkpoints lack
    missing = [
        name for name in missing if name not in reshaped and 'num_batches_tracked' not in name]
    return CheckpointFit(len(shapes), tuple(missing), tuple(reshaped.values()), tuple(unexpected))


def _shape(value: object) -> tuple[int, ...] | None:
    return tuple(value.shape) if hasattr(value, 'shape') else None


def _list(what: str, names: Sequence[str]) -> str:
    if not names:
        return ''
    return f'; {len(names)} {what}: ' + ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
