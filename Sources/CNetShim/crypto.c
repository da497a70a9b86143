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

int cnet_aes128_ecb(const uint8_t key[16], const uint8_t *bytes, size_t count, int encrypt, uint8_t *out) {
    if (count > INT_MAX || count % 16 != 0) return -1;
    if (count == 0) return 0;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context) return -1;
    int written = 0, rest = 0;
    int done = EVP_CipherInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL, encrypt) == 1
        && EVP_CIPHER_CTX_set_padding(context, 0) == 1
        && EVP_CipherUpdate(context, out, &written, bytes, (int)count) == 1
        && EVP_CipherFinal_ex(context, out + written, &rest) == 1 && (size_t)(written + rest) == count;
    EVP_CIPHER_CTX_free(context);
    return done ? 0 : -1;
}

int cnet_aes_cmac(const uint8_t key[16], const uint8_t *bytes, size_t count, uint8_t mac[16]) {
    size_t written = 0;
    static const uint8_t none = 0;
    if (!bytes) { bytes = &none; count = 0; }
    return EVP_Q_mac(NULL, "CMAC", NULL, "AES-128-CBC", NULL, key, 16, bytes, count, mac, 16, &written)
        && written == 16 ? 0 : -1;
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
