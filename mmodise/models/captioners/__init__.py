"""Captioners: images -> the text condition of a generator, as offsets or as texts."""

from .data_set_caption import DataSetCaption
from .given_caption import GivenCaption
from .implicit_captioner import ImplicitCaptioner
from .learned_prompt import LearnedPrompt
from .pretrained_captioner import PretrainedCaptioner
from .text_captioner import TextCaptioner

__all__ = [
    'DataSetCaption', 'GivenCaption', 'ImplicitCaptioner', 'LearnedPrompt', 'PretrainedCaptioner',
    'TextCaptioner']
