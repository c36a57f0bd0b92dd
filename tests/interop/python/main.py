"""The official Python clients against the emulator."""

from checks import end
from dataset import fill
from vault_keys import keys
from vault_secrets import secrets
from settings import settings

settings()
secrets()
keys()
fill()
end()
