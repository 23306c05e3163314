"""The grounding loss: by its definition, against the official release, and over ranks.

Run as a script this file is one rank of the distributed test.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmodise.models import GroundingLoss
from mmodise.models.losses.box_overlap import box_overlap, masks_in_boxes

GOLDEN = Path(__file__).parents[1] / 'data/golden_open_parts'
SPLITS = ((2, 2), (3, 1))  # images of each rank


def batch(counts=(2, 2, 2), queries=4, channels=5, seed=0):
    """Mask embeddings, word embeddings and temperature of some images."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.randn(len(counts), queries, channels, generator=generator, requires_grad=True)
    words = [torch.randn(count, channels, generator=generator, requires_grad=True)
             for count in counts]
    return masks, words, torch.tensor(3.0, requires_grad=True)


@torch.no_grad()
def by_definition(masks, words, valid, scale):
    """Method, section 8, one number at a time."""
    number = len(words)
    similarity = [[0.0] * number for _ in range(number)]
    for i in range(number):
        for j in range(number):
            for word in words[j]:
                scores = [float(scale * torch.cosine_similarity(mask, word, dim=0))
                          for mask in masks[i]]
                total = sum(math.exp(score) for score in scores)
                fit = sum(math.exp(score) / total * score for score in scores)
                similarity[i][j] += fit / len(words[j])

    def cross_entropy(scores, answer):
        return math.log(sum(math.exp(score) for score in scores)) - scores[answer]

    images = [cross_entropy(similarity[i], i) for i in range(number)]
    captions = [cross_entropy([row[j] for row in similarity], j) for j in range(number)]
    counted = [i for i in range(number) if valid[i]]
    to_captions = [images[i] for i in counted] or images
    to_images = sum(captions[i] for i in counted) / number
    return (sum(to_captions) / len(to_captions) + to_images) / 2


@pytest.mark.parametrize('counts', [(2, 2, 2), (3, 1, 2), (1, )])
@pytest.mark.parametrize('with_caption', ['all', 'last', 'none'])
def test_definition(counts, with_caption):
    valid = {'all': [True] * len(counts), 'none': [False] * len(counts),
             'last': [False] * (len(counts) - 1) + [True]}[with_caption]
    masks, words, scale = batch(counts)
    loss = GroundingLoss(loss_weight=1.5)(masks, words, valid, scale)
    expected = 1.5 * by_definition(masks, words, valid, scale)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    loss.backward()
    assert all(x.grad.isfinite().all() for x in (masks, scale, *words))


def some_masks(counts, queries=4, seed=0):
    """About half of the masks of each image for each of its words, at least one."""
    generator = torch.Generator().manual_seed(seed)
    chosen = [torch.rand(queries, count, generator=generator) > 0.5 for count in counts]
    for of_image in chosen:
        of_image[0] |= ~of_image.any(0)
    return chosen


def test_words_look_at_the_masks_of_their_boxes():
    """The mean, over the words that have a choice, of -log of what their softmax gives to it."""
    counts, valid = (3, 1, 2), [True, True, False]
    masks, words, scale = batch(counts)
    candidates = some_masks(counts)
    candidates[2][:, 1] = True  # of this word nothing is known
    terms = []
    for image, own, chosen in zip(masks, words, candidates, strict=True):
        for k, word in enumerate(own):
            if not chosen[:, k].all():
                weights = [math.exp(scale * torch.cosine_similarity(mask, word, dim=0))
                           for mask in image]
                terms.append(-math.log(sum(
                    w for w, named in zip(weights, chosen[:, k], strict=True) if named
                ) / sum(weights)))
    assert len(terms) == 5
    paper = by_definition(masks, words, valid, scale)
    loss = GroundingLoss(loss_weight=1.5, box_weight=0.7)(masks, words, valid, scale, candidates)
    assert loss.item() == pytest.approx(1.5 * (paper + 0.7 * sum(terms) / 5), rel=1e-5)
    loss.backward()
    assert all(x.grad.isfinite().all() for x in (masks, scale, *words))


def test_without_boxes_it_is_the_papers_to_the_digit():
    masks, words, scale = batch((3, 1, 2))
    loss, paper = GroundingLoss(box_weight=1.0), GroundingLoss()
    nowhere = [torch.full((count, 2, 4), torch.nan) for count in (3, 1, 2)]
    shapes = torch.randn(3, 4, 2, 2)
    candidates = loss.candidates([shapes], nowhere, [(8, 8)] * 3)
    assert [c.shape for c in candidates] == [(1, 4, 3), (1, 4, 1), (1, 4, 2)]
    assert paper.candidates([shapes], nowhere, [(8, 8)] * 3) is None
    ours, papers = (fn(masks[None], words, [True] * 3, scale, chosen)
                    for fn, chosen in ((loss, candidates), (paper, None)))
    assert ours.item() == papers.item()


def test_overlap_of_masks_and_boxes():
    """A picture of 8 x 8 pixels, masks of 4 x 4 cells; boxes end between cells."""
    masks = torch.full((4, 4, 4), -1.0)
    masks[0, :2, :2] = 1  # pixels 0 to 4
    masks[1] = 1
    masks[2, 3, 3] = 1  # 6 to 8
    boxes = torch.tensor([[0, 0, 3, 4], [5, 5, 8, 8], [0, 0, 8, 8], [2, 2, 2, 2], [torch.nan] * 4])
    overlaps = box_overlap((masks > 0).float(), boxes[:4], (8, 8))
    expected = [[1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(overlaps, torch.tensor(expected, dtype=torch.float))
    third = box_overlap((masks[:1] > 0).float(), torch.tensor([[3, 0, 8, 4]]), (8, 8))
    assert third.item() == pytest.approx(1 / 4), 'a quarter of the mask is in the box'
    boxes = torch.stack([boxes, boxes[[1, 4, 4, 3, 4]]], dim=1)  # of the first word two
    found = masks_in_boxes(masks, boxes, (8, 8), 0.5)
    assert found.T.tolist() == [
        [True, True, True, False], [False, True, True, False], [True, True, True, False],
        [True] * 4, [True] * 4], 'all, if there is no mask in the box, or no box'


def test_overlaps_are_counted_in_float32():
    """131,584 cells, which bfloat16 would round."""
    masks = torch.full((2, 512, 512), -1.0)
    masks[0, :, :257] = 1
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = masks_in_boxes(masks, torch.tensor([[[0, 0, 257, 512]]]), (512, 512), 1)
    assert found.tolist() == [[True], [False]]


@pytest.mark.parametrize(('key', 'value'), [
    ('min_overlap', 0), ('min_overlap', 1.5), ('box_weight', -1)])
def test_settings_that_have_no_meaning(key, value):
    with pytest.raises(ValueError, match=f'{key}={value}, expected a number'):
        GroundingLoss(**{key: value})


def test_every_input_learns():
    masks, words, scale = batch()
    GroundingLoss()(masks, words, [True] * 3, scale).backward()
    assert all(x.grad.abs().sum() > 0 for x in (masks, scale, *words))


def test_gradient():
    masks, words, scale = batch()
    valid, index, step = [True, False, True], (1, 2, 3), 1e-3
    GroundingLoss()(masks, words, valid, scale).backward()
    losses = []
    for sign in (1, -1):
        moved = masks.detach().double()
        moved[index] += sign * step
        losses.append(by_definition(moved, [word.double() for word in words], valid, scale))
    expected = (losses[0] - losses[1]) / (2 * step)
    assert masks.grad[index].item() == pytest.approx(expected, rel=1e-3)


def test_layers_are_losses_of_their_own():
    (first, words, scale), (second, _, _) = batch(), batch(seed=1)
    loss, valid = GroundingLoss(), [True, False, True]
    both = loss(torch.stack([first, second]), words, valid, scale)
    expected = torch.stack([loss(one, words, valid, scale) for one in (first, second)])
    torch.testing.assert_close(both, expected)


def test_float32_under_autocast():
    masks, words, scale = batch()
    exact = GroundingLoss()(masks, words, [True] * 3, scale)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = GroundingLoss()(masks, words, [True] * 3, scale)
    assert mixed.dtype == torch.float32
    assert mixed.item() == exact.item()


def test_official_release():
    arrays = np.load(GOLDEN / 'caption.npz')
    summary = json.loads((GOLDEN / 'parts.json').read_text())['train']
    words, scale = (torch.from_numpy(arrays[f'train.{name}'])
                    for name in ('head.word_embed', 'pred.logit_scale'))
    valid = [any(caption) for caption in summary['word_valid_mask']]
    for layer, suffix in (('', ''), ('aux0.', '_0'), ('aux1.', '_1'), ('aux2.', '_2')):
        masks = torch.from_numpy(arrays[f'train.pred.{layer}mask_embed'])
        loss = GroundingLoss()(masks, words, valid, scale)
        expected = summary['losses_weighted'][f'loss_mask_word{suffix}']
        assert loss.item() == pytest.approx(expected, abs=1e-5)


class Model(nn.Module):
    """Something to train: projections of masks and words, and the temperature."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.masks = nn.Linear(5, 6)
        self.words = nn.Linear(5, 6)
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.loss = GroundingLoss(box_weight=0.5)

    def forward(self, masks, words, valid, candidates):
        words = [self.words(caption) for caption in words]
        masks = torch.stack([self.masks(masks), self.masks(masks**2)])  # two layers
        candidates = [torch.stack([chosen, torch.ones_like(chosen)]) for chosen in candidates]
        return self.loss(masks, words, valid, self.scale, candidates).sum()


def train(model, start=0, end=4):
    """Loss and gradients of some of four images; the last has no caption, words have boxes."""
    counts = 3, 2, 3, 1
    masks, words, _ = batch(counts)
    loss = model(masks[start:end], words[start:end], [True, True, True, False][start:end],
                 some_masks(counts)[start:end])
    loss.backward()
    gradients = {name.removeprefix('module.'): p.grad for name, p in model.named_parameters()}
    return loss.item(), gradients


def run_rank(rank, folder):
    """Train on a rank's share of every split, each in a process group of its own; save results."""
    folder, results = Path(folder), []
    torch.set_num_threads(1)
    for number, split in enumerate(SPLITS):
        torch.distributed.init_process_group(
            'gloo', init_method=f'file://{folder}/meeting{number}', rank=rank, world_size=2)
        ddp, start = nn.parallel.DistributedDataParallel, sum(split[:rank])
        results.append(train(ddp(Model()), start, start + split[rank]))
        torch.distributed.barrier()  # a process that leaves with work in flight may hang
        torch.distributed.destroy_process_group()
    torch.save(results, folder / f'{rank}.pth')


def test_two_ranks_equal_one(tmp_path):
    """DDP over two processes, with as many images each and with not as many, and without words."""
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)],
                              stderr=subprocess.PIPE, text=True) for rank in range(2)]
    try:
        errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], '\n'.join(errors)
    expected_loss, expected = train(Model())
    for rank in range(2):
        results = torch.load(tmp_path / f'{rank}.pth')
        assert len(results) == len(SPLITS)
        for loss, gradients in results:
            assert loss == pytest.approx(expected_loss, abs=1e-5)
            torch.testing.assert_close(gradients, expected, rtol=1e-5, atol=1e-6)


if __name__ == '__main__':
    run_rank(int(sys.argv[1]), sys.argv[2])
