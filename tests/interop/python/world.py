"""Where the emulator answers, and the clients that every part uses.

INTEROP_WORLD names the file with what the emulator said of itself (--json).
"""

import json
import logging
import os
import pathlib

from azure.appconfiguration import AzureAppConfigurationClient
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient
from azure.keyvault.secrets import SecretClient

_SAID = json.loads(pathlib.Path(os.environ["INTEROP_WORLD"]).read_text(encoding="utf-8"))

WORLD = {
    "identity": _SAID,
    "stores": {store["name"]: store for store in _SAID["stores"]},
    "vaults": {vault["name"]: vault["url"] for vault in _SAID["vaults"]},
}

# Refusals are part of the checks; they need no line of the SDK's own.
logging.getLogger("azure").setLevel(logging.CRITICAL)

# A refusal is a result here, and a hang must not hide behind retries.
OPTIONS = {"retry_total": 0}
# Vaults answer on localhost here, which is no name below the audience's.
VAULT_OPTIONS = {**OPTIONS, "verify_challenge_resource": False}


def credential(**overrides):
    identity = {**WORLD["identity"], **overrides}
    return ClientSecretCredential(
        identity["tenant_id"],
        identity["client_id"],
        identity["client_secret"],
        authority=identity["authority"],
        disable_instance_discovery=True,
        **OPTIONS,
    )


def store(name):
    return AzureAppConfigurationClient.from_connection_string(WORLD["stores"][name]["connection_string"], **OPTIONS)


def secrets(name, by=None):
    return SecretClient(WORLD["vaults"][name], by or credential(), **VAULT_OPTIONS)


def keys(name):
    return KeyClient(WORLD["vaults"][name], credential(), **VAULT_OPTIONS)


def cryptography(key):
    return CryptographyClient(key.id, credential(), **VAULT_OPTIONS)
