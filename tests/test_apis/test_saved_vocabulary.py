"""Vocabularies that bring the embeddings of their names."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mmodise import ODISEInferencer, Vocabulary
from mmodise.datasets.shapes_world import draw_scene
from mmodise.models.clip import frozen_clip

VOCABULARY = Vocabulary.from_string('saved ball, saved sphere; saved box', 'saved sand')


@pytest.fixture(scope='module')
def inferencer():
    return ODISEInferencer(device='cpu')


@pytest.fixture
def saved(inferencer, tmp_path):
    inferencer.save_vocabulary(tmp_path / 'mine.safetensors', VOCABULARY)
    return tmp_path / 'mine.safetensors'


@pytest.fixture
def forgetful(inferencer, monkeypatch):
    """An inferencer whose CLIP knows no names, and counts those that it embeds."""
    clip = inferencer.model.classifier.clip
    monkeypatch.setattr(clip.frozen, 'texts', type(clip.frozen.texts)(1000))
    monkeypatch.setattr(clip.frozen, 'checked', set())
    embedded, encode = [], frozen_clip.encode_tokens
    monkeypatch.setattr(frozen_clip, 'encode_tokens', lambda model, tokens, device: (
        embedded.append(len(tokens)), encode(model, tokens, device))[1])
    tokenizer = clip.frozen.tokenizer
    read = []
    monkeypatch.setattr(clip.frozen, 'tokenizer', lambda texts, *args: (
        read.extend(texts), tokenizer(texts, *args))[1])
    return inferencer, embedded, read


def test_names_are_neither_embedded_nor_read_again(saved, forgetful):
    inferencer, embedded, read = forgetful
    image = draw_scene(np.random.default_rng(0)).image
    session = inferencer.open(image)
    session(inferencer.vocabulary)
    embedded.clear(), read.clear()
    result = session(saved)
    assert result.vocabulary == VOCABULARY
    assert embedded == [2, 2], 'the first and the last, in both prompts, to know the CLIP'
    assert read == [
        'saved ball', 'saved sand', 'a photo of a saved ball.', 'a photo of a saved sand.']
    again = inferencer.open(image)(str(saved))
    assert again.segments == result.segments and len(embedded) == 4


def test_the_numbers_are_those_of_the_names(saved, inferencer):
    image = draw_scene(np.random.default_rng(1)).image
    expected, = inferencer(image, VOCABULARY)
    found, = inferencer(image, saved)
    assert found.segments == expected.segments
    both, = inferencer(image, saved, stuff='saved sea')
    assert both.vocabulary.class_names == ('saved ball', 'saved box', 'saved sand', 'saved sea')


def test_a_file_is_of_embeddings_and_words(saved, inferencer):
    tensors = load_file(saved)
    clip = inferencer.model.classifier.clip
    assert {name: tuple(t.shape) for name, t in tensors.items()} == dict(
        embeddings0=(4, clip.embed_dim), embeddings1=(4, clip.embed_dim))
    assert torch.equal(tensors['embeddings0'], clip.encode_texts(VOCABULARY.names))


def test_the_file_knows_the_templates_that_were_averaged(inferencer, forgetful, tmp_path,
                                                         monkeypatch):
    _, embedded, _ = forgetful
    classifier = inferencer.model.classifier
    monkeypatch.setattr(classifier, 'prompt', ('a {}.', 'There is a {}'))
    inferencer.save_vocabulary(tmp_path / 'two.safetensors', VOCABULARY)
    expected = classifier.clip.encode_names(VOCABULARY, classifier.prompt)
    classifier.clip.forget(), embedded.clear()
    assert inferencer.read_vocabulary(tmp_path / 'two.safetensors') == VOCABULARY
    assert embedded == [2, 4], 'the first and the last name, bare and in both templates'
    assert torch.equal(classifier.clip.encode_names(VOCABULARY, classifier.prompt), expected)
    assert embedded == [2, 4]
    monkeypatch.setattr(classifier, 'prompt', 'a {}.')
    with pytest.raises(ValueError, match=r"this model also puts them into 'a \{\}\.'"):
        inferencer.read_vocabulary(tmp_path / 'two.safetensors')


def rewrite(saved, metadata=lambda text: text, change=lambda tensor: tensor):
    from safetensors import safe_open
    with safe_open(saved, framework='pt') as file:
        about = {key: metadata(value) for key, value in file.metadata().items()}
    save_file({name: change(t) for name, t in load_file(saved).items()}, saved, about)


@pytest.mark.parametrize(('metadata', 'change', 'message'), [
    (lambda text: text.replace('a photo of a', 'a sketch of a'), lambda t: t,
     r"holds names in the prompts \['\{\}', 'a sketch of a \{\}\.'\]; this model also puts them "
     r"into 'a photo of a \{\}\.'"),
    (lambda text: text, lambda t: t.flip(1).contiguous(),
     "was saved with another CLIP: it embeds 'saved ball' otherwise"),
    (lambda text: text, lambda t: t[:, :5].contiguous(), r'at another width \(5; here'),
    (lambda text: text, lambda t: t[:2].contiguous(), 'cannot be read as a saved vocabulary'),
    (lambda text: text.replace('vocabulary 1', 'vocabulary 9'), lambda t: t,
     'is no saved vocabulary, but another file')])
def test_what_does_not_fit_is_refused(saved, inferencer, metadata, change, message):
    rewrite(saved, metadata, change)
    with pytest.raises(ValueError, match=message):
        inferencer.read_vocabulary(saved)


def test_other_files_are_refused(tmp_path, inferencer):
    with pytest.raises(FileNotFoundError, match='There is no vocabulary'):
        inferencer.read_vocabulary(tmp_path / 'none.safetensors')
    (tmp_path / 'broken.safetensors').write_bytes(b'noise')
    with pytest.raises(ValueError, match=r'broken\.safetensors cannot be read as a saved'):
        inferencer.read_vocabulary(str(tmp_path / 'broken.safetensors'))
    with pytest.raises(ValueError, match=r'a saved vocabulary ends with \.safetensors'):
        inferencer.save_vocabulary(tmp_path / 'mine.txt', VOCABULARY)
    with pytest.raises(ValueError, match='it is the name of a file'):
        Vocabulary.read('cat; mine.safetensors')
