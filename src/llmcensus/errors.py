"""
Our errors:

* CensusError
  x ConfigError      a setting has a value it cannot have            (the command says so and stops)
  x InputError       a file or body cannot be read at all            400
  x DecodeError      a record is not what its format claims          (counted by reason, never fatal)
  x BadParameter     a query parameter has no such value             400
  x Unauthorized     no key, or a key nobody issued                  401
  x Forbidden        a key without the scope this needs              403
  x NotFound         nothing is known by this name                   404
  x TooSlow          a body did not come in time                     408
  x TooLarge         a body is longer than is accepted               413
  x UnknownMedia     a body is of a type that is not taken           415
  x RateLimited      the key or its account has used up its requests 429
  x Unavailable      the store is busy or out of reach: send again   503
  x StoreError       the database holds something it must not        500
"""


class CensusError(Exception):
    """Everything this package raises on purpose."""

    status = 500


class ConfigError(CensusError):
    """A setting has a value it cannot have."""


class InputError(CensusError):
    """A file or a request body cannot be read at all."""

    status = 400


class DecodeError(CensusError):
    """
    A record was refused. `reason` is one of a few words and is counted; the message is for a person.

    Neither ever holds text of a prompt: messages quote numbers, times and names of fields only.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadParameter(CensusError):
    """A query parameter has no such value."""

    status = 400

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"Invalid {name} {value[:80]!r}: expected {expected}")


class Unauthorized(CensusError):
    """No key was sent, or one that nobody issued."""

    status = 401


class Forbidden(CensusError):
    """The key is good but lacks the scope."""

    status = 403


class NotFound(CensusError):
    """Nothing is known by this name."""

    status = 404


class TooSlow(CensusError):
    """A body did not come in time."""

    status = 408


class TooLarge(CensusError):
    """A body is longer than the server accepts."""

    status = 413


class UnknownMedia(CensusError):
    """A body is of a type that is not taken here."""

    status = 415


class RateLimited(CensusError):
    """The key or its account has used up its `limit` of requests; `retry_after` is in seconds, `reset` since 1970."""

    status = 429

    def __init__(self, message: str, limit: int, retry_after: int, reset: int) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after = retry_after
        self.reset = reset


class Unavailable(CensusError):
    """The store is busy or out of reach; nothing was counted, and the same bytes may be sent again."""

    status = 503


class StoreError(CensusError):
    """The database holds something it must not hold."""
