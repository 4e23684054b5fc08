"""Record, audit and draw importance scores for pruning low-rank adapters.

The flow, and the rooms it passes through; imports point down, never up::

    model + optimizer ──> posterior, triplets      mu, sigma, grad, hess; which element is whose
                               │
                               ▼
                            scores                 registry of small pure functions
                          ┌────┴─────┐
                    allocation    recording ──> log   Parquet; no torch from here on
                                                 │
                                                 ▼
                                              analysis ──> figures
                                                              │
    adapter (saved with its posterior)                        │
    training (a whole run), sweeps (many of them)    ──>     cli

Public names load on first use, so that importing the package costs next to nothing.

Examples
--------
>>> import vilora_analysis as va
>>> va.get_score("snr").equation
'|μ|/σ'
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vilora_analysis import analysis as analysis
    from vilora_analysis import audits as audits
    from vilora_analysis import figures as figures
    from vilora_analysis import log as log
    from vilora_analysis import scores as scores
    from vilora_analysis import training as training
    from vilora_analysis import triplets as triplets
    from vilora_analysis.adapter import load_posterior as load_posterior
    from vilora_analysis.adapter import save_adapter as save_adapter
    from vilora_analysis.allocation import BudgetSchedule as BudgetSchedule
    from vilora_analysis.allocation import ScoreAllocator as ScoreAllocator
    from vilora_analysis.errors import ViloraError as ViloraError
    from vilora_analysis.log import Run as Run
    from vilora_analysis.log import Runs as Runs
    from vilora_analysis.log import open_run as open_run
    from vilora_analysis.log import open_runs as open_runs
    from vilora_analysis.posterior import Posterior as Posterior
    from vilora_analysis.posterior import Snapshot as Snapshot
    from vilora_analysis.posterior import sampled_parameters as sampled_parameters
    from vilora_analysis.recording import Recording as Recording
    from vilora_analysis.recording import instrument as instrument
    from vilora_analysis.scores import get as get_score  # noqa: F401
    from vilora_analysis.scores import score as score
    from vilora_analysis.training.callback import VILoRACallback as VILoRACallback
    from vilora_analysis.training.config import RunConfig as RunConfig
    from vilora_analysis.training.config import configure as configure
    from vilora_analysis.training.run import train as train
    from vilora_analysis.triplets import TripletLayout as TripletLayout

__version__ = "0.1.0"

# public name -> (module, name there); a name of None is the module itself
_LAZY: dict[str, tuple[str, str | None]] = {
    "BudgetSchedule": ("allocation", "BudgetSchedule"),
    "Posterior": ("posterior", "Posterior"),
    "Recording": ("recording", "Recording"),
    "Run": ("log", "Run"),
    "RunConfig": ("training.config", "RunConfig"),
    "Runs": ("log", "Runs"),
    "ScoreAllocator": ("allocation", "ScoreAllocator"),
    "Snapshot": ("posterior", "Snapshot"),
    "TripletLayout": ("triplets", "TripletLayout"),
    "VILoRACallback": ("training.callback", "VILoRACallback"),
    "ViloraError": ("errors", "ViloraError"),
    "analysis": ("analysis", None),
    "audits": ("audits", None),
    "configure": ("training.config", "configure"),
    "figures": ("figures", None),
    "get_score": ("scores", "get"),
    "instrument": ("recording", "instrument"),
    "load_posterior": ("adapter", "load_posterior"),
    "log": ("log", None),
    "open_run": ("log", "open_run"),
    "open_runs": ("log", "open_runs"),
    "save_adapter": ("adapter", "save_adapter"),
    "sampled_parameters": ("posterior", "sampled_parameters"),
    "score": ("scores", "score"),
    "scores": ("scores", None),
    "train": ("training.run", "train"),
    "training": ("training", None),
    "triplets": ("triplets", None),
}

_SHOWN = {"Run", "Runs", "open_run", "open_runs", "train"}
"""Names that give runs, which show themselves in notebooks."""

__all__ = sorted([*_LAZY, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LAZY[name]
    try:
        loaded = importlib.import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        from vilora_analysis.errors import explain_missing

        raise explain_missing(error) from None
    if name in _SHOWN:  # with what the analyses say of them, which their own room must not import
        importlib.import_module(f"{__name__}.analysis")
        importlib.import_module(f"{__name__}.log.provided").provide_audits(_asking)
    return loaded if attribute is None else getattr(loaded, attribute)


def _asking(about: Any) -> Any:
    """What a run, or several, can be asked; audits draw, which reading a run does not load."""
    return importlib.import_module(f"{__name__}.audits.asking").questions(about)


def __dir__() -> list[str]:
    return __all__
