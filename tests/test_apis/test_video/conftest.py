from fractions import Fraction

import numpy as np
import pytest

from mmodise.apis import PanopticResult
from mmodise.apis.segment import Segment, measure_segments
from mmodise.datasets.shapes_world.stuff import SIZE, TEXTURES
from mmodise.datasets.shapes_world.things import Thing, draw_thing
from mmodise.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_string('ball; box; star', 'grass')


class MovingWorld:
    """Two balls that look the same, a star between them, and a box that comes late; on grass.

    The balls go towards each other, one above the other. ``identities`` of a frame says which of
    them each pixel shows: 1 and 2 the balls, 3 the star, 4 the box, 0 the grass.
    """

    def __init__(self, count=24, box_from=8):
        self.count, self.box_from = count, box_from
        self._ground = TEXTURES['grass'](np.random.default_rng(0))

    def things(self, i):
        way = 80 * i / (self.count - 1)
        yield 1, Thing('ball', 'red', 24 + way, 30, 18, 0, seed=1)
        yield 2, Thing('ball', 'red', 104 - way, 72, 18, 0, seed=1)
        yield 3, Thing('star', 'yellow', 64, 104, 18, i / 5, seed=2)
        if i >= self.box_from:
            yield 4, Thing('box', 'blue', 20 + way / 8, 108, 16, 0, seed=3)

    def image(self, i):
        image = self._ground
        for _, thing in self.things(i):
            image = draw_thing(image, thing)
        return np.clip(np.rint(image), 0, 255).astype(np.uint8)

    def identities(self, i):
        numbers = np.zeros((SIZE, SIZE), np.int32)
        for identity, thing in self.things(i):
            numbers[thing.distance <= 0] = identity
        return numbers

    def result(self, i, embeddings=True):
        """The truth of a frame, with its segments in an order that means nothing."""
        rng = np.random.default_rng(i)
        identities = self.identities(i)
        present = np.unique(identities)
        order = rng.permutation(present)
        numbers = np.zeros_like(identities)
        for place, identity in enumerate(order, start=1):
            numbers[identities == identity] = place
        areas, boxes = measure_segments(numbers, len(order))
        labels = [{0: 3, 1: 0, 2: 0, 3: 2, 4: 1}[identity] for identity in order.tolist()]
        segments = tuple(
            Segment.of_class(n + 1, label, VOCABULARY, score=0.9, area=areas[n], box=boxes[n])
            for n, label in enumerate(labels))
        vectors = np.eye(4, 8, dtype=np.float32)[labels] * 5
        return PanopticResult(numbers, segments, VOCABULARY,
                              mask_embeddings=vectors if embeddings else None)


@pytest.fixture(scope='session')
def world():
    return MovingWorld()


@pytest.fixture(scope='session')
def numbers_by_identity():
    """Give a function that tells which number each identity of a frame has, for certain."""

    def of(result, identities):
        found = {}
        for identity in np.unique(identities).tolist():
            number, = np.unique(result.segment_ids[identities == identity]).tolist()
            found[identity] = number
        return found

    return of


@pytest.fixture(scope='session')
def write_video():
    """Give a function that encodes pictures, each at its time in milliseconds, with a tone."""
    av = pytest.importorskip('av')

    def write(path, images, times=None, *, sound='aac', codec='libx264', times_of=None):
        times = times or [100 * i for i in range(len(images))]
        with av.open(str(path), 'w') as output:
            video = output.add_stream(codec, rate=10, options={'bf': '2'})
            video.height, video.width = images[0].shape[:2]
            video.pix_fmt = 'yuv420p'
            video.codec_context.time_base = Fraction(1, 1000)
            tone = output.add_stream(sound, rate=48000, layout='mono') if sound else None
            for image, time in zip(images, times, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format='rgb24')
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                output.mux(video.encode(frame))
            output.mux(video.encode())
            if tone:
                _play(av, output, tone, seconds=(times[-1] + 100) / 1000)
        return path

    return write


def _play(av, output, tone, seconds):
    samples = np.sin(np.arange(round(48000 * seconds)) * 2 * np.pi * 440 / 48000)
    frame = av.AudioFrame.from_ndarray(
        (samples * 9000).astype(np.int16)[None], format='s16', layout='mono')
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(
        tone.codec_context.format, 'mono', 48000, tone.codec_context.frame_size or None)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        output.mux(tone.encode(part))
    output.mux(tone.encode())
