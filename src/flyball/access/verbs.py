"""All verbs of ``flyball access`` on one installation."""

from __future__ import annotations

from flyball.access.api_keys import Keys
from flyball.access.principals import Principals
from flyball.access.shown import AccessShown, SigningKeyShown, signing_key_shown
from flyball.access.tokens import good, new_signing_key, succeeded
from flyball.domain.access import SigningKey
from flyball.ports import Change


class Access(Keys, Principals):
    """Who may do what: keys, clients, accounts, and the keys that sign tokens.

    Everything is recorded with a row in the ledger; serving workers follow within a second.
    """

    def list(self) -> AccessShown:
        """Everything that lets somebody in, the first made first; nothing of any secret."""
        now = self._clock.now()
        return AccessShown(
            keys=tuple(self.keys()),
            principals=tuple(self.principals()),
            signing_keys=tuple(
                signing_key_shown(key, now) for key in self._records.find(SigningKey)
            ),
        )

    def rotate_signing_key(self, *, at_once: bool = False) -> SigningKeyShown:
        """Another key signs tokens; those of the old ones are good until they expire.

        Keys that retired before are forgotten.

        Args:
            at_once: void all tokens now, as after a leak; everybody signs in or refreshes again.

        Raises:
            StaleWrite: somebody else rotated at the same moment.
        """
        now = self._clock.now()
        known = {key.id: key for key in self._records.find(SigningKey)}
        ending = succeeded((k for k in known.values() if good(k, now)), now, at_once=at_once)
        new = new_signing_key(now)
        entry = self._entry(
            "rotate signing key",
            new.id,
            "all tokens are void" if at_once else "tokens of the one before are good to their end",
            at=now,
        )
        changes = [Change(value=key, replacing=known[key.id]) for key in ending]
        self._records.commit([Change(value=new), *changes], [entry])
        for key in known.values():
            if not good(key, now):
                self._records.discard(SigningKey, key.id)
        return signing_key_shown(new, now)
