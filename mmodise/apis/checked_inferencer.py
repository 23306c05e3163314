"""Inference with the weights that belong to the model."""

from mmdet.apis import DetInferencer
from mmdet.utils import ConfigType
from torch import nn

from ..checkpoints import load_fitting


class CheckedInferencer(DetInferencer):
    """mmdet's ``DetInferencer``, which refuses a checkpoint of another model.

    mmdet warns, and goes on with random weights.

    Raises:
        ValueError: If a weight of the model is not in the checkpoint, or has another shape there.
    """

    def _init_model(self, cfg: ConfigType, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._source = weights
        return super()._init_model(cfg, weights, device)

    def _load_weights_to_model(
        self, model: nn.Module, checkpoint: dict | None, cfg: ConfigType | None
    ) -> None:
        if checkpoint is not None:
            load_fitting(model, checkpoint).check_complete(self._source)
        super()._load_weights_to_model(model, checkpoint, cfg)
