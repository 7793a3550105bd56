"""What can go wrong with the ledger.

LedgerError                 ``reason`` is a key of the catalogue of words, ``str()`` one sentence
├── OpenError               the ledger cannot be opened
│   ├── BadUrl              the database's address is not one that we can use
│   ├── Unwritable          the folder, the file or the disk does not take what is written
│   ├── NotALedger          there is something else at that place
│   ├── SchemaTooNew        a newer version of the program has been here
│   ├── NotMigrated         its tables are older than the code, and nobody was asked to bring them up
│   ├── InUse               another process works in the folder
│   └── PersonKeyError      the key that people are known by is gone, damaged or another one
├── BackupError             a backup cannot be made of it or put back
├── CopyError               it cannot be copied into another database, where nothing has arrived
├── ExportError             a snapshot cannot be made; there is nothing under its name
│   ├── OutExists           there is something at that place already
│   ├── NothingToExport     nothing fits the question and may leave
│   ├── DiskFull            the disk has no room for it
│   ├── OutUnwritable       the place does not take what is written
│   └── MovedOn             what was to be exported changed again and again meanwhile
├── ImportFailed            a folder or archive of pictures cannot be taken in
│   └── UnknownLabels       it names characters that nobody knows here; ``labels`` says which
├── LedgerLocked            somebody else is writing and did not finish in time
├── LedgerClosed            used after it was closed
├── NotFound                there is no such prediction, case or blob
├── NotPoster               only whoever posted the picture may do that
├── Withdrawn               the message was deleted meanwhile: nothing of it is kept
│   └── WasForgotten        its poster asked to be forgotten meanwhile
├── Stale                   the case has changed since it was shown; ``case`` is how it is now
├── Contradicted            a picture is said to show somebody else already; ``slot`` and ``labels`` say
│                           which and whom
├── SharedCharacter         all communities share that character: only the operator changes it
├── BadSetting              a community cannot choose that; ``reason`` is one of `BadSetting.REASONS`
└── LabelError              a label is at fault
    ├── UnknownLabel        no character is called so here; ``label`` says which
    ├── BadLabel            no character may be called so; ``reason`` is one of `BadLabel.REASONS`
    └── TooManyProposals    this person has proposed enough names for a day
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from corrections.review.types import CaseView


class LedgerError(Exception):
    """Root of the tree. ``str()`` is one sentence for a log or a terminal."""

    reason: str = "ledger-trouble"


class OpenError(LedgerError):
    """The ledger cannot be opened."""

    reason = "ledger-closed"


class BadUrl(OpenError):
    """The database's address is not one that we can use."""


class Unwritable(OpenError):
    """The folder, the file or the disk does not take what is written."""


class NotALedger(OpenError):
    """There is something else at that place."""


class SchemaTooNew(OpenError):
    """A newer version of the program has been here."""


class NotMigrated(OpenError):
    """Its tables are older than the code."""


class PersonKeyError(OpenError):
    """The key that people are known by is gone, damaged or another one."""


class InUse(OpenError):
    """Another process works in the folder: ``holder`` is its number, 0 if that is not known.

    ``steps_aside``: it is a bot, which makes room for a moment when it is asked to.
    """

    def __init__(self, sentence: str, holder: int = 0, steps_aside: bool = False) -> None:
        super().__init__(sentence)
        self.holder = holder
        self.steps_aside = steps_aside and holder > 0


class BackupError(LedgerError):
    """A backup cannot be made of the ledger, or not be put back."""


class CopyError(LedgerError):
    """A ledger cannot be copied into another database, where nothing has arrived."""


class ExportError(LedgerError):
    """A snapshot cannot be made; there is nothing under its name."""

    reason = "export-trouble"


class OutExists(ExportError):
    """There is something at that place already."""

    reason = "export-exists"


class NothingToExport(ExportError):
    """Nothing fits the question and may leave; ``held`` of what fits is held back."""

    reason = "export-nothing"

    def __init__(self, sentence: str, held: int = 0) -> None:
        super().__init__(sentence)
        self.held = held


class DiskFull(ExportError):
    """The disk has no room for it."""

    reason = "export-disk-full"


class OutUnwritable(ExportError):
    """The place does not take what is written."""

    reason = "export-unwritable"


class MovedOn(ExportError):
    """What was to be exported changed again and again meanwhile."""

    reason = "busy"


class ImportFailed(LedgerError):
    """A folder or archive of pictures cannot be taken in."""

    reason = "import-trouble"


class UnknownLabels(ImportFailed):
    """It names characters that nobody knows here."""

    reason = "unknown-label"

    def __init__(self, sentence: str, labels: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.labels = labels


class LedgerLocked(LedgerError):
    """Somebody else is writing and did not finish in time."""

    reason = "busy"


class LedgerClosed(LedgerError):
    """Used after it was closed."""

    reason = "ledger-closed"


class NotFound(LedgerError):
    """There is no such thing in the ledger."""

    reason = "not-found"


class Withdrawn(LedgerError):
    """The message was deleted meanwhile: nothing of it is kept."""

    reason = "withdrawn"


class WasForgotten(Withdrawn):
    """Somebody asked to be forgotten after this had begun: nothing of it is kept."""

    reason = "forgotten"


class NotPoster(LedgerError):
    """Only whoever posted the picture may do that."""

    reason = "not-poster"


class Stale(LedgerError):
    """The case has changed since it was shown; ``case`` is how it is now, and nothing was written."""

    reason = "stale"

    def __init__(self, case: CaseView) -> None:
        super().__init__(f"case {case.case_id} has changed since it was shown")
        self.case = case


class Contradicted(LedgerError):
    """A picture that is taught is said to show somebody else already; nothing was written.

    ``slot``: which of the pictures. ``labels``: whom, none for nobody on the list; None: moderators have set
    it aside. ``mine``: whoever teaches has said so, instead of a moderator.
    """

    reason = "contradicted"

    def __init__(self, slot: int, labels: tuple[str, ...] | None, mine: bool = False) -> None:
        super().__init__(f"picture {slot + 1} is said to show {labels!r} already")
        self.slot = slot
        self.labels = labels
        self.mine = mine


class SharedCharacter(LedgerError):
    """All communities share that character: only the operator changes it."""

    reason = "shared-character"


class BadSetting(LedgerError):
    """A community cannot choose that. ``reason`` is one of `REASONS`."""

    REASONS = (
        "language",  # one that nothing is named in
        "number",  # pictures a minute outside of what makes sense
        "channel",  # no id of a channel, or "all" beside others
        "role",  # no id of a role
        "too-many",  # more channels or roles than anybody has
    )

    def __init__(self, reason: str) -> None:
        super().__init__(f"a community cannot choose that: {reason}")
        self.reason = reason


class LabelError(LedgerError):
    """A label is at fault."""

    reason = "bad-label"


class UnknownLabel(LabelError):
    """No character is called so here."""

    reason = "unknown-label"

    def __init__(self, label: str) -> None:
        super().__init__(f"no character is called {label[:64]!r} here")
        self.label = label


class BadLabel(LabelError):
    """No character may be called so. ``reason`` is one of `REASONS`."""

    REASONS = (
        "empty",  # nothing, or spaces only
        "too-long",  # more than 64 characters
        "control",  # control characters, bidirectional overrides, zero width, private use, piles of marks
        "mention",  # would call somebody on a platform
        "markup",  # HTML, links, paths, chat markup
        "no-letters",  # digits, punctuation or pictures only
        "too-many",  # more characters in one picture than a vote may name
        "refused",  # moderators have refused this very name
        "taken",  # somebody else is called so
        "language",  # a name in a language that nothing is named in
        "itself",  # merged into itself
        "accepted",  # refused after it had been accepted
        "shipped",  # removed, although the program brings it
    )

    def __init__(self, reason: str) -> None:
        super().__init__(f"this cannot be the name of a character: {reason}")
        self.reason = reason


class TooManyProposals(LabelError):
    """This person has proposed enough names for a day."""

    reason = "too-many-proposals"
