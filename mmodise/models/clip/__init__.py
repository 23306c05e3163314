"""CLIP, frozen."""

from .frozen_clip import FrozenCLIP
from .prompts import Prompt, Text, fill_prompt, read_prompt

__all__ = ['FrozenCLIP', 'Prompt', 'Text', 'fill_prompt', 'read_prompt']
