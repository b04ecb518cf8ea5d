"""How many look at a cohort's works before an answer stands, and what silence means."""

from django.utils.crypto import salted_hmac

from gateway.models import Cohort
from generation.models import Generation
from review.models import ReviewPolicy


def of(cohort: Cohort) -> ReviewPolicy:
    """The cohort's policy; without one: a single reviewer, and silence approves nothing."""
    return ReviewPolicy.objects.filter(cohort=cohort).first() or ReviewPolicy(cohort=cohort)


def second_look(generation: Generation, policy: ReviewPolicy) -> str:
    """Why two are to look at this work: `policy`, `sample`, or nothing.

    The sample is drawn by a keyed hash of the work: who withdraws and submits again draws the same lot.
    """
    if policy.reviewers == 2:
        return "policy"
    lot = int.from_bytes(salted_hmac("review.sample", generation.pk.hex, algorithm="sha256").digest()[:8], "big") % 100
    return "sample" if lot < policy.sample_percent else ""
