#!/usr/bin/env python3
"""Opens one backup without Resguardo, as format.md describes it: verifies signature and hashes, writes the plain files.
usage: restore.py DATA_FOLDER SOURCE BACKUP_ID PRIVATE_KEY.pem OUT_FOLDER [SIGN.pub.pem]
Needs python3-cryptography and the program zstd. Without SIGN.pub.pem the vault's own copy of the signing key is used: then
compare the key id that is printed with the one that was put into the safe."""
import base64, hashlib, json, os, struct, subprocess, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
def must(is_so, problem): is_so or sys.exit(problem)
def unb64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def key_id(key):
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()[:32]
def check(key, signed, signature):  # ES256: r and s, 32 bytes each; raises InvalidSignature
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    key.verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
def unseal(sealed, data_key, info):  # yields the zstd frames, one a chunk; raises InvalidTag
    must(sealed.read(4) == b"RSG1", "not a sealed blob")
    aead = AESGCM(HKDF(hashes.SHA256(), 32, salt=sealed.read(32), info=info).derive(data_key))
    number = last = 0
    while not last:
        last, length = divmod(struct.unpack("<I", sealed.read(4))[0], 1 << 31)
        nonce = bytes(7) + struct.pack(">IB", number, last)
        yield aead.decrypt(nonce, sealed.read(length), info + nonce)
        number += 1
must(len(sys.argv) in (6, 7), __doc__)
data, source, backup_id, key_file, out, *trusted = sys.argv[1:]
record = json.load(open(f"{data}/{source}/full/{backup_id}/manifest.json"))
header, manifest = (json.loads(unb64(record[part])) for part in ("protected", "payload"))
certificate, certificate_signature = header["certificate"].rsplit(".", 1)
certificate_header, claims = (json.loads(unb64(part)) for part in certificate.split("."))
kept = open(trusted[0] if trusted else f'{data}/keys/{certificate_header["kid"]}.json').read()
signing_pem = kept if trusted else json.loads(unb64(json.loads(kept)["payload"]))["publicKey"]
signing_key = serialization.load_pem_public_key(signing_pem.encode())
check(signing_key, certificate, unb64(certificate_signature))
session_key = serialization.load_der_public_key(base64.b64decode(claims["publicKey"]))
check(session_key, f'{record["protected"]}.{record["payload"]}', unb64(record["signature"]))
must(header["typ"] == manifest["format"] == "resguardo-manifest" and manifest["version"] == 1, "no manifest of version 1")
must((manifest["id"], manifest["source"]["name"]) == (backup_id, source), "the manifest of another backup")
must(claims["notBefore"] <= header["signedAt"] <= claims.get("graceUntil", claims["notAfter"]), "signed outside the time of its session key")
print("signed by key", key_id(signing_key), "consistent at", manifest["consistentAt"])
private_key = serialization.load_pem_private_key(open(key_file, "rb").read(), None)
wrapped = {r["keyId"]: r["wrappedKey"] for r in manifest["encryption"]["recipients"]}[key_id(private_key.public_key())]
data_key = private_key.decrypt(base64.b64decode(wrapped), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
for blob in manifest["blobs"]:
    name, target = blob["name"], os.path.join(out, blob["name"])
    must(".." not in name.split("/") and name[0] != "/", "a name that leaves the folder")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{data}/{source}/data/{backup_id}/{name}", "rb") as sealed, open(target, "wb") as plain:
        digest = hashlib.sha256()
        for piece in iter(lambda: sealed.read(1 << 20), b""): digest.update(piece)
        must((sealed.tell(), digest.hexdigest()) == (blob["sizeBytes"], blob["sha256"]), name + ": damaged")
        sealed.seek(0)
        zstd = subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=plain)
        for frame in unseal(sealed, data_key, f"resguardo/v1/{backup_id}/{name}".encode()): zstd.stdin.write(frame)
        zstd.communicate()
    must(zstd.returncode == 0 and os.path.getsize(target) == blob["plainBytes"], name + ": does not decompress")
    print(name, blob["plainBytes"], "bytes", blob.get("table", ""))
