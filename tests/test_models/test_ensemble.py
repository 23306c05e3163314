"""The geometric ensemble, worked out by hand."""

import math

import pytest
import torch

from mmodise.models import GeometricEnsemble
from mmodise.models.ensembles import score_objects

# p = (0.8, 0.2) over the classes, "no object" 0.5; the classifier: p = (0.1, 0.9)
IN_VOCABULARY = torch.tensor([[0.4, 0.1, 0.5]]).log()
OUT_OF_VOCABULARY = torch.tensor([[0.1, 0.9]]).log()


@pytest.fixture
def ensemble():
    return GeometricEnsemble(alpha=0.25, beta=0.5)


def test_by_hand(ensemble):
    # class 0 is seen: 0.8^0.75 * 0.1^0.25, class 1 is not: 0.2^0.5 * 0.9^0.5
    a, b = 0.8**0.75 * 0.1**0.25, (0.2 * 0.9)**0.5
    expected = torch.tensor([[0.5 * a / (a + b), 0.5 * b / (a + b), 0.5]])
    combined = ensemble(IN_VOCABULARY, OUT_OF_VOCABULARY, (True, False))
    torch.testing.assert_close(combined.softmax(-1), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(combined.exp(), expected, rtol=1e-5, atol=1e-6)


def test_certainty_does_not_give_nan(ensemble):
    combined = ensemble(
        torch.tensor([[200.0, -200.0, -200.0]]), torch.tensor([[-300.0, 300.0]]), (True, False))
    assert torch.isfinite(combined).all()


def test_what_is_not_valid_does_not_count(ensemble):
    """Not even where the classifier's score is no number."""
    out = torch.cat([OUT_OF_VOCABULARY, torch.full((1, 2), math.nan)])
    both = IN_VOCABULARY.expand(2, 3)
    combined = ensemble(both, out, (True, False), torch.tensor([True, False]))
    counted = ensemble(IN_VOCABULARY, OUT_OF_VOCABULARY, (True, False))
    torch.testing.assert_close(combined[0], counted[0])
    torch.testing.assert_close(combined[1].exp(), torch.tensor([0.4, 0.1, 0.5]))


def test_a_sure_classifier_lowers_no_object():
    """By trust x its largest probability, 0.9; not where it could not look at the mask."""
    ensemble = GeometricEnsemble(alpha=0.25, beta=0.5, trust=0.5)
    out = torch.cat([OUT_OF_VOCABULARY, torch.full((1, 2), math.nan)])
    valid = torch.tensor([True, False])
    combined = ensemble(IN_VOCABULARY.expand(2, 3), out, (True, False), valid).exp()
    a, b = 0.8**0.75 * 0.1**0.25, (0.2 * 0.9)**0.5
    none = 0.5 * (1 - 0.5 * 0.9)
    expected = [[(1 - none) * a / (a + b), (1 - none) * b / (a + b), none], [0.4, 0.1, 0.5]]
    torch.testing.assert_close(combined, torch.tensor(expected), rtol=1e-5, atol=1e-6)
    plain = ensemble(IN_VOCABULARY, OUT_OF_VOCABULARY, (True, False), trust=0.0)
    assert torch.equal(
        plain, GeometricEnsemble(0.25, 0.5)(IN_VOCABULARY, OUT_OF_VOCABULARY, (True, False)))


def test_a_classifier_of_one_class_is_always_sure():
    combined = GeometricEnsemble(trust=0.5)(
        torch.tensor([[0.2, 0.8]]).log(), torch.tensor([[-7.0]]), (True, ))
    torch.testing.assert_close(
        combined.exp(), torch.tensor([[0.6, 0.4]]), rtol=1e-5, atol=1e-6)


def test_weights_are_shares():
    with pytest.raises(ValueError, match=r'beta=1\.5 is not between 0 and 1'):
        GeometricEnsemble(beta=1.5)
    with pytest.raises(ValueError, match=r'trust=-0\.5 is not between 0 and 1'):
        GeometricEnsemble()(IN_VOCABULARY, OUT_OF_VOCABULARY, (True, False), trust=-0.5)


def test_masks_that_only_a_classifier_names():
    found = score_objects(OUT_OF_VOCABULARY.expand(2, 2), torch.tensor([1.0, 0.25])).exp()
    expected = torch.tensor([[0.1, 0.9, 0.0], [0.025, 0.225, 0.75]])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(score_objects(OUT_OF_VOCABULARY, None).exp(), expected[:1])
    one = score_objects(OUT_OF_VOCABULARY, torch.tensor([0.25]), trust=1.0).exp()
    torch.testing.assert_close(one[0, 2], torch.tensor(0.75 * 0.1), rtol=1e-5, atol=1e-6)
