from collections import Counter

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed

CAPTIONS = ['a dog on green grass', 'a man riding a red bicycle']
PHRASES = [{'dog', 'green grass', 'dog on green grass'}, {'man', 'red bicycle'}]


def draw(**results):
    transform = TRANSFORMS.build(dict(type='DrawWords', extractor='builtin'))
    return transform(dict(captions=CAPTIONS, **results))['words']


def test_words_are_those_of_one_caption_and_all_come():
    np.random.seed(0)
    draws = [draw() for _ in range(100)]
    assert all(len(words) == 8 for words in draws)
    captions = [next(i for i in (0, 1) if set(words) <= PHRASES[i]) for words in draws]
    assert 30 < sum(captions) < 70  # one of the two at random
    counts = Counter(word for words in draws for word in words)
    assert set(counts) == PHRASES[0] | PHRASES[1]
    # 800 words: half of them one of two, half one of three
    assert all(100 < counts[word] < 300 for word in counts)


def test_prepared_phrases_take_the_place_of_captions():
    assert draw(phrases=[['cat'], ['cat']]) == ('cat', ) * 8


def test_number_of_words():
    transform = TRANSFORMS.build(dict(type='DrawWords', extractor='builtin', num_words=3))
    assert len(transform(dict(captions=CAPTIONS))['words']) == 3
    with pytest.raises(ValueError, match='num_words=0, expected at least 1'):
        TRANSFORMS.build(dict(type='DrawWords', num_words=0))


@pytest.mark.parametrize('results', [
    dict(captions=[]), dict(captions=['is it there?']), dict(captions=['草地上的狗']),
    dict(captions=['a dog'], phrases=[[]])])
def test_no_words(results):
    assert TRANSFORMS.build(dict(type='DrawWords', extractor='builtin'))(results)['words'] == ()


def test_a_data_set_without_captions():
    with pytest.raises(KeyError, match="no 'captions' in the sample: give the data set a capt"):
        TRANSFORMS.build(dict(type='DrawWords', extractor='builtin'))(dict(img_id=1))


class Words(torch.utils.data.Dataset):
    """Twelve images with the same captions."""

    def __init__(self):
        self.draw = TRANSFORMS.build(dict(type='DrawWords', extractor='builtin', num_words=12))

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return ' '.join(self.draw(dict(captions=[' and '.join(CAPTIONS)]))['words'])


def epochs(seed, **loader):
    """Words of two epochs, as a runner would draw them; not shuffled."""
    set_random_seed(seed)
    loader = Runner.build_dataloader(dict(
        dataset=Words(), batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), **loader), seed=seed)
    return [[words for batch in loader for words in batch] for _ in range(2)]


@pytest.mark.parametrize('loader', [
    dict(num_workers=0), dict(num_workers=2), dict(num_workers=2, persistent_workers=True)],
    ids=['no workers', 'workers of each epoch', 'lasting workers'])
def test_words_follow_the_seed_and_differ_between_epochs_images_and_workers(loader):
    first, second = epochs(0, **loader)
    assert len(set(first + second)) == 24
    assert epochs(0, **loader) == [first, second]
    assert not set(epochs(1, **loader)[0]) & {*first, *second}


def test_ranks_draw_differently(monkeypatch):
    """Each rank's process starts with the same state of numpy."""
    drawn = []
    for rank in (0, 1):
        monkeypatch.setattr('mmodise.datasets.transforms.draw_words.get_rank', lambda r=rank: r)
        np.random.seed(0)
        drawn.append([draw() for _ in range(4)])
    assert drawn[0] != drawn[1]
