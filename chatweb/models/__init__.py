"""The tables. Importing this package makes all of them known to the metadata."""

from chatweb.models.conversation import Change, Conversation, Draft
from chatweb.models.limits import QuestionCount
from chatweb.models.message import Message, ReplyPiece
from chatweb.models.process import Process
from chatweb.models.user import Login, Token, User

__all__ = [
    "Change", "Conversation", "Draft", "Login", "Message", "Process", "QuestionCount", "ReplyPiece",
    "Token", "User",
]  # fmt: skip
