"""CLIP, frozen."""

from .frozen_clip import FrozenCLIP
from .prompts import Prompt, Text, fill_prompt, read_prompt
from .tuned_tower import TunedTower

__all__ = ['FrozenCLIP', 'Prompt', 'Text', 'TunedTower', 'fill_prompt', 'read_prompt']
