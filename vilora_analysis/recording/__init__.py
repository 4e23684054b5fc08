"""Hooks that record and prune during somebody's own training loop."""

from vilora_analysis.recording.attach import available_scores, instrument
from vilora_analysis.recording.recorder import Recording
from vilora_analysis.recording.triplet_steps import Recorded

__all__ = ["Recorded", "Recording", "available_scores", "instrument"]
