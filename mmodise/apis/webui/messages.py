"""Errors as sentences for a visitor."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
from mmengine.logging import print_log


@contextmanager
def told_in_words(path: str | None = None) -> Iterator[None]:
    """Tell the visitor what goes wrong inside, but no name of a folder of the server.

    Args:
        path (str, optional): The visitor's file, which is called by its name alone.
    """
    try:
        yield
    except ValueError as error:
        raise _message(str(error), path) from error
    except OSError as error:
        if path and path in str(error):
            raise _message(str(error), path) from error
        print_log(f'{error}', 'current', logging.ERROR)
        raise _message('The server could not read or write a file. Its log says more.') from error


def _message(text: str, path: str | None = None) -> gr.Error:
    text = text.replace(path, Path(path).name) if path else text
    for character, entity in ('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'):
        text = text.replace(character, entity)  # a message is shown as HTML
    return gr.Error(text, title='This did not work', print_exception=False)
