"""FC-CLIP's head: what differs from ODISE's. Its numbers: tests/parity."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.config import Config

from mmodise.vocabulary import Vocabulary

BASE = Path(__file__).parents[2] / 'configs/_base_/models/fcclip.py'


@pytest.fixture(scope='module')
def head(dense_clips):
    cfg = Config.fromfile(BASE).model.panoptic_head
    cfg.clip = dense_clips['convnext']
    cfg.update(in_channels=[8, 16, 24, 32], num_queries=4, train_cfg=None, test_cfg=None,
               vocabulary=dict(thing_classes=['ball, sphere'], stuff_classes=['sea']))
    cfg.pixel_decoder.encoder.num_layers = cfg.transformer_decoder.num_layers = 1
    return MODELS.build(cfg)


def test_embeddings_are_as_wide_as_clips_and_names_are_not_projected(head):
    names = {name for name, _ in head.named_parameters() if 'text_proj' in name
             or 'no_object' in name}
    assert not names and head.void_embedding.weight.shape == (1, 16)
    layers = [*head.mask_embedding.embed]
    assert [type(layer).__name__ for layer in layers] == ['Linear', 'ReLU', 'Linear', 'ReLU',
                                                          'Linear']
    assert layers[-1].weight.shape == (16, 256)


def test_logits_are_cosines_with_averaged_names_and_a_free_vector(head):
    vocabulary = Vocabulary.from_string('ball, sphere; box', 'sand')
    embeddings = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    logits = head.classify(embeddings, vocabulary)
    texts = head.clip.encode_names(vocabulary, head.prompt)
    cosine = F.normalize(embeddings, dim=-1) @ F.normalize(
        torch.cat([texts, head.void_embedding.weight]), dim=-1).t()
    expected = torch.stack([cosine[..., :2].amax(-1), *cosine[..., 2:].unbind(-1)], -1) / 0.07
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert len(head.prompt) == 14
