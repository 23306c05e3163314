"""Masks at full size, band by band, against ``F.interpolate`` of whole masks."""

import pytest
import torch
import torch.nn.functional as F

from mmodise.models.results.full_size_masks import FullSizeMasks

LOGITS = torch.randn(3, 40, 48, generator=torch.Generator().manual_seed(0))
ALL = torch.arange(3)


def meta(image=(150, 180), original=(333, 401)):
    return dict(batch_input_shape=(160, 192), img_shape=image, ori_shape=original)


def resized(maps, size):
    return F.interpolate(maps[None], size, mode='bilinear', align_corners=False)[0]


@pytest.mark.parametrize('original', [(333, 401), (61, 501), (150, 180), (1, 1)])
def test_they_are_resized_to_the_input_cropped_and_resized_again(original):
    masks = FullSizeMasks(LOGITS, meta(original=original))
    assert masks.size == original
    expected = resized(resized(LOGITS, (160, 192))[:, :150, :180], original)
    ours = masks.rows(slice(0, original[0]), ALL)
    torch.testing.assert_close(ours, expected, rtol=0, atol=2e-6)


def test_without_rescaling_they_are_of_the_size_of_the_input():
    masks = FullSizeMasks(LOGITS, meta(), rescale=False)
    expected = resized(LOGITS, (160, 192))[:, :150, :180]
    torch.testing.assert_close(masks.rows(slice(0, 150), ALL), expected, rtol=0, atol=2e-6)


def test_any_band_of_any_masks_can_be_had_alone():
    masks = FullSizeMasks(LOGITS, meta())
    whole = masks.rows(slice(0, 333), ALL)
    for start, stop in ((0, 7), (100, 150), (326, 333)):
        band = masks.rows(slice(start, stop), torch.tensor([2, 0]))
        assert torch.equal(band, whole[[2, 0], start:stop])


@pytest.mark.parametrize('max_bytes', [1, 50_000, 200_000, 10**9])
def test_bands_cover_all_rows_and_respect_the_limit(max_bytes):
    masks = FullSizeMasks(LOGITS, meta())
    bands = list(masks.bands(max_bytes, num_masks=3))
    assert [row for band in bands for row in range(band.start, band.stop)] == list(range(333))
    heights = {band.stop - band.start for band in bands}
    three_arrays = 3 * 4 * 3 * 401 * max(heights)
    assert three_arrays <= max_bytes or heights == {1}
    assert (heights == {333}) == (max_bytes == 10**9)


def test_half_precision_logits_are_resized_in_float32():
    ours = FullSizeMasks(LOGITS.bfloat16(), meta()).rows(slice(0, 333), ALL)
    expected = FullSizeMasks(LOGITS.bfloat16().float(), meta()).rows(slice(0, 333), ALL)
    assert ours.dtype == torch.float32 and torch.equal(ours, expected)
