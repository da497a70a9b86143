// The network side's foreign headers behind a small C API: OpenSSL, c-ares.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "CNetTLS.h"

// Writes the 20 bytes of SHA-1(bytes) to digest. Returns 0, or -1 when the library refuses (FIPS mode).
int cnet_sha1(const uint8_t *bytes, size_t count, uint8_t digest[20]);

// Writes the 64 bytes of HMAC-SHA-512(key, bytes) to digest. Returns 0, or -1.
int cnet_hmac_sha512(const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t digest[64]);

// AES-128 of whole 16-byte blocks, each by itself (ECB, no padding): encrypts, or decrypts, count bytes to out. Returns
// 0, or -1 when count is no multiple of 16 or the library refuses.
int cnet_aes128_ecb(const uint8_t key[16], const uint8_t *bytes, size_t count, int encrypt, uint8_t *out);

// Writes the 16 bytes of AES-CMAC(key, bytes) (RFC 4493) to mac. Returns 0, or -1.
int cnet_aes_cmac(const uint8_t key[16], const uint8_t *bytes, size_t count, uint8_t mac[16]);

// Writes the hash of the bytes by its name in OpenSSL ("md5", "sha256", ...), at most 64 bytes. Returns how many, or -1
// when the library does not know or refuses it.
int cnet_hash(const char *name, const uint8_t *bytes, size_t count, uint8_t digest[64]);
// The same for HMAC.
int cnet_hmac(
    const char *name, const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t digest[64]);

// PBKDF2 with HMAC (RFC 8018, section 5.2). Returns 0, or -1 when the library does not know the hash or refuses.
int cnet_pbkdf2(
    const char *hash, const uint8_t *password, size_t password_count, const uint8_t *salt, size_t salt_count,
    int iterations, uint8_t *out, size_t count);

// AES in Galois/Counter Mode with a key of 16, 24 or 32 bytes: count bytes to out. Encrypting writes the tag, decrypting
// checks it; out is not to be used when that fails. Returns 0, or -1.
int cnet_aes_gcm(
    const uint8_t *key, size_t key_count, const uint8_t *iv, size_t iv_count, const uint8_t *extra, size_t extra_count,
    const uint8_t *bytes, size_t count, int encrypt, uint8_t *out, uint8_t tag[16]);

// AES in CBC mode, likewise; is_padded: as PKCS #7 says, else whole blocks. out has room for count + 32 bytes. Returns
// how many were written, or -1.
int cnet_aes_cbc(
    const uint8_t *key, size_t key_count, const uint8_t iv[16], const uint8_t *bytes, size_t count, int encrypt,
    int is_padded, uint8_t *out);

// A new private key in PEM: RSA of so many bits, or with bits 0 one of an elliptic curve ("P-256"). Returns the text's
// length, or -1.
int cnet_key_new(int bits, const char *curve, char *pem, size_t capacity);

enum { CNET_NUMBER_SIZE = 1024 };
// A public key as numbers, big-endian: n and e of RSA, x and y of a point.
typedef struct cnet_key_numbers {
    int is_rsa;
    size_t first_count, second_count; // at most CNET_NUMBER_SIZE for RSA, 66 for a point
    uint8_t first[CNET_NUMBER_SIZE], second[CNET_NUMBER_SIZE];
} cnet_key_numbers;
// Those of a key or certificate in PEM. Returns 0, or -1.
int cnet_key_numbers_of(const uint8_t *pem, size_t count, cnet_key_numbers *numbers);

typedef enum cnet_padding { CNET_PKCS1 = 0, CNET_PSS = 1 } cnet_padding; // of RSA

// Signs a hash with a private key in PEM. Returns the signature's length, or -1.
int cnet_sign(
    const uint8_t *pem, size_t pem_count, const char *hash, cnet_padding padding, const uint8_t *digest, size_t count,
    uint8_t *signature, size_t capacity);
// Checks a signature of a hash by a key or certificate in PEM, or by numbers where pem is NULL. Returns 1 when it is
// good, 0 when it is not, -1 when the key cannot be used.
int cnet_verify(
    const uint8_t *pem, size_t pem_count, const cnet_key_numbers *numbers, const char *hash, cnet_padding padding,
    const uint8_t *digest, size_t count, const uint8_t *signature, size_t signature_count);

// The two numbers of an ECDSA signature, one after the other, each of as many bytes as is returned (32, 48 or 66; -1
// for what is none). size: room for one.
int cnet_ecdsa_split(const uint8_t *signature, size_t count, uint8_t *numbers, size_t size);
// The reverse. Returns the signature's length, or -1.
int cnet_ecdsa_join(
    const uint8_t *r, size_t r_count, const uint8_t *s, size_t s_count, uint8_t *signature, size_t capacity);

// Fills the buffer from the library's cryptographic generator. Returns 0, or -1.
int cnet_random(uint8_t *bytes, size_t count);

// Lookups in the DNS by c-ares (1.18 and later). A cnet_dns belongs to one thread; only cnet_dns_wake may be called
// from others. Answers come as the server's own bytes: how c-ares lays out its records changed between versions, and
// 1.18 knows no TTL of SRV records.
typedef struct cnet_dns cnet_dns;

typedef enum cnet_dns_status {
    CNET_DNS_ANSWER = 0,      // bytes hold a response with at least one record
    CNET_DNS_NO_DATA = 1,     // the name exists, without records of that type
    CNET_DNS_NO_NAME = 2,     // the name does not exist
    CNET_DNS_FAILED = 3,      // the server failed (SERVFAIL) or did not understand
    CNET_DNS_REFUSED = 4,     // the server refused to answer
    CNET_DNS_UNREACHABLE = 5, // nothing listens at the servers' addresses, or there is no way to them
    CNET_DNS_TIMEOUT = 6,     // nobody answered, all tries included
    CNET_DNS_MALFORMED = 7,   // what came was no DNS message
    CNET_DNS_ENDED = 8,       // cnet_dns_free was called first
    CNET_DNS_OTHER = 9,       // out of memory, a name that cannot be sent
} cnet_dns_status;

// Called on the thread that calls cnet_dns_query, cnet_dns_wait or cnet_dns_free, exactly once for each query. The
// bytes are valid during the call, and may be there for CNET_DNS_NO_DATA and CNET_DNS_NO_NAME too.
typedef void (*cnet_dns_callback)(
    void *context, uint64_t id, cnet_dns_status status, const uint8_t *bytes, size_t count);

// servers: "127.0.0.1:15353,[::1]:53", or NULL for those of the file resolv_conf (NULL: the system's).
// port: of servers that name none. timeout_ms: of the first try; later ones take longer. Returns NULL and sets errno.
cnet_dns *cnet_dns_new(
    const char *servers, const char *resolv_conf, uint16_t port, int timeout_ms, int tries,
    cnet_dns_callback callback, void *context);

// Ends all queries with CNET_DNS_ENDED.
void cnet_dns_free(cnet_dns *dns);

// Asks for records of class IN. search: try the domains of resolv.conf too, as it says.
void cnet_dns_query(cnet_dns *dns, uint64_t id, const char *name, uint16_t type, int search);

// Waits until a server answers, a try's time is over, wake_fd can be read, or timeout_ms (-1: no limit) have passed,
// and handles what there is. Returns 1 when wake_fd could be read, 0 otherwise, -1 with errno.
int cnet_dns_wait(cnet_dns *dns, int wake_fd, int timeout_ms);

// An eventfd, closed on exec: a file that can be read from cnet_wake_signal (from any thread) to cnet_wake_clear.
int cnet_wake_new(void);
void cnet_wake_signal(int wake_fd);
void cnet_wake_clear(int wake_fd);

// Names the calling thread and keeps the process's signals away from it.
void cnet_thread_prepare(const char *name);
