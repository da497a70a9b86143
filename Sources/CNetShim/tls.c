#include "tls.h"
#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// More than a handshake's longest flight; without it a defect could fill the memory.
enum { SPILLED_LIMIT = 1 << 20 };

static int spill(cnet_tls *tls, const char *bytes, size_t count) {
    if (count > SPILLED_LIMIT - tls->spilled_count) return 0;
    size_t needed = tls->spilled_count + count;
    if (needed > tls->spilled_capacity) {
        size_t capacity = needed < 1024 ? 1024 : needed * 2;
        uint8_t *grown = realloc(tls->spilled, capacity);
        if (!grown) return 0;
        tls->spilled = grown;
        tls->spilled_capacity = capacity;
    }
    memcpy(tls->spilled + tls->spilled_count, bytes, count);
    tls->spilled_count = needed;
    return 1;
}

// MARK: The BIO between OpenSSL and the caller's memory

static int bio_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
    cnet_tls *tls = BIO_get_data(bio);
    cnet_tls_io *io = tls->io;
    size_t room = io && !tls->spilled_count ? io->output_capacity - io->output_count : 0;
    size_t direct = count < room ? count : room;
    if (direct) memcpy(io->output + io->output_count, bytes, direct);
    if (direct < count && !spill(tls, bytes + direct, count - direct)) return 0;
    if (direct) io->output_count += direct;
    *written = count;
    return 1;
}

static int bio_read(BIO *bio, char *bytes, size_t count, size_t *got) {
    cnet_tls *tls = BIO_get_data(bio);
    cnet_tls_io *io = tls->io;
    BIO_clear_retry_flags(bio);
    if (!io || !io->input_count) {
        BIO_set_retry_read(bio);
        *got = 0;
        return 0;
    }
    if (count > io->input_count) count = io->input_count;
    memcpy(bytes, io->input, count);
    io->input += count;
    io->input_count -= count;
    *got = count;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;
static void make_method(void) {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory of the caller");
    if (!made) return;
    if (BIO_meth_set_write_ex(made, bio_write) && BIO_meth_set_read_ex(made, bio_read)
        && BIO_meth_set_ctrl(made, bio_control) && BIO_meth_set_create(made, bio_create)) {
        method = made;
    } else {
        BIO_meth_free(made);
    }
}

// MARK: Connections

cnet_tls *cnet_tls_new(cnet_tls_context *context) {
    ERR_clear_error();
    pthread_once(&method_once, make_method);
    cnet_tls *tls = method ? calloc(1, sizeof *tls) : NULL;
    if (!tls) return NULL;
    tls->ssl = SSL_new(context->ssl);
    BIO *bio = BIO_new(method);
    if (!tls->ssl || !bio || SSL_set_app_data(tls->ssl, tls) != 1) {
        BIO_free(bio);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    if (context->is_server) SSL_set_accept_state(tls->ssl); else SSL_set_connect_state(tls->ssl);
    return tls;
}

void cnet_tls_free(cnet_tls *tls) {
    if (!tls) return;
    // Else OpenSSL takes a connection that was cut for one that was attacked, and marks its session as unfit.
    if (SSL_is_init_finished(tls->ssl)) SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(tls->ssl);
    SSL_SESSION_free(tls->session);
    X509_free(tls->leaf);
    X509_free(tls->culprit);
    free(tls->spilled);
    free(tls);
}

int cnet_tls_set_peer(cnet_tls *tls, const char *name, int is_address, int is_checked) {
    ERR_clear_error();
    if (!is_address && SSL_set_tlsext_host_name(tls->ssl, name) != 1) return 0;
    if (!is_checked) return 1;
    SSL_set_hostflags(tls->ssl, CNET_TLS_NAME_RULES);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name) : SSL_set1_host(tls->ssl, name);
}

int cnet_tls_peer_fits(cnet_tls *tls, const char *name, int is_address) {
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!certificate) return 0;
    return (is_address ? X509_check_ip_asc(certificate, name, 0)
                       : X509_check_host(certificate, name, 0, CNET_TLS_NAME_RULES, NULL)) == 1;
}

int cnet_tls_offer_session(cnet_tls *tls, cnet_tls_session *session) {
    ERR_clear_error();
    return SSL_set_session(tls->ssl, (SSL_SESSION *)session) == 1;
}

int cnet_tls_keep_session(SSL *ssl, SSL_SESSION *session) {
    cnet_tls *tls = SSL_get_app_data(ssl);
    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1;
}

cnet_tls_session *cnet_tls_take_session(cnet_tls *tls) {
    SSL_SESSION *session = tls->session;
    tls->session = NULL;
    return (cnet_tls_session *)session;
}

static void keep(X509 **place, X509 *certificate) {
    if (!certificate || !X509_up_ref(certificate)) return;
    X509_free(*place);
    *place = certificate;
}

int cnet_tls_check(int is_fine, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    cnet_tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;
    if (!is_fine && tls && !tls->verify_error) {
        tls->verify_error = X509_STORE_CTX_get_error(store);
        keep(&tls->leaf, X509_STORE_CTX_get0_cert(store));
        keep(&tls->culprit, X509_STORE_CTX_get_current_cert(store));
    }
    return is_fine;
}

// MARK: Steps

static cnet_tls_reason reason_of(int reason) {
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return CNET_TLS_BAD_CERTIFICATE;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return CNET_TLS_NO_CERTIFICATE;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return CNET_TLS_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION: return CNET_TLS_VERSION;
    case SSL_R_NO_SHARED_CIPHER: return CNET_TLS_NO_CIPHER;
    case SSL_R_NO_APPLICATION_PROTOCOL: return CNET_TLS_NO_ALPN;
    default: return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? CNET_TLS_ALERT : CNET_TLS_OTHER;
    }
}

static cnet_tls_trouble trouble_of(int error) {
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return CNET_TLS_TROUBLE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return CNET_TLS_TROUBLE_EARLY;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return CNET_TLS_TROUBLE_NAME;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return CNET_TLS_TROUBLE_SELF_SIGNED;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return CNET_TLS_TROUBLE_UNKNOWN_CA;
    case X509_V_ERR_INVALID_PURPOSE: return CNET_TLS_TROUBLE_PURPOSE;
    default: return CNET_TLS_TROUBLE_OTHER;
    }
}

// Keeps the first error of OpenSSL that says why; later ones say where it was noticed.
static void explain(cnet_tls *tls) {
    cnet_tls_problem problem = {.text = tls->text};
    const char *words = NULL;
    unsigned long error;
    while ((error = ERR_get_error())) {
        if (!words) words = ERR_reason_error_string(error);
        if (ERR_GET_LIB(error) != ERR_LIB_SSL || problem.reason != CNET_TLS_OTHER) {
            if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) problem.reason = CNET_TLS_NO_MEMORY;
            continue;
        }
        problem.reason = reason_of(ERR_GET_REASON(error));
        if (problem.reason == CNET_TLS_OTHER) continue;
        words = ERR_reason_error_string(error);
        if (problem.reason == CNET_TLS_ALERT) problem.alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
    }
    if (problem.reason == CNET_TLS_BAD_CERTIFICATE) {
        problem.trouble = trouble_of(tls->verify_error);
        words = X509_verify_cert_error_string(tls->verify_error);
    }
    strncpy(tls->text, words ? words : "no reason is known", sizeof tls->text - 1);
    tls->problem = problem;
}

static cnet_tls_step result(cnet_tls *tls, int status) {
    tls->io = NULL;
    int error = SSL_get_error(tls->ssl, status);
    switch (error) {
    case SSL_ERROR_NONE: return CNET_TLS_DONE;
    case SSL_ERROR_WANT_READ: return CNET_TLS_WANTS_INPUT;
    case SSL_ERROR_ZERO_RETURN: return CNET_TLS_CLOSED;
    default: explain(tls); return CNET_TLS_FAILED;
    }
}

cnet_tls_step cnet_tls_handshake(cnet_tls *tls, cnet_tls_io *io) {
    ERR_clear_error();
    tls->io = io;
    return result(tls, SSL_do_handshake(tls->ssl));
}

cnet_tls_step cnet_tls_read(cnet_tls *tls, cnet_tls_io *io, uint8_t *bytes, size_t capacity, size_t *count) {
    ERR_clear_error();
    tls->io = io;
    *count = 0;
    return result(tls, SSL_read_ex(tls->ssl, bytes, capacity, count));
}

cnet_tls_step cnet_tls_write(cnet_tls *tls, cnet_tls_io *io, const uint8_t *bytes, size_t count) {
    ERR_clear_error();
    tls->io = io;
    size_t taken = 0;
    cnet_tls_step step = result(tls, SSL_write_ex(tls->ssl, bytes, count, &taken));
    // The output takes everything, so there is nothing that a write could wait for.
    return step == CNET_TLS_DONE && taken == count ? CNET_TLS_DONE : CNET_TLS_FAILED;
}

void cnet_tls_shutdown(cnet_tls *tls, cnet_tls_io *io) {
    if (!SSL_is_init_finished(tls->ssl) || SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) return;
    ERR_clear_error();
    tls->io = io;
    SSL_shutdown(tls->ssl);
    tls->io = NULL;
    ERR_clear_error();
}

size_t cnet_tls_pending(const cnet_tls *tls) { return (size_t)SSL_pending(tls->ssl); }

const uint8_t *cnet_tls_take_spilled(cnet_tls *tls, size_t *count) {
    *count = tls->spilled_count;
    tls->spilled_count = 0;
    return tls->spilled;
}

cnet_tls_problem cnet_tls_failure(const cnet_tls *tls) {
    cnet_tls_problem problem = tls->problem;
    problem.text = tls->text;
    return problem;
}

// MARK: What is known about a connection

const char *cnet_tls_version(const cnet_tls *tls) { return SSL_get_version(tls->ssl); }
const char *cnet_tls_cipher(const cnet_tls *tls) { return SSL_get_cipher_name(tls->ssl); }
int cnet_tls_is_resumed(const cnet_tls *tls) { return SSL_session_reused(tls->ssl); }

const uint8_t *cnet_tls_alpn(const cnet_tls *tls, size_t *count) {
    const unsigned char *name = NULL;
    unsigned int length = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &length);
    *count = length;
    return name;
}

static void print_names(BIO *out, X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const char *before = "";
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            BIO_printf(out, "%s%.*s", before, ASN1_STRING_length(name->d.dNSName),
                (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            int length = ASN1_STRING_length(name->d.iPAddress), family = length == 4 ? AF_INET : AF_INET6;
            char address[INET6_ADDRSTRLEN];
            if (length != 4 && length != 16) continue;
            inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
            BIO_printf(out, "%s%s", before, address);
        } else {
            continue;
        }
        before = ", ";
    }
    GENERAL_NAMES_free(names);
}

size_t cnet_tls_certificate(
    const cnet_tls *tls, cnet_tls_owner owner, cnet_tls_field field, char *text, size_t capacity) {
    if (!capacity) return 0;
    text[0] = 0;
    X509 *certificate = owner == CNET_TLS_OWN ? SSL_get_certificate(tls->ssl)
        : owner == CNET_TLS_CULPRIT           ? tls->culprit
        : tls->leaf                           ? tls->leaf
                                              : SSL_get0_peer_certificate(tls->ssl);
    BIO *out = certificate ? BIO_new(BIO_s_mem()) : NULL;
    if (!out) return 0;
    // RFC 2253, but with letters of all languages.
    const unsigned long style = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
    switch (field) {
    case CNET_TLS_SUBJECT: X509_NAME_print_ex(out, X509_get_subject_name(certificate), 0, style); break;
    case CNET_TLS_ISSUER: X509_NAME_print_ex(out, X509_get_issuer_name(certificate), 0, style); break;
    case CNET_TLS_NAMES: print_names(out, certificate); break;
    case CNET_TLS_NOT_BEFORE: ASN1_TIME_print(out, X509_get0_notBefore(certificate)); break;
    case CNET_TLS_NOT_AFTER: ASN1_TIME_print(out, X509_get0_notAfter(certificate)); break;
    }
    int count = BIO_read(out, text, capacity - 1 < INT_MAX ? (int)(capacity - 1) : INT_MAX);
    BIO_free(out);
    if (count < 0) count = 0;
    text[count] = 0;
    return (size_t)count;
}
