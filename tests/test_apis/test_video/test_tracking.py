import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmodise.apis import PanopticResult
from mmodise.apis.video import SegmentTracker


def without(result, identity, identities):
    """The result of a frame in which one identity was not found."""
    number = int(result.segment_ids[identities == identity][0])
    kept = [i for i, segment in enumerate(result.segments) if segment.id != number]
    return replace(
        result, segment_ids=np.where(result.segment_ids == number, 0, result.segment_ids),
        segments=tuple(result.segments[i] for i in kept),
        mask_embeddings=result.mask_embeddings[kept])


@pytest.mark.parametrize('embeddings', [True, False])
def test_numbers_stay_while_things_move(world, numbers_by_identity, embeddings):
    tracker, numbers = SegmentTracker(), {}
    for i in range(world.count):
        result = tracker(world.result(i, embeddings))
        found = numbers_by_identity(result, world.identities(i))
        assert not [k for k in found if numbers.get(k, found[k]) != found[k]], f'frame {i}'
        numbers |= found
    assert sorted(numbers.values()) == [1, 2, 3, 4, 5]
    assert numbers[4] == 5, 'the box comes last'


def test_what_belongs_to_a_segment_goes_with_it(world):
    tracker = SegmentTracker()
    for i in range(3):
        given = world.result(i)
        result = tracker(given)
        assert [segment.id for segment in result.segments] == sorted(
            np.unique(result.segment_ids).tolist())
        for segment, embedding in zip(result.segments, result.mask_embeddings, strict=True):
            assert segment.area == np.count_nonzero(result.segment_ids == segment.id)
            assert embedding.argmax() == segment.label
    assert result.segment_ids.dtype == np.int32 and result.segment_ids is not given.segment_ids


def test_what_moves_by_more_than_its_size_is_known_by_its_embedding(world, numbers_by_identity):
    tracker = SegmentTracker()
    before = numbers_by_identity(tracker(world.result(0)), world.identities(0))
    for later in (12, 23):  # the balls, 36 pixels wide, move by 42
        now = numbers_by_identity(tracker(world.result(later)), world.identities(later))
        assert {k: now[k] for k in before} == before
    unknown = SegmentTracker()
    before = numbers_by_identity(unknown(world.result(0, False)), world.identities(0))
    now = numbers_by_identity(unknown(world.result(12, False)), world.identities(12))
    assert now[1] not in before.values(), 'without an embedding it might be any ball'
    assert now[0] == before[0], 'of stuff there is one of a class'


def test_a_class_may_change_for_a_frame(world, numbers_by_identity):
    tracker = SegmentTracker()
    before = numbers_by_identity(tracker(world.result(0)), world.identities(0))
    given = world.result(1)
    wrong = tuple(replace(s, label=1, name='box') if s.name == 'ball' else s
                  for s in given.segments)
    now = numbers_by_identity(tracker(replace(given, segments=wrong)), world.identities(1))
    assert now == before


@pytest.mark.parametrize(('unseen', 'patience', 'is_known'), [
    (1, 30, True), (4, 5, True), (5, 5, False)])
def test_a_thing_that_was_hidden(world, numbers_by_identity, unseen, patience, is_known):
    tracker = SegmentTracker(patience=patience)
    number = numbers_by_identity(tracker(world.result(0)), world.identities(0))[3]
    for _ in range(unseen):
        result = tracker(without(world.result(0), 3, world.identities(0)))
        assert number not in result.segment_ids
    now = numbers_by_identity(tracker(world.result(0)), world.identities(0))[3]
    assert now == (number if is_known else 5), 'a number is not given twice'


def test_a_thing_is_no_stuff(world):
    tracker = SegmentTracker()
    first = tracker(world.result(0))
    flipped = tuple(replace(s, is_thing=not s.is_thing) for s in world.result(0).segments)
    second = tracker(replace(world.result(0), segments=flipped))
    assert not {s.id for s in first.segments} & {s.id for s in second.segments}


def test_frames_of_another_size(world, numbers_by_identity):
    tracker = SegmentTracker()
    before = numbers_by_identity(tracker(world.result(8)), world.identities(8))
    result, identities = world.result(9), world.identities(9)
    larger = [cv2.resize(ids, (300, 200), interpolation=cv2.INTER_NEAREST)
              for ids in (result.segment_ids, identities)]
    segments = tuple(
        replace(s, box=(s.box[0] * 300 // 128, s.box[1] * 200 // 128,
                        -(-s.box[2] * 300 // 128), -(-s.box[3] * 200 // 128)))
        for s in result.segments)
    tracked = tracker(replace(result, segment_ids=larger[0], segments=segments))
    assert tracked.segment_ids.shape == (200, 300)
    assert numbers_by_identity(tracked, larger[1]) == before


def test_a_frame_without_segments(world, numbers_by_identity):
    tracker = SegmentTracker()
    nothing = PanopticResult(np.zeros((128, 128), np.int32), (), world.result(0).vocabulary)
    assert tracker(nothing).segments == ()
    before = numbers_by_identity(tracker(world.result(0)), world.identities(0))
    assert not tracker(nothing).segment_ids.any()
    assert numbers_by_identity(tracker(world.result(1)), world.identities(1)) == before


def test_no_frame_is_kept(world):
    tracker = SegmentTracker()
    results = [world.result(i) for i in range(3)]
    kept = [weakref.ref(array) for result in results
            for array in (result.segment_ids, result.mask_embeddings)]
    for result in results:
        tracker(result)
    del result, results
    assert not [reference for reference in kept if reference() is not None]
    sizes = sum(track.mask.size for track in tracker._tracks)
    assert sizes < 3 * 128 * 128, 'boxes of the segments of one frame, which overlap'
    owners = [track.mask if track.mask.base is None else track.mask.base
              for track in tracker._tracks]
    assert sum(owner.nbytes for owner in owners) == sizes, 'and nothing larger that they look into'
