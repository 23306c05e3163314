"""The page: what is where on it, and what is answered when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import gradio as gr

from ...vocabulary.named import vocabulary_names
from ..exports import FORMATS
from ..segment import Segment
from .answer import COLUMNS, Answer, candidates
from .answers import Answers, Question
from .limits import TRAINING
from .messages import told_in_words

CSS = """
.gradio-container { max-width: 1480px !important; }
#result img { cursor: crosshair; }
#picture img { width: 100%; height: 100%; object-fit: contain; }
#examples .grid-container {
  grid-template-columns: repeat(6, minmax(0, 1fr)) !important; padding: 4px; gap: 6px; }
#examples .thumbnail-item { min-width: 0; width: 100%; }
footer { display: none !important; }
"""
_TITLE = """# Name it, and find every pixel of it
Give a picture and the names of what to look for. Semicolons separate classes, commas the names of \
a class. Then point at a segment to see what else it might be."""
_NO_ANSWER = None, [], None, None
_VOID = 'Nothing was found here'
_PRIVATE = dict(api_visibility='private')  # a page, not an interface for programs


def build_page(answers: Answers, examples: Sequence[Path]) -> gr.Blocks:
    """Lay out the page.

    Args:
        answers (Answers): What answers.
        examples (Sequence[Path]): Pictures to begin with.
    """
    page = _Page(answers, examples)
    with gr.Blocks(title='mmodise', analytics_enabled=False) as blocks:
        page.lay_out()
        page.connect(blocks)
    return blocks.queue(max_size=answers.limits.max_waiting, default_concurrency_limit=4,
                        api_open=False)


def _file_of(payload: gr.data_classes.ImageData | None) -> str | None:
    return None if payload is None else payload.path


class _Page:
    """The parts of a page.

    Args:
        answers (Answers): What answers.
        examples (Sequence[Path]): Pictures to begin with.
    """

    def __init__(self, answers: Answers, examples: Sequence[Path]) -> None:
        self.answers, self.examples = answers, examples

    def lay_out(self) -> None:
        """Put the parts in their places."""
        gr.Markdown(_TITLE)
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                self._lay_out_question()
            with gr.Column(scale=3, min_width=420):
                self._lay_out_answer()

    def _lay_out_question(self) -> None:
        self.picture = gr.Image(
            label='Picture', type='filepath', image_mode=None, height=300, elem_id='picture',
            sources=['upload', 'webcam', 'clipboard'], buttons=[])
        # Gradio would open the file, and say nothing that helps if it cannot
        self.picture.preprocess = _file_of
        self.gallery = gr.Gallery(
            label='Examples', show_label=False, columns=len(self.examples), height=88,
            allow_preview=False, elem_id='examples', buttons=[], interactive=False)
        self.things = gr.Textbox(
            label='Things', placeholder='cat, kitten; dog', elem_id='things', lines=2,
            info='What can be counted')
        self.stuff = gr.Textbox(
            label='Stuff', placeholder='grass, lawn; sky', elem_id='stuff', info='What cannot')
        self.named = gr.CheckboxGroup(
            [TRAINING, *vocabulary_names()], value=[TRAINING], label='Lists of names',
            elem_id='named')
        self.find = gr.Button('Find', variant='primary', elem_id='find')

    def _lay_out_answer(self) -> None:
        self.result = gr.Image(
            label='Segments: point at one', interactive=False, format='png', elem_id='result',
            height=560, buttons=['fullscreen'])
        with gr.Row():
            self.sliders = {
                name: gr.Slider(0, 1, value, step=0.01, label=name, info=info, elem_id=name,
                                min_width=150, buttons=['reset'])
                for name, value, info in self._numbers()}
        self.candidates = gr.Label(
            label='What it is, and what else it might be', num_top_classes=6,
            elem_id='candidates')
        self.table = gr.Dataframe(
            headers=list(COLUMNS), interactive=False, label='Segments', elem_id='table',
            datatype=['number'] + ['str'] * (len(COLUMNS) - 1), max_height=320, buttons=[],
            column_widths=['8%', '22%', '10%', '10%', '10%', '40%'])
        with gr.Row():
            with gr.Column(min_width=150):
                self.format = gr.Dropdown(
                    list(FORMATS), value='picture', label='Save as', elem_id='format')
                self.save = gr.Button('Make the file', elem_id='save')
            self.file = gr.File(
                label='Download', elem_id='file', interactive=False, height=140, min_width=150)

    def _numbers(self) -> Iterator[tuple[str, float, str]]:
        """Names of sliders, with their first values, and what they do."""
        model = self.answers.inferencer.model
        if model.ensemble is not None:
            yield 'alpha', model.ensemble.alpha, 'known names'
            yield 'beta', model.ensemble.beta, 'new names'
        yield 'threshold', model.test_cfg.get('object_mask_thr', 0.8), 'least score'

    def connect(self, blocks: gr.Blocks) -> None:
        """Say what is answered when."""
        sliders = self.sliders.values()
        answer = [self.result, self.table, self.candidates, self.file]
        asking = dict(
            fn=self.ask, inputs=[self.picture, self.things, self.stuff, self.named, *sliders],
            outputs=answer, show_progress_on=self.result, concurrency_id='model',
            concurrency_limit=1, **_PRIVATE)
        # another picture's answer is not to be seen when this one cannot be read
        self.picture.change(
            lambda: _NO_ANSWER, outputs=answer, show_progress='hidden', **_PRIVATE).then(**asking)
        gr.on([self.find.click, self.things.submit, self.stuff.submit,
               *(slider.release for slider in sliders)], trigger_mode='always_last', **asking)
        shown = dict(outputs=[self.result, self.candidates], show_progress='hidden', **_PRIVATE)
        self.result.select(self.point, **shown)
        self.table.select(self.choose, **shown)
        self.gallery.select(self.begin, outputs=self.picture, **_PRIVATE)
        self.save.click(self.write, self.format, self.file, **_PRIVATE)
        blocks.load(lambda: [str(path) for path in self.examples], outputs=self.gallery,
                    show_progress='hidden', **_PRIVATE)
        blocks.unload(self.leave)

    def ask(self, request: gr.Request, path: str | None, things: str, stuff: str,
            named: Sequence[str], *numbers: float) -> tuple:
        """Answer a question about a picture."""
        if path is None:
            self.leave(request)
            return _NO_ANSWER
        with told_in_words(path):
            answer = self.answers.ask(request.session_hash, path, Question(
                things or '', stuff or '', named or [],
                dict(zip(self.sliders, numbers, strict=True))))
        if answer.note:
            gr.Info(answer.note, title='')
        return answer.drawn, answer.rows(), None, None

    def point(self, request: gr.Request, event: gr.SelectData) -> tuple:
        """Tell of the segment that was pointed at."""
        with told_in_words():
            answer = self.answers.last(request.session_hash)
        return _shown(answer, answer.segment_at(*event.index))

    def choose(self, request: gr.Request, event: gr.SelectData) -> tuple:
        """Tell of the segment of a row of the table, whose order the visitor may have changed."""
        with told_in_words():
            answer = self.answers.last(request.session_hash)
        return _shown(answer, answer.segment(int(event.row_value[0])))

    def begin(self, event: gr.SelectData) -> str:
        """Take an example for the picture."""
        return str(self.examples[event.index])

    def write(self, request: gr.Request, format_name: str) -> str:
        """Make a file of the last answer."""
        with told_in_words():
            return self.answers.write(request.session_hash, format_name)

    def leave(self, request: gr.Request) -> None:
        """Forget the visitor's picture."""
        self.answers.pictures.drop(request.session_hash)


def _shown(answer: Answer, segment: Segment | None) -> tuple:
    return answer.highlight(segment), candidates(segment) if segment else _VOID
