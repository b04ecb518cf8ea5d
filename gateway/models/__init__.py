"""The rows of the ground floor, a file for each concern."""

from .allowances import Allowance, LedgerEntry
from .audit import Detail, Entry
from .brakes import Brake
from .consents import Consent
from .contributions import Contribution
from .departures import Departure
from .exports import Export
from .guest_passes import GuestPass
from .impersonations import Impersonation
from .members import AccessRequest, Cohort, Invitation, Membership, MembershipChange, SignInLink, User
from .notices import Notice
from .program import Program, Rate, Terms, TermsAcceptance
from .pulses import Pulse
from .retries import KeyedRequest
from .sightings import Canary, Sighting
from .tokens import Token
from .webhooks import WebhookDelivery, WebhookEndpoint, WebhookEvent

__all__ = [
    "AccessRequest",
    "Allowance",
    "Brake",
    "Canary",
    "Cohort",
    "Consent",
    "Contribution",
    "Departure",
    "Detail",
    "Entry",
    "Export",
    "GuestPass",
    "Impersonation",
    "Invitation",
    "KeyedRequest",
    "LedgerEntry",
    "Membership",
    "MembershipChange",
    "Notice",
    "Program",
    "Pulse",
    "Rate",
    "Sighting",
    "SignInLink",
    "Terms",
    "TermsAcceptance",
    "Token",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookEvent",
]
