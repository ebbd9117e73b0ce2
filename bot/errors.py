"""Errors that end a command, each with its documented exit code."""

from config.errors import AlvhError


class WrongUsageError(AlvhError):
    """What was typed makes no sense; the command line shows it as it shows its own complaints."""

    exit_code = 2


class JournalError(AlvhError):
    """The journal is damaged, or cannot be made durable."""


class JournalInUseError(JournalError):
    """Another process writes this journal."""

    exit_code = 75


class RolledBackError(JournalError):
    """The journal was put back to an earlier state while nobody wrote it."""

    exit_code = 78


class CrashLoopError(AlvhError):
    """Too many starts in too short a time."""

    exit_code = 75


class BrokerError(AlvhError):
    """The broker did not do what was asked."""

    exit_code = 69


class BrokerUnreachableError(BrokerError):
    """Nothing answers where the gateway should be, or it does not finish its greeting."""


class LinkDownError(BrokerUnreachableError):
    """The gateway answers and serves the account, and has no connection to the broker behind it."""


class PortTakenError(AlvhError):
    """The port that was asked for is in use."""

    exit_code = 78


class EmbeddedGatewayError(BrokerUnreachableError):
    """The embedded gateway did not start, for a reason it gave, with the exit code of that reason."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


class NotPaperAccountError(BrokerError):
    """The gateway serves an account that is not the allow-listed paper account."""

    exit_code = 77


class ReadOnlyApiError(BrokerError):
    """The gateway's API is read-only: no order would be taken, however often it is asked."""

    exit_code = 78


class ResumeRefusedError(AlvhError):
    """Trading stays halted; the text says why."""


class FeedError(AlvhError):
    """A slow series could not be fetched or does not read."""
