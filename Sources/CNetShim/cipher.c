// Ciphers, key derivation and signatures.
#include "tls.h"
#include "CNetShim.h"
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

static const uint8_t none = 0;

int cnet_pbkdf2(
    const char *hash, const uint8_t *password, size_t password_count, const uint8_t *salt, size_t salt_count,
    int iterations, uint8_t *out, size_t count) {
    const EVP_MD *md = EVP_get_digestbyname(hash);
    if (!md || password_count > INT_MAX || salt_count > INT_MAX || count > INT_MAX || iterations < 1) return -1;
    if (!password) { password = &none; password_count = 0; }
    if (!salt) { salt = &none; salt_count = 0; }
    return PKCS5_PBKDF2_HMAC(
        (const char *)password, (int)password_count, salt, (int)salt_count, iterations, md, (int)count, out) == 1 ? 0 : -1;
}

static const EVP_CIPHER *aes(size_t key_count, int is_gcm) {
    switch (key_count) {
    case 16: return is_gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
    case 24: return is_gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
    case 32: return is_gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
    default: return NULL;
    }
}

int cnet_aes_gcm(
    const uint8_t *key, size_t key_count, const uint8_t *iv, size_t iv_count, const uint8_t *extra, size_t extra_count,
    const uint8_t *bytes, size_t count, int encrypt, uint8_t *out, uint8_t tag[16]) {
    const EVP_CIPHER *cipher = aes(key_count, 1);
    if (!cipher || iv_count < 1 || iv_count > 64 || extra_count > INT_MAX || count > INT_MAX) return -1;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context) return -1;
    if (!bytes) bytes = &none;
    int written = 0, rest = 0;
    int done = EVP_CipherInit_ex(context, cipher, NULL, NULL, NULL, encrypt) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_count, NULL) == 1
        && EVP_CipherInit_ex(context, NULL, NULL, key, iv, encrypt) == 1
        && (extra_count == 0 || EVP_CipherUpdate(context, NULL, &written, extra, (int)extra_count) == 1)
        && EVP_CipherUpdate(context, out, &written, bytes, (int)count) == 1
        && (encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, tag) == 1)
        && EVP_CipherFinal_ex(context, out + written, &rest) == 1
        && (!encrypt || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag) == 1);
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return done ? 0 : -1;
}

int cnet_aes_cbc(
    const uint8_t *key, size_t key_count, const uint8_t iv[16], const uint8_t *bytes, size_t count, int encrypt,
    int is_padded, uint8_t *out) {
    const EVP_CIPHER *cipher = aes(key_count, 0);
    if (!cipher || count > INT_MAX - 32) return -1;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (!context) return -1;
    if (!bytes) bytes = &none;
    int written = 0, rest = 0;
    int done = EVP_CipherInit_ex(context, cipher, NULL, key, iv, encrypt) == 1
        && EVP_CIPHER_CTX_set_padding(context, is_padded) == 1
        && EVP_CipherUpdate(context, out, &written, bytes, (int)count) == 1
        && EVP_CipherFinal_ex(context, out + written, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return done ? written + rest : -1;
}

// MARK: Keys

static int no_password(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static BIO *memory(const uint8_t *bytes, size_t count) {
    return bytes && count <= INT_MAX ? BIO_new_mem_buf(bytes, (int)count) : NULL;
}

EVP_PKEY *cnet_private_key(const uint8_t *pem, size_t count) {
    BIO *in = memory(pem, count);
    if (!in) return NULL;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
    BIO_free(in);
    ERR_clear_error();
    return key;
}

// A public key, that of a certificate, or the public half of a private one.
static EVP_PKEY *public_key(const uint8_t *pem, size_t count) {
    BIO *in = memory(pem, count);
    if (!in) return NULL;
    EVP_PKEY *key = PEM_read_bio_PUBKEY(in, NULL, no_password, NULL);
    if (!key && BIO_reset(in) == 1) {
        X509 *certificate = PEM_read_bio_X509(in, NULL, no_password, NULL);
        if (certificate) key = X509_get_pubkey(certificate);
        X509_free(certificate);
    }
    BIO_free(in);
    ERR_clear_error();
    return key ? key : cnet_private_key(pem, count);
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *builder) {
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (parameters && context && EVP_PKEY_fromdata_init(context) == 1) {
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters);
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *public_numbers(const cnet_key_numbers *numbers) {
    const size_t limit = numbers->is_rsa ? CNET_NUMBER_SIZE : 66;
    if (numbers->first_count > limit || numbers->second_count > limit) return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (!builder) return NULL;
    EVP_PKEY *key = NULL;
    if (numbers->is_rsa) {
        BIGNUM *n = BN_bin2bn(numbers->first, (int)numbers->first_count, NULL);
        BIGNUM *e = BN_bin2bn(numbers->second, (int)numbers->second_count, NULL);
        if (n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n)
            && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e)) {
            key = from_parameters("RSA", builder);
        }
        BN_free(n);
        BN_free(e);
    } else {
        // An uncompressed point (SEC 1, section 2.3.3). The curve is told by its size.
        size_t size = numbers->first_count > numbers->second_count ? numbers->first_count : numbers->second_count;
        size = size <= 32 ? 32 : size <= 48 ? 48 : 66;
        const char *curve = size == 32 ? "P-256" : size == 48 ? "P-384" : "P-521";
        uint8_t point[1 + 2 * 66] = {4};
        memcpy(point + 1 + size - numbers->first_count, numbers->first, numbers->first_count);
        memcpy(point + 1 + 2 * size - numbers->second_count, numbers->second, numbers->second_count);
        if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0)
            && OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size)) {
            key = from_parameters("EC", builder);
        }
    }
    OSSL_PARAM_BLD_free(builder);
    return key;
}

int cnet_key_new(int bits, const char *curve, char *pem, size_t capacity) {
    EVP_PKEY *key = bits ? EVP_RSA_gen((unsigned)bits) : EVP_EC_gen(curve);
    BIO *out = BIO_new(BIO_s_mem());
    int count = -1;
    if (key && out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1
        && BIO_ctrl_pending(out) <= capacity && capacity <= INT_MAX) {
        count = BIO_read(out, pem, (int)capacity);
    }
    BIO_free(out);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return count;
}

int cnet_key_numbers_of(const uint8_t *pem, size_t count, cnet_key_numbers *numbers) {
    EVP_PKEY *key = public_key(pem, count);
    if (!key) return -1;
    memset(numbers, 0, sizeof *numbers);
    numbers->is_rsa = EVP_PKEY_is_a(key, "RSA");
    BIGNUM *first = NULL, *second = NULL;
    int done = EVP_PKEY_get_bn_param(key, numbers->is_rsa ? OSSL_PKEY_PARAM_RSA_N : OSSL_PKEY_PARAM_EC_PUB_X, &first)
        && EVP_PKEY_get_bn_param(key, numbers->is_rsa ? OSSL_PKEY_PARAM_RSA_E : OSSL_PKEY_PARAM_EC_PUB_Y, &second);
    // A point's numbers have the curve's size, with zeros in front.
    int size = numbers->is_rsa ? 0 : (EVP_PKEY_get_bits(key) + 7) / 8;
    int first_size = done && BN_num_bytes(first) > size ? BN_num_bytes(first) : size;
    int second_size = done && BN_num_bytes(second) > size ? BN_num_bytes(second) : size;
    if (done && first_size <= CNET_NUMBER_SIZE && second_size <= CNET_NUMBER_SIZE) {
        BN_bn2binpad(first, numbers->first, first_size);
        BN_bn2binpad(second, numbers->second, second_size);
        numbers->first_count = (size_t)first_size;
        numbers->second_count = (size_t)second_size;
    } else {
        done = 0;
    }
    BN_free(first);
    BN_free(second);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return done ? 0 : -1;
}

// MARK: Signatures

// Ready to sign or to verify a hash.
static EVP_PKEY_CTX *ready(EVP_PKEY *key, const char *hash, cnet_padding padding, int signs) {
    const EVP_MD *md = EVP_get_digestbyname(hash);
    EVP_PKEY_CTX *context = key && md ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    if (!context) return NULL;
    int done = (signs ? EVP_PKEY_sign_init(context) : EVP_PKEY_verify_init(context)) == 1;
    if (done && EVP_PKEY_is_a(key, "RSA")) {
        done = EVP_PKEY_CTX_set_rsa_padding(context, padding == CNET_PSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
    }
    if (done && EVP_PKEY_CTX_set_signature_md(context, md) == 1) return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

int cnet_sign(
    const uint8_t *pem, size_t pem_count, const char *hash, cnet_padding padding, const uint8_t *digest, size_t count,
    uint8_t *signature, size_t capacity) {
    EVP_PKEY *key = cnet_private_key(pem, pem_count);
    EVP_PKEY_CTX *context = ready(key, hash, padding, 1);
    size_t size = capacity;
    int done = context && EVP_PKEY_sign(context, signature, &size, digest, count) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return done ? (int)size : -1;
}

int cnet_verify(
    const uint8_t *pem, size_t pem_count, const cnet_key_numbers *numbers, const char *hash, cnet_padding padding,
    const uint8_t *digest, size_t count, const uint8_t *signature, size_t signature_count) {
    EVP_PKEY *key = pem ? public_key(pem, pem_count) : public_numbers(numbers);
    EVP_PKEY_CTX *context = ready(key, hash, padding, 0);
    int status = context ? EVP_PKEY_verify(context, signature, signature_count, digest, count) == 1 : -1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return status;
}

int cnet_ecdsa_split(const uint8_t *signature, size_t count, uint8_t *numbers, size_t size) {
    const uint8_t *cursor = signature;
    ECDSA_SIG *parsed = count <= LONG_MAX ? d2i_ECDSA_SIG(NULL, &cursor, (long)count) : NULL;
    int done = 0;
    if (parsed) {
        const BIGNUM *r = ECDSA_SIG_get0_r(parsed), *s = ECDSA_SIG_get0_s(parsed);
        int needed = BN_num_bytes(r) > BN_num_bytes(s) ? BN_num_bytes(r) : BN_num_bytes(s);
        needed = needed <= 32 ? 32 : needed <= 48 ? 48 : 66;
        if ((size_t)needed <= size && BN_bn2binpad(r, numbers, needed) == needed
            && BN_bn2binpad(s, numbers + needed, needed) == needed) {
            done = needed;
        }
    }
    ECDSA_SIG_free(parsed);
    ERR_clear_error();
    return done ? done : -1;
}

int cnet_ecdsa_join(
    const uint8_t *r, size_t r_count, const uint8_t *s, size_t s_count, uint8_t *signature, size_t capacity) {
    ECDSA_SIG *made = ECDSA_SIG_new();
    BIGNUM *first = BN_bin2bn(r, (int)r_count, NULL), *second = BN_bin2bn(s, (int)s_count, NULL);
    int count = -1;
    if (made && first && second && ECDSA_SIG_set0(made, first, second) == 1) {
        first = second = NULL;
        uint8_t *cursor = signature;
        int size = i2d_ECDSA_SIG(made, NULL);
        if (size > 0 && (size_t)size <= capacity) count = i2d_ECDSA_SIG(made, &cursor);
    }
    BN_free(first);
    BN_free(second);
    ECDSA_SIG_free(made);
    ERR_clear_error();
    return count;
}
