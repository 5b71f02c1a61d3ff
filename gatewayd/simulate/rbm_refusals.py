"""The errors of Google's RBM API: HTTP status, status word, sentence, and the body that carries them.

Knows nothing of requests, rules or time.
"""

from __future__ import annotations

import msgspec

WORDS: dict[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

NO_RCS = "The phone number is not RCS enabled."
NOT_LAUNCHED = "The agent is not launched on the carrier of this phone number."
NOT_TESTER = "The agent is not launched, and the phone number is not one of its testers."
AGENT_QUOTA = "Quota exceeded for quota metric 'Agent messages' of the agent."
USER_QUOTA = "The user has received the most promotional messages that a user may receive for now."


class GoogleRefusal(Exception):
    """A request that is refused with ``http_status`` and a sentence for people."""

    def __init__(self, http_status: int, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{http_status}: {message}")
        self.http_status = http_status
        self.message = message
        self.retry_after_s = retry_after_s

    def body(self) -> bytes:
        """The error body of Google's APIs."""
        word = WORDS.get(self.http_status, "UNKNOWN")
        return msgspec.json.encode({"error": {"code": self.http_status, "message": self.message, "status": word}})


def invalid(where: str, words: str) -> GoogleRefusal:
    """A 400 that names the element."""
    return GoogleRefusal(400, f"Invalid value at '{where}': {words}")
