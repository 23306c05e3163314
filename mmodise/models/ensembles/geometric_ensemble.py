"""The geometric ensemble of in- and out-of-vocabulary scores."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from .no_object import append_no_object, trust_classifier


@MODELS.register_module()
class GeometricEnsemble(nn.Module):
    """Weighted geometric mean of two probabilities of a class (paper, equation 7).

    Args:
        alpha (float): Weight of the out-of-vocabulary score, 0 to 1, for classes seen in training.
            Defaults to 0.3 (official release, label supervision).
        beta (float): The same for classes not seen in training. Defaults to 0.7 (official release,
            label supervision).
        trust (float): How far a sure classifier lowers the probability of "no object", 0 to 1, see
            :func:`trust_classifier` (OVRCOAT's COAT, which has 0.5). Defaults to 0, not at all.

    Raises:
        ValueError: If a weight is not between 0 and 1.
    """

    def __init__(self, alpha: float = 0.3, beta: float = 0.7, trust: float = 0.0) -> None:
        super().__init__()
        _check_weights(alpha=alpha, beta=beta, trust=trust)
        self.alpha = alpha
        self.beta = beta
        self.trust = trust

    def forward(
        self,
        in_vocabulary: Tensor,
        out_of_vocabulary: Tensor,
        seen: Sequence[bool],
        valid: Tensor | None = None,
        alpha: float | None = None,
        beta: float | None = None,
        trust: float | None = None,
    ) -> Tensor:
        """Combine the scores of the masks of an image.

        Args:
            in_vocabulary (Tensor): Logits of the mask source, "no object" last, (Q, K + 1).
            out_of_vocabulary (Tensor): Logits of the classifier, (Q, K).
            seen (Sequence[bool]): Which of the K classes were seen in training.
            valid (Tensor, optional): bool, (Q,). Where False, the in-vocabulary score counts alone,
                that of "no object" as well.
            alpha (float, optional): For this call, in place of its own.
            beta (float, optional): Likewise.
            trust (float, optional): Likewise.

        Returns:
            Tensor: Logits (Q, K + 1): their softmax is the probability of each class, and of
            "no object".

        Raises:
            ValueError: If a weight is not between 0 and 1.
        """
        in_vocabulary = in_vocabulary.float()
        weights = (self.alpha if alpha is None else alpha, self.beta if beta is None else beta)
        trust = self.trust if trust is None else trust
        _check_weights(trust=trust)
        log_mean = self.log_mean(
            in_vocabulary[..., :-1], out_of_vocabulary, seen, valid, weights)
        no_object = trust_classifier(
            F.softmax(in_vocabulary, dim=-1)[..., -1:], out_of_vocabulary, valid, trust)
        return append_no_object(F.softmax(log_mean, dim=-1), no_object)

    def log_mean(
        self,
        in_vocabulary: Tensor,
        out_of_vocabulary: Tensor,
        seen: Sequence[bool],
        valid: Tensor | None = None,
        weights: tuple[float, float] | None = None,
    ) -> Tensor:
        """Logarithm of the weighted geometric mean, not normalised: (Q, K).

        Args:
            in_vocabulary (Tensor): Logits without "no object", (Q, K).
            out_of_vocabulary (Tensor): As in :meth:`forward`.
            seen (Sequence[bool]): As in :meth:`forward`.
            valid (Tensor, optional): As in :meth:`forward`.
            weights (tuple[float, float], optional): Alpha and beta, in place of its own.
        """
        alpha, beta = weights or (self.alpha, self.beta)
        _check_weights(alpha=alpha, beta=beta)
        weight = torch.tensor([alpha if s else beta for s in seen], device='cpu')
        weight = weight.to(in_vocabulary.device, non_blocking=True)
        # logarithms throughout: a probability of exactly 0 must not give NaN
        log_in = F.log_softmax(in_vocabulary, dim=-1)
        log_mean = (1 - weight) * log_in + weight * F.log_softmax(out_of_vocabulary, dim=-1)
        return log_mean if valid is None else torch.where(valid[:, None], log_mean, log_in)


def _check_weights(**weights: float) -> None:
    for name, weight in weights.items():
        if not 0 <= weight <= 1:
            raise ValueError(f'GeometricEnsemble: {name}={weight!r} is not between 0 and 1.')
