"""Segmentation of videos and of what a camera sees: PyAV in and out."""

from .labelling import LabelledVideo, TrackedFrame, label_video, segment_video
from .reading import Frame, VideoReader
from .tracking import SegmentTracker
from .writing import VideoWriter

__all__ = [
    'Frame', 'LabelledVideo', 'SegmentTracker', 'TrackedFrame', 'VideoReader', 'VideoWriter',
    'label_video', 'segment_video']
