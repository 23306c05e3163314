"""What is known before the names, and what is asked again with each vocabulary."""

import pytest
import torch
from mmdet.structures import DetDataSample

from mmodise.models import MaskClassifier, MaskPredictions, MaskScores, MaskSource, Observation
from mmodise.models.ensembles import GeometricEnsemble
from mmodise.vocabulary import Vocabulary

VOCABULARIES = [Vocabulary.from_string('ball; box', 'sand'), Vocabulary.from_string('star')]


class Counting:
    """Stands for the rest of a detector: features are the images."""

    extracted = 0

    def extract_feat(self, images, samples):
        self.extracted += 1
        return (images, )


class Tiles(MaskSource):
    """Finds masks without names."""

    found = 0

    def find(self, x, batch_data_samples):
        self.found += 1
        return MaskPredictions(x[0])


class Named(MaskSource):
    """Needs the names; also where a class below it could do without."""

    def predict(self, x, batch_data_samples, vocabularies):
        return MaskPredictions([maps[:len(v)] for maps, v in zip(x[0], vocabularies, strict=True)])


class NamedTiles(Named, Tiles):
    pass


class Means(MaskClassifier):
    """In two stages."""

    embedded = 0

    def embed(self, images, features, masks, batch_data_samples):
        self.embedded += 1
        return [m.mean((1, 2))[:, None] for m in masks]

    def score(self, embeddings, vocabularies):
        return [MaskScores(e.expand(-1, len(v))) for e, v in
                zip(embeddings, vocabularies, strict=True)]


class MeansAtOnce(MaskClassifier):
    def forward(self, images, features, masks, batch_data_samples, vocabularies):
        assert features[0] is not None and len(images) == len(masks)
        return [MaskScores(m.mean((1, 2))[:, None].expand(-1, len(v)))
                for m, v in zip(masks, vocabularies, strict=True)]


def detector(source, classifier):
    from mmodise.models import ODISE
    model = Counting()
    model.panoptic_head, model.classifier = source, classifier
    model.observe, model.score = ODISE.observe.__get__(model), ODISE.score.__get__(model)
    return model


@pytest.mark.parametrize('source', [Tiles, Named, NamedTiles])
@pytest.mark.parametrize('classifier', [Means, MeansAtOnce])
def test_parts_of_either_form_go_together(source, classifier):
    images = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    model = detector(source(), classifier())
    samples = [DetDataSample(), DetDataSample()]
    observation = model.observe(images, samples)
    needs_inputs = source is not Tiles or classifier is MeansAtOnce
    assert (observation.inputs is not None) == needs_inputs
    for _ in range(2):
        scores = model.score(observation, samples, VOCABULARIES)
    assert model.extracted == 1
    for i, vocabulary in enumerate(VOCABULARIES):
        number = 4 if source is Tiles else len(vocabulary)
        expected = images[i].mean((1, 2))[:number, None].expand(-1, len(vocabulary))
        torch.testing.assert_close(scores.out_of_vocabulary[i].logits, expected)
        one = model.score(observation.of_image(i), samples[i:i + 1], [vocabulary])
        torch.testing.assert_close(one.out_of_vocabulary[0].logits, expected)
    if not needs_inputs:
        assert model.panoptic_head.found == model.classifier.embedded == 1


def test_without_a_classifier():
    model = detector(Tiles(), None)
    observation = model.observe(torch.rand(1, 4, 8, 8), [DetDataSample()])
    assert observation.inputs is None
    assert model.score(observation, [DetDataSample()], VOCABULARIES[:1]).out_of_vocabulary is None


def test_an_observation_of_one_image():
    found = MaskPredictions([torch.zeros(2, 4, 4), torch.ones(3, 4, 4)], scores=torch.rand(2, 5))
    one = Observation(found, None, (torch.rand(2, 3, 8, 8), (torch.rand(2, 1, 4, 4), ))).of_image(1)
    assert one.found.masks[0].shape == (3, 4, 4) and len(one.found.masks) == 1
    assert torch.equal(one.found.scores[0], found.scores[1])
    assert one.found.embeddings is one.embeddings is None
    assert one.inputs[0].shape[0] == one.inputs[1][0].shape[0] == 1


def test_parts_without_either_say_so():
    with pytest.raises(NotImplementedError, match='MaskSource and gives no masks: implement find'):
        MaskSource().predict((), [], [])
    with pytest.raises(NotImplementedError, match='gives no scores: implement forward, or'):
        MaskClassifier()(None, (), [], [], [])
    assert MaskSource().name_encoders() == MaskClassifier().name_encoders() == []


def test_shares_of_a_call():
    ensemble = GeometricEnsemble(alpha=0.2, beta=0.9)
    generator = torch.Generator().manual_seed(0)
    logits, other = (torch.randn(5, n, generator=generator) for n in (4, 3))
    seen = (True, False, True)
    expected = GeometricEnsemble(alpha=0.6, beta=0.9)(logits, other, seen)
    assert torch.equal(ensemble(logits, other, seen, alpha=0.6), expected)
    assert not torch.equal(ensemble(logits, other, seen), expected)
    assert (ensemble.alpha, ensemble.beta) == (0.2, 0.9)
    with pytest.raises(ValueError, match=r'beta=1\.2 is not between 0 and 1'):
        ensemble(logits, other, seen, beta=1.2)
