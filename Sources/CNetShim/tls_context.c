#include "tls.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

// No program here asks on its terminal for a key's password.
static int no_password(char *buffer, int size, int writing, void *context) {
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

cnet_tls_context *cnet_tls_context_new(int is_server, int minimum) {
    ERR_clear_error();
    cnet_tls_context *context = calloc(1, sizeof *context);
    if (!context) return NULL;
    context->is_server = is_server;
    SSL_CTX *ssl = context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!ssl || !SSL_CTX_set_min_proto_version(ssl, minimum >= 13 ? TLS1_3_VERSION : TLS1_2_VERSION)) {
        cnet_tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    // Thousands of idle connections must not hold 34 KB of buffers each.
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    if (is_server) {
        // Sessions are kept by the clients, sealed with a key that lives as long as this context.
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        static const unsigned char id[] = "DeviceSDK";
        SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
        SSL_CTX_set_num_tickets(ssl, 1);
    } else {
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ssl, cnet_tls_keep_session);
    }
    return context;
}

void cnet_tls_context_free(cnet_tls_context *context) {
    if (!context) return;
    SSL_CTX_free(context->ssl);
    free(context->alpn);
    free(context);
}

int cnet_tls_context_trust_system(cnet_tls_context *context) {
    ERR_clear_error();
    return SSL_CTX_set_default_verify_paths(context->ssl) == 1;
}

int cnet_tls_context_trust(cnet_tls_context *context, const char *file, const char *directory) {
    ERR_clear_error();
    if (file && SSL_CTX_load_verify_file(context->ssl, file) != 1) return 0;
    return !directory || SSL_CTX_load_verify_dir(context->ssl, directory) == 1;
}

int cnet_tls_context_use_chain(cnet_tls_context *context, const char *chain_file) {
    ERR_clear_error();
    return SSL_CTX_use_certificate_chain_file(context->ssl, chain_file) == 1;
}

static EVP_PKEY *stored_key(const char *uri) {
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, UI_null(), NULL, NULL, NULL);
    if (!store) return NULL;
    EVP_PKEY *key = NULL;
    OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY);
    while (!key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (!info) {
            if (OSSL_STORE_error(store)) break;
            continue;
        }
        if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return key;
}

int cnet_tls_context_use_key(cnet_tls_context *context, const char *key, int is_uri) {
    ERR_clear_error();
    if (is_uri) {
        EVP_PKEY *stored = stored_key(key);
        if (!stored) return 0;
        ERR_clear_error();
        int status = SSL_CTX_use_PrivateKey(context->ssl, stored);
        EVP_PKEY_free(stored);
        if (status != 1) return 0;
    } else if (SSL_CTX_use_PrivateKey_file(context->ssl, key, SSL_FILETYPE_PEM) != 1) {
        return 0;
    }
    return SSL_CTX_check_private_key(context->ssl) == 1;
}

int cnet_tls_context_trust_text(cnet_tls_context *context, const uint8_t *pem, size_t count) {
    ERR_clear_error();
    BIO *in = pem && count <= INT_MAX ? BIO_new_mem_buf(pem, (int)count) : NULL;
    if (!in) return 0;
    X509_STORE *store = SSL_CTX_get_cert_store(context->ssl);
    int trusted = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(in, NULL, no_password, NULL))) {
        int added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (!added) break;
        trusted++;
    }
    BIO_free(in);
    ERR_clear_error();
    return trusted > 0 && !certificate;
}

int cnet_tls_context_use_text(
    cnet_tls_context *context, const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count) {
    ERR_clear_error();
    BIO *in = chain && chain_count <= INT_MAX ? BIO_new_mem_buf(chain, (int)chain_count) : NULL;
    if (!in) return 0;
    X509 *certificate = PEM_read_bio_X509(in, NULL, no_password, NULL);
    int done = certificate && SSL_CTX_use_certificate(context->ssl, certificate) == 1;
    X509_free(certificate);
    while (done && (certificate = PEM_read_bio_X509(in, NULL, no_password, NULL))) {
        done = SSL_CTX_add1_chain_cert(context->ssl, certificate) == 1;
        X509_free(certificate);
    }
    BIO_free(in);
    if (!done) return 0;
    // The end of the text was an error for the reader.
    ERR_clear_error();
    EVP_PKEY *own = cnet_private_key(key, key_count);
    done = own && SSL_CTX_use_PrivateKey(context->ssl, own) == 1 && SSL_CTX_check_private_key(context->ssl) == 1;
    EVP_PKEY_free(own);
    return done;
}

static int choose_alpn(
    SSL *ssl, const unsigned char **chosen, unsigned char *count, const unsigned char *offered,
    unsigned int offered_count, void *argument) {
    (void)ssl;
    cnet_tls_context *context = argument;
    int status = SSL_select_next_proto(
        (unsigned char **)chosen, count, context->alpn, (unsigned int)context->alpn_count, offered, offered_count);
    return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int cnet_tls_context_use_alpn(cnet_tls_context *context, const uint8_t *names, size_t count) {
    ERR_clear_error();
    if (!count || count > UINT16_MAX) return 0;
    if (!context->is_server) return SSL_CTX_set_alpn_protos(context->ssl, names, (unsigned int)count) == 0;
    context->alpn = malloc(count);
    if (!context->alpn) return 0;
    memcpy(context->alpn, names, count);
    context->alpn_count = count;
    SSL_CTX_set_alpn_select_cb(context->ssl, choose_alpn, context);
    return 1;
}

void cnet_tls_context_verify(cnet_tls_context *context, int is_checked, int is_required) {
    int mode = is_checked ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;
    if (is_checked && is_required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(context->ssl, mode, is_checked ? cnet_tls_check : NULL);
}

int cnet_tls_context_name_client_roots(cnet_tls_context *context, const char *file, const char *directory) {
    ERR_clear_error();
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
    if (!names) return 0;
    if ((file && !SSL_add_file_cert_subjects_to_stack(names, file))
        || (directory && !SSL_add_dir_cert_subjects_to_stack(names, directory))) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return 0;
    }
    SSL_CTX_set_client_CA_list(context->ssl, names);
    return 1;
}

size_t cnet_tls_take_errors(char *text, size_t capacity) {
    if (!capacity) return 0;
    size_t length = 0;
    const char *data = NULL;
    int flags = 0;
    unsigned long error;
    text[0] = 0;
    while ((error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags))) {
        // "system lib" follows the system's own words.
        if (ERR_GET_REASON(error) == ERR_R_SYS_LIB && length) continue;
        const char *reason = ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error)) : ERR_reason_error_string(error);
        const char *parts[] = {length ? "; " : "", reason ? reason : "unknown error"};
        for (size_t i = 0; i < 2; i++) {
            size_t count = strlen(parts[i]);
            if (count > capacity - 1 - length) count = capacity - 1 - length;
            memcpy(text + length, parts[i], count);
            length += count;
        }
    }
    text[length] = 0;
    return length;
}

void cnet_tls_session_free(cnet_tls_session *session) { SSL_SESSION_free((SSL_SESSION *)session); }

int cnet_tls_session_is_single_use(const cnet_tls_session *session) {
    return SSL_SESSION_get_protocol_version((const SSL_SESSION *)session) >= TLS1_3_VERSION;
}

int cnet_tls_session_is_for(const cnet_tls_session *session, const char *name, int is_address) {
    SSL_SESSION *ssl = (SSL_SESSION *)session;
    if (!SSL_SESSION_is_resumable(ssl)) return 0;
    long long age = (long long)time(NULL) - SSL_SESSION_get_time(ssl);
    if (age < 0 || age > SSL_SESSION_get_timeout(ssl)) return 0;
    X509 *leaf = SSL_SESSION_get0_peer(ssl);
    if (!leaf || X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0) return 0;
    return (is_address ? X509_check_ip_asc(leaf, name, 0)
                       : X509_check_host(leaf, name, 0, CNET_TLS_NAME_RULES, NULL)) == 1;
}
