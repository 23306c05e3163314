import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS

from mmodise.models import WholeBatchCrossEntropyLoss


def test_what_does_not_count_does_not_enter_the_mean():
    """As torch's weighted mean over the others; ranks are in tests/test_tools/test_distributed.py.
    """
    loss = MODELS.build(
        dict(type='WholeBatchCrossEntropyLoss', loss_weight=2.0, class_weight=[1.0, 1.0, 0.1]))
    assert isinstance(loss, WholeBatchCrossEntropyLoss)
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 2, 1, 2])
    ours = loss(scores, labels, torch.tensor([1.0, 1.0, 1.0, 0.0]), avg_factor=2.2)
    expected = 2 * F.cross_entropy(scores[:3], labels[:3], torch.tensor([1.0, 1.0, 0.1]))
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)
    assert loss(scores, labels, torch.zeros(4)) == 0
    assert not loss.state_dict() and not list(loss.parameters()), 'checkpoints stay as they are'
