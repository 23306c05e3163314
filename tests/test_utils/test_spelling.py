import pytest

from mmodise.utils.spelling import misspelt, refuse_misspelt

KNOWN = ['train_dataloader', 'optim_wrapper', 'model', 'num_queries']


def test_words_that_look_like_a_known_one():
    words = ['train_dataloder', 'optimizer_wrapper', 'models', 'num_querys']
    assert misspelt(words, KNOWN) == dict(zip(words, KNOWN, strict=True))
    assert misspelt(['alhpa', 'beta_'], ['alpha', 'beta']) == dict(alhpa='alpha', beta_='beta')
    assert misspelt([*KNOWN, 'train_dataset', 'optimizer', 'queries'], KNOWN) == {}


def test_a_refusal_names_both():
    refuse_misspelt('test_cfg', ['model', 'other'], KNOWN)
    message = "^test_cfg: 'modl' is not known, did you mean 'model'[?]$"
    with pytest.raises(ValueError, match=message):
        refuse_misspelt('test_cfg', ['modl', 'other'], KNOWN)
