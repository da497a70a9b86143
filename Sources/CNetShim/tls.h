// What the files for TLS share.
#pragma once
#include "CNetTLS.h"
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// A name is a subjectAltName, never a common name (RFC 9525, section 6.3), and "*" stands for a whole label.
enum { CNET_TLS_NAME_RULES = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT };

struct cnet_tls_context {
    SSL_CTX *ssl;
    uint8_t *alpn;
    size_t alpn_count;
    int is_server;
};

struct cnet_tls {
    SSL *ssl;
    cnet_tls_io *io; // during a call only
    uint8_t *spilled;
    size_t spilled_count, spilled_capacity;
    SSL_SESSION *session;
    // The peer's own certificate and the refused one of its chain, kept from the check: OpenSSL forgets them.
    X509 *leaf, *culprit;
    int verify_error;
    cnet_tls_problem problem;
    char text[160];
};

// A private key in PEM, without a password; NULL for none.
EVP_PKEY *cnet_private_key(const uint8_t *pem, size_t count);

// The callbacks of a context.
int cnet_tls_check(int is_fine, X509_STORE_CTX *store);
int cnet_tls_keep_session(SSL *ssl, SSL_SESSION *session);
