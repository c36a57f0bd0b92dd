"""Key Vault keys by azure-keyvault-keys; what the vault computes is checked with the package `cryptography`."""

import base64
import hashlib
import json

from azure.core.rest import HttpRequest
from azure.keyvault.keys import KeyRotationPolicy
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from checks import check, equal, refused
from world import cryptography, keys as client_of

QUICKLY = {"_polling_interval": 0.01}
TEXT = b"the quick brown fox"
CURVES = {"P-256": (ec.SECP256R1(), "256"), "P-384": (ec.SECP384R1(), "384"), "P-521": (ec.SECP521R1(), "512")}


def keys():
    client = client_of("kv-python")
    _life(client)
    _cryptography(client)


def _number(octets):
    return int.from_bytes(octets, "big")


def _public(key):
    jwk = key.key
    if jwk.kty == "RSA":
        return rsa.RSAPublicNumbers(_number(jwk.e), _number(jwk.n)).public_key()
    return ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), CURVES[jwk.crv][0]).public_key()


def _life(client):
    @check("keys: create, get the newest and a version, list")
    def _():
        first = client.create_rsa_key("rsa", size=2048)
        second = client.create_rsa_key("rsa", size=2048, tags={"by": "python"})
        equal(client.get_key("rsa").properties.version, second.properties.version)
        equal(client.get_key("rsa", first.properties.version).key.n, first.key.n)
        assert "rsa" in [properties.name for properties in client.list_properties_of_keys()]
        equal(len(list(client.list_properties_of_key_versions("rsa"))), 2)
        refused(404, client.get_key, "absent", code="KeyNotFound")

    @check("keys: update, and a disabled key does no work")
    def _():
        made = client.create_rsa_key("disabled", key_operations=["sign", "verify"])
        equal(sorted(made.key_operations), ["sign", "verify"])
        client.update_key_properties("disabled", enabled=False)
        digest = base64.urlsafe_b64encode(hashlib.sha256(TEXT).digest()).rstrip(b"=").decode()
        status, answer = _post(client, f"{made.id}/sign", {"alg": "RS256", "value": digest})
        equal((status, answer["error"]["innererror"]["code"]), (403, "KeyDisabled"))

    @check("keys: rotate, and the policy for it")
    def _():
        client.create_ec_key("rotated", curve="P-256")
        client.update_key_rotation_policy("rotated", KeyRotationPolicy(expires_in="P90D"))
        equal(client.get_key_rotation_policy("rotated").expires_in, "P90D")
        before = client.get_key("rotated").properties.version
        after = client.rotate_key("rotated").properties.version
        assert before != after
        equal(client.get_key("rotated").properties.version, after)

    @check("keys: delete, recover, delete, purge")
    def _():
        client.create_ec_key("gone")
        client.begin_delete_key("gone", **QUICKLY).wait()
        refused(404, client.get_key, "gone", code="KeyNotFound")
        equal(client.get_deleted_key("gone").name, "gone")
        client.begin_recover_deleted_key("gone", **QUICKLY).wait()
        equal(client.get_key("gone").name, "gone")
        client.begin_delete_key("gone", **QUICKLY).wait()
        client.purge_deleted_key("gone")
        refused(404, client.get_deleted_key, "gone")

    @check("keys: back up, restore")
    def _():
        made = client.create_ec_key("kept")
        blob = client.backup_key("kept")
        refused(409, client.restore_key_backup, blob, code="Conflict")
        client.begin_delete_key("kept", **QUICKLY).wait()
        client.purge_deleted_key("kept")
        equal(client.restore_key_backup(blob).id, made.id)
        equal(client.get_key("kept").key.x, made.key.x)


def _post(client, url, body):
    """A request of our own through the SDK's pipeline: its clients encrypt and verify without the vault."""
    response = client.send_request(HttpRequest("POST", url, params={"api-version": "7.4"}, json=body))
    return response.status_code, json.loads(response.text())


def _cryptography(client):
    key = client.create_rsa_key("worker", size=2048)
    worker = cryptography(key)

    @check("keys: encrypted here, decrypted by the vault; encrypted by the vault, decrypted by it")
    def _():
        for algorithm in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa_oaep_256):
            here = worker.encrypt(algorithm, TEXT)
            equal(worker.decrypt(algorithm, here.ciphertext).plaintext, TEXT)
            plain = base64.urlsafe_b64encode(TEXT).rstrip(b"=").decode()
            status, answer = _post(client, f"{key.id}/encrypt", {"alg": algorithm.value, "value": plain})
            equal((status, answer["kid"]), (200, key.id))
            there = base64.urlsafe_b64decode(answer["value"] + "==")
            equal(worker.decrypt(algorithm, there).plaintext, TEXT)

    @check("keys: wrap and unwrap")
    def _():
        for algorithm in (KeyWrapAlgorithm.rsa_oaep, KeyWrapAlgorithm.rsa_oaep_256):
            wrapped = worker.wrap_key(algorithm, b"k" * 32)
            equal(worker.unwrap_key(algorithm, wrapped.encrypted_key).key, b"k" * 32)

    @check("keys: signed by the vault with RSA, verified here")
    def _():
        for bits, kind in (("256", hashes.SHA256()), ("384", hashes.SHA384()), ("512", hashes.SHA512())):
            digest = hashlib.new("sha" + bits, TEXT).digest()
            for name, scheme in (
                ("RS", padding.PKCS1v15()),
                ("PS", padding.PSS(padding.MGF1(kind), padding.PSS.DIGEST_LENGTH)),
            ):
                signed = worker.sign(SignatureAlgorithm(name + bits), digest)
                _public(key).verify(signed.signature, digest, scheme, utils.Prehashed(kind))

    @check("keys: signed by the vault with ECDSA, verified here; altered, refused")
    def _():
        for curve, (_, bits) in CURVES.items():
            made = client.create_ec_key("ec-" + bits, curve=curve)
            digest = hashlib.new("sha" + bits, TEXT).digest()
            signature = cryptography(made).sign(SignatureAlgorithm("ES" + bits), digest).signature
            half = len(signature) // 2
            der = utils.encode_dss_signature(_number(signature[:half]), _number(signature[half:]))
            kind = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[bits]
            _public(made).verify(der, digest, ec.ECDSA(utils.Prehashed(kind)))
            try:
                _public(made).verify(der, b"\0" * len(digest), ec.ECDSA(utils.Prehashed(kind)))
            except InvalidSignature:
                continue
            raise AssertionError("a signature fits another digest")
