"""Training: the RAFT update and SFT, on transformers and PEFT through TRL. Knows neither Ray nor rewards."""

from haloforge.training.learner import Learner, LearnerSettings, Scores, UpdateReport
from haloforge.training.plan import StepPlan, UpdatePlan, plan_steps
from haloforge.training.sft import SftReport, read_rows, run_sft

__all__ = [
    "Learner",
    "LearnerSettings",
    "Scores",
    "SftReport",
    "StepPlan",
    "UpdatePlan",
    "UpdateReport",
    "plan_steps",
    "read_rows",
    "run_sft",
]
