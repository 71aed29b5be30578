"""Those who tell people: a chat by webhook, mail. Each is the port ``Notifier``."""
