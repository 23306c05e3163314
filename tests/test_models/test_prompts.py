"""Prompt templates: none, one, several averaged."""

import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.config import ConfigDict

from mmodise.models import FrozenCLIP
from mmodise.models.clip import fill_prompt, frozen_clip, read_prompt
from mmodise.models.clip.prompts import TEMPLATES
from mmodise.models.clip.text_embeddings import TextEmbeddings
from mmodise.vocabulary import Vocabulary

TWO = ('a photo of a {}.', 'There is a {} in the scene')
NAMES = Vocabulary.from_string('red ball, sphere', 'grass')


@pytest.fixture
def clip(clip_cfg, monkeypatch):
    clip = FrozenCLIP(clip_cfg['model'])
    monkeypatch.setattr(clip.frozen, 'texts', TextEmbeddings(1000))
    return clip


@pytest.fixture
def sentences(clip, monkeypatch):
    """How many sentences each pass of the text tower embeds."""
    embedded, encode = [], frozen_clip.encode_tokens
    monkeypatch.setattr(frozen_clip, 'encode_tokens', lambda model, tokens, device: (
        embedded.append(len(tokens)), encode(model, tokens, device))[1])
    return embedded


def by_hand(clip_cfg, templates, names):
    """The definition, with open_clip alone: normalise, average over templates, normalise."""
    model = open_clip.create_model(f'local-dir:{clip_cfg["model"]}').eval()
    tokenizer = open_clip.get_tokenizer(f'local-dir:{clip_cfg["model"]}')
    with torch.no_grad():
        rows = [model.encode_text(tokenizer([t.replace('{}', name) for t in templates]))
                for name in names]
    means = [(row / row.norm(dim=1, keepdim=True)).mean(0) for row in rows]
    return torch.stack([mean / mean.norm() for mean in means])


@pytest.mark.parametrize('templates', [TWO, TEMPLATES['vild']])
def test_several_templates_are_averaged_as_the_field_does(clip, clip_cfg, templates):
    found = clip.encode_names(NAMES, templates)
    torch.testing.assert_close(found, by_hand(clip_cfg, templates, NAMES.names))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    plain = F.normalize(clip.encode_names(NAMES, templates[0]), dim=-1)
    assert (found - plain).abs().max() > 1e-3


def test_one_template_is_as_before(clip):
    texts = [f'a photo of a {name}.' for name in NAMES.names]
    expected = clip.encode_new_texts(texts)
    for prompt in (TWO[0], [TWO[0]]):
        assert torch.equal(clip.encode_names(NAMES, read_prompt(prompt)), expected)
    assert torch.equal(clip.encode_names(NAMES, '{}'), clip.encode_new_texts(NAMES.names))
    assert expected.norm(dim=1).min() > 1.5, 'not normalised'


def test_averages_are_made_once_and_not_of_too_many_sentences_at_once(clip, sentences):
    names = Vocabulary.from_lists([f'thing {i}' for i in range(40)])
    first = clip.encode_names(names, TEMPLATES['vild'])
    assert sentences == [18 * 14, 18 * 14, 4 * 14]
    assert torch.equal(clip.encode_names(names, TEMPLATES['vild']), first)
    clip.encode_names(names, TWO)
    assert sentences[3:] == [2 * 40]
    mixed = clip.encode_texts([fill_prompt(TWO, 'thing 1'), 'thing 1'])
    assert sentences[4:] == [1], 'of one name, what is averaged and what is not are kept apart'
    assert torch.equal(mixed[1:], clip.encode_new_texts(['thing 1']))


def test_embeddings_of_templates_are_remembered(clip, sentences):
    given = F.normalize(torch.randn(3, clip.embed_dim, generator=torch.manual_seed(0)), dim=-1)
    clip.remember_names(NAMES, TWO, given)
    assert torch.equal(clip.encode_names(NAMES, TWO), given) and sentences == []


def test_a_prompt_is_a_template_a_list_or_a_name():
    assert read_prompt('{}') == '{}' and read_prompt('a {0} or {0}') == 'a {0} or {0}'
    assert read_prompt(ConfigDict(prompt=list(TWO)).prompt) == TWO
    assert read_prompt([TWO[0]]) == TWO[0] and read_prompt('two {}s') == 'two {}s'
    vild = read_prompt('vild')
    assert len(vild) == len(set(vild)) == 14 and vild[0] == 'a photo of a {}.'
    assert sum(template.endswith('.') for template in vild) == 10
    assert fill_prompt(TWO, 'dog') == ('a photo of a dog.', 'There is a dog in the scene')
    assert fill_prompt('{}', '{braces}') == '{braces}'


@pytest.mark.parametrize(('prompt', 'message'), [
    ('a photo of a', r"template 'a photo of a' does not say where the name goes, \{\}.* vild"),
    ('Vild', "'Vild' does not say"),
    ('a {name}', 'does not say'),
    ('a {} of {}', 'does not say'),
    ('a {', 'does not say'),
    ('', 'does not say'),
    (['a {}', 'none'], "'none' does not say"),
    (['a {}', 7], '7 does not say'),
    (['a {}', 'vild'], "'vild' does not say"),
    (['a {}', 'a {}'], "'a {}' is there twice"),
    ('aphotoofa{}.', 'there is no blank between a word and the name. --cfg-options takes all'),
    (['a {}', '{}inthescene'], "'{}inthescene' there is no blank"),
    ([], r'prompt=\[\] holds no template'),
    (None, "prompt=None holds no template. Accepted: '{}', the bare name"),
])
def test_what_is_no_prompt_is_refused(prompt, message):
    with pytest.raises(ValueError, match=message):
        read_prompt(prompt)


def test_a_classifier_scores_by_the_average(clip, clip_cfg):
    classifier = MODELS.build(dict(type='CLIPClassifier', clip=clip_cfg, prompt='vild'))
    names = by_hand(clip_cfg, TEMPLATES['vild'], NAMES.names)
    masks = 3 * torch.stack([names[1], names[2]])
    logits = classifier.classify(masks, NAMES)
    cosines = names @ names.T
    best = torch.stack([cosines[1:, :2].amax(1), cosines[1:, 2]], dim=1)
    torch.testing.assert_close(logits, clip.logit_scale * best, rtol=1e-4, atol=1e-4)
    assert classifier.name_encoders() == [(classifier.clip, TEMPLATES['vild'])]
    with pytest.raises(ValueError, match='does not say where the name goes'):
        MODELS.build(dict(type='CLIPClassifier', clip=clip_cfg, prompt='a photo'))
