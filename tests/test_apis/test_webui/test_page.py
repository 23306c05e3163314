"""The page in a browser: Debian's chromium, or another one, driven by Playwright."""

import json
import re
import shutil
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('gradio')
sync_api = pytest.importorskip('playwright.sync_api')

from mmodise.apis.webui import Limits, serve  # noqa: E402
from mmodise.apis.webui.answer import candidates  # noqa: E402
from mmodise.apis.webui.open_pictures import OpenPictures  # noqa: E402

CHROMIUM = next(filter(None, map(shutil.which, (
    'chromium', 'chromium-browser', 'google-chrome'))), None)
NAMES = 'red ball, red sphere; blue ball; striped box'
STUFF = 'water, lake; checkered carpet; grass'
MAX_BYTES = 300_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason='there is no chromium')


@pytest.fixture(scope='module')
def address(inferencer):
    with serve(inferencer, limits=Limits(max_bytes=MAX_BYTES, max_names=2000)) as address:
        yield address


@pytest.fixture(scope='module')
def browser(address):
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, chromium_sandbox=False,
            # a camera that films a test picture, and may be used
            args=['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'])
        yield browser
        browser.close()


class Visitor:
    """A browser of its own, with what it asks for and complains of."""

    def __init__(self, browser, address):
        self.context = browser.new_context(viewport=dict(width=1300, height=1000))
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on('request', lambda request: self.requests.append(request.url))
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))
        self.page.goto(address)
        sync_api.expect(self.page.locator('#examples img').first).to_be_visible()

    def ask(self, things=NAMES, stuff=STUFF, training=False):
        """Write names and switch the list of the training on or off."""
        self.page.fill('#things textarea', things)
        self.page.fill('#stuff textarea', stuff)
        switch = self.page.locator('#named label', has_text='training').locator('input')
        switch.set_checked(training)

    def upload(self, path):
        if self.page.locator('#picture img').count():
            self.page.get_by_role('button', name='Remove Image').click()
        self.page.locator('#picture input[type=file]').set_input_files(str(path))

    def shown(self):
        """The address of the picture with segments."""
        images = self.page.locator('#result img')
        return images.first.get_attribute('src') if images.count() else None

    def wait_for_another(self, old):
        self.page.wait_for_function(
            '''old => {const image = document.querySelector('#result img');
                return image && image.complete && image.getAttribute('src') !== old}''', arg=old)

    def expect_column(self, column, texts):
        """Wait until the table says so, from the top."""
        cells = self.page.locator(f'#table .virtual-row [data-col="{column}"]')
        sync_api.expect(cells).to_have_text(texts)

    def point(self, x, y):
        """Click at a place, 0 to 1 from the upper left, and read what is there."""
        old, image = self.shown(), self.page.locator('#result img').first
        box = image.bounding_box()
        image.click(position=dict(x=x * box['width'], y=y * box['height']))
        self.wait_for_another(old)
        return self.page.locator('#candidates h2').inner_text()

    def message(self):
        """The text of the message that pops up, which is closed."""
        toast = self.page.locator('.toast-body').first
        toast.wait_for()
        text = toast.get_by_test_id('toast-text').inner_text()
        toast.get_by_test_id('toast-close').click()
        toast.wait_for(state='detached')
        return text


@pytest.fixture
def visit(browser, address):
    """Give a function that makes visitors."""
    visitors = []

    def visit():
        visitors.append(Visitor(browser, address))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        assert not visitor.complaints
        visitor.context.close()


def at_center(result, segment):
    """A pixel of a segment, deep inside, as shares of width and height."""
    rows, columns = np.nonzero(result.segment_ids == segment.id)
    inside = np.abs(rows - np.median(rows)) + np.abs(columns - np.median(columns))
    best = inside.argmin()
    height, width = result.segment_ids.shape
    return (columns[best] + 0.5) / width, (rows[best] + 0.5) / height


def test_upload_names_result_slider_pointing(visit, inferencer, examples, monkeypatch):
    looks, observe = [], inferencer.model.observe
    monkeypatch.setattr(
        inferencer.model, 'observe', lambda *args: looks.append(1) or observe(*args))
    visitor = visit()
    visitor.ask()
    visitor.upload(examples[0])
    visitor.wait_for_another(None)
    expected = inferencer.open(str(examples[0]))
    result = expected(NAMES, stuff=STUFF)
    largest_first = sorted(result.segments, key=lambda segment: -segment.area)
    visitor.expect_column(1, [segment.name for segment in largest_first])

    for segment in largest_first[:3]:
        assert visitor.point(*at_center(result, segment)) == segment.name
    text = visitor.page.locator('#candidates').inner_text()
    assert all(name in text for name in candidates(segment))
    visitor.page.get_by_test_id('cell-1-1').click()
    sync_api.expect(visitor.page.locator('#candidates h2')).to_have_text(largest_first[1].name)

    num_looks, old = len(looks), visitor.shown()
    slider = visitor.page.locator('#threshold input[type=range]')
    box = slider.bounding_box()
    slider.click(position=dict(x=box['width'] * 0.9, y=box['height'] / 2))
    visitor.wait_for_another(old)
    threshold = float(visitor.page.locator('#threshold input[type=number]').input_value())
    assert 0.8 < threshold < 1
    fewer = expected(NAMES, stuff=STUFF, threshold=threshold).segments
    assert 0 < len(fewer) < len(result.segments)
    visitor.expect_column(1, [segment.name for segment in sorted(fewer, key=lambda s: -s.area)])
    assert len(looks) == num_looks, 'the picture stays open'


def test_nothing_is_asked_of_other_servers(visit, address, examples):
    visitor = visit()
    visitor.ask()
    visitor.upload(examples[1])
    visitor.wait_for_another(None)
    hosts = {urlsplit(url).netloc for url in visitor.requests
             if not url.startswith(('data', 'blob'))}
    assert hosts == {urlsplit(address).netloc} and urlsplit(address).hostname == '127.0.0.1'


def test_examples_and_lists(visit):
    visitor = visit()
    assert visitor.page.locator('#examples .thumbnail-item').count() == 6
    visitor.page.locator('#examples .thumbnail-item').nth(3).click()
    visitor.wait_for_another(None)
    sync_api.expect(visitor.page.get_by_test_id('cell-0-1')).not_to_be_empty()  # trained names


def test_camera(visit):
    visitor = visit()
    for name in ('Capture from camera', 'Click to Access Webcam'):
        visitor.page.get_by_role('button', name=name).click()
    visitor.page.wait_for_function(  # until it films
        "document.querySelector('#picture video')?.readyState > 2")
    visitor.page.get_by_role('button', name='capture photo').click()
    visitor.wait_for_another(None)
    assert visitor.page.locator('#picture img').count() == 1


def test_bad_files(visit, tmp_path, examples):
    (tmp_path / 'notes.jpg').write_bytes(b'this is no picture')
    visitor = visit()
    visitor.upload(examples[1])
    visitor.wait_for_another(None)
    visitor.upload(tmp_path / 'notes.jpg')
    assert visitor.message().startswith(
        'notes.jpg: 18 bytes that OpenCV cannot read as an image; it is none')
    assert visitor.shown() is None, 'not the picture before'
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / 'large.png')
    assert (tmp_path / 'large.png').stat().st_size > MAX_BYTES
    visitor.upload(tmp_path / 'large.png')
    assert 'size' in visitor.message()
    visitor.upload(examples[0])
    visitor.wait_for_another(None)


def test_names_that_do_not_do(visit, examples):
    visitor = visit()
    visitor.upload(examples[0])
    visitor.wait_for_another(None)
    visitor.ask('', '')
    visitor.page.click('#find')
    assert visitor.message().startswith('There is no name to look for.')
    visitor.ask('cat; cat')
    visitor.page.click('#find')
    assert "are both called 'cat'" in visitor.message()
    visitor.ask('<img src=x onerror="document.title=1">')
    visitor.page.click('#find')
    assert '<img src=x' in visitor.message(), 'as text'
    assert visitor.page.title() == 'mmodise' and not visitor.page.locator('img[src=x]').count()


def test_two_visitors_never_see_each_others(visit, inferencer, examples):
    visitors = [visit() for _ in range(2)]
    results = [inferencer.open(str(path))(NAMES, stuff=STUFF) for path in examples[:2]]
    for visitor, path in zip(visitors, examples, strict=False):
        visitor.ask()
        visitor.upload(path)
    for visitor in visitors:  # both are under way
        visitor.wait_for_another(None)
    for number in range(2):
        for visitor, result in zip(visitors, results, strict=True):
            segments = sorted(result.segments, key=lambda segment: -segment.area)
            visitor.expect_column(4, [f'{segment.area / 128**2:.1%}' for segment in segments])
            segment = segments[number]
            assert visitor.point(*at_center(result, segment)) == segment.name
    files = [{url for url in visitor.requests if 'file=' in url and 'example' not in url}
             for visitor in visitors]
    assert files[0] and files[1] and not files[0] & files[1]


def test_who_leaves_is_forgotten(visit, examples, monkeypatch):
    forgotten, drop = [], OpenPictures.drop
    monkeypatch.setattr(
        OpenPictures, 'drop', lambda self, name: forgotten.append(name) or drop(self, name))
    visitor = visit()
    visitor.upload(examples[0])
    visitor.wait_for_another(None)
    visitor.page.goto('about:blank')
    deadline = time.monotonic() + 30
    while len(forgotten) == len(set(forgotten)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(forgotten) > len(set(forgotten)), 'when its picture was opened, and when it left'


def test_download(visit, examples, inferencer):
    visitor = visit()
    visitor.page.click('#save')
    assert visitor.message().startswith('This picture is not open any more.')
    visitor.ask()
    visitor.upload(examples[0])
    visitor.wait_for_another(None)
    visitor.page.click('#format input')
    visitor.page.get_by_role('option', name='csv').click()
    visitor.page.click('#save')
    with visitor.page.expect_download() as download:
        visitor.page.locator('#file a').first.click()
    assert download.value.suggested_filename == 'example-1_segments.csv'
    table = download.value.path().read_text().splitlines()
    names = [segment.name for segment in
             inferencer.open(str(examples[0]))(NAMES, stuff=STUFF).segments]
    assert len(table) == 1 + len(names)
    assert all(name in line for name, line in zip(names, table[1:], strict=True))


def get(address, path):
    try:
        with urllib.request.urlopen(address.rstrip('/') + path) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize('prefix', ['/gradio_api/file=', '/gradio_api/file/', '/file=', '/static/',
                                    '/assets/', '/theme.css/', '/gradio_api/stream/'])
@pytest.mark.parametrize('way', ['', '/..' * 12, '/%2e%2e' * 12, '/..%2f' * 12])
def test_no_file_of_the_server_is_reachable(address, tmp_path, prefix, way):
    secret = tmp_path / 'secret.txt'
    secret.write_text('a password')
    status, content = get(address, f'{prefix}{way}{secret}')
    assert status in (307, 400, 403, 404, 405, 422) and b'a password' not in content


def test_a_forged_picture_is_not_read(address, tmp_path):
    """What a program that is no browser might send: the path of a file of the server."""
    Image.new('RGB', (64, 64), 'red').save(tmp_path / 'secret.png')
    config = json.loads(get(address, '/config')[1])
    ask = next(entry for entry in config['dependencies'] if len(entry['inputs']) == 7)
    picture = dict(path=str(tmp_path / 'secret.png'), orig_name='a.png',
                   meta=dict(_type='gradio.FileData'))
    body = dict(data=[picture, 'ball', '', [], 0.4, 0.6, 0.0], fn_index=ask['id'],
                session_hash='forged', trigger_id=None, event_data=None)
    request = urllib.request.Request(
        f'{address.rstrip("/")}/gradio_api/queue/join', json.dumps(body).encode(),
        {'Content-Type': 'application/json'})
    urllib.request.urlopen(request).read()
    events = get(address, '/gradio_api/queue/data?session_hash=forged')[1].decode()
    done = next(json.loads(line[6:]) for line in events.splitlines()
                if 'process_completed' in line)
    assert done['success'] is False and 'image' not in json.dumps(done['output'])


def test_there_are_no_other_pages(address):
    for path in ('/docs', '/redoc', '/openapi.json', '/gradio_api/runs'):
        assert get(address, path)[0] == 404
    assert not re.findall('https?://(?!127)[^"\' ]*\\.(?:js|css|woff2?)', get(
        address, '/')[1].decode())
