import re
import struct
import sys
import weakref
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from mmodise.apis import ODISEInferencer, PanopticResult
from mmodise.apis.video import VideoReader, label_video, segment_video, source
from mmodise.datasets.shapes_world import draw_scene
from mmodise.vocabulary import Vocabulary

av = pytest.importorskip('av')

COLORS = dict(red=(220, 30, 30), green=(30, 190, 60), blue=(20, 40, 230), white=(235, 235, 235))
QUARTERS = [('red', 'green'), ('blue', 'white')]  # as stored, from the top
NOTHING = Vocabulary.from_string('ball')


def quarters(height=48, width=64):
    rows = [np.concatenate([np.full((height // 2, width // 2, 3), COLORS[name], np.uint8)
                            for name in row], axis=1) for row in QUARTERS]
    return np.concatenate(rows)


def name_quarters(image):
    """The names of the colours in the four quarters, from the top left."""
    height, width = image.shape[:2]
    names = []
    for y in (height // 4, height * 3 // 4):
        for x in (width // 4, width * 3 // 4):
            error = {name: np.abs(image[y, x].astype(int) - color).max()
                     for name, color in COLORS.items()}
            name = min(error, key=error.get)
            assert error[name] < 12
            names.append(name)
    return names


def see_nothing(image):
    return PanopticResult(np.zeros(image.shape[:2], np.int32), (), NOTHING)


def frame_itself(result):
    return result.image


def decode(path):
    """Times in ms and pictures of a video, read without mmodise."""
    with av.open(str(path)) as container:
        return [(round(1000 * frame.time), frame.to_ndarray(format='rgb24'))
                for frame in container.decode(video=0)]


def read_sound(path):
    """When the sound starts, in ms, and its packets."""
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.dts is not None]
        start = float(1000 * packets[0].pts * packets[0].time_base)
        return start, [bytes(packet) for packet in packets]


@pytest.fixture
def film(world, write_video, tmp_path):
    return write_video(tmp_path / 'film.mp4', [world.image(i) for i in range(12)])


def label(*args, **kwargs):
    return label_video(see_nothing, *args, **{'draw': frame_itself, 'progress': False, **kwargs})


class Truth:
    """Predicts what the world knows, in the order of the frames."""

    def __init__(self, world, every):
        self.world, self.frames = world, iter(range(0, world.count, every))

    def __call__(self, image):
        return self.world.result(next(self.frames))


@pytest.mark.parametrize('every', [1, 5])
def test_segments_keep_their_number(film, world, numbers_by_identity, every):
    numbers, seen = {}, []
    for index, time, result in segment_video(Truth(world, every), film, every):
        seen.append((index, round(time, 3)))
        numbers.setdefault('first', numbers_by_identity(result, world.identities(index)))
        found = numbers_by_identity(result, world.identities(index))
        assert {k: found[k] for k in numbers['first']} == numbers['first']
        assert np.abs(result.image.astype(int) - world.image(index)).mean() < 8
    assert seen == [(i, i / 10) for i in range(0, 12, every)]


@pytest.mark.parametrize(('every', 'times'), [
    (1, [100 * i for i in range(12)]), (5, [0, 500, 1000])])
@pytest.mark.parametrize('ending', ['mp4', 'mkv', 'mov'])
def test_frames_times_and_sound(film, tmp_path, ending, every, times):
    target = tmp_path / f'out.{ending}'
    labelled = label(film, target, every)
    assert labelled.num_frames == len(times) and not labelled.problem
    found = [time for time, _ in decode(target)]
    assert [time - found[0] for time in found] == times
    (start, packets), (start_of_film, packets_of_film) = map(read_sound, (target, film))
    assert packets == packets_of_film and len(packets) > 50
    assert found[0] - start == pytest.approx(-start_of_film, abs=1), 'in step with the pictures'
    with av.open(str(target)) as container:
        assert container.duration / 1e6 == pytest.approx(1.2, abs=0.2 if every == 1 else 0.6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ['film.mp4', target.name]


def test_sound_may_be_left_out(film, tmp_path):
    label(film, tmp_path / 'out.mp4', sound=False)
    with av.open(str(tmp_path / 'out.mp4')) as container:
        assert [stream.type for stream in container.streams] == ['video']


def test_variable_rate(write_video, tmp_path):
    times = [0, 40, 50, 700, 720, 1500]
    write_video(tmp_path / 'in.mkv', [quarters()] * 6, times)
    label(tmp_path / 'in.mkv', tmp_path / 'out.mp4')
    assert [time for time, _ in decode(tmp_path / 'out.mp4')] == times


def test_segments_are_drawn(film, world, tmp_path):
    label_video(Truth(world, 1), film, tmp_path / 'out.mp4', progress=False, draw=lambda result: (
        np.uint8(50) * result.segment_ids.astype(np.uint8))[..., None].repeat(3, axis=2))
    for i, (_, picture) in enumerate(decode(tmp_path / 'out.mp4')):
        if i == 0:
            levels = {k: picture[world.identities(i) == k].mean() for k in range(4)}
        for k, level in levels.items():
            assert picture[world.identities(i) == k].mean() == pytest.approx(level, abs=8)
    assert sorted(round(level / 50) for level in levels.values()) == [1, 2, 3, 4]


def test_colours_and_odd_sides(write_video, tmp_path):
    write_video(tmp_path / 'in.mp4', [quarters()] * 3)
    label(tmp_path / 'in.mp4', tmp_path / 'out.webm', sound=False,
          draw=lambda result: result.image[:47, :63])
    for _, picture in decode(tmp_path / 'out.webm'):
        assert picture.shape == (48, 64, 3) and name_quarters(picture) == [
            'red', 'green', 'blue', 'white']


@pytest.mark.parametrize(('matrix', 'expected'), [
    ((0, 1, -1, 0), 'blue red white green'),    # a quarter turn clockwise, as phones do
    ((-1, 0, 0, -1), 'white blue green red'),
    ((0, -1, 1, 0), 'green white red blue'),
    ((-1, 0, 0, 1), 'green red white blue'),    # mirrored, as a front camera does
    ((0, 1, 1, 0), 'red blue green white')])
def test_a_turned_video_is_upright(write_video, tmp_path, matrix, expected):
    path = write_video(tmp_path / 'in.mp4', [quarters()] * 3)
    content = bytearray(path.read_bytes())
    start = content.index(b'tkhd', content.index(b'moov')) + 4 + 4 + 20 + 16  # ISO 14496-12, 8.3.2
    assert struct.unpack('>4i', content[start:start + 8] + content[start + 12:start + 20]) == (
        65536, 0, 0, 65536)
    a, b, c, d = (65536 * value for value in matrix)
    content[start:start + 36] = struct.pack('>9i', a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    label(path, tmp_path / 'out.mp4')
    for _, picture in decode(tmp_path / 'out.mp4'):
        assert picture.shape == ((64, 48, 3) if matrix[1] else (48, 64, 3))
        assert name_quarters(picture) == expected.split()
    with av.open(str(tmp_path / 'out.mp4')) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_changing_size(write_video, tmp_path):
    """Transport streams may be joined by appending, so that the size changes within."""
    for name, size in (('a', (48, 64)), ('b', (96, 64))):
        write_video(tmp_path / f'{name}.ts', [quarters(*size)] * 4, sound=None)
    joined = tmp_path / 'joined.ts'
    joined.write_bytes(b''.join((tmp_path / f'{name}.ts').read_bytes() for name in 'ab'))
    sizes = [result.image.shape for *_, result in segment_video(see_nothing, joined)]
    assert sizes == [(48, 64, 3)] * 4 + [(96, 64, 3)] * 4
    label(joined, tmp_path / 'out.mp4')
    pictures = [picture for _, picture in decode(tmp_path / 'out.mp4')]
    assert len(pictures) == 8 and {picture.shape for picture in pictures} == {(48, 64, 3)}
    assert name_quarters(pictures[0]) == ['red', 'green', 'blue', 'white']
    assert name_quarters(pictures[7][:, 16:48]) == ['red', 'green', 'blue', 'white']
    assert pictures[7][:, [2, 61]].max() < 12, 'black beside what is higher than wide'


@pytest.mark.parametrize(('content', 'message'), [
    (None, r'film.mp4: there is no such file'), (b'', r'film.mp4: the file is empty'),
    (b'no video' * 99, r'film.mp4: FFmpeg cannot open it as a video \(.+\)\. Is it complete\?')])
def test_what_is_no_video(tmp_path, content, message):
    path = tmp_path / 'film.mp4'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OSError, match=message):
        label(path, tmp_path / 'out.mp4')
    assert not (tmp_path / 'out.mp4').exists()
    with pytest.raises(OSError, match='is a folder'):
        label(tmp_path, tmp_path / 'out.mp4')


def test_a_video_without_frames(film, tmp_path):
    with av.open(str(film)) as container, av.open(str(tmp_path / 'song.mp4'), 'w') as output:
        copy = output.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(audio=0):
            if packet.dts is not None:
                packet.stream = copy
                output.mux(packet)
    with pytest.raises(OSError, match=r'song\.mp4: it has no video, only audio\.'):
        label(tmp_path / 'song.mp4', tmp_path / 'out.mp4')
    with av.open(str(film)) as container, av.open(str(tmp_path / 'empty.mkv'), 'w') as output:
        output.add_stream_from_template(container.streams.video[0])
        output.start_encoding()
    with pytest.raises(OSError, match=r'empty\.mkv: FFmpeg cannot open it as a video'):
        label(tmp_path / 'empty.mkv', tmp_path / 'out.mp4')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['empty.mkv', 'film.mp4', 'song.mp4']


def test_a_truncated_video_ends_with_a_sentence(world, write_video, tmp_path):
    path = write_video(
        tmp_path / 'cut.mkv', [world.image(i) for i in range(24)] * 2, sound=None)
    content = path.read_bytes()
    path.write_bytes(content[:len(content) * 2 // 3])
    labelled = label(path, tmp_path / 'out.mp4')
    end, announced = map(float, re.fullmatch(
        r'.*cut\.mkv: it breaks off after (.+) s of (.+) s.*\.', labelled.problem).groups())
    assert announced == 4.8 and end == pytest.approx(labelled.num_frames / 10, abs=0.3)
    assert 10 < labelled.num_frames == len(decode(tmp_path / 'out.mp4')) < 40
    whole = write_video(tmp_path / 'cut.mp4', [quarters()] * 4)
    whole.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(OSError, match='Is it complete'):
        label(whole, tmp_path / 'second.mp4')


def spoil(source, target, numbers):
    """Copy a video with packets of zeros in the place of some."""
    with av.open(str(source)) as container, av.open(str(target), 'w') as output:
        copy = output.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(container.demux(video=0)):
            if packet.dts is not None:
                new = av.Packet(bytes(packet.size) if number in numbers else bytes(packet))
                new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
                new.is_keyframe, new.stream = packet.is_keyframe, copy
                output.mux(new)
    return target


def test_damaged_parts_are_told(world, write_video, tmp_path):
    path = write_video(tmp_path / 'film.mkv', [world.image(i) for i in range(24)], sound=None,
                       codec='mpeg4')
    labelled = label(spoil(path, tmp_path / 'bad.mkv', {10}), tmp_path / 'out.mkv')
    assert labelled.problem.endswith('bad.mkv: 1 damaged part was left out.')
    assert labelled.num_frames == 21, 'two frames lie between it and the one before'
    labelled = label(spoil(path, tmp_path / 'two.mkv', {10, 20}), tmp_path / 'two-out.mkv')
    assert labelled.problem.endswith('two.mkv: 2 damaged parts were left out.')
    with pytest.raises(OSError, match=r'all\.mkv: it has no frame that can be decoded\.'):
        label(spoil(path, tmp_path / 'all.mkv', range(99)), tmp_path / 'none.mkv')
    assert not (tmp_path / 'none.mkv').exists()


def test_neither_the_input_nor_another_file_is_overwritten(film, tmp_path):
    content = film.read_bytes()
    (tmp_path / 'link.mp4').symlink_to(film)
    for target in (film, tmp_path / '.' / 'film.mp4', tmp_path / 'link.mp4'):
        with pytest.raises(ValueError, match='is the video that is read'):
            label(film, target, overwrite=True)
    (tmp_path / 'out.mp4').write_bytes(b'mine')
    with pytest.raises(FileExistsError, match=r'out\.mp4 is there already'):
        label(film, tmp_path / 'out.mp4')
    assert film.read_bytes() == content and (tmp_path / 'out.mp4').read_bytes() == b'mine'
    label(film, tmp_path / 'out.mp4', overwrite=True)
    assert len(decode(tmp_path / 'out.mp4')) == 12


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError('out of memory')])
def test_what_is_broken_off_leaves_nothing(film, tmp_path, error):
    (tmp_path / 'out.mp4').write_bytes(b'mine')
    calls = []

    def predict(image):
        calls.append(1)
        if len(calls) == 6:
            assert (tmp_path / 'out.mp4.part').exists()
            raise error
        return see_nothing(image)

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        label_video(predict, film, tmp_path / 'out.mp4', draw=frame_itself, overwrite=True,
                    progress=False)
    assert (tmp_path / 'out.mp4').read_bytes() == b'mine'
    assert sorted(path.name for path in tmp_path.iterdir()) == ['film.mp4', 'out.mp4']


def test_a_full_disk(film, tmp_path):
    """A process may be forbidden files beyond a size, which looks like a full disk."""
    resource = pytest.importorskip('resource')
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    rng = np.random.default_rng(0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, old[1]))
    try:
        with pytest.raises(OSError, match=r'out\.mp4 could not be written: .+ MB free'):
            label(film, tmp_path / 'out.mp4',
                  draw=lambda result: rng.integers(0, 255, (256, 256, 3), np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [path.name for path in tmp_path.iterdir()] == ['film.mp4']


@pytest.mark.parametrize(('name', 'message'), [
    ('out.txt', r'written as \.mp4, .*, not as \.txt'), ('out', 'not as a file without an ending'),
    ('out.webm', r'The sound is aac, which a webm file does not hold')])
def test_targets_that_do_not_fit(film, tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        label(film, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ['film.mp4']


def test_no_frame_is_kept_that_is_done(film, world):
    alive, most = [], 0

    def predict(image):
        nonlocal most
        alive.append(weakref.ref(image))
        most = max(most, sum(reference() is not None for reference in alive))
        return see_nothing(image)

    for _ in segment_video(predict, film):
        pass
    assert len(alive) == 12 and most <= 2, 'the frame in hand, and the one before'


def test_a_camera(monkeypatch, tmp_path):
    """FFmpeg's test picture stands for the camera, as it is opened in the same way."""
    monkeypatch.setitem(source.CAMERAS, sys.platform, (
        'testsrc=size=64x48:rate=10,setpts=PTS+{}000/TB', 'lavfi'))
    labelled = label(7, tmp_path / 'out.mp4', max_frames=5)
    assert labelled.num_frames == 5 and not labelled.problem
    assert [time for time, _ in decode(tmp_path / 'out.mp4')] == [0, 100, 200, 300, 400]
    calls = []

    def interrupt(image):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return see_nothing(image)

    label_video(interrupt, 7, tmp_path / 'stopped.mp4', draw=frame_itself, progress=False)
    assert len(decode(tmp_path / 'stopped.mp4')) == 3, 'Ctrl-C ends a recording, which is whole'
    monkeypatch.setitem(source.CAMERAS, sys.platform, ('/dev/no-camera{}', 'v4l2'))
    with pytest.raises(OSError, match=r'^camera 7: .* Is it connected'):
        label(7, tmp_path / 'none.mp4')


def test_speed_is_told(film, tmp_path, capsys):
    labelled = label(film, tmp_path / 'out.mp4', progress=True)
    output = capsys.readouterr()
    assert output.out == f'{labelled}\n'
    assert re.fullmatch(r'.*out\.mp4: 12 frames in .+ s, .+ a second\n', output.out)
    assert '12/12' in output.err
    assert labelled.frames_per_second == pytest.approx(12 / labelled.seconds)


def test_without_pyav(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'av', None)
    (tmp_path / 'in.mp4').write_bytes(b'x')
    with pytest.raises(ImportError, match=r'pip install "mmodise\[video\]"'):
        VideoReader(tmp_path / 'in.mp4')


def test_every_must_be_a_number_of_frames(film):
    with pytest.raises(ValueError, match='every is 0; it must be 1 or more'):
        next(segment_video(see_nothing, film, every=0))


def test_pixels_that_are_no_squares(write_video, tmp_path):
    path = write_video(tmp_path / 'in.mp4', [quarters()] * 3)
    frames = SimpleNamespace(path=tmp_path / 'wide.mp4')
    with av.open(str(path)) as container, av.open(str(frames.path), 'w') as output:
        copy = output.add_stream('libx264', rate=10)
        copy.width, copy.height, copy.pix_fmt = 64, 48, 'yuv420p'
        copy.codec_context.sample_aspect_ratio = Fraction(4, 3)
        for frame in container.decode(video=0):
            output.mux(copy.encode(frame))
        output.mux(copy.encode())
    label(frames.path, tmp_path / 'out.mp4')
    with av.open(str(tmp_path / 'out.mp4')) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_with_the_small_model(write_video, tmp_path):
    """The camera moves over a scene of two balls and a box between lake and carpet."""
    inferencer = ODISEInferencer(device='cpu')
    scene = draw_scene(np.random.default_rng((2023, 6)))
    film = write_video(tmp_path / 'film.mp4', [
        scene.image[8 - i:120 - i, 2 * i:2 * i + 112] for i in range(8)])
    numbers = {}

    def predict(image):
        return inferencer(image, 'red ball; blue ball; blue star; striped box',
                          stuff='water; grass; checkered carpet')[0]

    for i, _, result in segment_video(predict, film, every=2):
        identities = scene.segment_map[8 - i:120 - i, 2 * i:2 * i + 112]
        names = {segment.id: segment.name for segment in result.segments}
        for identity, name in enumerate(scene.class_names):
            if name in ('red ball', 'blue ball', 'striped box', 'water', 'checkered carpet'):
                number = np.bincount(result.segment_ids[identities == identity]).argmax()
                assert names[number] == name and numbers.setdefault(name, number) == number
    assert len(set(numbers.values())) == 5
    labelled = label_video(predict, film, tmp_path / 'out.mp4', every=4, progress=False)
    (first, picture), (second, _) = decode(labelled.target)
    assert (first, second, picture.shape) == (0, 400, (448, 448, 3)), 'large enough to be read'
