"""Average precision of matches that were made image by image is the library's, to the digit."""

import contextlib
import io
import pickle

import numpy as np
import pytest
from pycocotools import mask as mask_utils
from pycocotools.cocoeval import COCOeval

from mmodise.evaluation.federated_evaluation import FederatedEvaluation
from mmodise.evaluation.image_matches import ImageMatches, accumulate
from mmodise.evaluation.instance_truth import index_instances
from mmodise.utils.masks import encode_masks

SHAPE, IMAGES, CATEGORIES = (60, 120), range(3, 15), (2, 5, 9, 11)


def boxes_of(random, image, number, **more):
    """Boxes of one, two or three sizes of areas, with masks; scores are often equal."""
    found = []
    for _ in range(number):
        height, width = random.integers(2, SHAPE[0]), random.integers(2, SHAPE[1])
        top, left = random.integers(SHAPE[0] - height), random.integers(SHAPE[1] - width)
        mask = np.zeros(SHAPE, np.uint8)
        mask[top:top + height, left:left + width] = 1
        found.append(dict(
            image_id=image, category_id=int(random.choice(CATEGORIES[:3])),
            segmentation=mask_utils.encode(np.asfortranarray(mask)), area=float(height * width),
            bbox=[int(left), int(top), int(width), int(height)],
            iscrowd=int(random.random() < more.get('crowds', 0)),
            score=round(float(random.random()), 1)))
    return found


def near(random, truth):
    """Detections near what is annotated, and some anywhere, in any order."""
    found = boxes_of(random, truth[0]['image_id'], 8) if truth else []
    for annotation in truth:
        if random.random() < 0.8:
            mask = mask_utils.decode(annotation['segmentation'])
            mask = np.roll(mask, random.integers(-2, 3, 2), (0, 1))
            segmentation = mask_utils.encode(np.asfortranarray(mask))
            found.append(dict(
                annotation, iscrowd=0, segmentation=segmentation,
                bbox=mask_utils.toBbox(segmentation).tolist(), area=float(mask.sum()),
                score=round(float(random.random()), 1)))
    return [found[place] for place in random.permutation(len(found))]


@pytest.fixture(scope='module')
def world():
    random = np.random.default_rng(0)
    truth = {image: boxes_of(random, image, random.integers(0, 7), crowds=0.15)
             for image in IMAGES}
    return truth, {image: near(random, truth[image]) for image in IMAGES}


def index(images, by_image):
    return index_instances(
        [dict(id=key, name=str(key)) for key in CATEGORIES],
        [dict(id=image, height=SHAPE[0], width=SHAPE[1]) for image in images],
        [annotation for image in images for annotation in by_image[image]])


def settings(evaluation, images, categories):
    evaluation.params.imgIds, evaluation.params.catIds = list(images), sorted(categories)
    if not isinstance(evaluation, FederatedEvaluation):
        evaluation.params.maxDets = [1, 3, 100]
    return evaluation


OPEN = ({4: {9}, 6: {2, 11}}, {5: {2}, 7: {5, 9}, 8: {2, 5}})
KINDS = {
    'COCO, masks': lambda *data: COCOeval(*data, 'segm'),
    'COCO, boxes': lambda *data: COCOeval(*data, 'bbox'),
    'LVIS, masks': lambda *data: FederatedEvaluation(*data, 'segm', *OPEN, max_detections=9)}


@pytest.mark.parametrize('make', KINDS.values(), ids=KINDS)
def test_precision_is_that_of_all_images_at_once(world, make):
    truth, found = world
    whole = settings(make(index(IMAGES, truth), index(IMAGES, found)), IMAGES, CATEGORIES)
    with contextlib.redirect_stdout(io.StringIO()):
        whole.evaluate()
        whole.accumulate()
    matches = {}
    for image in reversed(IMAGES):
        there = {entry['category_id'] for entry in (*truth[image], *found[image])}
        matches[image] = ImageMatches.of(settings(
            make(index([image], truth), index([image], found)), [image], there))
    parts = settings(make(None, None), IMAGES, CATEGORIES)
    accumulate(parts, matches)
    assert (whole.eval['precision'] > 0).sum() > 1000
    for key in ('precision', 'recall', 'scores'):
        np.testing.assert_array_equal(parts.eval[key], whole.eval[key])
    assert parts.eval['counts'] == whole.eval['counts']


def test_a_class_that_is_never_there_and_no_image_at_all():
    evaluation = settings(COCOeval(None, None, 'segm'), (), CATEGORIES)
    accumulate(evaluation, {})
    assert (evaluation.eval['precision'] == -1).all()
    assert evaluation.eval['precision'].shape[2] == len(CATEGORIES)


def test_masks_are_encoded_as_one_by_one():
    masks = np.random.default_rng(0).random((3, 5, 7)) < 0.5
    assert [mask_utils.decode(rle).tolist() for rle in encode_masks(masks)] == (
        masks.astype(int).tolist())
    assert encode_masks(masks[:0]) == []


def test_results_do_not_hold_masks(small_set):
    """A few bytes a detection, whatever the size of the image."""
    small_set.save()
    metric = small_set.metric('OpenVocabularyInstanceMetric')
    for sample in small_set.perfect():
        metric.process({}, [sample])
    assert len(pickle.dumps(metric.results)) < 1200 * len(metric.results)
    with pytest.raises(KeyError, match=r"metric_items: \['mAP_51'\] are none of mAP, "):
        small_set.metric('OpenVocabularyInstanceMetric', metric_items=['mAP_51'])
