"""From a submission to a publication."""

from .policy import Clause
from .publications import Publication, SignOff
from .submissions import LICENCES, Decision, Revision, Submission, SubmissionQuerySet

__all__ = [
    "LICENCES",
    "Clause",
    "Decision",
    "Publication",
    "Revision",
    "SignOff",
    "Submission",
    "SubmissionQuerySet",
]
