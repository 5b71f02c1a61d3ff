"""Which platform a link's settings mean, what it proves itself with there, and what the answers to questions ask for.

Makes no request and knows no message.
"""

from __future__ import annotations

from gatewayd.carriers.backoff import Backoff
from gatewayd.carriers.link import Revocation
from gatewayd.carriers.rcs_http import Answer
from gatewayd.carriers.rcs_jobs import Revoke
from gatewayd.config import schema
from gatewayd.message import Deferred
from protocol.rcs import assertions, rbm
from protocol.rcs.answers import read_retry_after
from protocol.rcs.dialects import named
from protocol.rcs.gsma import platform_of
from protocol.rcs.platform import Platform
from protocol.rcs.tokens import Credentials

NO_SCOPE = "-"
"""How the configuration says that no scope is asked for, not even the dialect's own."""


def platform_for(settings: schema.Link) -> Platform:
    """The platform that a link speaks to; raises LookupError for a dialect that there is not."""
    return rbm.PLATFORM if settings.kind == "rbm" else platform_of(named(settings.dialect))


def credentials_for(settings: schema.Link, secret: str, bot_key: str = "") -> Credentials:
    """What a token is asked for with; raises RcsFault ``bad_key`` when a service account's file is none."""
    if settings.kind == "rbm" or bot_key:
        assertions.prepare()
    if settings.kind == "rbm":
        account = rbm.read_service_account(secret)
        return Credentials(
            bot_id=settings.bot_id,
            token_url=settings.token_url or account.token_uri,
            client_id=account.client_email,
            private_key=account.private_key,
            key_id=account.private_key_id,
        )
    return Credentials(
        bot_id=settings.bot_id,
        token_url=settings.token_url,
        client_id=settings.client_id,
        client_secret=secret,
        scope=_scope_of(settings),
        private_key=bot_key,
        assertion_audience=settings.assertion_audience,
        assertion_header=settings.assertion_header,
        assertion_prefix=settings.assertion_prefix,
        assertion_url=settings.assertion_url,
        issuer_in_list=settings.assertion_issuer_in_list,
    )


def _scope_of(settings: schema.Link) -> str | None:
    """What is asked of the token endpoint: the dialect's own scope (None), another one, or none at all."""
    return "" if settings.token_scope == NO_SCOPE else settings.token_scope or None


def pause_after(answer: Answer, platform: Platform, pause_s: float) -> Deferred | None:
    """What a question that was throttled asks of all others; ``pause_s`` where the platform names no time."""
    if answer.status != 429:
        return None
    retry_s = read_retry_after(answer.retry_after)
    return Deferred("http_429", pause_s if retry_s is None else retry_s, pauses=True, scope=platform.question_scope)


def revocation_of(
    job: Revoke, answer: Answer | str, platform: Platform, pause_s: float, failures: Backoff
) -> Revocation:
    """What came of a revoke; a word in the place of the answer says why there is none."""
    if isinstance(answer, str):
        retry_s = None if job.flight.is_sent else failures.next_s()
        return Revocation(job.message_id, job.carrier_id, None, answer, retry_s=retry_s)
    meaning = platform.read_revoke(answer.status, answer.body)
    throttled, retry_s = pause_after(answer, platform, pause_s), None
    if throttled is not None:
        retry_s = throttled.retry_s
    elif meaning.again:
        told_s = read_retry_after(answer.retry_after)
        retry_s = failures.next_s() if told_s is None else told_s
    else:
        failures.reset()
    return Revocation(job.message_id, job.carrier_id, meaning.revoked, meaning.error, throttled, retry_s)
