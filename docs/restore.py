#!/usr/bin/env python3
"""Opens one backup without Resguardo, as format.md describes it: verifies signatures and hashes, writes the plain files.
usage: restore.py DATA_FOLDER SOURCE BACKUP_ID PRIVATE_KEY.pem OUT_FOLDER [SIGN.pub.pem ...]
Needs python3-cryptography and zstd. Without SIGN.pub.pem the vault's own copies are used: compare the key ids with the safe's."""
import base64, glob, hashlib, itertools, json, os, struct, subprocess, sys
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import *
def must(is_so, problem): is_so or sys.exit(problem)
def unb64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def key_id(key): return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()[:32]
def check(key, signed, signature):  # ES256: r and s, 32 bytes each; raises InvalidSignature
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(utils.encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
def unseal(sealed, data_key, info):  # yields the zstd frames, one a chunk; raises InvalidTag
    must(sealed.read(4) == b"RSG1", "not a sealed blob")
    aead = AESGCM(HKDF(hashes.SHA256(), 32, salt=sealed.read(32), info=info).derive(data_key))
    for number in itertools.count():
        last, length = divmod(struct.unpack("<I", sealed.read(4))[0], 1 << 31)
        nonce = bytes(7) + struct.pack(">IB", number, last)
        yield aead.decrypt(nonce, sealed.read(length), info + nonce)
        if last: return
def unsigned(path, part): return json.loads(unb64(json.load(open(path))[part]))
def signing_key(kid):  # one from the safe, or else the vault's own copy
    pems = [open(path).read() for path in trusted] or [unsigned(f"{data}/keys/{kid}.json", "payload")["publicKey"]]
    return {key_id(key): key for key in (load_pem_public_key(pem.encode()) for pem in pems)}[kid]
def open_record(path, kind, of=None):  # raises InvalidSignature
    record, header, payload = json.load(open(path)), unsigned(path, "protected"), unsigned(path, "payload")
    certificate, signature = header["certificate"].rsplit(".", 1)
    issuer, claims = (json.loads(unb64(part)) for part in certificate.split("."))
    check(signing_key(issuer["kid"]), certificate, unb64(signature))
    check(load_der_public_key(base64.b64decode(claims["publicKey"])), f'{record["protected"]}.{record["payload"]}', unb64(record["signature"]))
    must((header["typ"], payload["version"], payload.get("manifest")) == (kind, 1, of), f"{path}: no {kind} of this backup")
    must(claims["notBefore"] <= header["signedAt"] <= claims.get("graceUntil", claims["notAfter"]), f"{path}: signed out of time")
    print(os.path.basename(path), "signed by key", issuer["kid"], "consistent at", payload.get("consistentAt", "the same instant"))
    return payload
must(len(sys.argv) >= 6, __doc__)
data, source, backup_id, key_file, out, *trusted = sys.argv[1:]
*revisions, first = sorted(glob.glob(f"{data}/{source}/full/{backup_id}/manifest*.json"))  # "-0002.json" sorts before ".json"
manifest, first_hash = open_record(first, "resguardo-manifest"), hashlib.sha256(open(first, "rb").read()).hexdigest()
must((manifest["id"], manifest["source"]["name"]) == (backup_id, source), "the manifest of another backup")
recipients = sum((open_record(path, "resguardo-revision", first_hash)["recipients"] for path in revisions), manifest["encryption"]["recipients"])
private_key = load_pem_private_key(open(key_file, "rb").read(), None)
wrapped = {one["keyId"]: one["wrappedKey"] for one in recipients}[key_id(private_key.public_key())]
data_key = private_key.decrypt(base64.b64decode(wrapped), padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
for blob in manifest["blobs"]:
    name, target = blob["name"], os.path.join(out, blob["name"])
    must(".." not in name.split("/") and name[0] != "/", "a name that leaves the folder")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(f"{data}/{source}/data/{backup_id}/{name}", "rb") as sealed, open(target, "wb") as plain:
        digest = hashlib.file_digest(sealed, "sha256").hexdigest()
        must((sealed.tell(), digest) == (blob["sizeBytes"], blob["sha256"]), name + ": damaged")
        sealed.seek(0)
        zstd = subprocess.Popen(["zstd", "-dcq"], stdin=subprocess.PIPE, stdout=plain)
        zstd.stdin.writelines(unseal(sealed, data_key, f"resguardo/v1/{backup_id}/{name}".encode()))
        zstd.communicate()
    must(zstd.returncode == 0 and os.path.getsize(target) == blob["plainBytes"], name + ": does not decompress")
    print(name, blob["plainBytes"], "bytes", blob.get("table", ""))
