"""Every "no" of this program. A refusal's docstring is the sentence shown, on the page and in JSON alike.

`{name}` in a docstring is filled from the keyword arguments. `status` is the HTTP status (RFC 9110), `code` the
machine's word for it, made from the class name.
"""

import re
from typing import ClassVar


class Refused(Exception):
    """This is not possible."""

    status: ClassVar[int] = 403
    param: str | None = None
    retry_after: int | None = None

    def __init__(self, *, param: str | None = None, retry_after: int | None = None, **facts: object) -> None:
        self.facts = facts
        self.param = param
        self.retry_after = retry_after  # seconds, for the header of that name
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """What the person reads."""
        text = " ".join((type(self).__doc__ or "").split())
        return text.format(**self.facts)

    @classmethod
    def word(cls) -> str:
        """The code of this kind of refusal, such as `not_enough_credits`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def code(self) -> str:
        """What the client switches on."""
        return self.word()


def every(base: type[Refused] = Refused) -> list[type[Refused]]:
    """Every kind of "no" that has been imported, by status and code."""
    kinds = [kind for sub in base.__subclasses__() for kind in (sub, *every(sub))]
    return sorted(kinds, key=lambda kind: (kind.status, kind.word()))


class NotFound(Refused):
    """There is nothing here, or nothing that you may see."""

    status = 404


class SignInFirst(Refused):
    """Sign in first, or send a token as `Authorization: Bearer …`."""

    status = 401


class BadToken(Refused):
    """This token is unknown, has ended or was revoked."""

    status = 401


class NotFromHere(Refused):
    """This token does not work from this address. Who made it has listed the networks that it works from."""


class BadNetwork(Refused):
    """“{network}” is no network: write one as 192.0.2.0/24 or 2001:db8::/32, or a single address."""

    status = 400


class TooManyNetworks(Refused):
    """A token lists {limit} networks at most."""

    status = 400


class BadEnd(Refused):
    """A token ends between now and {days} days from now, or never."""

    status = 400


class TokensMakeNoTokens(Refused):
    """A token makes no tokens and changes no other: sign in for that. It may rotate and revoke itself."""


class AlreadyRotated(Refused):
    """This token was rotated already; the one that took its place ends in {last_four}."""

    status = 409


class TestsOnlyGenerate(Refused):
    """A test token draws and watches tests: it needs a membership, and “generate” is the one scope that it can have."""

    status = 400


class BadWebhookUrl(Refused):
    """A webhook goes to an address like https://example.org/hooks, of at most 500 characters: {what}."""

    status = 400


class UnknownEventType(Refused):
    """There is no event “{name}”. There are: {known}."""

    status = 400


class TooManyWebhooks(Refused):
    """You have {limit} webhook endpoints, as many as one may: remove one first."""

    status = 409


class WebhookDisabled(Refused):
    """This webhook endpoint is disabled, so nothing is sent there: enable it first."""

    status = 409


class UnknownGuestPass(Refused):
    """There is no guest pass at this address. Perhaps part of the link is missing: ask who gave it to you."""

    status = 404


class GuestPassRevoked(Refused):
    """The artist has taken this guest pass back. What was made with it is with them."""

    status = 410


class GuestPassEnded(Refused):
    """This guest pass has ended. What was made with it is with the artist who lent it."""

    status = 410


class GuestPassPaused(Refused):
    """This guest pass rests at the moment, because nothing new can be made in its artist's name. Try again later."""


class GuestPassUsedUp(Refused):
    """This guest pass has {left} left, and this would take {asked}. Nothing was asked for."""


class EnoughForToday(Refused):
    """From your network {number} {were} asked for today, as many as this guest pass allows. Come back tomorrow."""

    status = 429


class ArtistOutOfCredits(Refused):
    """The artist who lent you this pass has too few credits at the moment. Nothing was asked for; try again later."""

    status = 402


class ArtistHasNoRoom(Refused):
    """The artist who lent you this pass can't ask for more clips now. Nothing was asked for; try again later."""

    status = 429


class NotForGuests(Refused):
    """A guest pass is for making clips, and for nothing else."""


class TooManyTries(Refused):
    """That was tried too often in a short time. Nothing was changed; try again in five minutes."""

    status = 429


class Slowed(Refused):
    """This is used as if by several people, so it is slowed: try again in {seconds} s. Its owner sees why."""

    status = 429


class ExplanationMissing(Refused):
    """Say it in a few words: somebody will read them."""

    status = 400


class UnsignedReport(Refused):
    """This report is not signed by anybody whose key is known here."""


class BadReport(Refused):
    """A report is a JSON list of at most {most} objects, each with a token."""

    status = 400


class ReportTooLarge(Refused):
    """A report has at most {kilobytes} KB: send it in parts."""

    status = 413


class MissingScope(Refused):
    """This token may not do that: it lacks the scope “{scope}”."""


class AdminsOnly(Refused):
    """Only an admin may do that."""


class SecondFactorFirst(Refused):
    """Reviewers and admins need a second factor: set up an authenticator app or a passkey, or confirm yours, first."""


class ReadOnlyWhileImpersonating(Refused):
    """You look as an artist at the moment: you read what they read, change nothing, and your own pages are shut."""


class ArtistsOnly(Refused):
    """You can look as an artist only: somebody with a place in a cohort, who neither reviews nor administers."""

    status = 409


class ReviewersOnly(Refused):
    """Only a reviewer may do that."""


class NotAMember(Refused):
    """You have no membership in a cohort, so there is nothing to draw on."""


class Suspended(Refused):
    """Your membership is suspended: you can see, download and withdraw your works, but not make new ones."""


class Braked(Refused):
    """A brake is on {label}{until}. The reason: {reason}."""


class BrakeNeedsReason(Refused):
    """A brake says why: write the reason that those whom it touches will read."""

    status = 400


class BrakeEndsInThePast(Refused):
    """A brake ends in the future, or not by itself."""

    status = 400


class NothingToStop(Refused):
    """There is no {scope} “{which}” here, or there are several. {hint}."""

    status = 404


class NotShownNow(Refused):
    """This work is not shown at the moment."""


class WrongState(Refused):
    """This {noun} is {state}, so it can't become {to}."""

    status = 409

    def __init__(self, row: object, to: str) -> None:
        super().__init__(
            noun=row.NOUN.replace("_", " "),  # type: ignore[attr-defined]
            state=str(row.state).replace("_", " "),  # type: ignore[attr-defined]
            to=to.replace("_", " "),
        )


class NothingToAppeal(Refused):
    """There is no refusal in effect here that can be appealed: within six months of it, while it is the last word."""

    status = 409


class AlreadyAppealed(Refused):
    """This answer was appealed before. Each can be appealed once."""

    status = 409


class AppealWaits(Refused):
    """An appeal is open about this work: uphold the answer or overturn it."""

    status = 409


class NoAppealOpen(Refused):
    """No appeal is open about this work, so there is nothing to uphold or to overturn."""

    status = 409


class HeardByAnother(Refused):
    """You have decided about this work before, so somebody else hears the appeal."""


class AnswerComing(Refused):
    """An answer is on its way at this moment. Nothing was changed; try again in a minute."""

    status = 409


class BadKey(Refused):
    """The key for “{act}” is one character that can be seen, or Space, or none; 1 to 9 name clauses."""

    status = 400


class KeyTaken(Refused):
    """{key} would do two things: “{one}” and “{other}”. Give one of them another key, or none."""

    status = 400


class AlreadyNamed(Refused):
    """This conflict of interest is named already."""

    status = 409


class OwnAddress(Refused):
    """That is your own address, and nobody judges their own works anyway."""

    status = 400


class TooManyNamed(Refused):
    """You have named {limit} people, as many as one may: lift one first."""

    status = 409


class BadInvitation(Refused):
    """This invitation is unknown, was used, was revoked or has run out. Ask who invited you for a new one."""

    status = 410


class AlreadyAMember(Refused):
    """Somebody with this e-mail address is already here."""

    status = 409


class AlreadyInvited(Refused):
    """An invitation to {email} is already open, until {until}. Revoke it first to send another."""

    status = 409


class NoSeatLeft(Refused):
    """All {seats} seats of {cohort} are taken or promised. Add seats, or revoke an invitation that is open."""

    status = 409


class TooFewSeats(Refused):
    """{taken} seats of {cohort} are taken or promised: it can't have fewer."""

    status = 409


class MemberLeft(Refused):
    """This membership has ended: it can't be changed any more. Give the person a new place instead."""

    status = 409


class RequestsClosed(Refused):
    """The program takes no requests for access at the moment; people come in by invitation."""


class AskedTooOften(Refused):
    """Too many requests for access came from where you are in the last hour. Nothing was kept; try again later."""

    status = 429


class RequestsFull(Refused):
    """More requests for access wait than can be answered in time. Nothing was kept; try again in a few days."""

    status = 503


class TermsNotAccepted(Refused):
    """Accept the program's terms (version {version}) first, in a browser, at /terms/accept."""


class OnlyInPerson(Refused):
    """Terms are accepted by the person themselves, in a browser: a token can't agree for its owner."""


class OutdatedTerms(Refused):
    """Version {asked} of the terms is not in force any more. Read version {version} and accept that one."""

    status = 409


class TermsChanged(Refused):
    """Version {version} of the terms was published meanwhile. Look at it first; nothing of yours was published."""

    status = 409


class TermsBackdated(Refused):
    """Terms can't begin in the past: choose a day to come, or none for at once."""

    status = 400


class UnknownPurpose(Refused):
    """There is no purpose “{purpose}” to consent to. There are: {purposes}."""

    status = 400


class EndsInThePast(Refused):
    """A consent ends in the future, or has no end; this one would be over already."""

    status = 400


class NothingToTakeBack(Refused):
    """You have not allowed this, so there is nothing to take back."""

    status = 409


class NotOnTheRateCard(Refused):
    """The rate card that you accepted (version {version}) has no rate for a {kind}."""

    status = 400


class MinutesMissing(Refused):
    """Test time is reported in minutes, from 1 to 1440 at a time; nothing else has minutes."""

    status = 400


class WordsMissing(Refused):
    """Write {what}: without it nothing was recorded."""

    status = 400


class OwnContribution(Refused):
    """This is your own contribution, and nobody decides about their own."""


class NotYoursToHear(Refused):
    """You declined this yourself: a dispute is decided by somebody else."""


class NotOwed(Refused):
    """Not all of these are owed any more, so none was marked as paid. Look at the list again."""

    status = 409


class BadSignInLink(Refused):
    """This sign-in link was used already or has run out. Start the gateway again for new ones."""

    status = 410


class NotEnoughCredits(Refused):
    """This costs {price} credits, and {free} of {granted} are free until {until}. Nothing was charged."""

    status = 402


class TokenSpent(Refused):
    """This costs {price} credits; this token may spend {free} of {limit} more until {until}. Nothing was charged."""

    status = 402


class ReasonNeeded(Refused):
    """Say why, in a sentence that the person will read."""

    status = 400


class NotAGrant(Refused):
    """A grant is of 1 to {largest} credits. What was given is not taken back; the next month begins as agreed."""

    status = 400


class TooManyRequests(Refused):
    """That were too many requests: {limit} a minute are allowed. Nothing was done; go on in {seconds} seconds."""

    status = 429


class TooManyToday(Refused):
    """You have asked for {used} clips today, and {limit} a day are yours. The next day begins at midnight UTC."""

    status = 429


class TooManyAtOnce(Refused):
    """{used} of your clips wait or are being drawn, and {limit} at a time are yours. Wait for one, or cancel one."""

    status = 429


class TestsUseSketch(Refused):
    """A test token draws with {model} only: leave the model out, or ask for that one."""

    status = 400


class DiskFull(Refused):
    """There is too little room for another clip here at the moment. Nothing was charged; try again later."""

    status = 507


class UnknownModel(Refused):
    """There is no model “{model}” here. There are: {models}."""

    status = 400


class NotOffered(Refused):
    """{model} does not offer {what} “{value}”. It offers: {offered}."""

    status = 400


class DeadlineOutOfReach(Refused):
    """A clip can be asked for until a moment to come, {days} days from now at most. Nothing was charged."""

    status = 400


class PromptMissing(Refused):
    """Say what the clip should show: the prompt is empty."""

    status = 400


class PromptTooLong(Refused):
    """The prompt has {words} words; {model} reads {limit}. Shorten it, so that nothing is ignored."""

    status = 400


class PictureNeeded(Refused):
    """{model} begins from a picture: bring one, as PNG, JPEG or WebP."""

    status = 400


class PictureNotTaken(Refused):
    """{model} draws from words alone and takes no picture. Choose another model, or leave the picture out."""

    status = 400


class PictureUnreadable(Refused):
    """This file can't be read as a picture. PNG, JPEG and WebP can."""

    status = 400


class PictureTooLarge(Refused):
    """The picture has {size} MB; at most {limit} MB are taken."""

    status = 400


class PictureSides(Refused):
    """The picture has {width} × {height} pixels; each side has to have {least} to {most}."""

    status = 400


class Unsupported(Refused):
    """No model here can {what}: {instead}."""

    status = 400


class StillUnderWay(Refused):
    """This video is {state}: cancel it, or wait until it has ended, and delete it then. Nothing was deleted."""

    status = 409


class NotWithdrawn(Refused):
    """This work was submitted, or is public: withdraw its submission first, and delete it then. Nothing was deleted."""

    status = 409


class StillDrawing(Refused):
    """This picture is not there yet. Ask for it again in a moment, or look at /v1/videos/{video}."""

    status = 503


class NotDrawn(Refused):
    """This picture was not drawn, and its credits were given back. What became of it stands at /v1/videos/{video}."""

    status = 409


class KeyUnreadable(Refused):
    """An Idempotency-Key has 1 to {longest} characters that can be seen. Nothing was done."""

    status = 400


class KeyDiffers(Refused):
    """This Idempotency-Key was used for another request. Take a new one for each; nothing was done."""

    status = 422


class StillRunning(Refused):
    """The first request with this Idempotency-Key is being answered. Ask again in {seconds} s for its answer."""

    status = 409


class AnswerNotKept(Refused):
    """This was done under this Idempotency-Key, and its answer can't be given again. Look for what came of it."""

    status = 409


class RequestTooLarge(Refused):
    """A request has at most {limit} MB beside its files: send what is large as a file of a multipart form."""

    status = 413


class NothingToSubmit(Refused):
    """This generation is {state}: only a completed one has a clip to submit."""

    status = 409


class OnlyATest(Refused):
    """This clip was drawn in test mode, and no test goes to the reviewers. Draw it anew without a test token."""

    status = 409


class AlreadySubmitted(Refused):
    """This work is already with the reviewers, or was approved. Withdraw that submission to begin anew."""

    status = 409


class OwnWork(Refused):
    """This is your own work, and nobody reviews their own."""


class NothingWaiting(Refused):
    """Nothing waits for you at the moment."""

    status = 404


class HeldByAnother(Refused):
    """Somebody else holds this submission at the moment."""

    status = 409


class NotHeld(Refused):
    """You do not hold this submission (any more). Take it first; what you wrote is kept on this page."""

    status = 409


class NoMoreRenewals(Refused):
    """You have extended this lease ten times. Decide, or release it to a colleague."""

    status = 409


class ReasonsMissing(Refused):
    """A refusal or a request for changes owes the artist {missing}."""

    status = 400


class UnknownClause(Refused):
    """That clause is not in the policy in force."""

    status = 400


class UnknownCategory(Refused):
    """Choose one of the categories and keywords of the DSA Transparency Database: this is none of them."""

    status = 400


class ClauseChanged(Refused):
    """Clause {number} was changed or retired meanwhile. Look at it as it is now; what you wrote is kept here."""

    status = 409


class NothingChanged(Refused):
    """This is, word for word, what is in force already: nothing was published, and nobody was told."""

    status = 409


class TooLateToUndo(Refused):
    """The decision has taken effect: it can't be undone any more."""

    status = 409


class NotYoursToUndo(Refused):
    """Only the reviewer who decided can undo it."""


class NotApproved(Refused):
    """This submission is {state}. Only an approved one can be signed; nothing was published."""

    status = 409


class OutdatedRevision(Refused):
    """You would be signing revision {asked}, but revision {current} is the one that was approved. Look at it first."""

    status = 409


class NotSignedOff(Refused):
    """Sign with your name: without a signature nothing is published."""

    status = 400


class GoneByItsArtist(Refused):
    """The artist has withdrawn this work."""

    status = 410


class TakenDown(Refused):
    """This work was taken down by the program."""

    status = 410


class GoodFaithMissing(Refused):
    """Say that what you write is accurate and complete, as far as you know: no report counts without that."""

    status = 400


class ReportedTooOften(Refused):
    """Too many reports came from where you are in a short time. Nothing was kept; try again later."""

    status = 429


class ReportedAlready(Refused):
    """From where you are {most} reports about this work wait for an answer already. One is enough."""

    status = 409


class TooLateToDispute(Refused):
    """That another looks at a report again is asked for within six months of the answer, and once."""

    status = 409


class UnknownFormat(Refused):
    """There is no format “{form}” here: ask for json or xml."""

    status = 501


class NoSuchSize(Refused):
    """A size is a whole number of pixels, from 1 to 99999."""

    status = 400


class ExportUnderWay(Refused):
    """An export of yours is on its way. Make another when it has arrived, or {minutes} minutes after it broke off."""

    status = 409


class TooManyExports(Refused):
    """You can make {limit} exports in 24 hours, and have made them. The next one can be made on {again} UTC."""

    status = 429


class ExportsFull(Refused):
    """As many exports are on their way as can be at a time. Yours was not counted; try again in some minutes."""

    status = 503


class StillOnDuty(Refused):
    """You review or administer here: an admin takes that from you first. Nothing was asked for."""

    status = 409


class AlreadyDeparting(Refused):
    """You have asked for that already: it happens on {due}. Until then you can change your mind."""

    status = 409


class TooLateToStay(Refused):
    """It has begun: what you asked to be erased is being erased, and nothing brings it back."""

    status = 409


class LogUnavailable(Refused):
    """The audit log can't be written at the moment, and nothing happens here without it. Try again shortly."""

    status = 503
