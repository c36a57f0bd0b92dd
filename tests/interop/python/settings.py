"""App Configuration by azure-appconfiguration."""

import base64
import re

from azure.appconfiguration import (
    AzureAppConfigurationClient,
    ConfigurationSetting,
    ConfigurationSettingsFilter,
    FeatureFlagConfigurationSetting,
    SecretReferenceConfigurationSetting,
)
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError

from checks import check, equal, refused
from world import OPTIONS, WORLD, credential, store

NULL = "\0"


def settings():
    client = store("python")
    _single(client)
    _conditions(client)
    _lists(client)
    _snapshots(client)
    _access()


def _put(client, key, value="x", **options):
    return client.set_configuration_setting(ConfigurationSetting(key=key, value=value, **options))


def _single(client):
    @check("settings: set, then get the same")
    def _():
        written = _put(
            client,
            "one:a b/c ü",
            "wört\n",
            label="l/1",
            content_type="text/plain",
            tags={"team": "core", "empty": ""},
            description="what it is for",
        )
        read = client.get_configuration_setting("one:a b/c ü", "l/1")
        for field in ("key", "label", "value", "content_type", "tags", "etag", "description"):
            equal(getattr(read, field), getattr(written, field))
        equal((read.value, read.read_only), ("wört\n", False))

    @check("settings: keys of every script by their path")
    def _():
        for key in ("one:a/b", "one:a b", "one:ключ", "one:a+b", "one:a?b#c", "one:[x]", "one:a.b"):
            _put(client, key, key)
            equal(client.get_configuration_setting(key).value, key)

    @check("settings: absent is 404; deleting an absent one is not an error")
    def _():
        refused(404, client.get_configuration_setting, "one:absent")
        equal(client.delete_configuration_setting("one:absent"), None)

    @check("settings: delete returns what was there")
    def _():
        _put(client, "one:gone")
        equal(client.delete_configuration_setting("one:gone").value, "x")
        refused(404, client.get_configuration_setting, "one:gone")

    @check("settings: a locked setting refuses changes")
    def _():
        written = _put(client, "one:locked")
        equal(client.set_read_only(written).read_only, True)
        refused(409, _put, client, "one:locked", "y")
        refused(409, client.delete_configuration_setting, "one:locked")
        equal(client.set_read_only(written, read_only=False).read_only, False)

    @check("settings: secret references and feature flags keep their types")
    def _():
        uri = "https://kv.vault.azure.net/secrets/n"
        client.set_configuration_setting(SecretReferenceConfigurationSetting("one:reference", uri))
        reference = client.get_configuration_setting("one:reference")
        equal((type(reference), reference.secret_id), (SecretReferenceConfigurationSetting, uri))
        client.set_configuration_setting(FeatureFlagConfigurationSetting("interop-flag", enabled=True))
        flag = client.get_configuration_setting(".appconfig.featureflag/interop-flag")
        equal((type(flag), flag.enabled), (FeatureFlagConfigurationSetting, True))


def _conditions(client):
    @check("conditions: add refuses what is there")
    def _():
        client.add_configuration_setting(ConfigurationSetting(key="if:new", value="1"))
        refused(412, client.add_configuration_setting, ConfigurationSetting(key="if:new", value="2"))

    @check("conditions: get only if modified")
    def _():
        written = _put(client, "if:get", "1")
        condition = {"etag": written.etag, "match_condition": MatchConditions.IfModified}
        equal(client.get_configuration_setting("if:get", **condition), None)
        _put(client, "if:get", "2")
        equal(client.get_configuration_setting("if:get", **condition).value, "2")

    @check("conditions: set and delete only if not modified")
    def _():
        first = _put(client, "if:set", "1")
        _put(client, "if:set", "2")
        condition = {"etag": first.etag, "match_condition": MatchConditions.IfNotModified}
        refused(412, client.set_configuration_setting, first, **condition)
        refused(412, client.delete_configuration_setting, "if:set", **condition)


def _lists(client):
    for number in range(205):
        tags = {"parity": "odd" if number % 2 else "even", "all": "yes"}
        _put(client, f"page:{number:03}", str(number), tags=tags)
    listed = {"key_filter": "page:*", "label_filter": NULL}

    def pages(**options):
        pager = client.list_configuration_settings(**listed, **options).by_page()
        return [(pager.etag, [item.key for item in page]) for page in pager]

    def sizes(**options):
        return [len(names) for _, names in pages(**options)]

    @check("lists: 205 settings on three pages, in the order of their keys")
    def _():
        found = pages()
        equal([len(names) for _, names in found], [100, 100, 5])
        names = [name for _, page in found for name in page]
        equal(names, sorted(names))
        equal(len({etag for etag, _ in found}), 3)

    @check("lists: only the changed page comes back")
    def _():
        etags = [etag for etag, _ in pages()]

        def changed():
            pager = client.list_configuration_settings(**listed).by_page(match_conditions=etags)
            return [{item.key: item.value for item in page} for page in pager]

        equal(changed(), [])
        _put(client, "page:150", "other", tags={"all": "yes"})
        found = changed()
        equal((len(found), found[0]["page:150"]), (1, "other"))

    @check("lists: the page ETags by HEAD")
    def _():
        pager = client.check_configuration_settings(**listed).by_page()
        equal([pager.etag for _ in pager], [etag for etag, _ in pages()])

    @check("lists: tags, one and two, over several pages")
    def _():
        equal(sizes(tags_filter=["all=yes"]), [100, 100, 5])
        equal(sizes(tags_filter=["all=yes", "parity=odd"]), [100, 2])
        equal(sum(sizes(tags_filter=["parity=neither"])), 0)
        refused(400, sizes, tags_filter=["no equals sign"])

    @check("lists: filters")
    def _():
        for key in ("f:a", "f:b", "f:c,d", "f:x*y"):
            _put(client, key, key)
            _put(client, key, key, label="prod")

        def names(key, label):
            return [item.key for item in client.list_configuration_settings(key_filter=key, label_filter=label)]

        equal(names("f:a,f:b", "prod"), ["f:a", "f:b"])
        equal(names(r"f:c\,d", NULL), ["f:c,d"])
        equal(names(r"f:x\*y", NULL), ["f:x*y"])
        equal(names("f:a", "prod," + NULL), ["f:a", "f:a"])
        equal(len(names("f:*", None)), 8)
        refused(400, names, "f:*a", NULL)

    @check("lists: labels, revisions, chosen fields")
    def _():
        equal([label.name for label in client.list_labels(name="pro*")], ["prod"])
        _put(client, "f:a", "second")
        revisions = client.list_revisions(key_filter="f:a", label_filter=NULL)
        equal([revision.value for revision in revisions], ["second", "f:a"])
        [item] = client.list_configuration_settings(key_filter="f:a", label_filter=NULL, fields=["key"])
        equal((item.key, item.value), ("f:a", None))


def _snapshots(client):
    for key, label, value in (("snap:a", None, "1"), ("snap:a", "prod", "2"), ("snap:b", None, "3")):
        _put(client, key, value, label=label)
    filters = [ConfigurationSettingsFilter(key="snap:*", label=label) for label in (NULL, "prod")]

    @check("snapshots: create, read, archive, recover")
    def _():
        poller = client.begin_create_snapshot("first", filters, retention_period=3600, polling_interval=0.01)
        made = poller.result()
        equal((made.name, made.status, made.items_count), ("first", "ready", 2))
        _put(client, "snap:b", "later")
        found = client.list_configuration_settings(snapshot_name="first")
        equal([(item.key, item.value) for item in found], [("snap:a", "2"), ("snap:b", "3")])
        equal([snapshot.name for snapshot in client.list_snapshots()], ["first"])
        equal(client.archive_snapshot("first").status, "archived")
        equal(client.recover_snapshot("first").status, "ready")
        refused(404, client.get_snapshot, "absent")


def _access():
    endpoint = WORLD["stores"]["python"]["endpoint"]

    @check("access: a wrong key is refused")
    def _():
        wrong = "Secret=" + base64.b64encode(b"wrong").decode()
        connection = re.sub("Secret=.*", wrong, WORLD["stores"]["python"]["connection_string"])
        by = AzureAppConfigurationClient.from_connection_string(connection, **OPTIONS)
        refused(401, by.get_configuration_setting, "f:b")

    @check("access: by a token for the audience of the name, and for another")
    def _():
        by = AzureAppConfigurationClient(endpoint, credential(), **OPTIONS)
        equal(by.get_configuration_setting("f:b").value, "f:b")
        by = AzureAppConfigurationClient(endpoint, credential(), audience="https://vault.azure.net/", **OPTIONS)
        refused(401, by.get_configuration_setting, "f:b")

    @check("access: a wrong client secret is named by the authority")
    def _():
        by = AzureAppConfigurationClient(endpoint, credential(client_secret="wrong"), **OPTIONS)
        try:
            by.get_configuration_setting("f:b")
        except ClientAuthenticationError as error:
            assert "AADSTS7000215" in str(error), error
        else:
            raise AssertionError("a wrong client secret was accepted")
