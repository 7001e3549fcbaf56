#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

/* OpenSSL's default callback asks for a passphrase on the terminal; an encrypted key is refused instead. */
static inline int hub_no_passphrase(char *buffer, int size, int writing, void *context) {
    (void)buffer; (void)size; (void)writing; (void)context;
    return -1;
}

static inline EVP_PKEY *hub_pem_read_private(BIO *bio) {
    return PEM_read_bio_PrivateKey(bio, NULL, hub_no_passphrase, NULL);
}

static inline EVP_PKEY *hub_pem_read_public(BIO *bio) {
    return PEM_read_bio_PUBKEY(bio, NULL, hub_no_passphrase, NULL);
}

/* Macros, so invisible to Swift. */
static inline long hub_bio_bytes(BIO *bio, char **start) { return BIO_get_mem_data(bio, start); }

/* Variadic, so invisible to Swift. */
static inline EVP_PKEY *hub_generate_rsa(long bits) { return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits); }
static inline EVP_PKEY *hub_generate_elliptic(const char *group) { return EVP_PKEY_Q_keygen(NULL, NULL, "EC", group); }
static inline EVP_PKEY *hub_generate_edwards(const char *type) { return EVP_PKEY_Q_keygen(NULL, NULL, type); }
