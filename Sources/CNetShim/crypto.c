#include "CNetShim.h"
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

int cnet_sha1(const uint8_t *bytes, size_t count, uint8_t digest[20]) {
    unsigned int written = 0;
    static const uint8_t none = 0;
    if (!bytes) { bytes = &none; count = 0; }
    return EVP_Digest(bytes, count, digest, &written, EVP_sha1(), NULL) == 1 && written == 20 ? 0 : -1;
}

int cnet_hmac_sha512(const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t digest[64]) {
    unsigned int written = 0;
    static const uint8_t none = 0;
    if (key_count > INT_MAX) return -1;
    if (!key) { key = &none; key_count = 0; }
    if (!bytes) { bytes = &none; count = 0; }
    return HMAC(EVP_sha512(), key, (int)key_count, bytes, count, digest, &written) && written == 64 ? 0 : -1;
}

int cnet_hash(const char *name, const uint8_t *bytes, size_t count, uint8_t digest[64]) {
    const EVP_MD *hash = EVP_get_digestbyname(name);
    unsigned int written = 0;
    static const uint8_t none = 0;
    if (!hash || EVP_MD_size(hash) > 64) return -1;
    if (!bytes) { bytes = &none; count = 0; }
    return EVP_Digest(bytes, count, digest, &written, hash, NULL) == 1 ? (int)written : -1;
}

int cnet_hmac(
    const char *name, const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t digest[64]) {
    const EVP_MD *hash = EVP_get_digestbyname(name);
    unsigned int written = 0;
    static const uint8_t none = 0;
    if (!hash || EVP_MD_size(hash) > 64 || key_count > INT_MAX) return -1;
    if (!key) { key = &none; key_count = 0; }
    if (!bytes) { bytes = &none; count = 0; }
    return HMAC(hash, key, (int)key_count, bytes, count, digest, &written) ? (int)written : -1;
}

int cnet_random(uint8_t *bytes, size_t count) {
    if (count > INT_MAX) return -1;
    return RAND_bytes(bytes, (int)count) == 1 ? 0 : -1;
}
