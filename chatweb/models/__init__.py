"""The tables. Importing this package makes all of them known to the metadata."""

from chatweb.models.conversation import Conversation, Draft
from chatweb.models.message import Message, ReplyPiece
from chatweb.models.process import Process
from chatweb.models.user import Login, User

__all__ = ["Conversation", "Draft", "Login", "Message", "Process", "ReplyPiece", "User"]
