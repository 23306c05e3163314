"""The page: what is where on it, and what is answered when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.optional import import_optional
from ...vocabulary.named import vocabulary_names
from ..exports import FORMATS
from .answers import (
    COLUMNS,
    Answers,
    Question,
    candidates,
    find_segment,
    highlight,
    list_segments,
    segment_at,
    told_in_words,
)
from .limits import TRAINING

if TYPE_CHECKING:
    import gradio

_TITLE = """# Name it, and find every pixel of it
Give a picture and the names of what to look for. Semicolons separate classes, commas the names of \
a class. Then point at a segment to see what else it might be."""

CSS = """
.gradio-container { max-width: 1480px !important; }
#result img { cursor: crosshair; }
#examples .grid-wrap { max-height: 100px; }
footer { display: none !important; }
"""


def build_page(answers: Answers, examples: Sequence[Path]) -> gradio.Blocks:
    """Lay out the page.

    Args:
        answers (Answers): What answers.
        examples (Sequence[Path]): Pictures to begin with.
    """
    gr = import_optional('gradio', extra='webui')
    page = _Page(gr, answers, examples)
    limits = answers.limits
    # files are looked for every twelfth of the time that they may be kept
    age = limits.max_age * 11 / 12
    with gr.Blocks(title='mmodise', analytics_enabled=False,
                   delete_cache=(max(1, limits.max_age - age), age)) as blocks:
        page.lay_out()
        page.connect(blocks)
    return blocks.queue(max_size=limits.max_waiting, default_concurrency_limit=4,
                        api_open=False)


class _Page:
    """The parts of a page.

    Args:
        gr (ModuleType): Gradio.
        answers (Answers): What answers.
        examples (Sequence[Path]): Pictures to begin with.
    """

    def __init__(self, gr, answers: Answers, examples: Sequence[Path]) -> None:
        self.gr, self.answers, self.examples = gr, answers, examples

    def lay_out(self) -> None:
        gr = self.gr
        gr.Markdown(_TITLE)
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                self._lay_out_question()
            with gr.Column(scale=3, min_width=420):
                self._lay_out_answer()

    def _lay_out_question(self) -> None:
        gr = self.gr
        self.picture = _file_input(gr)(
            label='Picture', type='filepath', image_mode=None, height=300, elem_id='picture',
            sources=['upload', 'webcam', 'clipboard'], buttons=[])
        self.gallery = gr.Gallery(
            label='Examples', columns=len(self.examples), height=110, allow_preview=False,
            elem_id='examples', buttons=[], interactive=False)
        self.things = gr.Textbox(
            label='Things', placeholder='cat, kitten; dog', elem_id='things', lines=2,
            info='What can be counted')
        self.stuff = gr.Textbox(
            label='Stuff', placeholder='grass, lawn; sky', elem_id='stuff', lines=1,
            info='What cannot')
        self.named = gr.CheckboxGroup(
            [TRAINING, *vocabulary_names()], value=[TRAINING], label='Lists of names',
            elem_id='named')
        self.find = gr.Button('Find', variant='primary', elem_id='find')
        with gr.Group():
            self.sliders = {slider[0]: _slider(gr, *slider) for slider in self._numbers()}

    def _numbers(self) -> Iterator[tuple[str, float, str]]:
        """Names of sliders, with their first values, and what they do."""
        model = self.answers.inferencer.model
        if model.ensemble is not None:
            yield 'alpha', model.ensemble.alpha, 'Weight of CLIP for names known from training'
            yield 'beta', model.ensemble.beta, 'Weight of CLIP for all other names'
        yield ('threshold', model.test_cfg.get('object_mask_thr', 0.8),
               'Score that a segment must exceed')

    def _lay_out_answer(self) -> None:
        gr = self.gr
        self.result = gr.Image(
            label='Segments: point at one', interactive=False, format='png', elem_id='result',
            height=560, buttons=['fullscreen'])
        self.candidates = gr.Label(
            label='What it is, and what else it might be', num_top_classes=6,
            elem_id='candidates')
        self.table = gr.Dataframe(
            headers=list(COLUMNS), interactive=False, label='Segments', elem_id='table',
            datatype=['number'] + ['str'] * (len(COLUMNS) - 1), max_height=320, buttons=[])
        with gr.Row(equal_height=True):
            self.format = gr.Dropdown(
                list(FORMATS), value='picture', label='Save as', elem_id='format')
            self.save = gr.Button('Make the file', elem_id='save')
            self.file = gr.File(label='Download', elem_id='file', interactive=False, height=90)

    def connect(self, blocks: gradio.Blocks) -> None:
        private = dict(api_visibility='private')
        question = [self.picture, self.things, self.stuff, self.named, *self.sliders.values()]
        answer = [self.result, self.table, self.candidates, self.file]
        model = dict(inputs=question, outputs=answer, concurrency_id='model',
                     concurrency_limit=1, **private)
        self.gr.on(
            [self.picture.change, self.find.click, self.things.submit, self.stuff.submit,
             *(slider.release for slider in self.sliders.values())],
            _with_request(self.gr, self.ask), trigger_mode='always_last', **model)
        selected = dict(outputs=[self.result, self.candidates], show_progress='hidden', **private)
        self.result.select(_with_event(self.gr, self.point), **selected)
        self.table.select(_with_event(self.gr, self.choose), **selected)
        self.gallery.select(_with_event(self.gr, self.begin), outputs=self.picture, **private)
        self.save.click(_with_request(self.gr, self.write), self.format, self.file, **private)
        blocks.load(lambda: [str(path) for path in self.examples], outputs=self.gallery,
                    show_progress='hidden', **private)
        blocks.unload(_with_request(self.gr, self.leave))

    def ask(self, request, path, things, stuff, named, *numbers):
        if path is None:
            self.answers.pictures.drop(request.session_hash)
            return None, [], None, None
        with told_in_words(path):
            picture = self.answers.ask(request.session_hash, path, Question(
                things or '', stuff or '', named or [],
                dict(zip(self.sliders, numbers, strict=True))))
        if not picture.result.segments:
            self.gr.Info('Nothing was found. Lower the threshold, or add names.', title='')
        return picture.drawn, list_segments(picture.result), None, None

    def point(self, request, event):
        with told_in_words():
            picture = self.answers.last(request.session_hash)
        return _shown(picture, segment_at(picture, *event.index))

    def choose(self, request, event):
        with told_in_words():
            picture = self.answers.last(request.session_hash)
        # the visitor may have sorted the rows, so that their order tells nothing
        return _shown(picture, find_segment(picture.result, int(event.row_value[0])))

    def begin(self, request, event):
        return str(self.examples[event.index])

    def write(self, request, format_name):
        with told_in_words():
            return self.answers.write(request.session_hash, format_name)

    def leave(self, request):
        self.answers.pictures.drop(request.session_hash)


def _shown(picture, segment):
    return highlight(picture, segment), candidates(segment) if segment else {'void': 1.0}


def _slider(gr, name: str, value: float, info: str):
    return gr.Slider(0, 1, value, step=0.01, label=name, info=info, elem_id=name)


def _file_input(gr) -> type:
    """Gradio's picture, which hands over the file and leaves reading it to us."""

    class FileInput(gr.Image):
        is_template = True  # in the browser it is an Image

        def preprocess(self, payload):
            return None if payload is None else payload.path

    return FileInput


def _with_request(gr, function):
    """A handler that Gradio gives the request, which it finds by the type of an argument."""
    def handler(*values, request: gr.Request):
        return function(request, *values)

    handler.__annotations__ = {'request': gr.Request}
    return handler


def _with_event(gr, function):
    def handler(event: gr.SelectData, request: gr.Request):
        return function(request, event)

    handler.__annotations__ = {'event': gr.SelectData, 'request': gr.Request}
    return handler
