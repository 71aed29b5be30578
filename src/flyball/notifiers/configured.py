"""The notifiers that the settings ask for."""

from __future__ import annotations

from flyball.errors import ConfigurationError
from flyball.ports import Notifier
from flyball.settings import Notify


def configured(notify: Notify) -> tuple[Notifier, ...]:
    """Who is told: none, one or both.

    Raises:
        ConfigurationError: a setting is wrong, or one that belongs to it is missing; the message
            holds no secret.
    """
    made: list[Notifier] = []
    if notify.webhook:
        from flyball.notifiers.webhook import Webhook

        made.append(Webhook(notify.webhook))
    if notify.smtp or notify.mail_to:
        from flyball.notifiers.mail import Mail

        if not notify.smtp:
            raise ConfigurationError(
                "notify.mail_to names who gets mails, and notify.smtp no server that takes them; "
                "write for example 'smtp://localhost:25'"
            )
        made.append(Mail(notify.smtp, sender=notify.mail_from, recipients=notify.mail_to))
    return tuple(made)
