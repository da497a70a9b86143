#pragma once
#if __has_include(<openssl/ssl.h>)
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#else
#error "openssl/ssl.h is missing. Install it with: sudo apt install libssl-dev"
#endif
