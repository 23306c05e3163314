"""Pictures from the web."""

from __future__ import annotations

import re
import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np

from ..datasets.pictures import decode_picture
from ..version import __version__

_TIMEOUT = 20.0
_MAX_BYTES = 128 * 2**20
_PART = 2**16


def is_url(name: str) -> bool:
    """Whether a name is an address of the web."""
    return re.match(r'https?://', name, re.IGNORECASE) is not None


def download_picture(
    url: str, timeout: float = _TIMEOUT, max_bytes: int = _MAX_BYTES
) -> np.ndarray:
    """Download a picture.

    Args:
        url (str): ``http://`` or ``https://``.
        timeout (float): Seconds for all of it. Defaults to 20.
        max_bytes (int): What is larger is refused. Defaults to 128 MiB.

    Returns:
        ndarray: BGR, uint8, (H, W, 3), see :func:`decode_picture`.

    Raises:
        OSError: If the address does not answer, or not with a picture; says which, and names it.
    """
    content, kind = _download(url, timeout, max_bytes)
    try:
        return decode_picture(content, url)
    except OSError as error:
        if not kind.startswith('text/'):
            raise
        raise OSError(f'{url} answers with a page ({kind}), not with a picture. Give the address '
                      'of the picture itself.') from error


def _download(url: str, timeout: float, max_bytes: int) -> tuple[bytes, str]:
    """The content, and its type as the server calls it."""
    end = time.monotonic() + timeout
    try:
        # some servers answer nobody without a name
        request = Request(url, headers={'User-Agent': f'mmodise/{__version__}'})
        with urlopen(request, timeout=timeout) as answer:
            content = bytearray()
            while part := answer.read1(_PART):
                content += part
                if len(content) > max_bytes:
                    raise OSError(f'{url} has more than {max_bytes / 2**20:.0f} MiB, the limit for '
                                  'a picture. Download it, and give the file.')
                if time.monotonic() > end:
                    raise TimeoutError
            _check_length(url, len(content), answer.headers.get('Content-Length'))
            return bytes(content), answer.headers.get_content_type()
    except HTTPError as error:
        raise OSError(f'{url} answers {error.code} ({error.reason}): there is no picture at this '
                      'address, or not for everybody.') from error
    except TimeoutError as error:
        raise _too_slow(url, timeout) from error
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise _too_slow(url, timeout) from error
        raise OSError(f'{url} cannot be reached: {error.reason}.') from error
    except (HTTPException, ConnectionError, ValueError) as error:
        raise OSError(f'{url} cannot be downloaded: {error or type(error).__name__}.') from error


def _check_length(url: str, found: int, told: str | None) -> None:
    if told is not None and told.isdecimal() and found < int(told):
        raise OSError(f'{url} breaks off after {found:,} of {int(told):,} bytes. Try again.')


def _too_slow(url: str, timeout: float) -> OSError:
    return OSError(f'{url} does not answer within {timeout:.0f} seconds. Try again, or download it '
                   'and give the file.')
