"""Hooks that record and prune during somebody's own training loop."""

from vilora_analysis.recording.attach import instrument
from vilora_analysis.recording.choice import available_scores
from vilora_analysis.recording.recorder import Recording
from vilora_analysis.recording.triplet_steps import Recorded

__all__ = ["Recorded", "Recording", "available_scores", "instrument"]
