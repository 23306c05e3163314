"""A web page to try a model on: pictures in, names in, segments out."""

from .limits import Limits
from .server import serve

__all__ = ['Limits', 'serve']
