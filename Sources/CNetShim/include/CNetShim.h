// The network side's foreign headers behind a small C API: OpenSSL.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Writes the 20 bytes of SHA-1(bytes) to digest. Returns 0, or -1 when the library refuses (FIPS mode).
int cnet_sha1(const uint8_t *bytes, size_t count, uint8_t digest[20]);

// Fills the buffer from the library's cryptographic generator. Returns 0, or -1.
int cnet_random(uint8_t *bytes, size_t count);
