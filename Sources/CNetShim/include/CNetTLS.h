// TLS by OpenSSL 3.0 and later, with the bytes of a connection in the caller's memory instead of a socket.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What connections share: certificates, trusted roots, settings. May be used by several threads once it is set up.
typedef struct cnet_tls_context cnet_tls_context;

// TLS 1.2 at least (minimum 13: 1.3), no renegotiation, no compression. Returns NULL with OpenSSL's error.
cnet_tls_context *cnet_tls_context_new(int is_server, int minimum);
void cnet_tls_context_free(cnet_tls_context *context);

// These return 1, or 0 with OpenSSL's error.
int cnet_tls_context_trust_system(cnet_tls_context *context);
int cnet_tls_context_trust(cnet_tls_context *context, const char *file, const char *directory);
// chain_file: PEM, own certificate first. key: a PEM file, or the URI of a key in a provider's or engine's store.
int cnet_tls_context_use_chain(cnet_tls_context *context, const char *chain_file);
int cnet_tls_context_use_key(cnet_tls_context *context, const char *key, int is_uri);
// The same with PEM in memory: certificates to trust, and a chain with its key.
int cnet_tls_context_trust_text(cnet_tls_context *context, const uint8_t *pem, size_t count);
int cnet_tls_context_use_text(
    cnet_tls_context *context, const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count);
// The protocols' names, each after its length in one byte, best first.
int cnet_tls_context_use_alpn(cnet_tls_context *context, const uint8_t *names, size_t count);
// Whether the peer's certificate is checked; is_required: a client must have one (the servers' always must).
void cnet_tls_context_verify(cnet_tls_context *context, int is_checked, int is_required);
// Tells clients whose certificates are taken.
int cnet_tls_context_name_client_roots(cnet_tls_context *context, const char *file, const char *directory);

// Takes the calling thread's errors, oldest first, as one line. Returns its length without the final 0.
size_t cnet_tls_take_errors(char *text, size_t capacity);

// A session to be taken up again by a client.
typedef struct cnet_tls_session cnet_tls_session;
void cnet_tls_session_free(cnet_tls_session *session);
// Whether it should be used once only (TLS 1.3; RFC 8446, appendix C.4).
int cnet_tls_session_is_single_use(const cnet_tls_session *session);
// Whether it has not expired, and the certificate that it was made with has not either, and is for that name. Taking a
// session up again checks none of these.
int cnet_tls_session_is_for(const cnet_tls_session *session, const char *name, int is_address);

// A connection. One thread at a time; its context must outlive it.
typedef struct cnet_tls cnet_tls;

cnet_tls *cnet_tls_new(cnet_tls_context *context);
void cnet_tls_free(cnet_tls *tls);
// Client: whom to ask for (SNI, names only) and, if is_checked, whose certificate it must be. Returns 1, or 0.
int cnet_tls_set_peer(cnet_tls *tls, const char *name, int is_address, int is_checked);
// Whether the certificate that the other end has shown is for a name or an address.
int cnet_tls_peer_fits(cnet_tls *tls, const char *name, int is_address);
int cnet_tls_offer_session(cnet_tls *tls, cnet_tls_session *session);
// The newest session that the server gave since the last call, or NULL. The caller frees it.
cnet_tls_session *cnet_tls_take_session(cnet_tls *tls);

typedef enum cnet_tls_step {
    CNET_TLS_DONE = 0,        // as much as was asked for
    CNET_TLS_WANTS_INPUT = 1, // all input is consumed and more is needed
    CNET_TLS_CLOSED = 2,      // the peer has sent close_notify
    CNET_TLS_FAILED = 3,      // see cnet_tls_failure; an alert for the peer may be in the output
} cnet_tls_step;

// The caller's memory during one call. Input is consumed from its start. Output that finds no room is kept: see
// cnet_tls_spilled.
typedef struct cnet_tls_io {
    const uint8_t *input;
    size_t input_count;
    uint8_t *output;
    size_t output_capacity;
    size_t output_count;
} cnet_tls_io;

cnet_tls_step cnet_tls_handshake(cnet_tls *tls, cnet_tls_io *io);
cnet_tls_step cnet_tls_read(cnet_tls *tls, cnet_tls_io *io, uint8_t *bytes, size_t capacity, size_t *count);
// All of the bytes, count > 0, or a failure.
cnet_tls_step cnet_tls_write(cnet_tls *tls, cnet_tls_io *io, const uint8_t *bytes, size_t count);
// Sends close_notify, once.
void cnet_tls_shutdown(cnet_tls *tls, cnet_tls_io *io);
// Decrypted bytes that wait for a cnet_tls_read with room for them.
size_t cnet_tls_pending(const cnet_tls *tls);
// Output that found no room, which follows all output so far. Valid until the next call for this connection, which
// must come after the caller has sent it: this forgets it.
const uint8_t *cnet_tls_take_spilled(cnet_tls *tls, size_t *count);

typedef enum cnet_tls_reason {
    CNET_TLS_OTHER = 0,
    CNET_TLS_BAD_CERTIFICATE = 1, // the peer's certificate was refused: see verify_error
    CNET_TLS_NO_CERTIFICATE = 2,  // the client sent none
    CNET_TLS_ALERT = 3,           // the peer refused: see alert (RFC 8446, section 6)
    CNET_TLS_NOT_TLS = 4,         // what came is no TLS
    CNET_TLS_VERSION = 5,         // no common version
    CNET_TLS_NO_CIPHER = 6,       // no common cipher
    CNET_TLS_NO_ALPN = 7,         // no common protocol above
    CNET_TLS_NO_MEMORY = 8,
} cnet_tls_reason;

typedef enum cnet_tls_trouble {
    CNET_TLS_TROUBLE_OTHER = 0,
    CNET_TLS_TROUBLE_EXPIRED = 1,
    CNET_TLS_TROUBLE_EARLY = 2,
    CNET_TLS_TROUBLE_NAME = 3,
    CNET_TLS_TROUBLE_SELF_SIGNED = 4,
    CNET_TLS_TROUBLE_UNKNOWN_CA = 5,
    CNET_TLS_TROUBLE_PURPOSE = 6,
} cnet_tls_trouble;

typedef struct cnet_tls_problem {
    cnet_tls_reason reason;
    cnet_tls_trouble trouble; // of a refused certificate
    int alert;                // its number, for CNET_TLS_ALERT
    const char *text;         // OpenSSL's words; valid as long as the connection
} cnet_tls_problem;

// Why the last step failed.
cnet_tls_problem cnet_tls_failure(const cnet_tls *tls);

typedef enum cnet_tls_owner {
    CNET_TLS_PEER = 0,    // the peer's own certificate
    CNET_TLS_CULPRIT = 1, // the one of the peer's chain that was refused
    CNET_TLS_OWN = 2,     // the one that this side shows
} cnet_tls_owner;

typedef enum cnet_tls_field {
    CNET_TLS_SUBJECT = 0,
    CNET_TLS_ISSUER = 1,
    CNET_TLS_NAMES = 2, // DNS names and IP addresses, with ", " between them
    CNET_TLS_NOT_BEFORE = 3,
    CNET_TLS_NOT_AFTER = 4,
} cnet_tls_field;

// A text from a certificate, cut to capacity. Returns its length without the final 0; 0 where there is none.
size_t cnet_tls_certificate(
    const cnet_tls *tls, cnet_tls_owner owner, cnet_tls_field field, char *text, size_t capacity);

// After the handshake.
const char *cnet_tls_version(const cnet_tls *tls);
const char *cnet_tls_cipher(const cnet_tls *tls);
int cnet_tls_is_resumed(const cnet_tls *tls);
// The protocol above that was agreed on; NULL for none.
const uint8_t *cnet_tls_alpn(const cnet_tls *tls, size_t *count);
