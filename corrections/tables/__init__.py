"""The tables of the ledger. No object of these classes leaves the package."""

from corrections.tables.base import Table, UtcTime
from corrections.tables.memory import FeatureRow, MemoryChangeRow
from corrections.tables.people import CharacterRow, CommunityRow, PersonRow, PropertyRow
from corrections.tables.pictures import FORGOTTEN, BlobRow, CaseRow, PostRow, PredictionRow, ReplyRow
from corrections.tables.release import (
    ConsentRow,
    LinkRow,
    SnapshotItemRow,
    SnapshotRow,
    SplitGroupRow,
    TombstoneRow,
)
from corrections.tables.settings import CommunitySettingsRow, FormerCommunityRow
from corrections.tables.votes import (
    DecisionRow,
    TrustRow,
    VoteCaseRow,
    VoteEventRow,
    VoteLabelRow,
    VoteRow,
)

__all__ = [
    "FORGOTTEN",
    "BlobRow",
    "CaseRow",
    "CharacterRow",
    "CommunityRow",
    "CommunitySettingsRow",
    "ConsentRow",
    "DecisionRow",
    "FeatureRow",
    "FormerCommunityRow",
    "LinkRow",
    "MemoryChangeRow",
    "PersonRow",
    "PostRow",
    "PredictionRow",
    "PropertyRow",
    "ReplyRow",
    "SnapshotItemRow",
    "SnapshotRow",
    "SplitGroupRow",
    "Table",
    "TombstoneRow",
    "TrustRow",
    "UtcTime",
    "VoteCaseRow",
    "VoteEventRow",
    "VoteLabelRow",
    "VoteRow",
]
