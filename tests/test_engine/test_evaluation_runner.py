"""What a model needs to be evaluated."""

import pytest
from torch import nn

from mmodise.checkpoints import check_untrained
from mmodise.engine import EvaluationRunner


def test_a_model_without_parameters_is_not_wrapped():
    """Also where several processes run; torch's wrapper refuses one."""
    runner = EvaluationRunner.__new__(EvaluationRunner)
    model = nn.ReLU()
    assert runner.wrap_model(dict(type='MMDistributedDataParallel'), model) is model


def test_trained_weights_are_named():
    check_untrained(nn.ReLU(), 'relu.py')
    with pytest.raises(ValueError, match=r'linear\.py has no weights .* 2 to be trained.* weight'):
        check_untrained(nn.Linear(2, 1), 'linear.py')
