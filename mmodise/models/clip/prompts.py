"""Prompt templates: what names are put into before CLIP reads them."""

import re
from collections.abc import Sequence

#: One template, or several whose embeddings are averaged.
Prompt = str | tuple[str, ...]
#: A text, or several that have one embedding together.
Text = str | tuple[str, ...]

#: Lists of templates by name. 'vild' are the 14 with which FC-CLIP averages (some of ViLD's); not
#: all end with a full stop, as there.
TEMPLATES: dict[str, tuple[str, ...]] = dict(vild=(
    'a photo of a {}.',
    'This is a photo of a {}',
    'There is a {} in the scene',
    'There is the {} in the scene',
    'a photo of a {} in the scene',
    'a photo of a small {}.',
    'a photo of a medium {}.',
    'a photo of a large {}.',
    'This is a photo of a small {}.',
    'This is a photo of a medium {}.',
    'This is a photo of a large {}.',
    'There is a small {} in the scene.',
    'There is a medium {} in the scene.',
    'There is a large {} in the scene.',
))
_ACCEPTED = (
    "Accepted: '{}', the bare name; a template such as 'a photo of a {}.'; a list of templates, "
    f'whose embeddings are averaged; or the name of such a list: {", ".join(TEMPLATES)}.')
_PROBE = '\0'


def read_prompt(prompt: str | Sequence[str]) -> Prompt:
    """Read what a config gives as ``prompt``.

    Args:
        prompt (str | Sequence[str]): A template, ``{}`` in place of the name; several; or the name
            of a list in :data:`TEMPLATES`. A list of one template is that template.

    Raises:
        ValueError: If a template has no ``{}`` or no blank beside it, there is none, or one is
            there twice.
    """
    if isinstance(prompt, str):
        if prompt in TEMPLATES:
            return TEMPLATES[prompt]
        return _check(prompt)
    if not isinstance(prompt, Sequence) or not prompt:
        raise ValueError(f'prompt={prompt!r} holds no template. {_ACCEPTED}')
    templates = tuple(map(_check, prompt))
    if len(set(templates)) < len(templates):
        twice = next(one for one in templates if templates.count(one) > 1)
        raise ValueError(f'The prompt template {twice!r} is there twice. Give each once.')
    return templates if len(templates) > 1 else templates[0]


def fill_prompt(prompt: Prompt, text: str) -> Text:
    """Put a text into a template, or into each of several."""
    if isinstance(prompt, str):
        return prompt.format(text)
    return tuple(template.format(text) for template in prompt)


def _check(template: object) -> str:
    try:
        filled = template.format(_PROBE)
    except (AttributeError, IndexError, KeyError, ValueError):
        filled = ''
    if _PROBE not in filled:
        raise ValueError(
            f'The prompt template {template!r} does not say where the name goes, {{}}. {_ACCEPTED}')
    if re.search(f'[a-zA-Z0-9]{_PROBE}|{_PROBE}[a-zA-Z0-9]{{2}}', filled):
        raise ValueError(
            f'In the prompt template {template!r} there is no blank between a word and the name. '
            '--cfg-options takes all blanks out of what it is given: write it into a config.')
    return template
