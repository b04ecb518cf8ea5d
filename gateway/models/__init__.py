"""The rows of the ground floor, a file for each concern."""

from .allowances import Allowance, LedgerEntry
from .audit import Detail, Entry
from .brakes import Brake
from .members import Cohort, Invitation, Membership, SignInLink, User
from .notices import Notice
from .program import Rate, Terms, TermsAcceptance
from .pulses import Pulse
from .tokens import Token

__all__ = [
    "Allowance",
    "Brake",
    "Cohort",
    "Detail",
    "Entry",
    "Invitation",
    "LedgerEntry",
    "Membership",
    "Notice",
    "Pulse",
    "Rate",
    "SignInLink",
    "Terms",
    "TermsAcceptance",
    "Token",
    "User",
]
