"""The store that providers of three languages read: written by the SDK, read by its provider."""

import json
import os
import pathlib

from azure.appconfiguration import ConfigurationSetting, FeatureFlagConfigurationSetting, SecretReferenceConfigurationSetting

from checks import check, equal
from world import WORLD, secrets, store

DATASET = json.loads(pathlib.Path(os.environ["INTEROP_DATASET"]).read_text(encoding="utf-8"))
VAULT = "kv-python-data"
FLAG_PREFIX = ".appconfig.featureflag/"
FLAG_CONTENT_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"


def _write_secrets():
    client = secrets(VAULT)
    return {
        secret["name"]: [client.set_secret(secret["name"], value).id for value in secret["values"]]
        for secret in DATASET["secrets"]
    }


def _setting(entry, ids):
    common = {"key": DATASET["prefix"] + entry["key"], "label": entry.get("label")}
    if "secret" in entry:
        unversioned = f"{WORLD['vaults'][VAULT]}/secrets/{entry['secret']}"
        uri = ids[entry["secret"]][entry["version"]] if "version" in entry else unversioned
        return SecretReferenceConfigurationSetting(secret_id=uri, **common)
    return ConfigurationSetting(
        value=entry["value"], content_type=entry.get("content_type"), tags=entry.get("tags"), **common
    )


def fill():
    @check("data: write the store that the providers read")
    def _():
        client = store("python-data")
        ids = _write_secrets()
        for entry in DATASET["settings"]:
            client.set_configuration_setting(_setting(entry, ids))
        for number in range(DATASET["bulk"]):
            key = f"{DATASET['prefix']}bulk:n{number}"
            client.set_configuration_setting(ConfigurationSetting(key=key, value=str(number)))
        for flag in DATASET["flags"]:
            client.set_configuration_setting(
                FeatureFlagConfigurationSetting(
                    flag["id"],
                    enabled=flag["enabled"],
                    description=flag.get("description"),
                    filters=flag.get("filters", []),
                )
            )
        for flag in DATASET["raw_flags"]:
            client.set_configuration_setting(
                ConfigurationSetting(
                    key=FLAG_PREFIX + flag["id"], value=json.dumps(flag), content_type=FLAG_CONTENT_TYPE
                )
            )
        for entry in DATASET["outside"]:
            client.set_configuration_setting(ConfigurationSetting(**entry))
        listed = list(client.list_configuration_settings())
        written = sum(len(DATASET[part]) for part in ("settings", "flags", "raw_flags", "outside")) + DATASET["bulk"]
        equal(len(listed), written)
