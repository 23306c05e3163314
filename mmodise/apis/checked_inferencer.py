"""Inference with the weights that belong to the model."""

from mmdet.apis import DetInferencer
from mmdet.utils import ConfigType
from mmengine.config import Config
from torch import nn

from ..checkpoints import load_fitting, reading_safely
from ..engine import set_tf32


class CheckedInferencer(DetInferencer):
    """mmdet's ``DetInferencer``, which refuses a checkpoint of another model.

    mmdet warns, and goes on with random weights. The checkpoint is read without running what may be
    in it, and float32 is what the config's ``tf32`` says.

    Raises:
        ValueError: If a weight of the model is not in the checkpoint, or has another shape there;
            if the checkpoint holds other objects than mmengine's do.
    """

    def _init_model(self, cfg: ConfigType, weights: str | None, device: str = 'cpu') -> nn.Module:
        self._source = weights
        with reading_safely():
            return super()._init_model(cfg, weights, device)

    def _load_weights_to_model(
        self, model: nn.Module, checkpoint: dict | None, cfg: ConfigType | None
    ) -> None:
        if checkpoint is not None:
            load_fitting(model, checkpoint).check_complete(self._source)
        set_tf32(cfg or Config())
        super()._load_weights_to_model(model, checkpoint, cfg)
