"""What gunicorn and `flask` serve."""

from chatweb import create_app
from chatweb.config import WrongSetting

try:
    app = create_app()
except WrongSetting as wrong:
    raise SystemExit(f"chatweb cannot start: {wrong}") from None
