"""The classification loss of a batch that is spread over GPUs."""

import torch
from mmdet.models.losses import CrossEntropyLoss
from mmdet.registry import MODELS
from mmdet.utils import reduce_mean
from torch import Tensor


@MODELS.register_module()
class WholeBatchCrossEntropyLoss(CrossEntropyLoss):
    """mmdet's ``CrossEntropyLoss``, averaged over the predictions of all ranks.

    The mean is weighted by class, so a rank's own mean is of other weights than the next one's, and
    the mean of the two is not that of the whole batch. Here all ranks divide by the same: the mean
    over ranks that DDP and FSDP take is the loss of the whole batch, however it is spread. In one
    process there is no difference.

    Args:
        **kwargs: As in mmdet's ``CrossEntropyLoss``; with a ``class_weight``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # on the device once; a copy for every call would be waited for
        self.register_buffer('_weights', torch.tensor(self.class_weight), persistent=False)

    def forward(self, cls_score: Tensor, label: Tensor, weight: Tensor, **kwargs) -> Tensor:
        """Loss of the predictions of this rank.

        Args:
            cls_score (Tensor): Logits, (N, K).
            label (Tensor): (N,).
            weight (Tensor): Of each prediction, (N,); 0 for one that does not count.
            **kwargs: Not read: what mmdet's head gives as ``avg_factor`` is of this rank, and of
                predictions that do not count too.

        Returns:
            Tensor: A scalar.
        """
        class_weight = self._weights.to(cls_score.dtype)
        total = (class_weight[label] * weight).sum()
        return self.loss_weight * self.cls_criterion(
            cls_score, label, weight, class_weight=class_weight, reduction=self.reduction,
            avg_factor=reduce_mean(total), ignore_index=self.ignore_index)
