"""What pictures may be given as, from disk, memory and the web."""

import http.server
import io
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmodise.apis.download import download_picture
from mmodise.apis.inputs import list_sources, read_pictures

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ('b.png', 'a.PNG', 'deep/er/c.webp', 'deep/d.jpg', '.hidden.png', '.cache/e.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RGB).save(tmp_path / name, lossless=True)
    (tmp_path / 'notes.txt').write_text('no picture')
    return tmp_path


def names(inputs, folder):
    return [str(Path(path).relative_to(folder)) for path in list_sources(inputs)]


def test_folders_and_patterns(folder, monkeypatch):
    everything = ['a.PNG', 'b.png', 'deep/d.jpg', 'deep/er/c.webp']
    assert names(folder, folder) == names(str(folder), folder) == everything
    assert names(f'{folder}/*.png', folder) == ['b.png']
    assert names(f'{folder}/**/[cd].*', folder) == ['deep/d.jpg', 'deep/er/c.webp']
    assert names([folder / 'b.png', folder / 'deep'], folder) == ['b.png', *everything[2:]]
    (folder / 'x[1].png').write_bytes((folder / 'b.png').read_bytes())
    assert names(folder / 'x[1].png', folder) == ['x[1].png'], 'a file before a pattern'


@pytest.mark.parametrize('make', [
    lambda path: path, str, lambda path: RGB, lambda path: Image.fromarray(RGB),
    lambda path: RGB / 255, lambda path: RGB.astype(np.uint16) * 257,
    lambda path: np.dstack([RGB, RGB[..., 0]]), lambda path: Image.open(path).convert('RGBA'),
    lambda path: [path], lambda path: (one for one in [path]), lambda path: path.parent])
def test_pictures_are_rgb(tmp_path, make):
    Image.fromarray(RGB).save(tmp_path / 'a.png')
    made = make(tmp_path / 'a.png')
    (image, path), = read_pictures(made)
    assert np.array_equal(image, RGB) and image.dtype == np.uint8
    in_memory = isinstance(made, (np.ndarray, Image.Image))
    assert path == (None if in_memory else str(tmp_path / 'a.png'))


def test_pictures_are_turned_as_they_are_shown(tmp_path):
    exif = Image.Exif()
    exif[0x112] = 6
    Image.fromarray(RGB).save(tmp_path / 'a.png', exif=exif)
    for made in (tmp_path / 'a.png', Image.open(tmp_path / 'a.png')):
        (image, _), = read_pictures(made)
        assert np.array_equal(image, np.rot90(RGB, -1))


def test_sixteen_bits_of_grey_from_pillow():
    wide = RGB[..., 0].astype(np.uint16) * 257
    for image in (Image.fromarray(wide), Image.fromarray(wide.astype(np.int32), 'I')):
        (read, _), = read_pictures(image)
        assert np.array_equal(read[..., 2], RGB[..., 0])


def test_an_array_may_be_changed_afterwards():
    array = RGB.copy()
    (image, _), = read_pictures(array)
    array[:] = 0
    assert np.array_equal(image, RGB)


@pytest.mark.parametrize(('inputs', 'error', 'message'), [
    ('missing.jpg', FileNotFoundError, 'missing.jpg: there is no such file or folder'),
    ('none*.jpg', FileNotFoundError, r'No file fits the pattern none\*\.jpg'),
    ({'a': 1}, ValueError, 'A dict is no picture'),
    (b'bytes', ValueError, 'A bytes is no picture'),
    (torch.zeros(3, 4, 4), ValueError, 'A Tensor is no picture'),
    (np.zeros((2, 4, 4, 3), np.uint8), ValueError, 'Give several as a list'),
    (np.zeros((3, 8, 8), np.uint8), ValueError, r'order RGB.* Move its channels to the end'),
    (7, ValueError, 'an address, an array, RGB'),
    (np.full((4, 4, 3), np.nan), ValueError, 'nan to nan')])
def test_what_is_no_picture(inputs, error, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        list(read_pictures(inputs))


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'The folder {tmp_path} has no pictures'):
        list(list_sources(tmp_path))


def test_a_picture_that_is_too_large_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 10)
    Image.fromarray(RGB).save(tmp_path / 'a.tga')
    with pytest.raises(OSError, match=r'it has more pixels than are read\. Make it smaller'):
        list(read_pictures(tmp_path / 'a.tga'))


class Pages(http.server.BaseHTTPRequestHandler):
    """A small web."""

    def do_GET(self):
        if self.path == '/slow.png':
            time.sleep(1)
            return
        if self.path == '/gone.png':
            self.send_error(404)
            return
        kind, content = ('text/html', b'<html>not here</html>')
        if self.path != '/page.png':
            file = io.BytesIO()
            Image.fromarray(RGB).save(file, 'PNG')
            kind, content = 'image/png', file.getvalue()
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(content) + 50 * (self.path == '/cut.png')))
        self.end_headers()
        with suppress(ConnectionError):  # who asked may not wait
            for byte in content:
                self.wfile.write(bytes([byte]))
                if self.path == '/drip.png':
                    time.sleep(0.05)

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(scope='module')
def web():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Pages)
    thread = threading.Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.05))
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv('no_proxy', '*')


def test_a_picture_from_the_web(web):
    (image, path), = read_pictures(f'{web}/a.png')
    assert np.array_equal(image, RGB) and path == f'{web}/a.png'


@pytest.mark.parametrize(('page', 'message'), [
    ('gone.png', r'gone\.png answers 404 \(Not Found\): there is no picture'),
    ('page.png', r'page\.png answers with a page \(text/html\), not with a picture'),
    ('slow.png', r'slow\.png does not answer within 0 seconds'),
    ('drip.png', r'drip\.png does not answer within 0 seconds'),
    ('cut.png', r'cut\.png breaks off after \d+ of \d+ bytes')])
def test_what_the_web_answers(web, page, message):
    with pytest.raises(OSError, match=message):
        download_picture(f'{web}/{page}', timeout=0.4)


def test_too_much_is_not_downloaded(web):
    with pytest.raises(OSError, match='has more than 0 MiB, the limit'):
        download_picture(f'{web}/a.png', max_bytes=50)


def test_nobody_is_there():
    with pytest.raises(OSError, match=r'http://127\.0\.0\.1:9/a\.png cannot be reached: '):
        download_picture('http://127.0.0.1:9/a.png', timeout=5)
