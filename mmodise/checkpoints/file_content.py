"""What a file is, by its first bytes and not by its ending."""

from pathlib import Path

_LONGEST_HEADER = 100_000_000  # what safetensors itself allows
_LFS = b'version https://git-lfs.github.com/spec/'


def is_safetensors(path: str | Path) -> bool:
    """Whether a file begins as safetensors do: the length of a header, which is JSON."""
    with open(path, 'rb') as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], 'little')
    return start[8:] == b'{' and 2 <= length <= _LONGEST_HEADER


def what_it_is(path: str | Path) -> str | None:
    """What stands in place of weights, in words with what to do; None where it may be weights.

    Args:
        path (str | Path): A file that is there.
    """
    with open(path, 'rb') as file:
        start = file.read(512)
    if not start:
        return 'is empty (0 bytes): the download or copy failed; get it again'
    if start.startswith(_LFS):
        return ('is a pointer of Git LFS, not the weights themselves: run `git lfs pull` in its '
                'repository, or download the file itself')
    text = start.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if text.startswith((b'<!doctype', b'<html', b'<head', b'<?xml')):
        return ('is a web page, not weights: what was saved is the page about the file, or an '
                'error or log-in page; download the file itself')
    if text.startswith((b'{', b'[')) and text[:1].isascii() and _is_text(start):
        return 'is JSON text, not weights: an index, a config or the message of a failed download'
    if _is_text(start):
        return 'is text, not weights'
    return None


def _is_text(start: bytes) -> bool:
    try:
        shown = start.decode('utf-8')
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # a character may be cut at the end
            return False
        shown = start[: error.start].decode('utf-8')
    return all(character.isprintable() or character in '\r\n\t' for character in shown)
