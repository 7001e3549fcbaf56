#!/usr/bin/env python3
"""Makes tokens.json: tokens of two other implementations, joserfc and PyJWT (both from PyPI), for every algorithm they know.

Run it only to renew the file: `pip install joserfc pyjwt[crypto]`, then `make-tokens.py > tokens.json`.
The keys are made here, for these tests alone; only their public halves (and the HMAC secrets) are kept.
"""
import json
import sys

import joserfc
import jwt
from joserfc import jwk, jws
from joserfc import jwt as jose_jwt

CLAIMS = {
    "iss": "https://id.example", "sub": "élève-7", "aud": ["account", "hub"], "exp": 1800000600, "iat": 1799999990,
    "nbf": 1799999990, "jti": "t-1", "institution": "univ-brest", "realm_access": {"roles": ["student", "reviewer"]},
}
KEYS = {
    "HS256": ("oct", 256), "HS384": ("oct", 384), "HS512": ("oct", 512),
    "RS256": ("RSA", 2048), "RS384": ("RSA", 2048), "RS512": ("RSA", 3072),
    "PS256": ("RSA", 2048), "PS384": ("RSA", 2048), "PS512": ("RSA", 4096),
    "ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"), "EdDSA/448": ("OKP", "Ed448"),
    "Ed25519": ("OKP", "Ed25519"), "Ed448": ("OKP", "Ed448"),
}
RFC9864 = ("Ed25519", "Ed448")  # PyJWT 2.15 does not know them yet
MAKERS = {"oct": jwk.OctKey, "RSA": jwk.RSAKey, "EC": jwk.ECKey, "OKP": jwk.OKPKey}


def pyjwt_token(key, algorithm, kid):
    secret = key.raw_value if key.key_type == "oct" else key.private_key
    return jwt.encode(CLAIMS, secret, algorithm=algorithm, headers={"kid": kid})


def joserfc_token(key, algorithm, kid):
    registry = jws.JWSRegistry(algorithms=[algorithm])
    return jose_jwt.encode({"alg": algorithm, "kid": kid}, CLAIMS, key, registry=registry)


rows = []
for name, (kind, size) in KEYS.items():
    algorithm = name.split("/")[0]
    key = MAKERS[kind].generate_key(size)
    published = key.as_dict(private=kind == "oct")
    kid = "kid-" + name
    published = {**{k: v for k, v in published.items() if k != "kid"}, "kid": kid, "use": "sig", "alg": algorithm}
    for by, make in (("joserfc " + joserfc.__version__, joserfc_token), ("PyJWT " + jwt.__version__, pyjwt_token)):
        if make is pyjwt_token and name in RFC9864:
            continue
        rows.append({"by": by, "alg": algorithm, "key": published, "token": make(key, algorithm, kid)})
json.dump(rows, sys.stdout, indent=0, ensure_ascii=False)
print()
