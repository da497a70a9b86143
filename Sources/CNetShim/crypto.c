#include "CNetShim.h"
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

int cnet_sha1(const uint8_t *bytes, size_t count, uint8_t digest[20]) {
    unsigned int written = 0;
    static const uint8_t none = 0;
    if (!bytes) { bytes = &none; count = 0; }
    return EVP_Digest(bytes, count, digest, &written, EVP_sha1(), NULL) == 1 && written == 20 ? 0 : -1;
}

int cnet_random(uint8_t *bytes, size_t count) {
    if (count > INT_MAX) return -1;
    return RAND_bytes(bytes, (int)count) == 1 ? 0 : -1;
}
