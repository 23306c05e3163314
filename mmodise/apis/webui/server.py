"""Serves the page, to this machine alone unless told otherwise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...utils.optional import import_optional
from ..inferencer import ODISEInferencer
from .answers import Answers
from .cleaning import keeping_clean
from .examples import write_examples
from .limits import Limits

if TYPE_CHECKING:
    import gradio
    from starlette.middleware import Middleware

#: The browser loads nothing from elsewhere, whatever Gradio's page names.
_POLICY = ("default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
           "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
           "media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
           "connect-src 'self' blob: data:; frame-ancestors 'self'")


@contextmanager
def serve(
    inferencer: ODISEInferencer, host: str = '127.0.0.1', port: int | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serve the page as long as the ``with`` block lasts.

    Files of visitors lie in a temporary folder, which goes with the server; no other file is
    served. Nothing is sent to anybody but the visitors.

    Args:
        inferencer (ODISEInferencer): The model.
        host (str): Who may come: ``'0.0.0.0'`` for everybody who can reach this machine. Defaults
            to ``'127.0.0.1'``, this machine alone.
        port (int, optional): Defaults to the first free one from 7860.
        limits (Limits, optional): What is taken. Defaults to those of :class:`Limits`.

    Yields:
        str: The page's address.

    Raises:
        ImportError: If Gradio is not installed.
        OSError: If the port is taken.
    """
    limits = limits or Limits()
    with _folder() as folder, _folder() as examples, _environment(
            GRADIO_ANALYTICS_ENABLED='False', GRADIO_TEMP_DIR=str(folder)):
        import_optional('gradio', extra='webui')
        from .page import CSS, build_page
        answers = Answers(inferencer, limits, folder)
        blocks = build_page(answers, write_examples(examples))
        _, address, _ = blocks.launch(
            server_name=host, server_port=port, share=False, inbrowser=False, quiet=True,
            prevent_thread_lock=True, show_error=False, footer_links=[], run_history=False,
            allowed_paths=[], max_file_size=limits.max_bytes, enable_monitoring=False,
            ssr_mode=False, pwa=False, mcp_server=False, css=CSS, theme=_theme(),
            app_kwargs=dict(middleware=[_policy()], docs_url=None, redoc_url=None,
                            openapi_url=None))
        with keeping_clean(answers.pictures, folder, limits):
            try:
                yield address
            finally:
                blocks.close(verbose=False)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix='mmodise-webui-') as folder:
        yield Path(folder).resolve()


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set what Gradio reads from the environment alone."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _theme() -> gradio.Theme:
    """Fonts of the visitor's machine: Gradio's are loaded from another server."""
    import gradio
    return gradio.themes.Soft(
        primary_hue='indigo', font=('system-ui', 'sans-serif'),
        font_mono=('system-ui', 'sans-serif'))


def _policy() -> Middleware:
    from starlette.middleware import Middleware

    class Policy:
        """Adds headers to each answer."""

        def __init__(self, app) -> None:
            self.app = app

        async def __call__(self, scope, receive, send) -> None:
            async def send_with_headers(message):
                if message['type'] == 'http.response.start':
                    message['headers'] = [
                        *message['headers'], (b'content-security-policy', _POLICY.encode()),
                        (b'referrer-policy', b'no-referrer'),
                        (b'x-content-type-options', b'nosniff')]
                await send(message)

            await self.app(scope, receive, send_with_headers)

    return Middleware(Policy)
