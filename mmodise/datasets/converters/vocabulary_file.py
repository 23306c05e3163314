"""The file that a user writes synonyms into."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ...vocabulary import Vocabulary
from .annotated import AnnotationError

_HEAD = """\
# The classes of {name}, one a line; write synonyms behind a name: pallet, skid, wooden pallet
# Names come first as the annotations have them. Keep the order of the lines. Changes work at the
# next training or test of the config beside this file.
"""


def write_vocabulary(things: Sequence[str], stuff: Sequence[str], name: str) -> str:
    """The content of a vocabulary file that is read back as these classes.

    Args:
        things (Sequence[str]): Names of things.
        stuff (Sequence[str]): Names of stuff.
        name (str): Of the data set.

    Returns:
        str: Lines, or JSON if lines would be read as other names.

    Raises:
        AnnotationError: If a name cannot be that of a class.
    """
    lines = [_HEAD.format(name=name), '# things', *map(_quote, things), '', '# stuff',
             *map(_quote, stuff)]
    as_json = dict(things=[[thing] for thing in things], stuff=[[other] for other in stuff])
    failed = ''
    for text in ('\n'.join(lines) + '\n', json.dumps(as_json, indent=2, ensure_ascii=False)):
        try:
            vocabulary = _read(text)
        except ValueError as error:
            failed = str(error).partition(': ')[2]
            continue
        if vocabulary.class_names == (*things, *stuff) and vocabulary.num_things == len(things):
            return text
    raise AnnotationError(
        f'A name of a class cannot be used as text that describes it. {failed} Rename it in the '
        'annotations.')


def _quote(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""')) if ',' in name or '"' in name else name


def _read(text: str) -> Vocabulary:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'vocabulary.txt')
        path.write_text(text, encoding='utf-8')
        return Vocabulary.from_file(path)
