"""Hooks that record and prune during somebody's own training loop."""

from vilora_analysis.recording.attach import available_scores, instrument
from vilora_analysis.recording.recorder import Recorded, Recording

__all__ = ["Recorded", "Recording", "available_scores", "instrument"]
