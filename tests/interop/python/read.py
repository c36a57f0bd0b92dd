"""What the official Python provider reads from a store: read.py STORE FILE."""

import json
import pathlib
import sys

from azure.appconfiguration.provider import SettingSelector, load

from checks import check, end
from dataset import DATASET
from world import OPTIONS, VAULT_OPTIONS, WORLD, credential


def main(name, file):
    @check(f"provider: read the store {name}")
    def _():
        provider = load(
            connection_string=WORLD["stores"][name]["connection_string"],
            selects=[
                SettingSelector(key_filter=DATASET["prefix"] + "*", label_filter=label or "\0")
                for label in DATASET["labels"]
            ],
            feature_flag_enabled=True,
            trim_prefixes=[DATASET["prefix"]],
            keyvault_credential=credential(),
            # The provider looks a vault's options up by its URL with a slash at the end.
            keyvault_client_configs={url + "/": dict(VAULT_OPTIONS) for url in WORLD["vaults"].values()},
            replica_discovery_enabled=False,
            startup_timeout=100,
            **OPTIONS,
        )
        pathlib.Path(file).write_text(json.dumps(dict(provider)), encoding="utf-8")

    end()


main(*sys.argv[1:])
