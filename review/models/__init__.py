"""From a submission to a publication."""

from .figures import Figures
from .openings import Opening
from .policy import Clause, Conflict, ReviewPolicy
from .preferences import Preferences
from .publications import Publication, SignOff
from .reports import Report
from .screening import Fingerprint, Phrase, Screening, Signal
from .submissions import LICENCES, Appeal, Decision, Revision, Skip, Submission, SubmissionQuerySet

__all__ = [
    "LICENCES",
    "Appeal",
    "Clause",
    "Conflict",
    "Decision",
    "Figures",
    "Fingerprint",
    "Opening",
    "Phrase",
    "Preferences",
    "Publication",
    "Report",
    "ReviewPolicy",
    "Revision",
    "Screening",
    "SignOff",
    "Signal",
    "Skip",
    "Submission",
    "SubmissionQuerySet",
]
